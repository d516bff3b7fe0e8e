"""Supervised steps of GPT-2 124M and of small models, against the limit, PyTorch, JAX and llm.c."""
from dataclasses import dataclass

from .programs import Limit, bench, fastest, figures, llmc, python
from peers.sizes import MODELS
from .table import Bar, Row, ratio
from .worker import Settings, Worker, take_turns

LONG = 256  # tokens from which llm.c takes too long for turns, and JAX too much memory beside the others


def torch_peers(s: Settings, model: str, batch: int, seq: int, dtype: str = "f32") -> list[Worker]:
    shape = ["--model", model, "--batch", str(batch), "--seq", str(seq), "--dtype", dtype]
    return [python(s, "PyTorch", "torch_step.py", *shape),
            python(s, "torch.compile", "torch_step.py", *shape, "--compile")]


def ours(s: Settings, model: str, batch: int, seq: int, runs: int, *more: str) -> Worker:
    return bench(s, "tercet", "step", "--model", model, "--batch", str(batch), "--seq", str(seq), "--runs", str(runs), *more)


def large(s: Settings, seq: int) -> Row:
    batch, model = 4, MODELS["gpt2-124m"]
    limit, mine = Limit(s), ours(s, "gpt2-124m", batch, seq, 2 if seq <= 64 else 1)
    torch = torch_peers(s, "gpt2-124m", batch, seq) if s.peers else []
    others = [llmc(s, batch, seq),
              python(s, "JAX", "jax_step.py", "--batch", str(batch), "--seq", str(seq))] if s.peers else []
    for w in others:
        w.alone = batch * seq > LONG
    take_turns(s, [limit.program, mine, *torch, *others], seconds=0)
    least = limit.ms(model.step_flops(batch, seq), model.step_bytes)
    bars = [Bar("× limit", ratio(mine.ms, least), 1.3, least=False)]
    if s.peers:
        bars += [Bar("× llm.c", ratio(others[0].ms, mine.ms), 4.5),
                 Bar("× faster PyTorch", ratio(fastest(torch), mine.ms), 1.3)]
    return Row(f"SFT step, GPT-2 124M, B={batch} T={seq}, f32", "ms", mine.ms, figures([*torch, *others]), least, bars)


def half(s: Settings, seq: int) -> Row:
    """Products of bf16 factors, all else in f32: --precision bf16 and PyTorch's autocast."""
    runs = 2 if seq <= 64 else 1
    mine = ours(s, "gpt2-124m", 4, seq, runs, "--precision", "bf16")
    full = ours(s, "gpt2-124m", 4, seq, runs)
    full.name = "ours in f32"
    peers = torch_peers(s, "gpt2-124m", 4, seq, "bf16") if s.peers else []
    take_turns(s, [mine, full, *peers], seconds=0)
    bars = [Bar("× our f32", ratio(full.ms, mine.ms), 1.6)]
    if peers:
        bars.append(Bar("× faster PyTorch", ratio(fastest(peers), mine.ms), 1.3))
    return Row(f"SFT step, GPT-2 124M, B=4 T={seq}, bf16", "ms", mine.ms, figures([full, *peers]), None, bars)


def lengths(s: Settings) -> list[int]:
    return [64] if s.quick else [64, 512]


def rows(s: Settings) -> list[Row]:
    return [large(s, seq) for seq in lengths(s)]


def half_rows(s: Settings) -> list[Row]:
    return [half(s, seq) for seq in lengths(s)]


@dataclass
class Case:
    name: str
    batch: int
    seq: int
    mine: Worker
    traced: Worker  # tells what runs outside of kernels
    peers: list[Worker]


def case(s: Settings, name: str, batch: int, seq: int) -> Case:
    shape = ["--model", name, "--batch", str(batch), "--seq", str(seq)]
    peers = [*torch_peers(s, name, batch, seq), python(s, "JAX", "jax_step.py", *shape)] if s.peers else []
    return Case(name, batch, seq, ours(s, name, batch, seq, 50), ours(s, name, batch, seq, 50, "--profile", "1"), peers)


def small(s: Settings) -> list[Row]:
    """The limit is that of arithmetic alone: what fits into the caches moves faster than the triad's arrays."""
    limit = Limit(s)
    cases = [case(s, name, 8, seq) for name, seq in
             ([("gpt2-260k", 64)] if s.quick else [("gpt2-260k", 64), ("gpt2-1m", 64), ("gpt2-10m", 128)])]
    take_turns(s, [limit.program, *(w for c in cases for w in [c.mine, c.traced, *c.peers])], seconds=0.5)
    rows = []
    for c in cases:
        bars = [Bar("of a step outside of kernels", c.traced.best("outside_kernels"), 0.05, least=False)]
        if c.peers:
            bars += [Bar("× PyTorch", ratio(c.peers[0].ms, c.mine.ms), 4),
                     Bar("× faster peer", ratio(fastest(c.peers), c.mine.ms), 2)]
        rows.append(Row(f"SFT step, {c.name}, B={c.batch} T={c.seq}, f32", "ms", c.mine.ms, figures(c.peers),
                        limit.ms(MODELS[c.name].step_flops(c.batch, c.seq)), bars))
    return rows
