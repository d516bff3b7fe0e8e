"""One supervised step in JAX: loss, gradients, clipping by norm and AdamW, all of it one jitted function."""
import os
import time

import turns

try:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp
except ImportError:
    turns.absent("JAX")

from sizes import MODELS, Sizes

Params = dict[str, jax.Array]


def initial(s: Sizes, key: jax.Array) -> Params:
    """Parameters; the layers' are stacked along a first axis."""
    n, d = s.layers, s.d
    shapes = {"wte": (s.vocab, d), "wpe": (s.context, d), "qkv": (n, d, 3 * d), "out": (n, d, d), "up": (n, d, 4 * d),
              "down": (n, 4 * d, d)}
    keys = jax.random.split(key, len(shapes))
    p = {name: 0.02 * jax.random.normal(k, shape) for k, (name, shape) in zip(keys, shapes.items())}
    zeros = {"qkv_b": (n, 3 * d), "out_b": (n, d), "up_b": (n, 4 * d), "down_b": (n, d), "ln1_b": (n, d),
             "ln2_b": (n, d), "ln_b": (d,)}
    ones = {"ln1_w": (n, d), "ln2_w": (n, d), "ln_w": (d,)}
    return p | {k: jnp.zeros(v) for k, v in zeros.items()} | {k: jnp.ones(v) for k, v in ones.items()}


def layer_norm(x: jax.Array, w: jax.Array, b: jax.Array) -> jax.Array:
    mean = x.mean(-1, keepdims=True)
    var = jnp.square(x - mean).mean(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + 1e-5) * w + b


def logits(p: Params, tokens: jax.Array, s: Sizes) -> jax.Array:
    b, t = tokens.shape

    def layer(x: jax.Array, l: Params) -> jax.Array:
        qkv = layer_norm(x, l["ln1_w"], l["ln1_b"]) @ l["qkv"] + l["qkv_b"]
        q, k, v = (jnp.squeeze(part, 2) for part in jnp.split(qkv.reshape(b, t, 3, s.heads, -1), 3, axis=2))
        a = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        x = x + a.reshape(b, t, -1) @ l["out"] + l["out_b"]
        h = jax.nn.gelu(layer_norm(x, l["ln2_w"], l["ln2_b"]) @ l["up"] + l["up_b"], approximate=True)
        return x + h @ l["down"] + l["down_b"]

    stacked = {k: v for k, v in p.items() if k not in ("wte", "wpe", "ln_w", "ln_b")}
    x = p["wte"][tokens] + p["wpe"][:t]
    for i in range(s.layers):
        x = layer(x, {k: v[i] for k, v in stacked.items()})
    return layer_norm(x, p["ln_w"], p["ln_b"]) @ p["wte"].T


def loss(p: Params, tokens: jax.Array, s: Sizes) -> jax.Array:
    log_p = jax.nn.log_softmax(logits(p, tokens[:, :-1], s))
    return -jnp.take_along_axis(log_p, tokens[:, 1:, None], -1).mean()


def main() -> None:
    parser = turns.arguments(__doc__, batch=4, seq=64)
    parser.add_argument("--model", default="gpt2-124m", choices=MODELS)
    o = parser.parse_args()
    # XLA takes as many threads as it may use cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:o.threads])
    s = MODELS[o.model]

    def step(p: Params, m: Params, v: Params, n: jax.Array, tokens: jax.Array) -> tuple[Params, Params, Params, jax.Array]:
        g = jax.grad(loss)(p, tokens, s)
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(x)) for x in jax.tree.leaves(g)))
        g = jax.tree.map(lambda x: x * jnp.minimum(1.0, 1.0 / (norm + 1e-6)), g)
        n = n + 1
        m = jax.tree.map(lambda a, x: 0.9 * a + 0.1 * x, m, g)
        v = jax.tree.map(lambda a, x: 0.95 * a + 0.05 * x * x, v, g)
        by_m, by_v = 1 / (1 - 0.9 ** n), 1 / (1 - 0.95 ** n)
        p = jax.tree.map(lambda w, a, b: w - 3e-4 * (a * by_m / (jnp.sqrt(b * by_v) + 1e-8) + 0.1 * w), p, m, v)
        return p, m, v, n

    step = jax.jit(step, donate_argnums=(0, 1, 2))
    p = initial(s, jax.random.key(1))
    m, v = jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p)
    tokens = jax.random.randint(jax.random.key(2), (o.batch, o.seq), 0, s.vocab)
    state = (p, m, v, jnp.float32(0))

    def run() -> None:
        nonlocal state
        state = jax.block_until_ready(step(*state, tokens))

    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    run()
    turns.serve(run, first_s=first, version=jax.__version__)


main()
