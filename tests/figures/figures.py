"""What the scripts of this folder share: recording cases of inputs, results and gradients in one safetensors file."""

import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
torch.set_num_threads(1)


class Cases:
    """Collects cases and writes NAME.safetensors. All inputs are stored in f32 (or i32, bool); what is computed from
    them is computed in f64 and stored in f32, so that a figure is right to the last f32 digit."""

    def __init__(self, name):
        self.name, self.tensors, self.count = name, {}, 0

    def add(self, function, inputs, weighted=True):
        """function(**inputs) gives a tensor or a dict of tensors. Gradients are of the sum of every result times its
        cotangent; a scalar's cotangent is 1 and is not stored."""
        prefix = f"case{self.count}"
        self.count += 1
        stored, wide, wanted = {}, {}, []
        for key, value in inputs.items():
            value = torch.as_tensor(value)
            if value.is_floating_point():
                value = value.float()
                wide[key] = value.double().requires_grad_(True)
                wanted.append(key)
            else:
                value = value if value.dtype == torch.bool else value.int()
                wide[key] = value
            stored[f"{prefix}.in.{key}"] = value
        results = function(**wide)
        if not isinstance(results, dict):
            results = {"out": results}
        total, generator = 0, torch.Generator().manual_seed(1000 + self.count)
        for key, value in results.items():
            stored[f"{prefix}.{'out' if key == 'out' else 'out.' + key}"] = value
            if value.dim() and value.is_floating_point() and weighted:
                cotangent = torch.randn(value.shape, generator=generator)
                stored[f"{prefix}.cotangent.{key}"] = cotangent
                total = total + (value * cotangent.double()).sum()
            elif value.is_floating_point() and value.requires_grad:
                total = total + value
        if torch.is_tensor(total) and total.requires_grad:
            for key, grad in zip(wanted, torch.autograd.grad(total, [wide[k] for k in wanted], allow_unused=True)):
                stored[f"{prefix}.grad.{key}"] = torch.zeros_like(wide[key]) if grad is None else grad
        for key, value in stored.items():
            value = value.detach()
            self.tensors[key] = (value.float() if value.is_floating_point() else value).contiguous().clone()

    def save(self):
        path = HERE / f"{self.name}.safetensors"
        save_file(self.tensors, path, metadata={"format": "pt", "cases": str(self.count)})
        print(f"{path.name}: {self.count} cases, {path.stat().st_size} bytes")


def rng(seed):
    return torch.Generator().manual_seed(seed)


def lengths_mask(g, b, t, first=0):
    """Each row true from some position at or after `first` on, for at least one position."""
    mask = torch.zeros(b, t, dtype=torch.bool)
    for row in mask:
        start = int(torch.randint(first, max(first + 1, t // 3), (), generator=g))
        stop = int(torch.randint(start + 1, t + 1, (), generator=g))
        row[start:stop] = True
    return mask
