"""The models of `tercet bench`, and what a step with them must compute and move at least."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    layers: int
    heads: int
    d: int
    vocab: int
    context: int

    @property
    def products(self) -> int:
        """Weights that a token is multiplied with."""
        return 12 * self.layers * self.d * self.d + self.vocab * self.d

    @property
    def parameters(self) -> int:
        return self.products + self.context * self.d + self.layers * 13 * self.d + 2 * self.d

    def step_flops(self, batch: int, seq: int) -> float:
        """Forward and backward: three products for each weight and token; six of attention, the causal half."""
        return 6.0 * batch * seq * self.products + self.layers * attention_flops(batch, self.d, seq, True)

    @property
    def step_bytes(self) -> float:
        """AdamW reads parameter, gradient and two moments and writes all but the gradient, f32."""
        return 7.0 * 4 * self.parameters


def attention_flops(batch: int, width: int, seq: int, backward: bool) -> float:
    """Causal: two products forward, four more backward, half of each square. What is computed a second time, as
    flash attention does, is no part of it."""
    return (6 if backward else 2) * 2.0 * batch * width * seq * seq / 2


MODELS = {
    "gpt2-124m": Sizes(12, 12, 768, 50257, 1024),
    "gpt2-10m": Sizes(6, 6, 384, 512, 256),
    "gpt2-1m": Sizes(4, 4, 128, 512, 128),
    "gpt2-260k": Sizes(5, 8, 64, 256, 256),
}
