"""Writes a GPT-2 124M checkpoint with random values in the format that llm.c's train_gpt2.c reads.

    llmc_checkpoint.py FILE

256 int32 (magic, version 3, context, vocabulary, layers, heads, width, padded vocabulary, zeros), then the parameters
as f32: wte, wpe, then for each kind the layers' tensors one after another. Biases and scales are random as well, which
changes nothing about the time.
"""
import random
import struct
import sys
from array import array

MAGIC, VERSION = 20240326, 3
CONTEXT, VOCAB, LAYERS, HEADS, D, PADDED = 1024, 50257, 12, 12, 768, 50304


def parameters() -> int:
    layer = 2 * D + (D * 3 * D + 3 * D) + (D * D + D) + 2 * D + (D * 4 * D + 4 * D) + (4 * D * D + D)
    return PADDED * D + CONTEXT * D + LAYERS * layer + 2 * D


def main(path: str) -> None:
    header = [MAGIC, VERSION, CONTEXT, VOCAB, LAYERS, HEADS, D, PADDED]
    # One block, repeated: what the values are doesn't matter, only that none is zero, subnormal or large.
    draw = random.Random(1)
    block = array("f", (draw.gauss(0, 0.02) for _ in range(1 << 18)))
    left = parameters()
    with open(path, "wb") as f:
        f.write(struct.pack("<256i", *header, *[0] * (256 - len(header))))
        while left:
            n = min(left, len(block))
            f.write(block[:n].tobytes())
            left -= n


main(sys.argv[1])
