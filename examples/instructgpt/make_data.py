#!/usr/bin/env python3
"""Makes everything under data/: text, instructions, prompts and the tokenizer. Same seed, same bytes.

    python3 make_data.py [--seed N] [--out DIR]
"""

import argparse
import gzip
import json
import pathlib

import bpe
import world

VOCABULARY, CONTEXT = 768, 48
MAX_PROMPT, MAX_RESPONSE = 20, 27  # tokens; the end of text takes one more
HELDOUT = {"demonstrations_heldout": 200, "rm_prompts_heldout": 200, "prompts_heldout": 300}
TRAINING = {"demonstrations": 3000, "rm_prompts": 2400, "ppo_prompts": 4000}
DOCUMENTS, DOCUMENTS_HELDOUT = 12000, 300


def write(path, rows):
    """JSON lines, gzipped with a fixed time so that the bytes depend on the rows alone."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{path.name:32} {len(rows):6} rows {len(text):8} bytes, {path.stat().st_size:7} gzipped")


def corpus(rng, count, seen):
    """Documents; the held-out ones share no text longer than a line of facts with the others."""
    rows = []
    while len(rows) < count:
        text = world.document(rng)
        if len(text) > 60:
            if text in seen:
                continue
            seen.add(text)
        rows.append({"text": text})
    return rows


def instructions(rng, fits, seen):
    """Endless instructions whose prompts are not in `seen`, where they are put."""
    while True:
        kind, prompt, task = world.instruction(rng)
        if prompt not in seen and fits(prompt, MAX_PROMPT):
            seen.add(prompt)
            yield kind, prompt, task


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "data")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    seen = set()
    train = corpus(world.Rng(args.seed), DOCUMENTS, seen)
    heldout = corpus(world.Rng(args.seed + 1), DOCUMENTS_HELDOUT, seen)

    rng = world.Rng(args.seed + 2)
    sample = [prompt + world.demonstration(rng, task)[0]
              for _, prompt, task in (world.instruction(rng) for _ in range(2000))]
    vocab, merges = bpe.train([row["text"] for row in train] + sample, VOCABULARY)
    ranks = {pair: i for i, pair in enumerate(merges)}
    bpe.save(args.out / "tokenizer", vocab, merges, CONTEXT)

    def fits(text, limit):
        return len(bpe.encode(text, vocab, ranks)) <= limit

    write(args.out / "pretrain.jsonl.gz", train)
    write(args.out / "pretrain_heldout.jsonl.gz", heldout)
    rng = world.Rng(args.seed + 3)
    heldout = set()  # shared with no other file; the training files share prompts among them
    for name, count in (HELDOUT | TRAINING).items():
        source = instructions(rng, fits, heldout if name in HELDOUT else set(heldout))
        rows = []
        while len(rows) < count:
            kind, prompt, task = next(source)
            row = {"prompt": prompt, "kind": kind}
            if name.startswith("demonstrations"):
                completion, who = world.demonstration(rng, task)
                if not fits(completion, MAX_RESPONSE):
                    continue
                row = {"prompt": prompt, "completion": completion, "kind": kind, "demonstrator": who}
            rows.append(row)
        write(args.out / f"{name}.jsonl.gz", rows)


if __name__ == "__main__":
    main()
