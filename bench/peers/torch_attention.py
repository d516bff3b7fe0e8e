"""Causal attention in PyTorch, scaled_dot_product_attention forward, or forward and backward."""
import turns

try:
    import torch
    from torch.nn import functional as F
except ImportError:
    turns.absent("PyTorch")


def main() -> None:
    parser = turns.arguments(__doc__, batch=4, seq=512, heads=12, head=64)
    parser.add_argument("--backward", action="store_true")
    parser.add_argument("--dtype", default="f32", choices=["f32", "bf16"])
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    dtype = torch.bfloat16 if o.dtype == "bf16" else torch.float32
    # Laid out as a model's fused QKV product leaves them: [B, T, H, D].
    q, k, v = (torch.randn(o.batch, o.seq, o.heads, o.head, dtype=dtype).requires_grad_(o.backward)
               for _ in range(3))
    d_out = torch.randn(o.batch, o.heads, o.seq, o.head, dtype=dtype)

    def run() -> None:
        out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True)
        if o.backward:
            torch.autograd.grad(out, (q, k, v), d_out)

    run()
    turns.serve(run, version=torch.__version__)


main()
