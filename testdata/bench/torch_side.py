"""PyTorch's side of the workloads, written as its users write them: fused attention, fused optimisers, cuDNN-style LSTM.

usage: torch_side.py WORKLOAD-NUMBER THREADS eager|compiled EXPORT
"""
import sys

import torch
import torch.nn.functional as F

from contender import contend, gan_inputs

import mdlc_lstm
from mdlc_gpt2 import GPT2, rate

torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(1)


def tensors(weights, prefix):
    return {k: torch.from_numpy(v).requires_grad_() for k, v in weights.items() if k.startswith(prefix)}


def compiled(mode, f, **how):
    return torch.compile(f, **how) if mode == "compiled" else f


def trainer(params, loss_of, optimizer, mode, clip=0.0, rate=None):
    """A training step with the loss of batch n; loss_of takes what batch(n) gives."""
    run = compiled(mode, loss_of)

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
    model = GPT2(tensors(weights, "gpt."), w.settings["heads"], lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True))
    optimizer = torch.optim.AdamW(model.groups(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, fused=True)
    step = trainer(list(model.p.values()), model.loss, optimizer, mode, 1.0, lambda n: rate(n, w.settings["steps"], w.settings["rate"]))
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

    step = trainer(list(p.values()), loss_of, torch.optim.Adam(list(p.values()), lr=1e-4, fused=True), mode)
    return lambda n: step(n, x)


def lstm(w, mode, weights, batches):
    p = {k: torch.from_numpy(v) for k, v in weights.items()}
    cell = mdlc_lstm.lstm(p, "model.first")
    embed, head, offset = (p["model." + k].requires_grad_() for k in ("embed", "head.weight", "head.offset"))
    params = [embed, head, offset, *mdlc_lstm.trained([cell])]
    state = [p["h"], p["c"]]

    def loss_of(tok, h, c):
        y, (h, c) = cell(embed[tok[:, :-1]], (h, c))
        state[:] = h.detach(), c.detach()
        return F.cross_entropy((y @ head + offset).flatten(0, 1), tok[:, 1:].flatten())

    step = trainer(params, loss_of, torch.optim.AdamW(params, lr=2e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0, fused=True), mode, 1.0)
    toks = [torch.from_numpy(batches[f"tok.{n}"]).long() for n in range(20)]
    return lambda n: step(n, toks[n], *state)


def wgan(w, mode, weights, batches):
    p = {net: tensors(weights, net + ".") for net in "gd"}
    channels_last = dict(memory_format=torch.channels_last) if mode == "compiled" else {}

    def paint(z):
        g = p["g"]
        x = torch.relu(z @ g["g.lift.weight"] + g["g.lift.offset"]).view(len(z), -1, 7, 7).contiguous(**channels_last)
        x = torch.relu(F.conv_transpose2d(x, g["g.up1.weight"], g["g.up1.offset"], 2, 1))
        return torch.tanh(F.conv_transpose2d(x, g["g.up2.weight"], g["g.up2.offset"], 2, 1))

    def judge(x):
        d = p["d"]
        for name in ("d.down1", "d.down2"):
            x = F.leaky_relu(F.conv2d(x, d[name + ".weight"], d[name + ".offset"], 2, 2), 0.2)
        return (x.flatten(1) @ d["d.judge.weight"] + d["d.judge.offset"])[:, 0]

    # torch.compile takes no gradient of a gradient: it compiles the parts.
    paint, judge_twice, judge = compiled(mode, paint), judge, compiled(mode, judge)
    adam = {net: torch.optim.Adam(p[net].values(), lr=1e-4, betas=(0.0, 0.9), eps=1e-8, fused=True) for net in "gd"}

    def descend(net, loss):
        for v, g in zip(p[net].values(), torch.autograd.grad(loss, list(p[net].values()))):
            v.grad = g
        adam[net].step()

    def critic(real, z, u):
        with torch.no_grad():
            fake = paint(z)
        mid = (u * real + (1 - u) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(judge_twice(mid).sum(), mid, create_graph=True)
        slope = slope.flatten(1).norm(dim=1)
        descend("d", 10 * ((slope - 1) ** 2).mean() - judge(real).mean() + judge(fake).mean())
        return slope.detach().mean()

    inputs = [([list(map(torch.from_numpy, turn)) for turn in turns], torch.from_numpy(z)) for turns, z in gan_inputs(batches)]

    def step(n):
        turns, z = inputs[n]
        for turn in turns:
            slope = critic(*turn)
        descend("g", -judge(paint(z)).mean())
        return slope.item()
    return step


def sampling(w, mode, weights, batches):
    """Greedy, with a cache of keys and values; a token's step is compiled once, for all places."""
    heads, layers, many, n = w.settings["heads"], w.settings["layers"], w.settings.get("many", 1), w.settings["n"]
    p = {k: torch.from_numpy(v) for k, v in weights.items() if k.startswith("gpt.")}
    embed, place, dim = p["gpt.embed"], p["gpt.place"], p["gpt.embed"].shape[1]
    blocks = []
    for i in range(layers):
        b = {k.removeprefix(f"gpt.blocks.{i}."): v for k, v in p.items() if k.startswith(f"gpt.blocks.{i}.")}
        for kind in ("weight", "offset"):
            b["qkv." + kind] = torch.cat([b.pop(f"{part}.{kind}") for part in ("query", "key", "value")], -1)
        for part in ("qkv", "mix", "up", "down"):  # rows side by side, as F.linear has them
            b[part + ".weight"] = b[part + ".weight"].T.contiguous()
        blocks.append(b)
    cache = torch.zeros(layers, 2, many, heads, n, dim // heads)
    places = torch.arange(n)

    def norm(x, b, name):
        return F.layer_norm(x, (dim,), b[name + ".scale"], b[name + ".shift"], 1e-5)

    def linear(x, b, name):
        return F.linear(x, b[name + ".weight"], b[name + ".offset"])

    def next_token(tok, at, end, mask):
        """end: how much of the cache is looked at."""
        x = embed[tok] + place[at]
        for i, b in enumerate(blocks):
            q, k, v = linear(norm(x, b, "norm1"), b, "qkv").view(many, 3, heads, 1, -1).unbind(1)
            cache[i, 0].index_copy_(2, at, k)
            cache[i, 1].index_copy_(2, at, v)
            out = F.scaled_dot_product_attention(q, cache[i, 0, :, :, :end], cache[i, 1, :, :, :end], mask)
            x = x + linear(out.reshape(many, dim), b, "mix")
            x = x + linear(F.gelu(linear(norm(x, b, "norm2"), b, "up")), b, "down")
        return F.linear(norm(x, p, "gpt.norm"), embed).argmax(-1)

    run = compiled(mode, next_token, dynamic=False)

    @torch.inference_mode()
    def step(_):
        tok = torch.arange(many)
        out = [tok]
        for t in range(n):
            if mode == "compiled":
                tok = run(tok, places[t : t + 1], n, (places <= t)[None])
            else:
                tok = run(tok, places[t : t + 1], t + 1, None)
            out.append(tok)
        return torch.stack(out, 1).flatten().tolist()
    return step


def product(w, mode, weights, batches):
    s = w.settings
    x, y = torch.randn(s["many"], s["m"], s["k"]), torch.randn(s["many"], s["k"], s["n"])
    if s["many"] == 1:
        x, y = x[0], y[0]
    run = compiled(mode, torch.matmul)
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

    run = compiled(mode, forward)

    def step(n):
        torch.autograd.grad(run(q, k, v), (q, k, v), g)
    return step


def norm(w, mode, weights, batches):
    x, scale, shift = torch.randn(16384, 1024), torch.ones(1024), torch.zeros(1024)

    def forward(x):
        return F.layer_norm(x, (1024,), scale, shift, 1e-5)
    run = compiled(mode, forward)
    return lambda n: (run(x), None)[1]


def gelu(w, mode, weights, batches):
    x = torch.randn(16384, 1024)

    def forward(x):
        return x + F.gelu(x * 1.5)
    run = compiled(mode, forward)
    return lambda n: (run(x), None)[1]


def toy():
    a = torch.randn(8, 8, requires_grad=True)
    (a @ a).sum().backward()


if __name__ == "__main__":
    contend(globals(), toy)
