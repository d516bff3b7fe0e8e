"""Starts measured programs and measures them in turns.

Every program is prepared before any is measured, then they take turns, A B C A B C, in a machine where the others
sleep; the best turn of each counts. See peers/turns.py for what is spoken.
"""
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

BENCH = Path(__file__).resolve().parent.parent
TRIES = 3  # of a measurement that lost the quiet machine


@dataclass
class Settings:
    program: Path  # tercet
    python: Path  # of the environment with the peers
    llmc: Path | None  # llm.c's sources
    scratch: Path  # for what is built and written
    threads: int
    rounds: int
    hold: str | None  # a command that quiets the machine
    hold_seconds: float
    peers: bool  # False: Tercet and the limits alone
    quick: bool  # the smallest of each group, to see that everything runs
    processor: bool = False  # processor time over the threads counts
    rates: list[dict[str, float]] = field(default_factory=list)  # the machine's limits as measured so far in this run


class Hold:
    """The machine for ourselves, with the help of a command that says a line once it is so, and ends it with its input."""

    def __init__(self, s: Settings) -> None:
        self.s = s
        self.process: subprocess.Popen[str] | None = None
        self.since = 0.0

    def enter(self, seconds: float) -> None:
        """Waits until the machine is quiet for at least `seconds` more, as far as the command grants that."""
        if not self.s.hold:
            return
        if self.process and time.monotonic() - self.since + seconds > self.s.hold_seconds:
            self.leave()
        if not self.process:
            self.process = subprocess.Popen(self.s.hold, shell=True, text=True, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE)
            assert self.process.stdout
            if not self.process.stdout.readline():
                raise SystemExit(f"bench/compare: `{self.s.hold}` ended without a line")
            self.since = time.monotonic()

    def lost(self) -> bool:
        """Whether the quiet has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def leave(self) -> None:
        if self.process:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait()
            self.process = None


@dataclass
class Worker:
    """One measured program. `alone`: it takes too much time or memory for turns; it is measured once, after the others have
    ended, perhaps beside other work, and its processor time over the threads counts, which flatters it."""
    name: str
    command: list[str]
    env: dict[str, str] = field(default_factory=dict)
    alone: bool = False
    facts: dict[str, object] = field(default_factory=dict)
    turns: list[dict[str, float]] = field(default_factory=list)
    absent: str | None = None  # why it isn't measured
    process: subprocess.Popen[str] | None = None
    waiting: bool = False  # it is ready for turns
    threads: int = 1
    processor: bool = False  # its processor time over the threads counts

    def line(self) -> dict[str, object] | None:
        assert self.process and self.process.stdout
        for text in self.process.stdout:
            if text.startswith("{"):
                return json.loads(text)
        return None

    def start(self, s: Settings) -> None:
        if self.absent:
            return
        self.threads, self.processor = s.threads, s.processor or self.alone
        env = {**os.environ, "OMP_NUM_THREADS": str(s.threads), "MKL_NUM_THREADS": str(s.threads),
               "OPENBLAS_NUM_THREADS": str(s.threads), "TOKENIZERS_PARALLELISM": "false", **self.env}
        log = (s.scratch / "log").open("a")
        print(f"-- {self.name}: {' '.join(self.command)}", file=log, flush=True)
        try:
            self.process = subprocess.Popen(self.command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, env=env)
        except OSError as e:
            self.absent = str(e)
            return
        facts = self.line()
        if facts is None:
            self.absent = f"failed, see {log.name}"
        elif "absent" in facts:
            self.absent = f"{facts['absent']} isn't installed"
        else:
            self.facts = facts
        self.waiting = not self.absent
        if self.absent:
            self.stop()

    def turn(self, seconds: float) -> dict[str, float] | None:
        assert self.process and self.process.stdin
        try:
            self.process.stdin.write(f"{seconds}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        turn = self.line()
        if turn:
            turn["cpu_ms"] = turn["process_ms"] / self.threads  # type: ignore[operator]
        return turn  # type: ignore[return-value]

    def stop(self) -> None:
        if self.process:
            assert self.process.stdin
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
            self.process.wait()
            self.process = None
        self.waiting = False

    def best(self, key: str = "ms") -> float | None:
        return min((t[key] for t in self.turns if key in t), default=None)

    def most(self, key: str) -> float | None:
        return max((t[key] for t in self.turns if key in t), default=None)

    @property
    def ms(self) -> float | None:
        """The best turn's time."""
        return self.best("cpu_ms") if self.processor else self.best()

    def fact(self, key: str) -> float:
        return float(self.facts[key])  # type: ignore[arg-type]

    @property
    def memory(self) -> float | None:
        """Peak memory in MB."""
        return max((t["peak_rss_mb"] for t in self.turns), default=None)


class Again(Worker):
    """A command that is started anew for each turn; `read` makes the turn's figures, among them `ms` or others, of what it
    prints."""

    def __init__(self, name: str, command: list[str], read: Callable[[str], dict[str, float]]) -> None:
        super().__init__(name, command)
        self.read = read
        self.log: Path | None = None

    def start(self, s: Settings) -> None:
        if self.absent:
            return
        self.log = s.scratch / "log"
        self.turn(0)  # what is compiled for the first time stays in the cache
        self.waiting = not self.absent

    def turn(self, seconds: float) -> dict[str, float] | None:
        assert self.log
        with self.log.open("a") as log:
            try:
                done = subprocess.run(self.command, text=True, stdout=subprocess.PIPE, stderr=log, check=True)
            except (OSError, subprocess.CalledProcessError) as e:
                self.absent = f"failed, see {log.name}: {e}"
                return None
        return self.read(done.stdout)

    def stop(self) -> None:
        self.waiting = False


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def take_turns(s: Settings, workers: list[Worker], seconds: float, rounds: int | None = None, quiet: bool = True) -> None:
    """Starts all workers, measures those that are there in turns of about `seconds`, and ends them. `quiet`: times
    count."""
    hold = Hold(s)
    together = [w for w in workers if not w.alone]
    try:
        for w in together:
            w.start(s)
            say(f"  {w.name}: {w.absent or 'ready'}")
        together = [w for w in together if w.waiting]
        took = [seconds] * len(together)
        for _ in range(rounds or s.rounds):
            for i, w in enumerate(together):
                for _ in range(TRIES):
                    if quiet and not s.processor:
                        hold.enter(1.3 * took[i])
                    begin = time.monotonic()
                    turn = w.turn(seconds)
                    took[i] = time.monotonic() - begin
                    if turn and not hold.lost():
                        w.turns.append(turn)
                    if not turn or not hold.lost():
                        break
                    hold.leave()
    finally:
        hold.leave()
        for w in workers:
            w.stop()
    for w in workers:
        if w.alone:
            w.start(s)
            turn = w.turn(0) if w.waiting else None
            w.turns += [turn] if turn else []
            w.stop()
        if not w.turns and not w.absent:
            w.absent = "ended before it was measured"
        say(f"  {w.name}: {w.absent or (f'{w.ms:.3f} ms' if w.ms else 'measured')}")
