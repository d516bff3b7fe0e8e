"""How much faster a supervised step of GPT-2 124M is on all threads than on one."""
from .step import ours
from .table import Bar, Row, ratio
from .worker import Settings, take_turns


def rows(s: Settings) -> list[Row]:
    model = "gpt2-1m" if s.quick else "gpt2-124m"
    many, one = ours(s, model, 4, 64, 2), ours(s, model, 4, 64, 2)
    many.name, one.name = f"{s.threads} threads", "one thread"
    one.command[one.command.index("--threads") + 1] = "1"
    take_turns(s, [many, one], seconds=0)
    return [Row(f"SFT step, {model}, B=4 T=64, {s.threads} threads beside one", "ms", many.ms,
                {"Tercet on one thread": one.ms if one.ms is not None else "not measured"}, None,
                [Bar("× one thread", ratio(one.ms, many.ms), 0.925 * s.threads)])]
