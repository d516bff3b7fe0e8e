"""The training of train.c from Python, by ctypes: python3 train.py ./libranking.so

It reads no header: the library tells what is in it.
"""
import ctypes
import json
import sys

TYPES = {"f32": ctypes.c_float, "f64": ctypes.c_double, "i32": ctypes.c_int32, "i64": ctypes.c_int64,
         "bf16": ctypes.c_uint16, "bool": ctypes.c_uint8}


class Library:
    """A shared object made of a library of `tercet build --lib`; its graphs are methods."""

    def __init__(self, path, name, threads=0):
        self.dll, self.name = ctypes.CDLL(path), name
        about = json.loads(self.function("description", ctypes.c_char_p)())
        self.graphs = {g["function"]: g for g in about["graphs"]}

        class Options(ctypes.Structure):
            _fields_ = [("threads", ctypes.c_int), ("isa", ctypes.c_char_p), ("workspace", ctypes.c_void_p),
                        ("workspace_bytes", ctypes.c_size_t), ("folder", ctypes.c_char_p)]

        self.context = ctypes.c_void_p()
        abi = ctypes.c_uint64(int(about["abi"], 16))
        self.check(self.function("create")(abi, ctypes.byref(Options(threads)), ctypes.byref(self.context)))

    def function(self, name, result=ctypes.c_int):
        f = getattr(self.dll, f"{self.name}_{name}")
        f.restype = result
        return f

    def check(self, status):
        if status:
            raise RuntimeError(self.function("message", ctypes.c_char_p)(self.context).decode())

    def close(self):
        self.function("destroy", None)(self.context)

    def call(self, function, **inputs):
        """Inputs are ctypes arrays; those left out are NULL. Gives the outputs as arrays by field."""
        graph = self.graphs[f"{self.name}_{function}"]
        outputs = {}
        for port in graph["outputs"]:
            kind = TYPES[port["dtype"]]
            outputs[port["field"]] = (kind * (port["bytes"] // ctypes.sizeof(kind)))()
        self.check(self.function(function)(self.context, pointers(graph["inputs"], inputs),
                                           pointers(graph["outputs"], outputs)))
        return outputs


def pointers(ports, arrays):
    """The structure of pointers that the header declares."""
    all_of_them = (ctypes.c_void_p * len(ports))()
    for i, port in enumerate(ports):
        array = arrays.get(port["field"])
        if array is not None:
            if ctypes.sizeof(array) != port["bytes"]:
                raise ValueError(f"{port['name']} has {ctypes.sizeof(array)} bytes, not {port['bytes']}")
            all_of_them[i] = ctypes.addressof(array)
    return all_of_them


STEPS, QUERIES, ITEMS, FEATURES = 200, 16, 6, 8
state = 1


def draw():
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) / 2**30 - 1


def make_batch(hidden, features, rank):
    for p in range(QUERIES):
        score = []
        for k in range(ITEMS):
            total = 0.0
            for f in range(FEATURES):
                x = draw()
                features[(p * ITEMS + k) * FEATURES + f] = x
                total += hidden[f] * x
            score.append(total)
        for k in range(ITEMS):
            rank[p * ITEMS + k] = 1 + sum(s > score[k] for s in score)


def main():
    library = Library(sys.argv[1], "ranking")
    weight = (ctypes.c_float * FEATURES)()
    features = (ctypes.c_float * (QUERIES * ITEMS * FEATURES))()
    rank = (ctypes.c_int32 * (QUERIES * ITEMS))()
    hidden = [draw() for _ in range(FEATURES)]
    velocity = [0.0] * FEATURES
    for step in range(STEPS + 1):
        make_batch(hidden, features, rank)
        out = library.call("loss", weight=weight, features=features, rank=rank)
        if step % 40 == 0:
            print(f"step {step:3d}  loss {out['loss'][0]:.4f}  right {out['right'][0]:.3f}")
        for f in range(FEATURES):
            velocity[f] = 0.9 * velocity[f] + out["grad_weight"][f]
            weight[f] = weight[f] - 0.05 * velocity[f]
    library.close()


main()
