#!/usr/bin/env python3
"""Writes tests/runtime/tokenizers/*.json (small tokenizers of several designs, trained on the text below) and
tests/runtime/tokenizers/expected.json (what the reference implementation makes of many texts, with these and with
the two tokenizers of ../shared/data).

    pip install tokenizers==0.23.3 && tests/runtime/make_tokenizer_expected.py [CASES_PER_TOKENIZER] [OUT_FILE]
"""
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parents[2] / "shared" / "data"
OUT = HERE / "tokenizers"
CASES = int(sys.argv[1]) if len(sys.argv) > 1 else 20
TARGET = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else OUT / "expected.json"

CORPUS = [
    "The kettle sings before the house is awake, and nobody minds that it's out of tune.",
    "We'll count 12 apples, 345 pears and 6789 plums; they're all yours, aren't they?",
    "Das Mädchen läuft über die Brücke. L'été, la forêt respire; où êtes-vous allés?",
    "if (x >= 10) {\n    return x * 2;  // twice\n}\n\n\telse { y = 'none'; }\n",
    "Привет, мир! Как дела? Всё хорошо.",
    "你好,世界。今天天气很好。 こんにちは、元気ですか。",
    "HELLO THERE! I'VE SEEN IT ALL. YOU'D BETTER RUN.",
    "one two  three   four    five\r\nsix\u00a0seven\u2003eight",
]
WIDE_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
              r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def train(tok, size, alphabet=None, special=()):
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet or [], special_tokens=list(special),
                                  show_progress=False)
    tok.train_from_iterator(CORPUS * 3, trainer)
    return tok


def wide():
    """Llama 3, Qwen 2: a split pattern, then bytes; NFC; BOS by a template; merges that are ignored for whole words."""
    tok = Tokenizer(models.BPE(ignore_merges=True))
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WIDE_SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    train(tok, 460, pre_tokenizers.ByteLevel.alphabet())
    tok.add_special_tokens(["<|begin|>", "<|end|>", "<|im_start|>", "<|im_end|>"])
    tok.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("<tool>s", normalized=False)])
    tok.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin|> $A <|end|>", pair="<|begin|> $A $B <|end|>",
                                      special_tokens=[(t, tok.token_to_id(t)) for t in ("<|begin|>", "<|end|>")])])
    return tok


def fallback():
    """Llama 2: no pre-tokenizer, spaces are ▁, unknown characters are bytes."""
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    train(tok, 420, special=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)])
    spec = json.loads(tok.to_str())
    spec["pre_tokenizer"] = None
    spec["added_tokens"] = [t for t in spec["added_tokens"] if not t["content"].startswith("<0x")]
    tok = Tokenizer.from_str(json.dumps(spec))
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                     decoders.Strip(" ", 1, 0)])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)])
    return tok


def metaspace(scheme, split):
    """Sentencepiece as a pre-tokenizer; unknown characters are <unk>, fused or not; NFKC."""
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=split))
    tok.normalizer = normalizers.NFKC()
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    tok.decoder = decoders.Metaspace(prepend_scheme=scheme, split=split)
    train(tok, 300, special=["<unk>", "<s>"])
    return tok


def added():
    """Added tokens with every flag, before and after normalisation; digits one by one; a prefix space."""
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFKD()
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=True)])
    tok.decoder = decoders.ByteLevel()
    train(tok, 360, pre_tokenizers.ByteLevel.alphabet())
    tok.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False), AddedToken("[R]", rstrip=True)])
    tok.add_tokens([AddedToken("cat", single_word=True), AddedToken("dé", normalized=True),
                    AddedToken("x y", normalized=False), AddedToken("<m", normalized=False)])
    return tok


def behaviors(behavior, invert):
    """A Split with each behaviour, and words whose spaces are thrown away."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"[,;.]|\s*-|\w(?=\d)"), behavior, invert), pre_tokenizers.Split(" ", "removed"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return train(tok, 330, pre_tokenizers.ByteLevel.alphabet())


def words():
    tok = Tokenizer(models.BPE(unk_token="?"))
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Whitespace()])
    tok.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Replace(Regex("e+"), "e"), normalizers.NFC()])
    return train(tok, 200, special=["?"])


MADE = {
    "wide": wide(), "fallback": fallback(), "metaspace_always": metaspace("always", True),
    "metaspace_first": metaspace("first", False), "metaspace_never": metaspace("never", True), "added": added(),
    "split_removed": behaviors("removed", False), "split_isolated": behaviors("isolated", True),
    "split_previous": behaviors("merged_with_previous", False), "split_next": behaviors("merged_with_next", False),
    "split_contiguous": behaviors("contiguous", True), "words": words(),
}

FIXED = [
    "", " ", "  ", "\n", "\r\n\r\n", "a", " a", "a ", "hello world", "Hello, world! It's 5 o'clock; we'll see they've I'd I'M",
    "x" * 70, "    four\t\ttabs   and\n\n\n lines  \n", "12345678901 3.14 ½ ² ٣٤", "caf\u00e9 cafe\u0301 \ufb01 \u212b ﷺ Å",
    "👩‍👩‍👧‍👦 👍🏽 🇫🇷 ❤️ z̷̢a͢l̕g̛o", "日本語のテキスト 한국어 العربية עברית हिन्दी ไทย", "\u00a0nbsp\u2003em\u3000wide\u200bzero\u180emvs\u2028ls",
    "<s>begin</s> <unk> <0x41> <|endoftext|><|begin|>a<|end|> <tool>s <tool>", "cat concat cat. a <mask> b <m <mask><mask>",
    "[R]   x y  dé de\u0301 [R]", "a,b;c.d - e-- f1 g22", "\u0000nul \u0007bel \x7fdel", "ſt 's 'S 'ſ", "\U0010ffff\ufffd\ufeff",
    "__init__(self, *args, **kwargs): # TODO?", "\u0301combining first", "word" * 40,
]
ALPHABETS = ["abcdefgh e t", "ABCxyz '", "0123456789 ", " \n\t\r\u00a0", ".,;:!?-_()[]{}<>|", "éàüßñøåæ e\u0301", "Приветмир ",
             "你好世界今天天气", "👍🏽👩‍🚀🇩🇪❤️", "\u200b\u200d\ufeff\u2028\u1680", "▁ ▁▁a", "'s't'll're'd'm"]
PHRASES = ["<|begin|>", "</s>", "<mask>", "cat", " the", "ing ", "'ll", "<0x0A>", "[R] ", "hello", "123", "\r\n"]


def sample(rng):
    out = []
    for _ in range(rng.randint(1, 12)):
        if rng.random() < 0.25:
            out.append(rng.choice(PHRASES))
        elif rng.random() < 0.1:
            code = rng.choice([rng.randrange(32, 0x250), rng.randrange(0x250, 0x3000), rng.randrange(0x1f300, 0x1fa00)])
            out.append(chr(code))
        else:
            alphabet = rng.choice(ALPHABETS)
            out.append("".join(rng.choice(alphabet) for _ in range(rng.randint(1, 6))))
    return "".join(out)


def cases(name, tok):
    rng = random.Random(name)
    rows = []
    # Versions of the reference disagree on the text of an added token that normalisation changes.
    disputed = tok.token_to_id("d\u00e9") if name == "added" else None
    known = [i for i in range(tok.get_vocab_size()) if tok.id_to_token(i) is not None and i != disputed]
    for text in FIXED + [sample(rng) for _ in range(CASES)]:
        plain, special = tok.encode(text, add_special_tokens=False).ids, tok.encode(text, add_special_tokens=True).ids
        decoded = [None if disputed is not None and disputed in special else tok.decode(special, skip_special_tokens=skip) for skip in (False, True)]
        rows.append([text, plain, special] + decoded)
    noise = []
    for _ in range(CASES // 2):
        low = 0 if rng.random() < 0.5 else 3
        high = len(known) if rng.random() < 0.5 else min(len(known), 259)
        ids = [known[rng.randrange(low, high)] for _ in range(rng.randint(1, 20))]
        noise.append([ids, tok.decode(ids, skip_special_tokens=False), tok.decode(ids, skip_special_tokens=True)])
    return {"texts": rows, "ids": noise}


def main():
    result = {}
    for name, tok in MADE.items():
        path = OUT / f"{name}.json"
        spec = json.loads(tok.to_str())
        if name == "split_next":  # the older spelling of merges
            spec["model"]["merges"] = [" ".join(m) for m in spec["model"]["merges"]]
        path.write_text(json.dumps(spec, ensure_ascii=False, separators=(",", ":")) + "\n")
        result[name] = cases(name, Tokenizer.from_file(str(path)))
    for name in ("gpt2", "stories260K"):
        path = DATA / name / "tokenizer.json"
        if path.exists():
            result["shared/" + name] = cases(name, Tokenizer.from_file(str(path)))
    TARGET.write_text(json.dumps(result, ensure_ascii=True, separators=(",", ":")) + "\n")


main()
