#!/usr/bin/env python3
"""Makes data/: openings of stories, and short stories as demonstrations. Same seed, same bytes.

    python3 make_data.py [--seed N] [--out DIR]

The demonstrations are glad, plain and sad in equal parts, so that what is learned from them is to tell a short story
to its end, not to be cheerful.
"""

import argparse
import gzip
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "instructgpt"))
from world import Rng, a  # noqa: E402

NAMES = {"Lily": "she", "Tim": "he", "Sue": "she", "Ben": "he", "Anna": "she", "Sam": "he", "Mia": "she", "Max": "he",
         "Lucy": "she", "Tom": "he", "Amy": "she", "Jack": "he"}
HEROES = {"she": ["girl", "cat", "bird", "duck"], "he": ["boy", "dog", "bear", "frog"]}
TRAITS = ["little", "big", "young", "small", "old", "brown"]
PLACES = ["park", "garden", "forest", "beach", "farm", "lake", "house", "school"]
THINGS = ["ball", "box", "kite", "hat", "book", "stick", "boat", "cake", "stone", "flower"]
FRIENDS = ["mom", "dad", "friend", "sister", "brother", "grandma"]
SIZES = {"demonstrations": 400, "prompts": 600, "prompts_heldout": 100}


def opening(rng):
    """(text, what the story knows)"""
    name = rng.choice(list(NAMES))
    she = NAMES[name]
    know = {"name": name, "she": she, "She": she.capitalize(), "her": "her" if she == "she" else "his",
            "them": "her" if she == "she" else "him", "hero": rng.choice(HEROES[she]), "trait": rng.choice(TRAITS),
            "place": rng.choice(PLACES), "thing": rng.choice(THINGS), "friend": rng.choice(FRIENDS)}
    know["a_hero"], know["a_thing"] = a(f"{know['trait']} {know['hero']}"), a(know["thing"])
    form = rng.choice([
        "Once upon a time, there was {a_hero} named {name}.",
        "One day, {name} went to the {place}.",
        "{name} was {a_hero}. {She} had {a_thing}.",
        "{name} and {her} {friend} were at the {place}.",
        "One morning, {name} found {a_thing} in the {place}.",
        "There was {a_hero} who lived near the {place}. {Her} name was {name}.",
        "{name} wanted to go to the {place} with {her} {friend}."])
    know["Her"] = know["her"].capitalize()
    return form.format(**know), know


EVENTS = {
    "plain": ["{She} walked to the {place} with {her} {friend}.", "{She} saw {a_thing} near a tree.",
              "{name} put the {thing} in a bag.", "Then {she} went home.", "{She} showed the {thing} to {her} {friend}.",
              "{name} sat down and looked at the {thing}.", "{Her} {friend} asked where the {thing} was."],
    "glad": ["{She} was very happy and smiled.", "{She} and {her} {friend} laughed and played all day.",
             "{Her} {friend} gave {them} a big hug.", "{name} loved the {thing}. It was the best day.",
             "They were good friends and had fun."],
    "sad": ["But {name} lost the {thing} and cried.", "It started to rain and {she} was sad.",
            "{name} fell down and hurt {her} leg.", "{She} was scared and ran away.",
            "{Her} {friend} was angry with {them}."]}


def continuation(rng, know):
    mood = rng.choice(["plain", "glad", "sad"])
    parts = rng.sample(EVENTS["plain"], 2 + rng.below(2))
    if mood != "plain":
        parts = parts[:1 + rng.below(2)] + rng.sample(EVENTS[mood], 1 + rng.below(2))
    return " " + " ".join(parts).format(**know)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "data")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng, seen = Rng(args.seed), set()
    for name, count in SIZES.items():
        rows = []
        while len(rows) < count:
            text, know = opening(rng)
            if text in seen:
                continue
            seen.add(text)
            row = {"prompt": text}
            if name == "demonstrations":
                row["completion"] = continuation(rng, know)
            rows.append(row)
        path = args.out / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode(), 9, mtime=0))
        print(f"{path.name:26} {len(rows):5} rows, {path.stat().st_size:6} bytes")


if __name__ == "__main__":
    main()
