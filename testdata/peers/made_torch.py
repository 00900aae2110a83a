"""The first training losses of stdlib/models/made.mdl, computed by PyTorch from exported weights and batches.

usage: made_torch.py EXPORT LOSSES.jsonl
EXPORT and LOSSES come from `mdlc run made.mdl train --export EXPORT --json > LOSSES.jsonl`.
"""
import sys

import torch
import torch.nn.functional as F

from mdlc_export import compare, load, losses

export, log = sys.argv[1:3]
weights = load(f"{export}/weights.safetensors")
batches = load(f"{export}/batches.safetensors")
place, reach = weights["made.place"].long(), weights["made.reach"].long()
w, c, v, bias = params = [weights["made." + k].requires_grad_() for k in ("w", "c", "v", "bias")]
optimizer = torch.optim.Adam(params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)

ours = [r["nats"] for r in losses(log)]
theirs = []
for step in range(len(ours)):
    s = step % place.shape[0]
    see = (place[s][:, None] <= reach[s][None, :]).to(w.dtype)  # [n, hidden]
    say = (reach[s][:, None] < place[s][None, :]).to(w.dtype)  # [hidden, n]
    x = batches[f"x.{step}"].to(w.dtype)
    h = torch.relu(c + x @ (w * see))
    logits = bias + h @ (v * say)
    loss = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()
    theirs.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
compare(ours, theirs)
