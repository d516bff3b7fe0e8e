"""Figures for whole models: folders as Hugging Face's transformers writes them, with logits, loss, gradients and the
parameters after three AdamW steps on the same batch. The parameters are f32; everything else is computed in f64, but for what
transformers itself casts to f32 (RMS norm, rotary angles, the softmax of Llama and Qwen2)."""

import shutil

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM)

from figures import HERE, lengths_mask, rng

STEPS = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01}
VOCAB, CONTEXT, B, T = 64, 16, 3, 11


def models():
    llama = {"vocab_size": VOCAB, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
             "rms_norm_eps": 1e-5, "bos_token_id": 0, "eos_token_id": 1, "attn_implementation": "eager"}
    yield "gpt2", GPT2LMHeadModel(GPT2Config(
        vocab_size=VOCAB, n_positions=CONTEXT, n_embd=20, n_layer=2, n_head=4, resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, attn_implementation="eager"))
    yield "llama", LlamaForCausalLM(LlamaConfig(**llama, tie_word_embeddings=False))
    yield "llama_tied", LlamaForCausalLM(LlamaConfig(**llama, tie_word_embeddings=True))
    yield "qwen2", Qwen2ForCausalLM(Qwen2Config(**llama, tie_word_embeddings=True, use_sliding_window=False))


def objective(model, tokens, target, mask):
    logits = model(input_ids=tokens).logits
    return logits, F.cross_entropy(logits[mask], target[mask])


def make(name, model, seed):
    g = rng(seed)
    with torch.no_grad():  # nothing stays at 0 or 1, where a mistake would not show
        for key, p in model.named_parameters():
            around = 1.0 if p.dim() == 1 and key.endswith("weight") else 0.0
            p.copy_(around + 0.15 * torch.randn(p.shape, generator=g))
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    model = model.double().eval()
    tokens = torch.randint(0, VOCAB, (B, T), generator=g)
    target = torch.randint(0, VOCAB, (B, T), generator=g)
    mask = lengths_mask(g, B, T)
    optimizer = torch.optim.AdamW(model.parameters(), **STEPS)
    out = {"tokens": tokens.int(), "target": target.int(), "mask": mask}
    losses = []
    for step in range(3):
        optimizer.zero_grad()
        logits, loss = objective(model, tokens, target, mask)
        loss.backward()
        losses.append(loss.detach())
        if step == 0:
            out["logits"], out["loss"] = logits.detach(), loss.detach()
            out.update({f"grad.{k}": p.grad.clone() for k, p in model.named_parameters()})
        optimizer.step()
    out["losses"] = torch.stack(losses)
    out.update({f"after.{k}": p.detach() for k, p in model.named_parameters()})
    path = folder / "figures.safetensors"
    save_file({k: (v.float() if v.is_floating_point() else v).contiguous().clone() for k, v in out.items()}, path,
              metadata={"format": "pt"})
    print(name, [f"{x:.6f}" for x in losses], sum(f.stat().st_size for f in folder.iterdir()), "bytes")


if __name__ == "__main__":
    for i, (name, model) in enumerate(models()):
        make(name, model, 200 + i)
