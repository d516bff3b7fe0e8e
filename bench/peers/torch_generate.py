"""Greedy generation in PyTorch with a hand-written key-value cache, allocated once."""
import time

import turns

try:
    import torch
    from torch_gpt2 import Cache, Gpt2, next_logits
except ImportError:
    turns.absent("PyTorch")

from sizes import MODELS


def main() -> None:
    o = turns.generation(__doc__, MODELS)
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    s = MODELS[o.model]
    dtype = torch.bfloat16 if o.dtype == "bf16" else torch.float32
    model = Gpt2(s).to(dtype).eval()
    cache = Cache(s, o.batch, o.prompt + o.new, dtype)
    prompt = torch.randint(s.vocab, (o.batch, o.prompt))

    @torch.inference_mode()
    def generate() -> None:
        tokens, start = prompt, 0
        for _ in range(o.new):
            logits = next_logits(model, cache, tokens, start)
            start += tokens.shape[1]
            tokens = logits.argmax(-1, keepdim=True)

    @torch.inference_mode()
    def prefill() -> float:
        begin = time.perf_counter()
        next_logits(model, cache, prompt, 0).argmax(-1)
        return time.perf_counter() - begin

    prefill()
    generate()
    turns.serve(generate, version=torch.__version__, prefill_ms=min(prefill() for _ in range(3)) * 1e3)


main()
