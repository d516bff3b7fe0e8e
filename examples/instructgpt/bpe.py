"""Trains a byte-level BPE and writes it as Hugging Face's tokenizer.json, with the files that go with it."""

import collections
import json
import re

END_OF_TEXT, PAD = "<|endoftext|>", "<|pad|>"
# GPT-2's split pattern; our text is ASCII, so \p{L} is [A-Za-z] and \p{N} is [0-9].
SPLIT = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def byte_symbols():
    """GPT-2's printable stand-in for each byte."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, spare = {b: chr(b) for b in shown}, 256
    for b in range(256):
        if b not in table:
            table[b] = chr(spare)
            spare += 1
    return table


def train(texts, size):
    """Returns (vocab, merges): the most frequent pair merges first, ties by the pair's own order."""
    symbols = byte_symbols()
    counts = collections.Counter(piece for text in texts for piece in SPLIT.findall(text))
    words = {tuple(symbols[b] for b in piece.encode()): n for piece, n in counts.items()}
    vocab = [END_OF_TEXT, PAD] + [symbols[b] for b in sorted(symbols, key=lambda b: symbols[b])]
    merges = []
    while len(vocab) < size:
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += n
        if not pairs:
            raise SystemExit(f"bpe: the text has no pair left to merge at a vocabulary of {len(vocab)}")
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        vocab.append("".join(best))
        words = {_merge(word, best): n for word, n in words.items()}
    return {token: i for i, token in enumerate(vocab)}, merges


def _merge(word, pair):
    out, i = [], 0
    while i < len(word):
        if word[i:i + 2] == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def encode(text, vocab, ranks):
    """Token ids of `text`, which holds no special tokens; `ranks` maps a merge to its place."""
    symbols, ids = byte_symbols(), []
    for piece in SPLIT.findall(text):
        word = tuple(symbols[b] for b in piece.encode())
        while len(word) > 1:
            best = min(zip(word, word[1:]), key=lambda p: ranks.get(p, len(ranks)))
            if best not in ranks:
                break
            word = _merge(word, best)
        ids += [vocab[s] for s in word]
    return ids


def save(folder, vocab, merges, context):
    special = [{"id": vocab[t], "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True} for t in (END_OF_TEXT, PAD)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    files = {
        "tokenizer.json": {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
            "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": vocab, "merges": [" ".join(pair) for pair in merges]}},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": context, "bos_token": END_OF_TEXT,
            "eos_token": END_OF_TEXT, "pad_token": PAD, "clean_up_tokenization_spaces": False},
        "special_tokens_map.json": {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "pad_token": PAD},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
