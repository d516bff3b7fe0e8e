#!/usr/bin/env python3
"""Prints tests/runtime/safetensors_expected.h: a file as the reference implementation writes it.

    pip install safetensors==0.4.5 && tests/runtime/make_safetensors_expected.py > tests/runtime/safetensors_expected.h
"""
import struct
from safetensors import serialize

TENSORS = {
    "b.weight": ("float32", [2, 3], struct.pack("<6f", 1, 2, 3, 4, 5, 6)),
    "a.weight": ("float32", [], struct.pack("<f", 0.5)),
    "ids": ("int64", [2], struct.pack("<2q", -1, 1 << 40)),
    "wide": ("float64", [1], struct.pack("<d", 0.1)),
    "mask": ("bool", [3], b"\1\0\1"),
    "small": ("bfloat16", [2], struct.pack("<2H", 0x3F80, 0xC000)),
    "rank": ("int32", [2, 0], b""),
    "größe": ("int32", [1], struct.pack("<i", 7)),
}
data = serialize({k: {"dtype": t, "shape": s, "data": d} for k, (t, s, d) in TENSORS.items()}, {"format": "pt"})
print("// Made by make_safetensors_expected.py with the reference implementation; see there.")
print("static const unsigned char reference_file[] = {")
for i in range(0, len(data), 18):
    print("    " + " ".join(f"0x{b:02x}," for b in data[i:i + 18]))
print("};")
