"""Causal attention, forward and backward, against the limit and PyTorch's scaled_dot_product_attention."""
from dataclasses import dataclass

from .programs import Limit, figures, graph, python
from peers.sizes import attention_flops
from .table import Bar, Row, ratio
from .worker import Settings, Worker, take_turns

HEADS, HEAD, TOKENS = 12, 64, 2048
LONG = 512  # from here on a share of the limit is promised


@dataclass
class Case:
    seq: int
    backward: bool
    mine: Worker
    peers: list[Worker]


def case(s: Settings, seq: int, backward: bool) -> Case:
    batch = max(1, TOKENS // seq)
    mine = graph(s, f"tercet {seq}", "attention.tct", "attention" if backward else "forward", backward,
                 B=batch, T=seq, S=seq, H=HEADS, D=HEAD)
    shape = ["--batch", str(batch), "--seq", str(seq), *(["--backward"] if backward else [])]
    return Case(seq, backward, mine, [python(s, "PyTorch", "torch_attention.py", *shape)] if s.peers else [])


def row(c: Case, limit: Limit) -> Row:
    batch = max(1, TOKENS // c.seq)
    least = limit.ms(attention_flops(batch, HEADS * HEAD, c.seq, c.backward))
    bars = [Bar("of the limit", ratio(least, c.mine.ms), 0.6)] if c.seq >= LONG else []
    bars += [Bar("× PyTorch", ratio(p.ms, c.mine.ms), 1) for p in c.peers]
    return Row(f"attention {'forward and backward' if c.backward else 'forward'}, B={batch} T={c.seq}, 12 heads of 64",
               "ms", c.mine.ms, figures(c.peers), least, bars)


def rows(s: Settings) -> list[Row]:
    limit = Limit(s)
    cases = [case(s, seq, backward) for seq in ([64] if s.quick else [64, 128, 256, 512, 1024, 2048])
             for backward in (False, True)]
    take_turns(s, [limit.program, *(w for c in cases for w in [c.mine, *c.peers])], seconds=0.3)
    return [row(c, limit) for c in cases]
