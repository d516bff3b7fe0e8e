"""One supervised step in PyTorch: loss, gradients, clipping by norm, fused AdamW."""
import time

import turns

try:
    import torch
    from torch.nn import functional as F
    from torch_gpt2 import Gpt2
except ImportError:
    turns.absent("PyTorch")

from sizes import MODELS


def main() -> None:
    parser = turns.arguments(__doc__, batch=4, seq=64)
    parser.add_argument("--model", default="gpt2-124m", choices=MODELS)
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--compile", action="store_true")
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    s = MODELS[o.model]
    model = Gpt2(s)
    # One pass over each parameter in C++, which beats foreach on CPU.
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    tokens = torch.randint(s.vocab, (o.batch, o.seq))

    def loss_of(tokens: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=o.dtype == "bf16"):
            logits = model(tokens[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())

    loss_fn = torch.compile(loss_of) if o.compile else loss_of

    def step() -> None:
        loss_fn(tokens).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    start = time.perf_counter()
    step()
    first = time.perf_counter() - start
    step()
    turns.serve(step, first_s=first, version=torch.__version__)


main()
