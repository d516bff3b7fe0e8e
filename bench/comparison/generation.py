"""Generation by GPT-2 124M, against the time to read the weights and against PyTorch and Hugging Face."""
from .pipelines import LENGTH, pipeline
from .programs import bench, figures, python
from .table import Bar, Row, ratio
from .worker import Settings, take_turns

NEW = 64


def row(s: Settings, batch: int) -> Row:
    """Whole generations, the prompt included, divided by the new tokens of a row. The limit is that of a token."""
    mine = pipeline(s, "generate.tct", batch=batch, new=NEW)
    token = bench(s, "a token", "decode", "--batch", str(batch), "--seq", str(LENGTH), "--max-new", str(NEW))
    shape = ["--batch", str(batch), "--prompt", str(LENGTH), "--new", str(NEW)]
    peers = [python(s, "Hugging Face", "hf_generate.py", *shape),
             python(s, "PyTorch with a cache", "torch_generate.py", *shape)] if s.peers else []
    take_turns(s, [mine, token, *peers], seconds=0)
    each = {name: x / NEW if isinstance(x, float) else x for name, x in figures(peers).items()}
    read = min((t["read_ms"] for t in token.turns), default=None)
    bars = [Bar("reading the weights / a token", ratio(read, token.ms), 0.75)] if batch == 1 else []
    if batch > 1 and peers:
        bars.append(Bar("× Hugging Face", ratio(peers[0].ms, mine.ms), 3))
    return Row(f"generation, GPT-2 124M, batch {batch}, {LENGTH} + {NEW} tokens, each", "ms",
               mine.ms / NEW if mine.ms else None, each, read, bars)


def rows(s: Settings) -> list[Row]:
    return [row(s, batch) for batch in ([1] if s.quick else [1, 32])]
