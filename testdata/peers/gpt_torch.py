"""The first training losses of stdlib/models/gpt.mdl, computed by PyTorch from exported weights and batches.

usage: gpt_torch.py EXPORT LOSSES.jsonl heads=4 steps=1200
EXPORT and LOSSES come from `mdlc run gpt.mdl train --export EXPORT --json > LOSSES.jsonl`.
"""
import math
import sys

import torch
import torch.nn.functional as F

from mdlc_export import compare, load, losses

export, log = sys.argv[1:3]
settings = dict(a.split("=") for a in sys.argv[3:])
heads, total = int(settings["heads"]), int(settings["steps"])
weights = load(f"{export}/weights.safetensors")
batches = load(f"{export}/batches.safetensors")
p = {k: v.requires_grad_() for k, v in weights.items() if k.startswith("gpt.")}
layers = 1 + max(int(k.split(".")[2]) for k in p if k.startswith("gpt.blocks."))


def norm(x, name):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * p[name + ".scale"]


def rope(x, base=10000.0):
    """x is [B, H, T, D]: the halves of each head turn by an angle that grows with the position."""
    T, D = x.shape[-2:]
    angle = torch.arange(T)[:, None] * base ** (-2 * torch.arange(D // 2) / D)
    lo, hi = x[..., : D // 2], x[..., D // 2 :]
    return torch.cat([lo * angle.cos() - hi * angle.sin(), hi * angle.cos() + lo * angle.sin()], -1)


def attend(x, name):
    B, T, D = x.shape
    q, k, v = ((x @ p[f"{name}.{part}.weight"]).view(B, T, heads, D // heads).transpose(1, 2) for part in ("query", "key", "value"))
    score = rope(q) @ rope(k).transpose(-1, -2) / math.sqrt(D // heads)
    score = score.masked_fill(~torch.ones(T, T, dtype=torch.bool).tril(), -math.inf)
    return (score.softmax(-1) @ v).transpose(1, 2).reshape(B, T, D) @ p[name + ".mix.weight"]


def swiglu(x, name):
    return (F.silu(x @ p[name + ".gate.weight"]) * (x @ p[name + ".up.weight"])) @ p[name + ".down.weight"]


def loss_of(tok):
    x = p["gpt.embed"][tok[:, :-1]]
    for i in range(layers):
        b = f"gpt.blocks.{i}"
        x = x + attend(norm(x, b + ".norm1"), b + ".attend.attend")
        x = x + swiglu(norm(x, b + ".norm2"), b + ".mlp")
    logits = norm(x, "gpt.norm") @ p["gpt.embed"].T
    return F.cross_entropy(logits.flatten(0, 1), tok[:, 1:].flatten())


def rate(step, peak=1e-3, warmup=100, floor=0.1):
    done = min(max((step - warmup) / (total - warmup), 0.0), 1.0)
    return peak * min(1.0, (step + 1) / warmup) * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))


decay = [v for v in p.values() if v.dim() > 1]
plain = [v for v in p.values() if v.dim() <= 1]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=1e-3, betas=(0.9, 0.95), eps=1e-8)

ours = [r["loss"] for r in losses(log)]
theirs = []
for step in range(len(ours)):
    for group in optimizer.param_groups:
        group["lr"] = rate(step)
    loss = loss_of(batches[f"tok.{step}"].long())
    theirs.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(p.values()), 1.0)
    optimizer.step()
compare(ours, theirs)
