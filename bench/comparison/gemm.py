"""Matrix products in f32 against the multiply-add limit, OpenBLAS and oneDNN, on one thread and on all."""
import math

from .programs import lines
from .table import Bar, Row, ratio
from .worker import Again, Settings, take_turns

# GPT-2's products of 256 tokens, forward and backward, and squares; see `tercet bench gemm` for the letters.
SHAPES = ["256x768x768:nn", "256x2304x768:nn", "256x3072x768:nn", "256x768x3072:nn", "256x50257x768:nt", "768x768x256:tn",
          "3072x768x256:tn", "1024x1024x1024:nn", "2048x2048x2048:nn"]


def shape_of(line: dict[str, object]) -> str:
    return f"{line['m']}x{line['n']}x{line['k']}:{line['layout']}"


def read_ours(text: str) -> dict[str, float]:
    out = {}
    for line in lines(text):
        out[shape_of(line)], out["peak " + shape_of(line)] = line["gflops"], line["peak_gflops"]
    return out


def read_peers(text: str) -> dict[str, float]:
    return {f"{line['peer']} {shape_of(line)}": line["gflops"] for line in lines(text)}


def mean(values: list[float]) -> float | None:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def rows_on(s: Settings, threads: int, share: float) -> list[Row]:
    shapes = SHAPES[:1] if s.quick else SHAPES
    options = ["--threads", str(threads), "--json", "--seconds", "0.3", *shapes]
    mine = Again("tercet", [str(s.program), "bench", "gemm", *options], read_ours)
    libraries = s.program.parent / "gemm_peers"
    peers = Again("OpenBLAS, oneDNN", [str(libraries), *options], read_peers)
    if not libraries.exists():
        peers.absent = "gemm_peers isn't built"
    take_turns(s, [mine, peers] if s.peers else [mine], seconds=0, rounds=min(s.rounds, 2))
    out, shares = [], []
    threads_text = f"{threads} thread{'s' if threads > 1 else ''}"
    for shape in shapes:
        rate, peak = mine.most(shape), mine.most("peak " + shape)
        found = {label: peers.most(f"{name} {shape}") for name, label in (("openblas", "OpenBLAS"), ("onednn", "oneDNN"))}
        known: dict[str, float | str] = {label: x for label, x in found.items() if x is not None}
        if s.peers and peers.absent:
            known = {peers.name: peers.absent}
        part = ratio(rate, peak)
        shares += [part] if part else []
        bars = [Bar(f"× {label}", ratio(rate, x), 1) for label, x in known.items() if isinstance(x, float)]
        out.append(Row(f"f32 product {shape}, {threads_text}", "GFLOP/s", rate, known, peak, bars))
    out.append(Row(f"f32 products, {threads_text}, geometric mean of the shares of the peak", "", mean(shares), {}, 1.0,
                   [Bar("of the peak", mean(shares), share)]))
    return out


def read_half(text: str) -> dict[str, float]:
    return {key + shape_of(line): line[field] for line in lines(text)
            for key, field in (("", "gflops"), ("f32 ", "f32_gflops"), ("ratio ", "f32_ratio"))}


def half(s: Settings) -> Row:
    """bf16 factors, summed in f32."""
    shapes = SHAPES[:1] if s.quick else SHAPES
    mine = Again("tercet", [str(s.program), "bench", "gemm", "--dtype", "bf16", "--threads", str(s.threads), "--json",
                            "--seconds", "0.3", *shapes], read_half)
    take_turns(s, [mine], seconds=0, rounds=min(s.rounds, 2))
    ratios = [x for shape in shapes if (x := mine.most("ratio " + shape)) is not None]
    rates = [x for shape in shapes if (x := mine.most(shape)) is not None]
    full = [x for shape in shapes if (x := mine.most("f32 " + shape)) is not None]
    return Row(f"bf16 products, {s.threads} threads, geometric means", "GFLOP/s", mean(rates),
               {"ours in f32": mean(full) or "not measured"}, None, [Bar("× our f32", mean(ratios), 1.7)])


def rows(s: Settings) -> list[Row]:
    return [*in_f32(s), half(s)]


def in_f32(s: Settings) -> list[Row]:
    return rows_on(s, 1, 0.9) + (rows_on(s, s.threads, 0.85) if s.threads > 1 else [])
