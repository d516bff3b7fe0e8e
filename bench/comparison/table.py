"""What is compared, and how it is printed."""
import json
from dataclasses import dataclass, field


@dataclass
class Bar:
    """A ratio that is promised: `what` is `value`, and at least (`least`) or at most `bound`."""
    what: str
    value: float | None  # None: one side wasn't measured
    bound: float
    least: bool = True

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.least else self.value <= self.bound


@dataclass
class Row:
    what: str
    unit: str
    ours: float | None
    peers: dict[str, float | str] = field(default_factory=dict)  # a figure, or why there is none
    limit: float | None = None
    bars: list[Bar] = field(default_factory=list)


def ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


def figure(x: float | None) -> str:
    if x is None:
        return "–"
    return f"{x:.0f}" if x >= 100 else f"{x:.3g}"


def peers_text(r: Row) -> str:
    return ", ".join(f"{name} {figure(x) if isinstance(x, float) else x}" for name, x in r.peers.items()) or "–"


def ratio_text(r: Row) -> str:
    return "; ".join(f"{figure(b.value)} {b.what}" for b in r.bars)


def bar_text(r: Row) -> str:
    words = {True: "met", False: "MISSED", None: "not measured"}
    return "; ".join(f"{'≥' if b.least else '≤'} {b.bound:g} {words[b.met]}" for b in r.bars)


def print_table(rows: list[Row]) -> None:
    """A table of Markdown, so that documentation takes it as it is."""
    print("| what | ours | peers | limit | ratio | bar |\n|---|---|---|---|---|---|")
    for r in rows:
        ours = f"{figure(r.ours)} {r.unit}" if r.ours is not None else "–"
        limit = f"{figure(r.limit)} {r.unit}" if r.limit is not None else "–"
        print(f"| {r.what} | {ours} | {peers_text(r)} | {limit} | {ratio_text(r)} | {bar_text(r)} |", flush=True)


def print_json(rows: list[Row]) -> None:
    for r in rows:
        bars = [{"what": b.what, "value": b.value, "bound": b.bound, "least": b.least, "met": b.met} for b in r.bars]
        print(json.dumps({"what": r.what, "unit": r.unit, "ours": r.ours, "peers": r.peers, "limit": r.limit,
                          "bars": bars}), flush=True)
