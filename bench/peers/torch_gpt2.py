"""GPT-2 in PyTorch, written the way a careful user would: fused QKV, scaled_dot_product_attention, a tied head."""
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sizes import Sizes


class Block(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.heads = s.heads
        self.ln1, self.ln2 = nn.LayerNorm(s.d), nn.LayerNorm(s.d)
        self.qkv, self.out = nn.Linear(s.d, 3 * s.d), nn.Linear(s.d, s.d)
        self.up, self.down = nn.Linear(s.d, 4 * s.d), nn.Linear(4 * s.d, s.d)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each [B, H, T, D]."""
        b, t, _ = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.heads, -1).unbind(2)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def join(self, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of the layer after attention, [B, H, T, D]."""
        x = x + self.out(attended.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.ln2(x)), approximate="tanh"))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(x)
        return self.join(x, F.scaled_dot_product_attention(q, k, v, is_causal=True))


class Body(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.sizes = s
        self.wte, self.wpe = nn.Embedding(s.vocab, s.d), nn.Embedding(s.context, s.d)
        self.blocks = nn.ModuleList(Block(s) for _ in range(s.layers))
        self.ln = nn.LayerNorm(s.d)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return self.ln(x)


class Gpt2(nn.Module):
    """The language model: logits of every position."""

    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.body = Body(s)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.linear(self.body(tokens), self.body.wte.weight)


class Scorer(nn.Module):
    """A scalar for every position: reward model and critic."""

    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.body, self.score = Body(s), nn.Linear(s.d, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.score(self.body(tokens)).squeeze(-1)


class Cache:
    """Keys and values of every layer, room for `length` positions allocated once."""

    def __init__(self, s: Sizes, batch: int, length: int, dtype: torch.dtype = torch.float32) -> None:
        shape = (s.layers, batch, s.heads, length, s.d // s.heads)
        self.k, self.v = torch.empty(shape, dtype=dtype), torch.empty(shape, dtype=dtype)


def next_logits(model: Gpt2, cache: Cache, tokens: Tensor, start: int) -> Tensor:
    """Logits of the token after `tokens`, [B, V]; they stand at positions start, start + 1, …"""
    n = tokens.shape[1]
    end = start + n
    body = model.body
    x = body.wte(tokens) + body.wpe.weight[start:end]
    for i, block in enumerate(body.blocks):
        q, k, v = block.split(x)
        cache.k[i, :, :, start:end], cache.v[i, :, :, start:end] = k, v
        a = F.scaled_dot_product_attention(q, cache.k[i, :, :, :end], cache.v[i, :, :, :end], is_causal=n > 1)
        x = block.join(x, a)
    return F.linear(body.ln(x[:, -1]), body.wte.weight)
