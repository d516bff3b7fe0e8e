"""From a program to a plan that can run, cold: no cache of earlier compilations, ours or theirs."""
import json
import shutil

from .programs import python
from .table import Bar, Row, ratio
from .worker import Again, Settings, take_turns


def ours(s: Settings, name: str, model: str, batch: int, seq: int, cache: str) -> Again:
    command = [str(s.program), "bench", "step", "--runs", "0", "--model", model, "--batch", str(batch), "--seq", str(seq),
               "--threads", str(s.threads), "--cache", cache, "--json"]
    return Again(name, command, lambda text: {"ms": json.loads(text)["compile_ms"]})


def rows(s: Settings) -> list[Row]:
    small = ours(s, "tercet, small", "gpt2-1m", 8, 64, "off")
    if s.quick:
        take_turns(s, [small], seconds=0)
        return [small_row(small)]
    cold = ours(s, "tercet, cold", "gpt2-124m", 4, 64, "off")
    warm = ours(s, "tercet, warm", "gpt2-124m", 4, 64, str(s.scratch / "cache"))
    take_turns(s, [cold, warm, small], seconds=0)
    peers = [python(s, "torch.compile", "torch_step.py", "--compile"), python(s, "JAX", "jax_step.py")] if s.peers else []
    inductor = s.scratch / "inductor"
    found: dict[str, float | str] = {}
    for w in peers:
        shutil.rmtree(inductor, ignore_errors=True)
        w.env["TORCHINDUCTOR_CACHE_DIR"] = str(inductor)
        take_turns(s, [w], seconds=0, rounds=1)
        # The first step compiles and computes; what a step takes is no part of compiling.
        found[w.name] = 1e3 * w.fact("first_s") - w.ms if w.ms is not None else w.absent or "not measured"
    other = found.get("torch.compile")
    bars = [Bar("s", cold.ms / 1e3 if cold.ms else None, 2, least=False)]
    if peers:
        bars.append(Bar("× torch.compile", ratio(cold.ms, other) if isinstance(other, float) else None, 0.1, least=False))
    return [Row("compiling an SFT step, GPT-2 124M, B=4 T=64, cold", "ms", cold.ms, found, None, bars),
            Row("the same from Tercet's cache", "ms", warm.ms), small_row(small)]


def small_row(small: Again) -> Row:
    return Row("compiling an SFT step, gpt2-1m, B=8 T=64, cold", "ms", small.ms, {}, None,
               [Bar("s", small.ms / 1e3 if small.ms else None, 0.5, least=False)])
