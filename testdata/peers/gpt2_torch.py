"""The first training losses of stdlib/models/gpt2.mdl, computed by PyTorch from exported weights and batches.

usage: gpt2_torch.py EXPORT LOSSES.jsonl heads=4 steps=2000
EXPORT and LOSSES come from `mdlc run gpt2.mdl train --export EXPORT --json > LOSSES.jsonl`.
"""
import sys

import torch

from mdlc_export import compare, load, losses
from mdlc_gpt2 import GPT2, rate

export, log = sys.argv[1:3]
settings = dict(a.split("=") for a in sys.argv[3:])
weights = load(f"{export}/weights.safetensors")
batches = load(f"{export}/batches.safetensors")
model = GPT2({k: v.requires_grad_() for k, v in weights.items() if k.startswith("gpt.")}, int(settings["heads"]))
optimizer = torch.optim.AdamW(model.groups(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8)

ours = [r["loss"] for r in losses(log)]
theirs = []
for step in range(len(ours)):
    for group in optimizer.param_groups:
        group["lr"] = rate(step, int(settings["steps"]))
    loss = model.loss(batches[f"tok.{step}"].long())
    theirs.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(model.p.values()), 1.0)
    optimizer.step()
compare(ours, theirs)
