"""The first training losses of stdlib/models/copying.mdl, computed by PyTorch's LSTM from exported weights and the same draws.

usage: copying_torch.py EXPORT LOSSES.jsonl seed=1
EXPORT and LOSSES come from `mdlc run copying.mdl train --seed 1 --export EXPORT --json > LOSSES.jsonl`.
"""
import sys

import torch
import torch.nn.functional as F

from mdlc_draw import Draws
from mdlc_export import compare, load, losses
from mdlc_lstm import lstm, trained

export, log = sys.argv[1:3]
draws = Draws(int(dict(a.split("=") for a in sys.argv[3:])["seed"]))
w = load(f"{export}/weights.safetensors")
batch, length, blanks, symbols = 64, 10, 20, 8
remember = lstm(w, "model.lstm")
embed, weight, offset = (w["model." + k].requires_grad_() for k in ("embed", "head.weight", "head.offset"))
params = [embed, weight, offset, *trained([remember])]
optimizer = torch.optim.AdamW(params, lr=2e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0)

ours = [r["loss"] for r in losses(log)]
theirs = []
for step in range(len(ours)):
    word = torch.from_numpy(draws.integers(1, symbols + 1, "train/word", [batch, length], step))
    blank = torch.zeros(batch, blanks + length, dtype=torch.long)
    question = torch.cat([word, blank], 1)
    question[:, length + blanks - 1] = symbols + 1
    y, _ = remember(embed[question])
    loss = F.cross_entropy((y @ weight + offset).flatten(0, 1), torch.cat([blank, word], 1).flatten())
    theirs.append(loss.item())
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimizer.step()
compare(ours, theirs)
