"""Peak memory of a supervised step of GPT-2 124M, as the system counts it for the whole process."""
from .programs import bench, python
from .table import Bar, Row, ratio
from .worker import Settings, take_turns

BATCH, SEQ = 8, 512


def rows(s: Settings) -> list[Row]:
    shape = ["--batch", str(BATCH), "--seq", str(SEQ)]
    mine = bench(s, "tercet", "step", *shape, "--runs", "1", *(["--model", "gpt2-1m", "--seq", "128"] if s.quick else []))
    peers = [python(s, "PyTorch", "torch_step.py", *shape), python(s, "torch.compile", "torch_step.py", *shape, "--compile"),
             python(s, "JAX", "jax_step.py", *shape)] if s.peers else []
    # One after another: together they would not fit into the memory of a small machine. No time is taken.
    for w in [mine, *peers]:
        w.env = {}  # as they come: what makes them faster costs memory
        take_turns(s, [w], seconds=0, rounds=1, quiet=False)
    found = {w.name: w.memory if w.memory is not None else w.absent or "not measured" for w in peers}
    bars = [Bar("× PyTorch", ratio(mine.memory, peers[0].memory), 0.5, least=False)] if peers else []
    what = "gpt2-1m" if s.quick else "GPT-2 124M"
    return [Row(f"peak memory of an SFT step, {what}, B={BATCH} T={128 if s.quick else SEQ}, f32", "MB", mine.memory, found,
                None, bars)]
