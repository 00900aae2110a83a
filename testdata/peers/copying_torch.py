"""The first training losses of stdlib/models/copying.mdl, computed by PyTorch's LSTM from exported weights and the same draws.

usage: copying_torch.py EXPORT LOSSES.jsonl seed=1
EXPORT and LOSSES come from `mdlc run copying.mdl train --seed 1 --export EXPORT --json > LOSSES.jsonl`.
"""
import sys

import torch
import torch.nn.functional as F

from mdlc_draw import Draws
from mdlc_export import compare, load, losses

export, log = sys.argv[1:3]
draws = Draws(int(dict(a.split("=") for a in sys.argv[3:])["seed"]))
w = load(f"{export}/weights.safetensors")
batch, length, blanks, symbols = 64, 10, 20, 8
inputs, _, hidden = w["model.lstm.wx"].shape

lstm = torch.nn.LSTM(inputs, hidden, batch_first=True)  # its gates are in the order of nn.LSTM
with torch.no_grad():
    lstm.weight_ih_l0.copy_(w["model.lstm.wx"].reshape(inputs, 4 * hidden).T)
    lstm.weight_hh_l0.copy_(w["model.lstm.wh"].reshape(hidden, 4 * hidden).T)
    lstm.bias_ih_l0.copy_(w["model.lstm.offset"].flatten())
    lstm.bias_hh_l0.zero_().requires_grad_(False)  # there is one bias
embed, weight, offset = (w["model." + k].requires_grad_() for k in ("embed", "head.weight", "head.offset"))
params = [embed, weight, offset, *(p for p in lstm.parameters() if p.requires_grad)]
optimizer = torch.optim.AdamW(params, lr=2e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0)

ours = [r["loss"] for r in losses(log)]
theirs = []
for step in range(len(ours)):
    word = draws.integers(1, symbols + 1, "train/word", [batch, length], step)
    blank = torch.zeros(batch, blanks + length, dtype=torch.long)
    question = torch.cat([word, blank], 1)
    question[:, length + blanks - 1] = symbols + 1
    y, _ = lstm(embed[question])
    loss = F.cross_entropy((y @ weight + offset).flatten(0, 1), torch.cat([blank, word], 1).flatten())
    theirs.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
compare(ours, theirs)
