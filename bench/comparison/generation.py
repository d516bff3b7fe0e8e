"""Generation by GPT-2 124M, against the time to read the weights and against PyTorch and Hugging Face."""
from .programs import bench, figures, python
from .table import Bar, Row, ratio
from .worker import Settings, take_turns

PROMPT, NEW = 64, 64


def row(s: Settings, batch: int) -> Row:
    mine = bench(s, "tercet", "decode", "--batch", str(batch), "--seq", str(PROMPT), "--max-new", str(NEW))
    shape = ["--batch", str(batch), "--prompt", str(PROMPT), "--new", str(NEW)]
    peers = [python(s, "Hugging Face", "hf_generate.py", *shape),
             python(s, "PyTorch with a cache", "torch_generate.py", *shape)] if s.peers else []
    take_turns(s, [mine, *peers], seconds=0)
    ms = figures(peers)
    each = {name: x / NEW if isinstance(x, float) else x for name, x in ms.items()}
    read = min((t["read_ms"] for t in mine.turns), default=None)
    bars = [Bar("of reading the weights", ratio(read, mine.ms), 0.75)] if batch == 1 else []
    hugging = each.get("Hugging Face")
    if batch > 1 and s.peers:
        bars.append(Bar("× Hugging Face", ratio(hugging, mine.ms) if isinstance(hugging, float) else None, 3))
    return Row(f"generation, GPT-2 124M, batch {batch}, prompt {PROMPT}, {NEW} new, a token", "ms", mine.ms, each, read, bars)


def rows(s: Settings) -> list[Row]:
    return [row(s, batch) for batch in ([1] if s.quick else [1, 32])]
