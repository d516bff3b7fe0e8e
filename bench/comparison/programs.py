"""The programs that are measured: Tercet's own commands, the peers', the limits."""
import json
import subprocess

from .worker import BENCH, Again, Settings, Worker, say

GRAPHS = BENCH / "graphs"


def bench(s: Settings, name: str, *arguments: str) -> Again:
    """`tercet bench`; its line of JSON is the turn."""
    command = [str(s.program), "bench", *arguments, "--threads", str(s.threads), "--json"]
    return Again(name, command, lambda text: json.loads(text.splitlines()[-1]))


def lines(text: str) -> list[dict]:
    """The objects of a program that prints one a line."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def explained(text: str) -> dict[str, float]:
    e = json.loads(text)
    return {"ms": e["run"]["seconds"] * 1e3, "flops": e["peak"]["flops_f32"], "bytes": e["peak"]["memory_bytes_per_s"]}


def graph(s: Settings, name: str, file: str, graph: str, grad: bool = False, **axes: int) -> Again:
    """A graph of bench/graphs on random numbers."""
    command = [str(s.program), "explain", str(GRAPHS / file), "--graph", graph, "--measure", "--json",
               "--threads", str(s.threads), *(f"--axis={a}={n}" for a, n in axes.items()), *(["--grad"] if grad else [])]
    return Again(name, command, explained)


class Limit:
    """The rates of multiply-adds and of moving bytes; `program` is measured in turns with the others. The best rates of the
    whole run count, since a machine that is held up for a moment is no slower machine."""

    def __init__(self, s: Settings) -> None:
        self.program = graph(s, "limits", "attention.tct", "forward", B=1, T=16, S=16, H=1, D=16)
        self.program.turns = s.rates

    def ms(self, flops: float, moved: float = 0) -> float | None:
        """The least time for operations in f32 and, apart from them, bytes."""
        turns = self.program.turns
        if not turns:
            return None
        return 1e3 * (flops / max(t["flops"] for t in turns) + moved / max(t["bytes"] for t in turns))


# glibc gives large blocks back to the system and gets them page by page anew, a fifth of PyTorch's time. Its guide to
# tuning advises another allocator; this makes glibc's keep them, in huge pages.
KEEP_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=8589934592:glibc.malloc.trim_threshold=17179869184:"
                                 "glibc.malloc.hugetlb=1"}


def python(s: Settings, name: str, file: str, *arguments: str) -> Worker:
    """A peer of bench/peers in the environment that has PyTorch and JAX, tuned for speed."""
    command = [str(s.python), str(BENCH / "peers" / file), "--threads", str(s.threads), *arguments]
    return Worker(name, command, env=dict(KEEP_MEMORY))


def llmc(s: Settings, rows: int, length: int) -> Worker:
    """llm.c's step, built here from the sources in s.llmc."""
    program, checkpoint = s.scratch / "llmc_step", s.scratch / "gpt2_124M.bin"
    w = Worker("llm.c", [str(program), str(checkpoint), str(rows), str(length)])
    if not s.llmc or not (s.llmc / "train_gpt2.c").exists():
        w.absent = "LLMC_DIR doesn't name it"
        return w
    source = BENCH / "peers" / "llmc_step.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        say("  building llm.c")
        subprocess.run(["cc", "-Ofast", "-march=native", "-fopenmp", "-w", "-I", str(s.llmc), str(source), "-lm", "-o",
                        str(program)], check=True)
    if not checkpoint.exists():
        subprocess.run([str(s.python), str(BENCH / "peers" / "llmc_checkpoint.py"), str(checkpoint)], check=True)
    return w


def figures(workers: list[Worker]) -> dict[str, float | str]:
    """Of peers: milliseconds, or why there are none."""
    return {w.name: w.ms if w.ms is not None else w.absent or "not measured" for w in workers}


def fastest(workers: list[Worker]) -> float | None:
    return min((w.ms for w in workers if w.ms is not None), default=None)
