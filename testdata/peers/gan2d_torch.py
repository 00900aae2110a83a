"""The first training losses of stdlib/models/gan2d.mdl, computed by PyTorch from exported weights and the same draws.

usage: gan2d_torch.py EXPORT LOSSES.jsonl seed=1
EXPORT and LOSSES come from `mdlc run gan2d.mdl train --seed 1 --export EXPORT --json > LOSSES.jsonl`, with `--precision f64` or without.
"""
import math
import sys

import torch

from mdlc_draw import Draws
from mdlc_export import compare, load, losses

export, log = sys.argv[1:3]
weights = load(f"{export}/weights.safetensors")
dtype = torch.get_default_dtype()  # mdlc's
draws = Draws(int(dict(a.split("=") for a in sys.argv[3:])["seed"]), str(dtype)[6:])
batch, penalty, unit, critic_steps = 256, 0.1, 1.414, 5
names = ("gap", "slope", "loss")


class Training:
    """The training in one element type: its losses, step by step."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.params = {net: {k: v.to(dtype, copy=True).requires_grad_() for k, v in weights.items() if k.startswith(net + ".")} for net in "gd"}
        self.adam = {net: torch.optim.Adam(self.params[net].values(), lr=5e-4, betas=(0.5, 0.9), eps=1e-8) for net in "gd"}

    def tensor(self, array):
        return torch.from_numpy(array).to(self.dtype)

    def mlp(self, net, x):
        p = self.params[net]
        for i in range(2):
            x = torch.relu(x @ p[f"{net}.layers.{i}.weight"] + p[f"{net}.layers.{i}.offset"])
        return x @ p[f"{net}.last.weight"] + p[f"{net}.last.offset"]

    def ring(self, step, turn):
        mode = self.tensor(draws.integers(0, 8, "train/real/ring/draw/mode", [batch], step, turn))
        z = self.tensor(draws.normal("train/real/ring/draw/z", [batch, 2], step, turn))
        angle = mode[:, None] * (math.pi / 4) - torch.tensor([0, math.pi / 2], dtype=self.dtype)
        return (2 * torch.cos(angle) + 0.02 * z) / unit

    def descend(self, net, loss):
        gradients = torch.autograd.grad(loss, list(self.params[net].values()))
        for v, g in zip(self.params[net].values(), gradients):
            v.grad = g
        self.adam[net].step()

    def step(self, step):
        for turn in range(critic_steps):
            real = self.ring(step, turn)
            z = self.tensor(draws.normal("train/z", [batch, 2], step, turn))
            u = self.tensor(draws.uniform("train/u", [batch, 1], step, turn))
            fake = self.mlp("g", z).detach()
            mid = (u * real + (1 - u) * fake).requires_grad_()
            (slope,) = torch.autograd.grad(self.mlp("d", mid).sum(), mid, create_graph=True)
            slope = slope.norm(dim=1)
            gap = self.mlp("d", real).mean() - self.mlp("d", fake).mean()
            self.descend("d", penalty * ((slope - 1) ** 2).mean() - gap)
        z = self.tensor(draws.normal("train/z", [batch, 2], step, nth=2))
        loss = -self.mlp("d", self.mlp("g", z)).mean()
        self.descend("g", loss)
        return [gap.item(), slope.mean().item(), loss.item()]


# In f32 rounding errors grow a thousandfold in 120 steps of Adam, and more where one flips a relu, PyTorch's too, whose last bits
# differ from machine to machine. So mdlc in f64 is to agree with PyTorch in f64 in all losses, far below 1e-4. Of mdlc in f32 the
# first half is to agree with it to 1e-4, all of it to 1e-3, and what PyTorch in f32 is from it is told.
records = losses(log)
training = Training(torch.float64)
truth = [training.step(k) for k in range(len(records))]
if dtype == torch.float32:
    training = Training(dtype)
    rounded = [training.step(k) for k in range(len(records))]
for i, name in enumerate(names):
    ours, theirs = [r[name] for r in records], [t[i] for t in truth]
    if dtype == torch.float64:
        print(name, end=": ")
        compare(ours, theirs)
        continue
    own = max(abs(a[i] - b) / abs(b) for a, b in zip(rounded, theirs))
    half = len(ours) // 2
    print(name, end=": ")
    compare(ours[:half], theirs[:half])
    print(f"{name}, with PyTorch in f32 {own:.1e} from f64", end=": ")
    compare(ours, theirs, 1e-3)
