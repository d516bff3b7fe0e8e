#!/usr/bin/env python3
"""Writes a folder, data/ beside this file by default: what customers ask in a shop, three answers each, and their marks."""

import json
import pathlib
import sys

here = pathlib.Path(__file__).resolve().parent
folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "data"
sys.path.insert(0, str(here.parent / "instructgpt"))
import bpe  # noqa: E402

THINGS = ("bread butter milk cheese honey flour salt pepper rice beans soup tea coffee sugar apples pears plums "
          "onions leeks soap candles string paper ink").split()
QUESTIONS = "Do you have {}?", "Is there any {} left?", "I would like some {}, please."
# Mark 1 is the best. How far two marks are apart says how strongly the labeler prefers the one to the other.
ANSWERS = (1, " Yes, here is your {}. Anything else?"), (2, " Yes, there is {}."), (5, " Look for {} yourself.")


def rows(held_out):
    for i, thing in enumerate(THINGS):
        for q, question in enumerate(QUESTIONS):
            if ((i + q) % 4 == 0) == held_out:
                prompt = f"Customer: {question.format(thing)}\nShop:"
                yield prompt, [a.format(thing) for _, a in ANSWERS], [mark for mark, _ in ANSWERS]


def write(name, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / name).write_text(text, encoding="utf-8")


def ranking(row):
    return dict(zip(("prompt", "responses", "ranks"), row))


def main():
    seen = list(rows(held_out=False))
    folder.mkdir(exist_ok=True)
    write("demonstrations.jsonl", [{"prompt": p, "completion": a} for p, answers, _ in seen for a in answers])
    write("rankings.jsonl", map(ranking, seen))
    write("rankings_heldout.jsonl", map(ranking, rows(held_out=True)))
    texts = [text for prompt, answers, _ in seen for text in (prompt, *answers)]
    bpe.save(folder / "tokenizer", *bpe.train(texts, 412), 64)


main()
