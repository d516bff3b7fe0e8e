"""Holds strength_loss to NumPy: `check.py inputs` writes some, `check.py compare` looks at what tercet eval made of them."""

import json
import sys

import numpy as np

TYPES = {"F32": np.float32, "I32": np.int32, "BOOL": np.bool_}


def write(path, tensors):
    header, data = {}, b""
    for name, x in tensors.items():
        dtype = next(t for t, kind in TYPES.items() if kind == x.dtype)
        header[name] = {"dtype": dtype, "shape": x.shape, "data_offsets": (len(data), len(data) + x.nbytes)}
        data += x.tobytes()
    text = json.dumps(header).encode()
    open(path, "wb").write(len(text).to_bytes(8, "little") + text + data)


def read(path):
    raw = open(path, "rb").read()
    start = 8 + int.from_bytes(raw[:8], "little")
    return {name: np.frombuffer(raw[start + x["data_offsets"][0]:start + x["data_offsets"][1]], TYPES[x["dtype"]]).reshape(x["shape"])
            for name, x in json.loads(raw[8:start]).items() if name != "__metadata__"}


def inputs():
    random = np.random.default_rng(1)
    t = np.arange(8)
    first, last = random.integers(0, 4, (3, 4, 1)), random.integers(4, 8, (3, 4, 1))
    return {"logp": -3 * random.random((3, 4, 8), np.float32), "ref": -3 * random.random((3, 4, 8), np.float32),
            "mask": (first <= t) & (t <= last), "mark": np.array([[1, 2, 5, 0], [3, 3, 1, 2], [2, 1, 4, 5]], np.int32)}


def loss_and_gradient(logp, ref, mask, mark, step=0.5, fade=0.9):
    first = mask.argmax(-1)[..., None]
    weight = np.where(mask, fade ** np.maximum(np.arange(logp.shape[-1]) - first, 0.0), 0)
    reward = (weight * (logp.astype(float) - ref)).sum(-1)
    loss, pairs, d_reward = 0.0, 0, np.zeros_like(reward)
    for p, marks in enumerate(mark):
        for j in range(len(marks)):
            for k in range(len(marks)):
                if 0 < marks[j] < marks[k]:
                    short = step * (marks[k] - marks[j]) - (reward[p, j] - reward[p, k])
                    loss, pairs = loss + np.log1p(np.exp(short)), pairs + 1
                    d_reward[p, j] -= 1 / (1 + np.exp(-short))
                    d_reward[p, k] += 1 / (1 + np.exp(-short))
    return loss / pairs, weight * d_reward[..., None] / pairs


if sys.argv[1:] == ["inputs"]:
    write("in.safetensors", inputs())
else:
    out, (loss, gradient) = read("out.safetensors"), loss_and_gradient(**inputs())
    print(f"loss {out['out']:.6f}, NumPy's {loss:.6f}")
    print(f"gradient: largest difference {np.abs(out['grad.logp'] - gradient).max():.0e}")
