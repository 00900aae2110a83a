"""PyTorch's side of the workloads, written as its users write them: fused attention, fused optimisers, cuDNN-style LSTM.

usage: torch_side.py WORKLOAD-NUMBER THREADS eager|compiled EXPORT
"""
import math
import sys

import torch
import torch.nn.functional as F

from contender import contend

torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(1)


def tensors(weights, prefix):
    return {k: torch.from_numpy(v).requires_grad_() for k, v in weights.items() if k.startswith(prefix)}


def trainer(params, loss_of, optimizer, mode, clip=0.0, rate=None):
    """A training step with the loss of batch n; loss_of takes what batch(n) gives."""
    run = torch.compile(loss_of) if mode == "compiled" else loss_of

    def step(n, *batch):
        if rate:
            for group in optimizer.param_groups:
                group["lr"] = rate(n)
        loss = run(*batch)
        optimizer.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(params, clip)
        optimizer.step()
        return loss.item()
    return step


def gpt2(w, mode, weights, batches):
    p = tensors(weights, "gpt.")
    heads, layers, total = w.settings["heads"], w.settings["layers"], w.settings["steps"]

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], p[name + ".scale"], p[name + ".shift"], 1e-5)

    def linear(x, name):
        return x @ p[name + ".weight"] + p[name + ".offset"]

    def attend(x, name):
        B, T, D = x.shape
        q, k, v = (linear(x, f"{name}.{part}").view(B, T, heads, D // heads).transpose(1, 2) for part in ("query", "key", "value"))
        return linear(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, D), name + ".mix")

    def loss_of(tok):
        x = p["gpt.embed"][tok[:, :-1]] + p["gpt.place"][: tok.shape[1] - 1]
        for i in range(layers):
            b = f"gpt.blocks.{i}"
            x = x + attend(norm(x, b + ".norm1"), b)
            x = x + linear(F.gelu(linear(norm(x, b + ".norm2"), b + ".up")), b + ".down")
        return F.cross_entropy((norm(x, "gpt.norm") @ p["gpt.embed"].T).flatten(0, 1), tok[:, 1:].flatten())

    def rate(n):
        return 1e-3 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(n / total, 1))))

    groups = [{"params": [v for v in p.values() if v.dim() > 1], "weight_decay": 0.1}, {"params": [v for v in p.values() if v.dim() <= 1], "weight_decay": 0.0}]
    step = trainer(list(p.values()), loss_of, torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, fused=True), mode, 1.0, rate)
    toks = [torch.from_numpy(batches[f"tok.{n}"]).long() for n in range(20)]
    return lambda n: step(n, toks[n])


def made(w, mode, weights, batches):
    place, reach = (torch.from_numpy(weights["made." + k]).long() for k in ("place", "reach"))
    enter, c, leave, bias = params = [torch.from_numpy(weights["made." + k]).requires_grad_() for k in ("w", "c", "v", "bias")]
    see = (place[0][:, None] <= reach[0][None, :]).float()
    say = (reach[0][:, None] < place[0][None, :]).float()

    def loss_of(x):
        h = torch.relu(torch.addmm(c, x, enter * see))
        return F.binary_cross_entropy_with_logits(torch.addmm(bias, h, leave * say), x, reduction="none").sum(1).mean()

    step = trainer(params, loss_of, torch.optim.Adam(params, lr=1e-3, fused=True), mode)
    xs = [torch.from_numpy(batches[f"x.{n}"]).float() for n in range(20)]
    return lambda n: step(n, xs[n])


def autoencoder(w, mode, weights, batches):
    p = tensors(weights, "net.")
    x = torch.from_numpy(weights["x"])
    if mode == "compiled":
        x = x.contiguous(memory_format=torch.channels_last)

    def conv(x, name, stride=1):
        return F.conv2d(x, p[name + ".weight"], p[name + ".offset"], stride, 1)

    def residual(x, name):
        h = conv(F.silu(F.group_norm(x, 8, p[name + ".norm1.scale"], p[name + ".norm1.shift"], 1e-6)), name + ".conv1")
        return x + conv(F.silu(F.group_norm(h, 8, p[name + ".norm2.scale"], p[name + ".norm2.shift"], 1e-6)), name + ".conv2")

    def level(x, name):
        return residual(residual(x, name + ".one"), name + ".two")

    def wide(x):
        return F.interpolate(x, scale_factor=2, mode="nearest")

    def loss_of(x):
        h = conv(x, "net.first")
        for i in (0, 1):
            h = conv(level(h, f"net.down{i}"), f"net.half{i}", 2)
        h = level(h, "net.middle")
        for i in (1, 0):
            h = level(conv(wide(h), f"net.wide{i}"), f"net.up{i}")
        return ((conv(h, "net.last") - x) ** 2).mean()

    step = trainer(list(p.values()), loss_of, torch.optim.Adam(list(p.values()), lr=1e-3, fused=True), mode)
    return lambda n: step(n, x)


def lstm(w, mode, weights, batches):
    wx = weights["model.first.wx"]
    inputs, _, hidden = wx.shape
    cell = torch.nn.LSTM(inputs, hidden, batch_first=True)
    with torch.no_grad():
        cell.weight_ih_l0.copy_(torch.from_numpy(wx.reshape(inputs, 4 * hidden).T))
        cell.weight_hh_l0.copy_(torch.from_numpy(weights["model.first.wh"].reshape(hidden, 4 * hidden).T))
        cell.bias_ih_l0.copy_(torch.from_numpy(weights["model.first.offset"].flatten()))
        cell.bias_hh_l0.zero_().requires_grad_(False)
    embed, head, offset = (torch.from_numpy(weights["model." + k]).requires_grad_() for k in ("embed", "head.weight", "head.offset"))
    params = [embed, head, offset] + [v for v in cell.parameters() if v.requires_grad]
    state = [torch.from_numpy(weights["h"]), torch.from_numpy(weights["c"])]

    def loss_of(tok, h, c):
        y, (h, c) = cell(embed[tok[:, :-1]], (h, c))
        state[:] = h.detach(), c.detach()
        return F.cross_entropy((y @ head + offset).flatten(0, 1), tok[:, 1:].flatten())

    step = trainer(params, loss_of, torch.optim.AdamW(params, lr=2e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0, fused=True), mode, 1.0)
    toks = [torch.from_numpy(batches[f"tok.{n}"]).long() for n in range(20)]
    return lambda n: step(n, toks[n], *state)


def product(w, mode, weights, batches):
    s = w.settings
    x, y = torch.randn(s["many"], s["m"], s["k"]), torch.randn(s["many"], s["k"], s["n"])
    if s["many"] == 1:
        x, y = x[0], y[0]
    run = torch.compile(torch.matmul) if mode == "compiled" else torch.matmul
    out = torch.empty(x.shape[:-1] + y.shape[-1:])

    def step(n):
        if mode == "compiled":
            run(x, y)
        else:
            torch.matmul(x, y, out=out)
    return step


def attention(w, mode, weights, batches):
    s = w.settings
    q, k, v, g = (torch.randn(s["batch"], s["ctx"], s["heads"], s["dim"]).requires_grad_(i < 3) for i in range(4))

    def forward(q, k, v):
        return F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True).transpose(1, 2)

    run = torch.compile(forward) if mode == "compiled" else forward

    def step(n):
        torch.autograd.grad(run(q, k, v), (q, k, v), g)
    return step


def norm(w, mode, weights, batches):
    x, scale, shift = torch.randn(16384, 1024), torch.ones(1024), torch.zeros(1024)

    def forward(x):
        return F.layer_norm(x, (1024,), scale, shift, 1e-5)
    run = torch.compile(forward) if mode == "compiled" else forward
    return lambda n: (run(x), None)[1]


def gelu(w, mode, weights, batches):
    x = torch.randn(16384, 1024)

    def forward(x):
        return x + F.gelu(x * 1.5)
    run = torch.compile(forward) if mode == "compiled" else forward
    return lambda n: (run(x), None)[1]


def toy():
    a = torch.randn(8, 8, requires_grad=True)
    (a @ a).sum().backward()


if __name__ == "__main__":
    contend(lambda w, *rest: globals()[w.maker](w, *rest), toy)
