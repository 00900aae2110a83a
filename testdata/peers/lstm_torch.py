"""The first training losses of stdlib/models/lstm.mdl, computed by PyTorch's LSTM from exported weights and batches.

usage: lstm_torch.py EXPORT LOSSES.jsonl
EXPORT and LOSSES come from `mdlc run lstm.mdl train --export EXPORT --json > LOSSES.jsonl`.
"""
import sys

import torch
import torch.nn.functional as F

from mdlc_export import compare, load, losses
from mdlc_lstm import lstm, trained

export, log = sys.argv[1:3]
w = load(f"{export}/weights.safetensors")
batches = load(f"{export}/batches.safetensors")
layers = [lstm(w, "model.first")]
while f"model.above.{len(layers) - 1}.wx" in w:
    layers.append(lstm(w, f"model.above.{len(layers) - 1}"))
embed, weight, offset = (w["model." + k].requires_grad_() for k in ("embed", "head.weight", "head.offset"))
params = [embed, weight, offset, *trained(layers)]
optimizer = torch.optim.AdamW(params, lr=2e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0)

state = [(h[None], c[None]) for h, c in zip(w["h"], w["c"])]  # what came before the chunk, for each layer
ours = [r["loss"] for r in losses(log)]
theirs = []
for step in range(len(ours)):
    tok = batches[f"tok.{step}"].long()
    x = embed[tok[:, :-1]]
    for i, layer in enumerate(layers):
        x, (h, c) = layer(x, state[i])
        state[i] = h.detach(), c.detach()
    loss = F.cross_entropy((x @ weight + offset).flatten(0, 1), tok[:, 1:].flatten())
    theirs.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
compare(ours, theirs)
