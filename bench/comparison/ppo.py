"""An iteration of PPO with four models of GPT-2 124M, against a careful loop in PyTorch."""
from .pipelines import LENGTH, SMALL, pipeline
from .programs import figures, python
from .table import Bar, Row, ratio
from .worker import Settings, take_turns

PROMPTS, NEW, MINIBATCHES = 16, 64, 4


def rows(s: Settings) -> list[Row]:
    mine = pipeline(s, "ppo.tct", prompts=PROMPTS, new=NEW, minibatches=MINIBATCHES, **(SMALL if s.quick else {}))
    peers = [python(s, "PyTorch", "torch_ppo.py")] if s.peers and not s.quick else []
    take_turns(s, [mine, *peers], seconds=0)
    bars = [Bar("× PyTorch", ratio(peers[0].ms, mine.ms), 2.5)] if peers else []
    what = "a tiny model" if s.quick else "GPT-2 124M"
    return [Row(f"PPO iteration, {what}, {PROMPTS} prompts × ({LENGTH} + {NEW}), {MINIBATCHES} minibatches", "ms", mine.ms,
                figures(peers), None, bars)]
