"""Causal attention, forward and backward, against the limit and PyTorch's scaled_dot_product_attention."""
from .programs import Limit, figures, graph, python
from peers.sizes import attention_flops
from .table import Bar, Row, ratio
from .worker import Settings, take_turns

HEADS, HEAD, TOKENS = 12, 64, 2048
LONG = 512  # from here on a share of the limit is promised


def row(s: Settings, seq: int, backward: bool) -> Row:
    batch = max(1, TOKENS // seq)
    limit = Limit(s)
    mine = graph(s, "tercet", "attention.tct", "attention" if backward else "forward", backward,
                 B=batch, T=seq, S=seq, H=HEADS, D=HEAD)
    peers = [python(s, "PyTorch", "torch_attention.py", "--batch", str(batch), "--seq", str(seq),
                    *(["--backward"] if backward else []))] if s.peers else []
    take_turns(s, [limit.program, mine, *peers], seconds=0.5)
    least = limit.ms(attention_flops(batch, HEADS * HEAD, seq, backward))
    bars = [Bar("of the limit", ratio(least, mine.ms), 0.6)] if seq >= LONG else []
    if peers:
        bars.append(Bar("× PyTorch", ratio(peers[0].ms, mine.ms), 1))
    return Row(f"attention {'forward and backward' if backward else 'forward'}, B={batch} T={seq}, 12 heads of 64",
               "ms", mine.ms, figures(peers), least, bars)


def rows(s: Settings) -> list[Row]:
    lengths = [64] if s.quick else [64, 128, 256, 512, 1024, 2048]
    return [row(s, seq, backward) for seq in lengths for backward in (False, True)]
