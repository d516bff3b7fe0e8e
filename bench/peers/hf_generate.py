"""Greedy generation by Hugging Face transformers, as its users call it."""
import os

import turns

os.environ.setdefault("HF_HUB_OFFLINE", "1")
try:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
except ImportError:
    turns.absent("transformers")

from sizes import MODELS


def main() -> None:
    o = turns.generation(__doc__, MODELS)
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    s = MODELS[o.model]
    config = GPT2Config(n_layer=s.layers, n_head=s.heads, n_embd=s.d, vocab_size=s.vocab, n_positions=s.context)
    model = GPT2LMHeadModel(config).eval().to(torch.bfloat16 if o.dtype == "bf16" else torch.float32)
    prompt = torch.randint(s.vocab, (o.batch, o.prompt))
    mask = torch.ones_like(prompt)

    @torch.inference_mode()
    def generate() -> None:
        model.generate(prompt, attention_mask=mask, max_new_tokens=o.new, min_new_tokens=o.new, do_sample=False,
                       pad_token_id=0)

    generate()
    turns.serve(generate, version=torch.__version__)


main()
