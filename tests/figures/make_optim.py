"""Figures for optimizers and learning-rate schedules: three steps of AdamW and SGD, and rates over whole runs."""

import math

import torch

from figures import Cases, rng


def adamw(tensorflow_eps):
    """Decoupled decay. PyTorch: eps is added to sqrt(v / (1 - beta2^t)). TensorFlow: eps is added to sqrt(v), with the
    rate corrected by sqrt(1 - beta2^t) / (1 - beta1^t)."""

    def run(param, grad0, grad1, grad2, lr, beta1, beta2, eps, weight_decay):
        results, m, v = {}, torch.zeros_like(param), torch.zeros_like(param)
        for step, grad in enumerate((grad0, grad1, grad2), 1):
            m = beta1 * m + (1 - beta1) * grad
            v = beta2 * v + (1 - beta2) * grad**2
            c1, c2 = 1 - beta1**step, 1 - beta2**step
            param = param - lr * weight_decay * param
            if tensorflow_eps:
                param = param - lr * torch.sqrt(c2) / c1 * m / (torch.sqrt(v) + eps)
            else:
                param = param - lr / c1 * m / (torch.sqrt(v / c2) + eps)
            results[f"step{step}"] = param
        return results

    return run


def sgd(param, grad0, grad1, grad2, lr, momentum):
    results, v = {}, torch.zeros_like(param)
    for step, grad in enumerate((grad0, grad1, grad2), 1):
        v = momentum * v + grad
        param = param - lr * v
        results[f"step{step}"] = param
    return results


def make_optimizers():
    made = {"adamw": (Cases("adamw"), adamw(False)), "adamw_tf": (Cases("adamw_tf"), adamw(True))}
    plain = Cases("sgd")
    for seed, shape in enumerate([(3,), (4, 7)]):
        for eps, decay, beta2 in ((1e-8, 0.0, 0.999), (1e-3, 0.1, 0.95)):
            g = rng(seed)
            tensors = {k: torch.randn(shape, generator=g) for k in ("param", "grad0", "grad1", "grad2")}
            tensors["grad2"] = tensors["grad2"] * 1e-4
            rates = {"lr": 0.01, "beta1": 0.9, "beta2": beta2, "eps": eps, "weight_decay": decay}
            for cases, function in made.values():
                with torch.no_grad():
                    cases.add(function, {**tensors, **{k: torch.tensor(v) for k, v in rates.items()}}, weighted=False)
            if not decay:
                with torch.no_grad():
                    plain.add(sgd, {**tensors, "lr": torch.tensor(0.1), "momentum": torch.tensor(0.9)}, weighted=False)
            check(tensors, rates, made["adamw"][0])
    for cases in (made["adamw"][0], made["adamw_tf"][0], plain):
        cases.save()


def check(tensors, rates, cases):
    """Our AdamW against torch.optim.AdamW, in f64."""
    param = torch.nn.Parameter(tensors["param"].double())
    opt = torch.optim.AdamW([param], lr=rates["lr"], betas=(rates["beta1"], rates["beta2"]), eps=rates["eps"],
                            weight_decay=rates["weight_decay"])
    for k in ("grad0", "grad1", "grad2"):
        param.grad = tensors[k].double()
        opt.step()
    ours = cases.tensors[f"case{cases.count - 1}.out.step3"]
    assert torch.allclose(ours, param.detach().float(), rtol=1e-6, atol=1e-7)


def make_schedules():
    """Rates for step 0 .. total - 1. With warm-up w, step s < w has peak * (s + 1) / w; the rest of the run goes
    from the peak at step w to `floor` times the peak at step total."""
    cases = Cases("schedules")

    def run(total, warmup, peak, floor):
        s = torch.arange(int(total), dtype=torch.float64)
        w = int(warmup)
        part = ((s - w) / max(int(total) - w, 1)).clamp(0, 1)
        warm = peak * (s + 1) / max(w, 1)
        after = {"constant": peak * torch.ones_like(s), "linear": peak * (1 - (1 - floor) * part),
                 "cosine": peak * (floor + (1 - floor) * 0.5 * (1 + torch.cos(math.pi * part)))}
        return {name: torch.where(s < w, warm, rate) for name, rate in after.items()}

    with torch.no_grad():
        for total, warmup, floor in ((10, 0, 0.1), (50, 10, 0.0), (33, 4, 0.1)):
            cases.add(run, {"total": torch.tensor(total), "warmup": torch.tensor(warmup), "peak": torch.tensor(3e-4),
                            "floor": torch.tensor(floor)}, weighted=False)
    cases.save()


if __name__ == "__main__":
    make_optimizers()
    make_schedules()
