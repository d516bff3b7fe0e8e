"""Tercet's pipelines of bench/graphs that are measured in turns, and the data that they read."""
import json
import random
import shutil
import subprocess
from pathlib import Path

from .programs import GRAPHS
from .worker import BENCH, Settings, Worker

VOCAB = 50257
PROMPTS, LENGTH = 128, 64  # prompts that there are, and their tokens
SMALL = {"layers": 2, "heads": 4, "d": 64}  # a model to see that everything runs


def alphabet() -> list[str]:
    """The characters that byte-level tokenizers write bytes as."""
    shown = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b]
    hidden = iter(range(256))
    return [chr(b) if b in shown else chr(256 + next(hidden)) for b in range(256)]


def write_data(folder: Path) -> None:
    """A tokenizer with GPT-2's number of tokens, of which the bytes alone occur in texts, and prompts that have as many
    tokens as letters."""
    end = "<|endoftext|>"
    vocab = {c: i for i, c in enumerate([*alphabet(), *(f"<{i}>" for i in range(256, VOCAB - 1)), end])}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = {"id": VOCAB - 1, "content": end, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": vocab, "merges": []}
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [added], "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level, "model": model}))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": end, "eos_token": end}))
    draw = random.Random(1)
    with (folder / "prompts.jsonl").open("w") as f:
        for _ in range(PROMPTS):
            f.write(json.dumps({"prompt": "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=LENGTH))}) + "\n")


def pipeline(s: Settings, file: str, **config: int) -> Worker:
    """A pipeline of bench/graphs, whose folder next_turn() comes from."""
    folder = s.scratch / "pipelines"
    folder.mkdir(exist_ok=True)
    write_data(folder)
    shutil.copy(GRAPHS / file, folder)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", str(BENCH / "peers" / "libturns.c"), "-o",
                    str(folder / "libturns.so")], check=True)
    return Worker("tercet", [str(s.program), "run", str(folder / file), "--out", str(folder / "run"), "--checkpoint-every=0",
                             f"--threads={s.threads}", *(f"--set={k}={v}" for k, v in config.items())])
