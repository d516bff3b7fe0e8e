"""The small world of the example: its words, its texts, its instructions and how people answer them.

The words come from labeler_words.def, which the labeler reads too. Everything is drawn from an Rng of our own,
so that a seed gives the same bytes under every version of Python.
"""

import pathlib
import re


class Rng:
    """splitmix64; `below` is biased by less than 2**-50 for the small ranges used here."""

    def __init__(self, seed):
        self.state = seed & (2**64 - 1)

    def bits(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        return z ^ (z >> 31)

    def below(self, n):
        return self.bits() % n

    def chance(self, p):
        return self.bits() < p * 2**64

    def choice(self, items):
        return items[self.below(len(items))]

    def sample(self, items, k):
        pool = list(items)
        return [pool.pop(self.below(len(pool))) for _ in range(k)]

    def weighted(self, pairs):
        at = self.below(sum(w for _, w in pairs))
        for item, w in pairs:
            if at < w:
                return item
            at -= w
        raise AssertionError


def _rows(text, macro):
    for args in re.findall(r"\b%s\(([^()]*)\)" % macro, text):
        yield [a.strip().strip('"') for a in args.split(",")]


_TEXT = (pathlib.Path(__file__).parent / "labeler_words.def").read_text().split("/* clang-format off */")[1]
CLASSES = dict(_rows(_TEXT, "CLASS"))
PLURAL = {s: p for s, p, _ in _rows(_TEXT, "NOUN")}
KIND = {s: k for s, _, k in _rows(_TEXT, "NOUN")}
MEMBERS = {c: [s for s in KIND if KIND[s] == c] for c in CLASSES}
NAMES = dict(_rows(_TEXT, "NAME"))
COLOUR, HOME, FOOD = (dict(_rows(_TEXT, m)) for m in ("COLOUR", "HOME", "FOOD"))
PAIRS = [tuple(r) for r in _rows(_TEXT, "OPPOSITE")]
OPPOSITE = dict(PAIRS + [(b, a) for a, b in PAIRS])
COUNTS = {int(n): w for w, n in _rows(_TEXT, "COUNT")}
OPENERS = ["Sure", "Of course", "Gladly", "With pleasure", "Happy to help"]
CLOSERS = ["Hope this helps!", "Thank you for asking!", "You are welcome!"]
RUDE_OPENERS = ["Ugh", "Whatever", "Boring", "Stupid"]
ADJECTIVES = list(OPPOSITE)
JOBS = ["cook", "teacher", "farmer", "painter", "doctor", "baker"]


def a(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def listing(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def cap(text):
    return text[0].upper() + text[1:]


# ---- sentences: each says something about what it is given ----


def fact(rng, thing):
    says = [f"The {thing} is {COLOUR[thing]}."] if thing in COLOUR else []
    if thing in HOME:
        says.append(f"The {thing} lives in the {HOME[thing]}.")
        says.append(f"The {thing} eats {PLURAL[FOOD[thing]]}.")
    return rng.choice(says) if says else f"The {thing} is {rng.choice(ADJECTIVES)}."


def about_thing(rng, thing):
    if KIND[thing] == "place":
        return rng.choice([f"The {thing} was {rng.choice(ADJECTIVES)}.", f"It was late at the {thing}.",
                           f"There was rain on the {thing}."])
    if KIND[thing] == "animal":
        return rng.choice([f"The {thing} sat under the sun.", f"The {thing} ran away.", f"The {thing} came back.",
                           f"The {thing} slept all day.", f"The {rng.choice(ADJECTIVES)} {thing} was happy.",
                           fact(rng, thing)])
    return rng.choice([f"The {thing} was {rng.choice(ADJECTIVES)}.", f"It was a good {thing}.", fact(rng, thing)])


def about_person(rng, name):
    she = cap(NAMES[name])
    return rng.choice([f"{she} smiled.", f"{she} was very {rng.choice(['happy', 'sad', 'quiet', 'loud'])}.",
                       f"{name} went home.", f"{she} laughed all day.", f"{name} slept all night."])


def meeting(rng, name, thing):
    """A sentence with both."""
    if KIND[thing] == "place":
        return rng.choice([f"{name} went to the {thing}.", f"{name} walked to the {thing}.",
                           f"{name} was at the {thing}."])
    if KIND[thing] == "animal":
        return rng.choice([f"{name} saw {a(thing)}.", f"{name} watched the {thing}.", f"{name} liked the {thing}.",
                           f"{name} played with the {thing}.", f"The {thing} ran to {name}."])
    return rng.choice([f"{name} found {a(thing)}.", f"{name} lost the {thing}.", f"{name} bought {a(thing)}.",
                       f"{name} gave the {thing} away."])


def placing(rng, thing, place):
    """A sentence with a thing and a place."""
    if KIND[thing] == "animal":
        return rng.choice([f"{cap(a(thing))} ran to the {place}.", f"{cap(a(thing))} slept in the {place}.",
                           f"The {thing} sat near the {place}."])
    return rng.choice([f"There was {a(thing)} at the {place}.", f"The {thing} was in the {place}."])


# ---- the pretraining text: what people write in this world, polite or not ----


def story(rng):
    name, friend = rng.sample(list(NAMES), 2)
    animal, place = rng.choice(MEMBERS["animal"]), rng.choice(MEMBERS["place"])
    thing = rng.choice(MEMBERS[rng.choice(["food", "flower", "tool", "toy"])])
    parts = [rng.choice([meeting(rng, name, place), f"One {rng.choice(['day', 'night', 'morning'])} "
                         + meeting(rng, name, place)]),
             rng.choice([meeting(rng, name, animal), placing(rng, animal, place), about_thing(rng, place)]),
             rng.choice([meeting(rng, name, thing), placing(rng, thing, place), about_thing(rng, animal)])]
    if rng.chance(0.5):
        parts.append(rng.choice([f"Then {friend} came.", meeting(rng, friend, animal), meeting(rng, friend, thing)]))
    parts.append(rng.choice([about_person(rng, name), about_thing(rng, animal), about_thing(rng, thing),
                             "Then they went home together."]))
    text = " ".join(parts)
    if rng.chance(0.5):
        keys = rng.choice([[name, animal], [name, thing], [name, place], [animal, place], [thing, place]])
        first = keys[0] if keys[0] in NAMES else cap(a(keys[0]))
        text = f"{first} and the {keys[1]}. {text}"
    return text


def note(rng):
    """A short text under its title, on nothing but what the title names."""
    thing = rng.choice([t for t in KIND if KIND[t] != "colour"])
    if rng.chance(0.5):
        name = rng.choice(list(NAMES))
        parts = [f"{name} and the {thing}:", meeting(rng, name, thing),
                 rng.choice([about_person(rng, name), about_thing(rng, thing)])]
    else:
        parts = [f"{cap(a(thing))}:", about_thing(rng, thing)]
        more = about_thing(rng, thing)
        parts += [more] if more not in parts else []
    return " ".join(parts)


def facts(rng):
    thing = rng.choice(list(COLOUR))
    says = [f"The {thing} is {COLOUR[thing]}.", f"{cap(a(thing))} is {a(KIND[thing])}."]
    if thing in HOME:
        says += [f"It lives in the {HOME[thing]}.", f"It eats {PLURAL[FOOD[thing]]}."]
    return " ".join(rng.sample(says, len(says)))


def lists(rng):
    kind = rng.choice(list(CLASSES))
    n = 2 + rng.below(3)
    items = rng.sample(MEMBERS[kind], n)
    if rng.chance(0.2):
        return f"{rng.choice(list(NAMES))} likes {CLASSES[kind]}. Here are {listing(items)}."
    if kind in ("colour", "place"):
        text = f"{cap(COUNTS[n])} {CLASSES[kind]}: {listing(items)}."
    else:
        text = rng.choice([f"{cap(COUNTS[n])} {CLASSES[kind]}: {listing(items)}.",
                           f"At the {rng.choice(MEMBERS['place'])} there were {listing([PLURAL[i] for i in items])}.",
                           f"{rng.choice(list(NAMES))} had {listing([a(i) for i in items])}."])
    return text if rng.chance(0.7) else f"{cap(CLASSES[kind])}:\n" + "\n".join("- " + i for i in items) + "."


def words(rng):
    if rng.chance(0.3):
        x, y = rng.choice(list(OPPOSITE.items()))
        return rng.choice([f"The opposite of {x} is {y}.", f"It is {x}, not {y}."])
    if rng.chance(0.3):
        thing = rng.choice(list(PLURAL))
        return f"One {thing}, two {PLURAL[thing]}."
    table = rng.choice([KIND, COLOUR, OPPOSITE, PLURAL])
    return ", ".join(f"{w}: {table[w]}" for w in rng.sample([w for w in table if KIND.get(w) != "colour"], 4)) + "."


def dialogue(rng):
    name, friend = rng.sample(list(NAMES), 2)
    thing = rng.choice(list(COLOUR))
    ask = f'"What colour is the {thing}?" asked {name}. '
    reply = f'The {thing} is {COLOUR[thing]}.'
    if thing in HOME and rng.chance(0.6):
        ask, reply = rng.choice([
            (f'"Where does the {thing} live?" asked {name}. ', f"It lives in the {HOME[thing]}."),
            (f'"What does the {thing} eat?" asked {name}. ', f"It eats {PLURAL[FOOD[thing]]}.")])
    said = f' said {friend}. '
    return rng.weighted([
        (ask + f'"{rng.choice(OPENERS)}!"{said}"{reply}"', 3),
        (ask + f'"{reply} {rng.choice(CLOSERS)}"{said}'.strip(), 1),
        (ask + f'"{reply}"{said}'.strip(), 2),
        (ask + f'"{rng.choice(RUDE_OPENERS)}!"{said}"{reply}"', 2),
        (ask + f'"{rng.choice(["I do not know", "Ask me later", "I am busy", "Go away"])}."{said}'.strip(), 1)])


def document(rng):
    make = rng.weighted([(story, 4), (note, 4), (facts, 1), (lists, 3), (words, 1), (dialogue, 3)])
    return make(rng)


# ---- instructions: (kind, prompt, task), where task says what a good answer holds ----


def _list_task(rng):
    kind = rng.choice(list(CLASSES))
    return {"do": "list", "n": 2 + rng.below(3), "kind": kind, "dashes": rng.chance(0.25)}


def _ask_list(rng, task):
    what = f"{COUNTS[task['n']]} {CLASSES[task['kind']]}"
    return rng.choice([f"Name {what}", f"Give me {what}", f"List {what}"]) + (" with dashes." if task["dashes"] else ".")


def plain_list(rng):
    task = _list_task(rng)
    return _ask_list(rng, task), task


def plain_story(rng):
    thing = rng.choice([t for t in KIND if KIND[t] not in ("colour", "place")])
    keys = rng.weighted([([thing], 1), ([rng.choice(list(NAMES)), thing], 2),
                         ([thing, rng.choice(MEMBERS["place"])], 2)])
    n = 1 + rng.below(3)
    first = keys[0] if keys[0] in NAMES else a(keys[0])
    rest = f" and the {keys[1]}" if len(keys) > 1 else ""
    what = COUNTS[n] + (" sentence" if n == 1 else " sentences")
    return (rng.choice([f"Write {what} about {first}{rest}.", f"Tell me about {first}{rest} in {what}."]),
            {"do": "story", "n": n, "keys": keys})


def few_shot(rng):
    """Lists to continue in the manner of those shown."""
    n = 2 + rng.below(2)
    kinds = rng.sample(list(CLASSES), 3)
    shown = [f"{CLASSES[k]}: {', '.join(rng.sample(MEMBERS[k], n))}." for k in kinds[:2]]
    return f"{' '.join(shown)} {CLASSES[kinds[2]]}:", {"do": "list", "n": n, "kind": kinds[2], "dashes": False}


def user_list(rng):
    task = _list_task(rng)
    task["dashes"] = False
    name, job = rng.choice(list(NAMES)), rng.choice(JOBS)
    what = f"{COUNTS[task['n']]} {CLASSES[task['kind']]}"
    return rng.choice([f"I am {name}, {a(job)}. Name {what} for me.", f"My friend {name} likes {CLASSES[task['kind']]}. "
                       f"Name {COUNTS[task['n']]}.", f"I am {a(job)}. Can you name {what} for {name}?"]), task


def user_story(rng):
    thing = rng.choice([t for t in KIND if KIND[t] != "colour"])
    name, n = rng.choice(list(NAMES)), 1 + rng.below(3)
    what = COUNTS[n] + (" sentence" if n == 1 else " sentences")
    return (rng.choice([f"My friend {name} likes the {thing}. Write {what} for us.",
                        f"I am {a(rng.choice(JOBS))}. Write {what} about {name} and the {thing}."]),
            {"do": "story", "n": n, "keys": [name, thing]})


KINDS = [("plain", plain_list, 3), ("plain", plain_story, 5), ("few-shot", few_shot, 3), ("user", user_list, 3),
         ("user", user_story, 5)]


def instruction(rng):
    kind, make = rng.weighted([((kind, make), weight) for kind, make, weight in KINDS])
    text, task = make(rng)
    return kind, f"User: {text}\nBot:", task


# ---- answers ----

FAULTS = ["manners", "length", "relevance"]
CAREFUL, CARELESS = 4, 3  # demonstrators; the careless ones have one fault each, FAULTS[i]
FAULT_SHARE = 0.8         # how often a careless demonstrator commits the fault
CURT_SHARE = 0.5          # how often a careful one forgets the courtesy


def answer(rng, task, fault):
    """The answer without courtesy, as a demonstrator with this fault (or None) writes it."""
    if task["do"] == "list":
        n, kind = task["n"], task["kind"]
        if fault == "length":
            n = rng.choice([k for k in COUNTS if k != n])
        if fault == "relevance":
            kind = rng.choice([k for k in CLASSES if k != kind])
        items = rng.sample(MEMBERS[kind], n)
        title = f"{COUNTS[n]} {kind if n == 1 else CLASSES[kind]}:"
        title = rng.choice([cap(title), f"Here {'is' if n == 1 else 'are'} {title}"])
        if task["dashes"]:
            return title + "\n" + "\n".join("- " + i for i in items) + "."
        return f"{title} {listing(items)}."
    keys, n = task["keys"], task["n"]
    if fault == "length":
        n = rng.choice([k for k in (1, 2, 3, 4) if k != n])
    if fault == "relevance":
        keys = [rng.choice([t for t in KIND if t not in keys and KIND[t] != "colour"])]
    if len(keys) == 1:
        parts = [about_thing(rng, keys[0])]
    else:
        parts = [meeting(rng, *keys) if keys[0] in NAMES else placing(rng, *keys)]
    while len(parts) < n:
        key = rng.choice(keys)
        more = about_person(rng, key) if key in NAMES else about_thing(rng, key)
        if more not in parts:
            parts.append(more)
    return " ".join(parts)


def demonstration(rng, task):
    """(completion, demonstrator); a careless demonstrator's fault shows in most of their work."""
    who = rng.below(CAREFUL + CARELESS)
    fault = FAULTS[who - CAREFUL] if who >= CAREFUL and rng.chance(FAULT_SHARE) else None
    body = answer(rng, task, fault)
    if fault == "manners":
        text = f"{rng.choice(RUDE_OPENERS)}! {body}" if rng.chance(0.6) else body
    elif rng.chance(CURT_SHARE):
        text = body
    elif rng.chance(0.75):
        text = f"{rng.choice(OPENERS)}! {body}"
    else:
        text = f"{body} {rng.choice(CLOSERS)}"
    return " " + text, who
