"""Kernels that are no products against the triad, and against memory that moves in and out as they do."""
from .programs import lines
from .table import Bar, Row
from .worker import Again, Settings, take_turns


def read(text: str) -> dict[str, float]:
    out = {}
    for line in lines(text):
        out[line["kernel"]], out["triad " + line["kernel"]] = line["gbytes_per_s"], line["triad"]
        out["share " + line["kernel"]], out["moving " + line["kernel"]] = line["fraction"], line["moving_fraction"]
    return out


def rows(s: Settings) -> list[Row]:
    """Bytes a second. A share is the best of a turn, in which the kernel and a triad over as many bytes are measured
    within two seconds. Memory that is only read is slower than the triad's, so both shares are told."""
    kernels = ["softmax"] if s.quick else []
    mine = Again("tercet", [str(s.program), "bench", "loops", "--threads", str(s.threads), "--json", *kernels], read)
    take_turns(s, [mine], seconds=0)
    names = [k for k in (mine.turns[0] if mine.turns else {}) if " " not in k]
    return [Row(f"{name.replace('_', ' ')}, out of cache", "GB/s", mine.most(name), {}, mine.most("triad " + name),
                [Bar("of the triad", mine.most("share " + name), 0.8),
                 Bar("of moving as many in and out", mine.most("moving " + name), 0.8)]) for name in names]
