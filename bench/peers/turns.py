"""How a measured program and bench/compare speak.

A program prepares itself (weights, compilation, a warm-up), then prints one JSON line of facts. For each line on its
standard input, a number of seconds, it repeats what it measures for at least that long and at least once, and prints
one JSON line: the best and the median in ms, how often it ran, the processor time of the best run, and its peak
memory. It ends with its input. So programs are measured in turns, each already warm, one at a time.
"""
import argparse
import json
import os
import resource
import statistics
import sys
import time
from typing import Callable, Iterable


def arguments(description: str, **numbers: int) -> argparse.ArgumentParser:
    """A parser with --threads and an option for each of `numbers` (its default)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    for name, default in numbers.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    return parser


def generation(description: str, models: Iterable[str]) -> argparse.Namespace:
    """What programs that generate are told: the model and its dtype, the rows, and their tokens."""
    parser = arguments(description, batch=1, prompt=64, new=64)
    parser.add_argument("--model", default="gpt2-124m", choices=models)
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    return parser.parse_args()


def absent(what: str) -> None:
    """Says that a library isn't here, and ends."""
    print(json.dumps({"absent": what}), flush=True)
    sys.exit(0)


def peak_rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(run: Callable[[], object], **facts: object) -> None:
    """Measures `run`, which is warm, once for each line of input."""
    print(json.dumps({**facts, "peak_rss_mb": round(peak_rss_mb(), 1)}), flush=True)
    for line in sys.stdin:
        end = time.perf_counter() + float(line)
        taken: list[tuple[float, float]] = []
        while not taken or time.perf_counter() < end:
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            taken.append((time.perf_counter() - wall, time.process_time() - cpu))
        best = min(taken)
        median = statistics.median(wall for wall, _ in taken)
        print(json.dumps({"ms": best[0] * 1e3, "median_ms": median * 1e3, "runs": len(taken),
                          "process_ms": best[1] * 1e3, "peak_rss_mb": round(peak_rss_mb(), 1)}), flush=True)
