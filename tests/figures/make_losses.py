"""Figures for the losses and the reinforcement-learning parts of std/. Writes one file a function."""

import torch
import torch.nn.functional as F

from figures import Cases, lengths_mask, rng


def masked_mean(x, mask):
    return torch.where(mask, x, torch.zeros_like(x)).sum() / mask.sum()


# ---- the functions, as PyTorch would have them ----


def rm_loss(reward, rank):
    margin = reward[:, :, None] - reward[:, None, :]                   # [P, J, K]: r_j - r_k
    better = (rank[:, :, None] < rank[:, None, :]) & (rank[:, :, None] > 0)
    nll = torch.where(better, -F.logsigmoid(margin), torch.zeros_like(margin)).sum((1, 2))
    return (nll / better.sum((1, 2)).clamp(min=1)).mean()


def sft_loss(logits, target, mask):
    return F.cross_entropy(logits[mask], target[mask].long())


def ppo_policy_loss(logp, old_logp, advantage, mask, clip):
    ratio = torch.exp(logp - old_logp)
    return masked_mean(torch.max(-advantage * ratio, -advantage * torch.clamp(ratio, 1 - clip, 1 + clip)), mask)


def ppo_value_loss(value, old_value, returns, mask, clip):
    clipped = old_value + torch.clamp(value - old_value, -clip, clip)
    return 0.5 * masked_mean(torch.max((value - returns) ** 2, (clipped - returns) ** 2), mask)


def gae(reward, value, mask, gamma, **rest):
    lam = rest["lambda"]  # a keyword of Python
    length = reward.shape[1]
    advantage = [None] * length
    following = torch.zeros_like(reward[:, 0])
    for t in reversed(range(length)):
        on = mask[:, t].double()
        after = (value[:, t + 1] * mask[:, t + 1]) if t + 1 < length else 0
        following = on * (reward[:, t] + gamma * after - value[:, t] + gamma * lam * following)
        advantage[t] = following
    advantage = torch.stack(advantage, 1)
    return {"advantage": advantage, "returns": (advantage + value) * mask}


def whiten(x, mask, shift_mean):
    count = mask.sum()
    mean = (x * mask).sum() / count
    var = ((x - mean) ** 2 * mask).sum() / count
    y = (x - mean) * torch.rsqrt(var + 1e-8)
    return (y if bool(shift_mean) else y + mean) * mask


def kl(logp, ref_logp):
    d = logp - ref_logp
    return {"k1": d, "k2": d**2 / 2, "k3": torch.exp(-d) - 1 + d}


def pair_margin(chosen, rejected, ref_chosen, ref_rejected):
    return (chosen - ref_chosen) - (rejected - ref_rejected)


def dpo(chosen, rejected, ref_chosen, ref_rejected, beta):
    return -F.logsigmoid(beta * pair_margin(chosen, rejected, ref_chosen, ref_rejected)).mean()


def cdpo(chosen, rejected, ref_chosen, ref_rejected, beta, smoothing):
    x = beta * pair_margin(chosen, rejected, ref_chosen, ref_rejected)
    return (-(1 - smoothing) * F.logsigmoid(x) - smoothing * F.logsigmoid(-x)).mean()


def ipo(chosen, rejected, ref_chosen, ref_rejected, beta):
    return ((pair_margin(chosen, rejected, ref_chosen, ref_rejected) - 1 / (2 * beta)) ** 2).mean()


def hinge(chosen, rejected, ref_chosen, ref_rejected, beta):
    return F.relu(1 - beta * pair_margin(chosen, rejected, ref_chosen, ref_rejected)).mean()


def simpo(chosen, rejected, chosen_length, rejected_length, beta, margin):
    x = chosen / chosen_length - rejected / rejected_length
    return -F.logsigmoid(beta * x - margin).mean()


def kto(logp, ref_logp, desirable, kl, beta):
    z = kl.detach().mean().clamp(min=0)
    x = beta * (logp - ref_logp - z)
    return (1 - torch.sigmoid(torch.where(desirable, x, -x))).mean()


def orpo(chosen, rejected, weight):
    """chosen and rejected are mean log-probs per token, below 0; the NLL is that of the chosen."""
    odds = (chosen - rejected) - (torch.log1p(-torch.exp(chosen)) - torch.log1p(-torch.exp(rejected)))
    return -chosen.mean() - weight * F.logsigmoid(odds).mean()


def grpo_advantage(reward):
    centred = reward - reward.mean(1, keepdim=True)
    return {"biased": centred / (reward.std(1, keepdim=True, unbiased=False) + 1e-4),
            "unbiased": centred / (reward.std(1, keepdim=True, unbiased=True) + 1e-4)}


def grpo_loss(logp, old_logp, ref_logp, advantage, mask, clip, beta):
    ratio = torch.exp(logp - old_logp)
    a = advantage[:, None]
    loss = torch.max(-a * ratio, -a * torch.clamp(ratio, 1 - clip, 1 + clip)) + beta * kl(logp, ref_logp)["k3"]
    row = torch.where(mask, loss, torch.zeros_like(loss)).sum(1)
    return {"token_mean": masked_mean(loss, mask), "sequence_mean": (row / mask.sum(1)).mean()}


def rloo_advantage(reward):
    k = reward.shape[1]
    return reward - (reward.sum(1, keepdim=True) - reward) / (k - 1)


# ---- the cases ----


def ranks(g, p, k, absent):
    rank = torch.randint(1, k + 1, (p, k), generator=g)  # ties happen
    if absent:
        drop = torch.rand(p, k, generator=g) < 0.3
        rank[drop] = 0
    return rank


def make_rm():
    cases = Cases("rm_loss")
    for seed, (p, k, absent) in enumerate([(1, 2, False), (4, 4, False), (3, 9, True), (8, 5, True), (17, 6, True)]):
        g = rng(seed)
        cases.add(rm_loss, {"reward": 2 * torch.randn(p, k, generator=g), "rank": ranks(g, p, k, absent)})
    g = rng(99)  # nothing but ties, all absent, one left
    cases.add(rm_loss, {"reward": torch.randn(4, 4, generator=g),
                        "rank": torch.tensor([[1, 1, 1, 1], [0, 0, 0, 0], [0, 3, 0, 0], [2, 1, 3, 3]])})
    cases.add(rm_loss, {"reward": 60 * torch.randn(3, 4, generator=g), "rank": ranks(g, 3, 4, False)})
    cases.save()


def make_sft():
    cases = Cases("sft_loss")
    for seed, (b, t, v, scale) in enumerate([(1, 1, 2, 1), (2, 5, 7, 1), (3, 8, 33, 3), (2, 3, 50, 30)]):
        g = rng(seed)
        cases.add(sft_loss, {"logits": scale * torch.randn(b, t, v, generator=g),
                             "target": torch.randint(0, v, (b, t), generator=g), "mask": lengths_mask(g, b, t)})
    cases.save()


def make_ppo():
    shapes = [(1, 1), (2, 5), (4, 16), (3, 33)]
    policy, value = Cases("ppo_policy_loss"), Cases("ppo_value_loss")
    for seed, (b, t) in enumerate(shapes):
        for clip in (0.2, 0.05):
            g = rng(seed)
            old = -3 * torch.rand(b, t, generator=g)
            mask = lengths_mask(g, b, t)
            policy.add(ppo_policy_loss, {"logp": old + 0.3 * torch.randn(b, t, generator=g), "old_logp": old,
                                         "advantage": torch.randn(b, t, generator=g), "mask": mask,
                                         "clip": torch.tensor(clip)})
            old = torch.randn(b, t, generator=g)
            value.add(ppo_value_loss, {"value": old + 0.3 * torch.randn(b, t, generator=g), "old_value": old,
                                       "returns": torch.randn(b, t, generator=g), "mask": mask,
                                       "clip": torch.tensor(clip)})
    policy.save()
    value.save()


def make_gae_and_whiten():
    cases, white, estimators = Cases("gae"), Cases("whiten"), Cases("kl")
    for seed, (b, t) in enumerate([(1, 1), (2, 6), (4, 17), (3, 32)]):
        for gamma, lam in ((1.0, 0.95), (0.97, 0.8), (1.0, 1.0), (0.9, 0.0)):
            g = rng(seed)
            cases.add(gae, {"reward": torch.randn(b, t, generator=g), "value": torch.randn(b, t, generator=g),
                            "mask": lengths_mask(g, b, t), "gamma": torch.tensor(gamma), "lambda": torch.tensor(lam)})
        g = rng(seed)
        for shift in (True, False):
            mask = lengths_mask(g, b, t) if t > 1 else torch.ones(b, t, dtype=torch.bool)
            x = 3 * torch.randn(b, t, generator=g) + 2
            if int(mask.sum()) > 1:
                white.add(whiten, {"x": x, "mask": mask, "shift_mean": torch.tensor(shift)})
        estimators.add(kl, {"logp": -3 * torch.rand(b, t, generator=g), "ref_logp": -3 * torch.rand(b, t, generator=g)})
    for c in (cases, white, estimators):
        c.save()


def make_preferences():
    made = {name: Cases(name) for name in
            ("dpo", "cdpo", "ipo", "hinge", "simpo", "kto", "orpo", "grpo_advantage", "grpo_loss", "rloo_advantage")}
    for seed, n in enumerate([1, 4, 13]):
        g = rng(seed)
        lp = {k: -5 * torch.rand(n, generator=g) - 1 for k in ("chosen", "rejected", "ref_chosen", "ref_rejected")}
        beta = torch.tensor([0.1, 0.5, 2.0][seed])
        for name, function in (("dpo", dpo), ("ipo", ipo), ("hinge", hinge)):
            made[name].add(function, {**lp, "beta": beta})
        made["cdpo"].add(cdpo, {**lp, "beta": beta, "smoothing": torch.tensor(0.1)})
        made["simpo"].add(simpo, {"chosen": 4 * lp["chosen"], "rejected": 4 * lp["rejected"],
                                  "chosen_length": torch.randint(1, 20, (n,), generator=g).float(),
                                  "rejected_length": torch.randint(1, 20, (n,), generator=g).float(),
                                  "beta": torch.tensor(2.0), "margin": torch.tensor(0.5)})
        made["kto"].add(kto, {"logp": lp["chosen"], "ref_logp": lp["ref_chosen"],
                              "desirable": torch.rand(n, generator=g) < 0.5,
                              "kl": torch.randn(n, generator=g) + [0.5, -3.0, 0.3][seed], "beta": beta})
        made["orpo"].add(orpo, {"chosen": lp["chosen"] / 2, "rejected": lp["rejected"] / 2,
                                "weight": torch.tensor(0.1)})
    for seed, (p, k) in enumerate([(1, 2), (3, 4), (5, 9)]):
        g = rng(50 + seed)
        reward = 2 * torch.randn(p, k, generator=g)
        made["grpo_advantage"].add(grpo_advantage, {"reward": reward})
        made["rloo_advantage"].add(rloo_advantage, {"reward": reward})
    for seed, (b, t) in enumerate([(1, 3), (4, 9), (3, 20)]):
        g = rng(70 + seed)
        old = -3 * torch.rand(b, t, generator=g)
        made["grpo_loss"].add(grpo_loss, {
            "logp": old + 0.3 * torch.randn(b, t, generator=g), "old_logp": old,
            "ref_logp": old + 0.5 * torch.randn(b, t, generator=g), "advantage": torch.randn(b, generator=g),
            "mask": lengths_mask(g, b, t), "clip": torch.tensor(0.2), "beta": torch.tensor(0.04)})
    for cases in made.values():
        cases.save()


if __name__ == "__main__":
    make_rm()
    make_sft()
    make_ppo()
    make_gae_and_whiten()
    make_preferences()
