"""Figures for what PyTorch has no function for: statistics, reward-model variants, aggregations, activations. Written out in plain
Python on lists of f64; gradients are central differences, whose error of about 1e-9 is below the last f32 digit. Needs nothing but
Python: `python3 make_plain.py`."""

import json
import math
import pathlib
import random
import struct

FOLDER = pathlib.Path(__file__).parent / "plain"


class Tensor:
    """A shape, a list of numbers, and how they are stored."""

    def __init__(self, shape, data, kind="F32"):
        self.shape, self.kind = shape, kind
        self.data = [f32(x) if kind == "F32" else x for x in data]

    def bytes(self):
        code = {"F32": "f", "I32": "i", "BOOL": "?"}[self.kind]
        return struct.pack(f"<{len(self.data)}{code}", *self.data)


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def save(name, cases):
    tensors = {}
    for k, (inputs, results, grads) in enumerate(cases):
        for key, t in inputs.items():
            tensors[f"case{k}.in.{key}"] = t
        for key, t in results.items():
            tensors[f"case{k}.out" + ("" if key == "out" else f".{key}")] = t
        for key, t in grads.items():
            tensors[f"case{k}.grad.{key}"] = t
    header, data = {"__metadata__": {"format": "pt", "cases": str(len(cases))}}, b""
    for key, t in sorted(tensors.items(), key=lambda item: (item[1].kind == "BOOL", item[0])):  # the narrow ones last
        part = t.bytes()
        header[key] = {"dtype": t.kind, "shape": t.shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def difference(function, inputs, key, i):
    """The derivative of the scalar result by element i of an input."""
    x = inputs[key].data[i]
    step = 1e-5 * max(1, abs(x))
    values = []
    for moved in (x + step, x - step):
        inputs[key].data[i] = moved  # not rounded to f32
        values.append(function(**{k: t.data for k, t in inputs.items()}))
    inputs[key].data[i] = x
    return (values[0] - values[1]) / (2 * step)


def case(function, inputs, shape=None):
    """function takes lists and gives a float, a list (of the given shape) or a dict of floats. Scalars have gradients."""
    value = function(**{k: t.data for k, t in inputs.items()})
    grads = {}
    if isinstance(value, dict):
        results = {k: Tensor([], [v]) for k, v in value.items()}
    elif isinstance(value, list):
        results = {"out": Tensor(shape, value)}
    else:
        results = {"out": Tensor([], [value])}
        for key, t in inputs.items():
            if t.kind == "F32":
                grads[key] = Tensor(t.shape, [difference(function, inputs, key, i) for i in range(len(t.data))])
    return inputs, results, grads


def normal(g, *shape, scale=1.0):
    return Tensor(list(shape), [g.gauss(0, scale) for _ in range(math.prod(shape))])


def chance(g, *shape, share=0.6):
    data = [g.random() < share for _ in range(math.prod(shape))]
    data[0] = True
    return Tensor(list(shape), data, "BOOL")


def whole(g, low, high, *shape):
    return Tensor(list(shape), [g.randint(low, high) for _ in range(math.prod(shape))], "I32")


def scalar(x):
    return Tensor([], [x])


def rows(x, width):
    return [x[i:i + width] for i in range(0, len(x), width)]


def chosen(x, mask):
    return [a for a, m in zip(x, mask) if m]


def mean(x):
    return sum(x) / len(x)


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def log_softmax(x):
    top = max(x)
    total = math.log(sum(math.exp(a - top) for a in x)) + top
    return [a - total for a in x]


def clip(x, low, high):
    return min(max(x, low), high)


# ---- reward models: P prompts of K completions ----

P, K = 5, 4


def comparisons(reward, rank):
    """For each prompt its pairs (better, worse)."""
    for r, k in zip(rows(reward, K), rows(rank, K)):
        yield [(r[i], r[j]) for i in range(K) for j in range(K) if 0 < k[i] < k[j]]


def over_pairs(reward, rank, f):
    return mean([sum(f(a, b) for a, b in pairs) / max(len(pairs), 1) for pairs in comparisons(reward, rank)])


def rm_accuracy(reward, rank):
    pairs = [p for some in comparisons(reward, rank) for p in some]
    return {"right": sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs), "pairs": float(len(pairs))}


def rm_margin(reward, rank):
    pairs = [p for some in comparisons(reward, rank) for p in some]
    return sum(a - b for a, b in pairs) / max(len(pairs), 1)


def rm_margin_loss(reward, rank, margin):
    return over_pairs(reward, rank, lambda a, b: softplus(margin[0] - (a - b)))


def rm_centering(reward, rank):
    return over_pairs(reward, rank, lambda a, b: (a + b) ** 2)


def rm_best_loss(reward, rank):
    losses = []
    for r, k in zip(rows(reward, K), rows(rank, K)):
        logp = log_softmax([a if i > 0 else -1e30 for a, i in zip(r, k)])
        best = [a for a, i in zip(logp, k) if i == 1]
        losses.append(-sum(best) / max(len(best), 1))
    return mean(losses)


# ---- tokens: B rows of T, V words ----

B, T, V = 4, 7, 5


def surrogate(logp, old, advantage, low, high):
    ratio = math.exp(logp - old)
    return max(-advantage * ratio, -advantage * clip(ratio, 1 - low, 1 + high))


def ppo_dual_clip_loss(logp, old_logp, advantage, mask, clip, bound):
    losses = []
    for a, o, adv in zip(logp, old_logp, advantage):
        loss = surrogate(a, o, adv, clip[0], clip[0])
        losses.append(min(loss, -bound[0] * adv) if adv < 0 else loss)
    return mean(chosen(losses, mask))


def ppo_policy_stats(logp, old_logp, mask, clip):
    d = chosen([a - o for a, o in zip(logp, old_logp)], mask)
    ratio = [math.exp(x) for x in d]
    return {"approx_kl": 0.5 * mean([x * x for x in d]), "clip_fraction": mean([abs(r - 1) > clip[0] for r in ratio]),
            "ratio": mean(ratio), "ratio_min": min(ratio), "ratio_max": max(ratio)}


def ppo_value_clip_fraction(value, old_value, mask, clip):
    return {"out": mean(chosen([abs(a - b) > clip[0] for a, b in zip(value, old_value)], mask))}


def explained_variance(value, returns, mask):
    r = chosen(returns, mask)
    error = mean(chosen([(a - b) ** 2 for a, b in zip(value, returns)], mask))
    return 1 - error / mean([(x - mean(r)) ** 2 for x in r])


def mean_entropy(logits, mask, temperature):
    entropies = []
    for row in rows(logits, V):
        logp = log_softmax([x / temperature[0] for x in row])
        entropies.append(-sum(math.exp(x) * x for x in logp))
    return mean(chosen(entropies, mask))


def token_logp(logits, target, temperature):
    return [log_softmax([x / temperature[0] for x in row])[t] for row, t in zip(rows(logits, V), target)]


def token_accuracy(logits, target, mask):
    return {"out": mean(chosen([row.index(max(row)) == t for row, t in zip(rows(logits, V), target)], mask))}


def sft_loss_sum(logits, target, mask):
    return -sum(chosen(token_logp(logits, target, [1.0]), mask))


def kl_exact(logits, ref_logits):
    out = []
    for x, y in zip(rows(logits, V), rows(ref_logits, V)):
        p, q = log_softmax(x), log_softmax(y)
        out.append(sum(math.exp(a) * (a - b) for a, b in zip(p, q)))
    return out


def token_rewards(score, kl, mask, beta):
    out = []
    for s, k, m in zip(score, rows(kl, T), rows(mask, T)):
        last = max((t for t in range(T) if m[t]), default=-1)
        out += [(-beta[0] * k[t] + (s if t == last else 0)) if m[t] else 0.0 for t in range(T)]
    return out


def adaptive_beta(beta, kl, target, n, horizon):
    return beta[0] * (1 + clip(kl[0] / target[0] - 1, -0.2, 0.2) * n[0] / horizon[0])


def per_row(x, mask):
    return [chosen(a, m) for a, m in zip(rows(x, T), rows(mask, T)) if any(m)]


def token_mean(x, mask):
    return mean(chosen(x, mask))


def sequence_mean(x, mask):
    return mean([mean(row) for row in per_row(x, mask)])


def sequence_sum(x, mask):
    return mean([sum(row) for row in per_row(x, mask)])


def constant_length_mean(x, mask, length):
    return sequence_sum(x, mask) / length[0]


def by_token(advantage):
    return [a for a in advantage for _ in range(T)]


def dr_grpo_loss(logp, old_logp, advantage, mask, length, clip):
    losses = [surrogate(a, o, adv, clip[0], clip[0]) for a, o, adv in zip(logp, old_logp, by_token(advantage))]
    return sequence_sum(losses, mask) / length[0]


def reinforce_loss(logp, advantage, mask):
    return sequence_sum([-a * x for x, a in zip(logp, by_token(advantage))], mask)


def centered_advantage(reward):
    return [r - mean(row) for row in rows(reward, K) for r in row]


def reinforce_advantage(reward, mask, gamma):
    returns = []
    for r, m in zip(rows(reward, T), rows(mask, T)):
        following, row = 0.0, []
        for t in reversed(range(T)):
            following = r[t] + gamma[0] * following if m[t] else 0.0
            row.append(following)
        returns += reversed(row)
    some = chosen(returns, mask)
    centre = mean(some)
    scale = 1 / math.sqrt(mean([(x - centre) ** 2 for x in some]) + 1e-8)
    return [(x - centre) * scale if m else 0.0 for x, m in zip(returns, mask)]


def completion_logp(logp, mask):
    return [sum(chosen(x, m)) for x, m in zip(rows(logp, T), rows(mask, T))]


def preference_accuracy(chosen, rejected, ref_chosen, ref_rejected):
    margins = [(a - c) - (b - d) for a, b, c, d in zip(chosen, rejected, ref_chosen, ref_rejected)]
    return {"out": mean([1.0 if m > 0 else 0.5 if m == 0 else 0.0 for m in margins])}


# ---- activations and norms: R rows of A ----

A = 6


def elementwise(f):
    return lambda x: [f(a) for a in x]


def along_rows(f):
    def run(x):
        return [y for row in rows(x, A) for y in f(row)]
    return run


def layer_norm(x, weight, bias, eps):
    def row(a):
        centre = mean(a)
        scale = 1 / math.sqrt(mean([(v - centre) ** 2 for v in a]) + eps[0])
        return [(v - centre) * scale * w + b for v, w, b in zip(a, weight, bias)]
    return along_rows(row)(x)


def rms_norm(x, weight, eps):
    def row(a):
        scale = 1 / math.sqrt(mean([v * v for v in a]) + eps[0])
        return [v * scale * w for v, w in zip(a, weight)]
    return along_rows(row)(x)


def gelu_tanh(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def main():
    g = random.Random(1)
    ranked = lambda low: {"reward": normal(g, P, K), "rank": whole(g, low, K, P, K)}
    both = (0, 1)  # with absent completions, without
    save("rm_accuracy", [case(rm_accuracy, ranked(n)) for n in both])
    save("rm_margin", [case(rm_margin, ranked(n)) for n in both])
    save("rm_margin_loss", [case(rm_margin_loss, {**ranked(n), "margin": scalar(0.7)}) for n in both])
    save("rm_centering", [case(rm_centering, ranked(n)) for n in both])
    save("rm_best_loss", [case(rm_best_loss, ranked(n)) for n in both])
    pair = lambda a, b: {a: normal(g, B, T, scale=0.4), b: normal(g, B, T, scale=0.4)}
    save("ppo_dual_clip_loss", [case(ppo_dual_clip_loss, {
        **pair("logp", "old_logp"), "advantage": normal(g, B, T), "mask": chance(g, B, T), "clip": scalar(0.2),
        "bound": scalar(1.5)})])
    save("ppo_policy_stats", [case(ppo_policy_stats, {
        **pair("logp", "old_logp"), "mask": chance(g, B, T), "clip": scalar(0.2)})])
    save("ppo_value_clip_fraction", [case(ppo_value_clip_fraction, {
        **pair("value", "old_value"), "mask": chance(g, B, T), "clip": scalar(0.2)})])
    save("explained_variance", [case(explained_variance, {**pair("value", "returns"), "mask": chance(g, B, T)})])
    words = lambda: {"logits": normal(g, B, T, V, scale=2), "target": whole(g, 0, V - 1, B, T)}
    save("mean_entropy", [case(mean_entropy, {
        "logits": normal(g, B, T, V), "mask": chance(g, B, T), "temperature": scalar(0.7)})])
    save("token_logp", [case(token_logp, {**words(), "temperature": scalar(0.7)}, [B, T])])
    save("token_accuracy", [case(token_accuracy, {**words(), "mask": chance(g, B, T)})])
    save("sft_loss_sum", [case(sft_loss_sum, {**words(), "mask": chance(g, B, T)})])
    save("kl_exact", [case(kl_exact, {"logits": normal(g, B, T, V), "ref_logits": normal(g, B, T, V)}, [B, T])])
    stretches = Tensor([B, T], [2 <= t < 3 + b for b in range(B) for t in range(T)], "BOOL")
    save("token_rewards", [case(token_rewards, {
        "score": normal(g, B), "kl": normal(g, B, T), "mask": stretches, "beta": scalar(0.3)}, [B, T])])
    save("adaptive_beta", [case(adaptive_beta, {
        "beta": scalar(0.1), "kl": scalar(kl), "target": scalar(6.0), "n": scalar(256.0), "horizon": scalar(1e4)})
        for kl in (3.0, 6.5, 12.0)])
    full, empty = chance(g, B, T), chance(g, B, T)
    empty.data[T:2 * T] = [False] * T  # a row without a token
    for f in (token_mean, sequence_mean, sequence_sum):
        save(f.__name__, [case(f, {"x": normal(g, B, T), "mask": m}) for m in (full, empty)])
    save("constant_length_mean", [case(constant_length_mean, {
        "x": normal(g, B, T), "mask": empty, "length": scalar(9.0)})])
    save("dr_grpo_loss", [case(dr_grpo_loss, {
        **pair("logp", "old_logp"), "advantage": normal(g, B), "mask": full, "length": scalar(9.0),
        "clip": scalar(0.2)})])
    save("reinforce_loss", [case(reinforce_loss, {"logp": normal(g, B, T), "advantage": normal(g, B), "mask": full})])
    save("centered_advantage", [case(centered_advantage, {"reward": normal(g, P, K)}, [P, K])])
    save("reinforce_advantage", [case(reinforce_advantage, {
        "reward": normal(g, B, T), "mask": stretches, "gamma": scalar(0.9)}, [B, T])])
    save("completion_logp", [case(completion_logp, {"logp": normal(g, B, T), "mask": empty}, [B])])
    save("preference_accuracy", [case(preference_accuracy, {
        k: normal(g, 7) for k in ("chosen", "rejected", "ref_chosen", "ref_rejected")})])
    wide = lambda: {"x": normal(g, 3, A, scale=3)}
    for name, f in (("silu", lambda x: x / (1 + math.exp(-x))), ("relu", lambda x: max(x, 0.0)),
                    ("gelu", lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2))), ("gelu_tanh", gelu_tanh),
                    ("log_sigmoid", lambda x: -softplus(-x))):
        save(name, [case(elementwise(f), wide(), [3, A])])
    save("softmax", [case(along_rows(lambda a: [math.exp(v) for v in log_softmax(a)]), wide(), [3, A])])
    save("log_softmax", [case(along_rows(log_softmax), wide(), [3, A])])
    save("logsumexp", [case(along_rows(lambda a: [a[0] - log_softmax(a)[0]]), wide(), [3])])
    save("layer_norm", [case(layer_norm, {
        **wide(), "weight": normal(g, A), "bias": normal(g, A), "eps": scalar(1e-5)}, [3, A])])
    save("rms_norm", [case(rms_norm, {**wide(), "weight": normal(g, A), "eps": scalar(1e-6)}, [3, A])])


if __name__ == "__main__":
    main()
