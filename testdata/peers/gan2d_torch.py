"""The first training losses of stdlib/models/gan2d.mdl, computed by PyTorch from exported weights and the same draws.

usage: gan2d_torch.py EXPORT LOSSES.jsonl seed=1
EXPORT and LOSSES come from `mdlc run gan2d.mdl train --seed 1 --export EXPORT --json > LOSSES.jsonl`.
"""
import math
import sys

import torch

from mdlc_draw import Draws
from mdlc_export import compare, load, losses

export, log = sys.argv[1:3]
draws = Draws(int(dict(a.split("=") for a in sys.argv[3:])["seed"]))


def exact(array):
    """In f64, for the last bits of PyTorch's products in f32 differ from machine to machine, and 120 steps of Adam make them grow a thousandfold."""
    return torch.from_numpy(array).double()


weights = load(f"{export}/weights.safetensors")
params = {net: {k: v.double().requires_grad_() for k, v in weights.items() if k.startswith(net + ".")} for net in "gd"}
batch, penalty, unit, critic_steps = 256, 0.1, 1.414, 5


def mlp(net, x):
    p = params[net]
    for i in range(2):
        x = torch.relu(x @ p[f"{net}.layers.{i}.weight"] + p[f"{net}.layers.{i}.offset"])
    return x @ p[f"{net}.last.weight"] + p[f"{net}.last.offset"]


def ring(step, turn):
    mode = exact(draws.integers(0, 8, "train/real/ring/draw/mode", [batch], step, turn))
    z = exact(draws.normal("train/real/ring/draw/z", [batch, 2], step, turn))
    angle = mode[:, None] * (math.pi / 4) - torch.tensor([0, math.pi / 2])
    return (2 * torch.cos(angle) + 0.02 * z) / unit


def descend(optimizer, net, loss):
    gradients = torch.autograd.grad(loss, list(params[net].values()))
    for v, g in zip(params[net].values(), gradients):
        v.grad = g
    optimizer.step()


adam = {net: torch.optim.Adam(params[net].values(), lr=5e-4, betas=(0.5, 0.9), eps=1e-8) for net in "gd"}
names = ("gap", "slope", "loss")
ours, theirs = {n: [] for n in names}, {n: [] for n in names}
for step, record in enumerate(losses(log)):
    for turn in range(critic_steps):
        real = ring(step, turn)
        z = exact(draws.normal("train/z", [batch, 2], step, turn))
        u = exact(draws.uniform("train/u", [batch, 1], step, turn))
        fake = mlp("g", z).detach()
        mid = (u * real + (1 - u) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(mlp("d", mid).sum(), mid, create_graph=True)
        slope = slope.norm(dim=1)
        gap = mlp("d", real).mean() - mlp("d", fake).mean()
        descend(adam["d"], "d", penalty * ((slope - 1) ** 2).mean() - gap)
    z = exact(draws.normal("train/z", [batch, 2], step, nth=2))
    loss = -mlp("d", mlp("g", z)).mean()
    for name, value in zip(names, (gap, slope.mean(), loss)):
        ours[name].append(record[name])
        theirs[name].append(value.item())
    descend(adam["g"], "g", loss)
for name in names:
    print(name, end=": ")
    compare(ours[name], theirs[name], 1e-3)
