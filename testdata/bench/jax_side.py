"""JAX's side of the workloads: whole steps under jit, with donated state.

usage: jax_side.py WORKLOAD-NUMBER THREADS jit EXPORT
"""
import functools
import math
import os
import sys

os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count=1 --xla_cpu_multi_thread_eigen={'true' if sys.argv[2] != '1' else 'false'}"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np

from contender import contend, gan_inputs


def moments(params):
    return {k: (jnp.zeros_like(v), jnp.zeros_like(v)) for k, v in params.items()}


def descend(params, grads, state, n, rate, b1, b2, decay=0.0):
    """Step n of Adam on a dict of params, with decoupled decay of matrices: new params and moments."""
    new, moved = {}, {}
    for k, g in grads.items():
        m, v = state[k]
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        p = params[k]
        if decay and p.ndim > 1:
            p = p * (1 - rate * decay)
        new[k] = p - rate * (m / (1 - b1 ** (n + 1))) / (jnp.sqrt(v / (1 - b2 ** (n + 1))) + 1e-8)
        moved[k] = (m, v)
    return new, moved


def adam(params, loss_of, lr, b1, b2, decay=0.0, clip=0.0):
    """A jitted step; loss_of gives (loss, what the next step takes)."""
    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params, state, n, rate, *batch):
        (loss, aux), grads = jax.value_and_grad(loss_of, has_aux=True)(params, *batch)
        if clip:
            total = jnp.sqrt(sum(jnp.sum(g * g) for g in grads.values()))
            grads = {k: g * jnp.minimum(1, clip / (total + 1e-6)) for k, g in grads.items()}
        return *descend(params, grads, state, n, rate, b1, b2, decay), loss, aux

    held = [params, moments(params)]

    def run(n, *batch):
        *held[:], loss, aux = step(*held, float(n), lr(n) if callable(lr) else lr, *batch)
        return float(loss), aux
    return run


def plain(loss_of):
    return lambda *a: (loss_of(*a), None)


def of(weights, prefix):
    return {k: jnp.asarray(v) for k, v in weights.items() if k.startswith(prefix) and v.dtype == np.float32}


def cross_entropy(logits, labels):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[..., None], -1))


def attend(q, k, v):
    """Causal, [B, T, H, D]."""
    return jax.nn.dot_product_attention(q, k, v, is_causal=True)


def gpt2(w, mode, weights, batches):
    heads, layers, total = w.settings["heads"], w.settings["layers"], w.settings["steps"]

    def norm(p, x, name):
        x = x - x.mean(-1, keepdims=True)
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p[name + ".scale"] + p[name + ".shift"]

    def linear(p, x, name):
        return x @ p[name + ".weight"] + p[name + ".offset"]

    def loss_of(p, tok):
        x = p["gpt.embed"][tok[:, :-1]] + p["gpt.place"][: tok.shape[1] - 1]
        B, T, D = x.shape
        for i in range(layers):
            b = f"gpt.blocks.{i}"
            h = norm(p, x, b + ".norm1")
            q, k, v = (linear(p, h, f"{b}.{part}").reshape(B, T, heads, D // heads) for part in ("query", "key", "value"))
            x = x + linear(p, attend(q, k, v).reshape(B, T, D), b + ".mix")
            x = x + linear(p, jax.nn.gelu(linear(p, norm(p, x, b + ".norm2"), b + ".up"), approximate=False), b + ".down")
        return cross_entropy(norm(p, x, "gpt.norm") @ p["gpt.embed"].T, tok[:, 1:])

    def rate(n):
        return w.settings["rate"] * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(n / total, 1))))

    step = adam(of(weights, "gpt."), plain(loss_of), rate, 0.9, 0.95, 0.1, 1.0)
    toks = [jnp.asarray(batches[f"tok.{n}"]) for n in range(20)]
    return lambda n: step(n, toks[n % 20])[0]


def made(w, mode, weights, batches):
    place, reach = weights["made.place"][0], weights["made.reach"][0]
    see, say = jnp.asarray(place[:, None] <= reach[None, :], jnp.float32), jnp.asarray(reach[:, None] < place[None, :], jnp.float32)

    def loss_of(p, x):
        h = jax.nn.relu(p["made.c"] + x @ (p["made.w"] * see))
        z = p["made.bias"] + h @ (p["made.v"] * say)
        return jnp.mean(jnp.sum(jnp.maximum(z, 0) - z * x + jnp.log1p(jnp.exp(-jnp.abs(z))), 1))

    step = adam(of(weights, "made."), plain(loss_of), 1e-3, 0.9, 0.999)
    xs = [jnp.asarray(batches[f"x.{n}"], jnp.float32) for n in range(20)]
    return lambda n: step(n, xs[n % 20])[0]


def autoencoder(w, mode, weights, batches):
    """In NHWC, which XLA prefers on a CPU; the weights are turned once."""
    x = jnp.asarray(weights["x"]).transpose(0, 2, 3, 1)
    params = {k: v.transpose(2, 3, 1, 0) if v.ndim == 4 else v for k, v in of(weights, "net.").items()}

    def conv(p, x, name, stride=1):
        out = jax.lax.conv_general_dilated(x, p[name + ".weight"], (stride, stride), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return out + p[name + ".offset"]

    def norm(p, x, name):
        N, H, W, C = x.shape
        g = x.reshape(N, H * W, 8, C // 8)
        g = g - g.mean((1, 3), keepdims=True)
        g = g * jax.lax.rsqrt((g * g).mean((1, 3), keepdims=True) + 1e-6)
        return g.reshape(N, H, W, C) * p[name + ".scale"] + p[name + ".shift"]

    def residual(p, x, name):
        h = conv(p, jax.nn.silu(norm(p, x, name + ".norm1")), name + ".conv1")
        return x + conv(p, jax.nn.silu(norm(p, h, name + ".norm2")), name + ".conv2")

    def level(p, x, name):
        return residual(p, residual(p, x, name + ".one"), name + ".two")

    def wide(x):
        return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)

    def loss_of(p, x):
        h = conv(p, x, "net.first")
        for i in (0, 1):
            h = conv(p, level(p, h, f"net.down{i}"), f"net.half{i}", 2)
        h = level(p, h, "net.middle")
        for i in (1, 0):
            h = level(p, conv(p, wide(h), f"net.wide{i}"), f"net.up{i}")
        return jnp.mean((conv(p, h, "net.last") - x) ** 2)

    step = adam(params, plain(loss_of), 1e-4, 0.9, 0.999)
    return lambda n: step(n, x)[0]


def lstm(w, mode, weights, batches):
    hidden = weights["model.first.wh"].shape[-1]
    params = of(weights, "model.")
    state = [jnp.asarray(weights["h"][0]), jnp.asarray(weights["c"][0])]

    def loss_of(p, tok, h, c):
        x = p["model.embed"][tok[:, :-1]]
        wx, wh = (p[f"model.first.{k}"].reshape(-1, 4 * hidden) for k in ("wx", "wh"))
        gates = x @ wx + p["model.first.offset"].reshape(-1)

        def turn(carry, g):
            h, c = carry
            i, f, g, o = jnp.split(g + h @ wh, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h
        (h, c), y = jax.lax.scan(turn, (h, c), gates.transpose(1, 0, 2))
        return cross_entropy(y.transpose(1, 0, 2) @ p["model.head.weight"] + p["model.head.offset"], tok[:, 1:]), (h, c)

    step = adam(params, loss_of, 2e-3, 0.9, 0.95, 0.0, 1.0)
    toks = [jnp.asarray(batches[f"tok.{n}"]) for n in range(20)]

    def run(n):
        loss, state[:] = step(n, toks[n % 20], *state)
        return loss
    return run


def wgan(w, mode, weights, batches):
    """In NHWC, which XLA prefers on a CPU; the weights are turned once."""
    def last(v, axis):
        """Channels of [128, 7, 7], flattened along an axis, go last."""
        shape = v.shape
        v = v.reshape(*shape[:axis], 128, 7, 7, *shape[axis + 1:])
        return jnp.moveaxis(v, axis, axis + 2).reshape(shape)

    g, d = of(weights, "g."), of(weights, "d.")
    g["g.lift.weight"], g["g.lift.offset"], d["d.judge.weight"] = last(g["g.lift.weight"], 1), last(g["g.lift.offset"], 0), last(d["d.judge.weight"], 0)
    for k in ("g.up1.weight", "g.up2.weight"):
        g[k] = g[k][:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
    for k in ("d.down1.weight", "d.down2.weight"):
        d[k] = d[k].transpose(2, 3, 1, 0)

    def conv(p, x, name, **how):
        return jax.lax.conv_general_dilated(x, p[name + ".weight"], padding=((2, 2), (2, 2)), dimension_numbers=("NHWC", "HWIO", "NHWC"), **how) + p[name + ".offset"]

    def paint(g, z):
        x = jax.nn.relu(z @ g["g.lift.weight"] + g["g.lift.offset"]).reshape(-1, 7, 7, 128)
        x = jax.nn.relu(conv(g, x, "g.up1", window_strides=(1, 1), lhs_dilation=(2, 2)))
        return jnp.tanh(conv(g, x, "g.up2", window_strides=(1, 1), lhs_dilation=(2, 2)))

    def judge(d, x):
        for name in ("d.down1", "d.down2"):
            x = jax.nn.leaky_relu(conv(d, x, name, window_strides=(2, 2)), 0.2)
        return (x.reshape(len(x), -1) @ d["d.judge.weight"] + d["d.judge.offset"])[:, 0]

    def gap(d, fake, real, u):
        mid = u * real + (1 - u) * fake
        slope = jnp.sqrt(jnp.sum(jax.grad(lambda x: judge(d, x).sum())(mid) ** 2, (1, 2, 3)))
        return 10 * jnp.mean((slope - 1) ** 2) - judge(d, real).mean() + judge(d, fake).mean(), slope.mean()

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def critic(d, state, n, g, real, z, u):
        (_, slope), grads = jax.value_and_grad(gap, has_aux=True)(d, paint(g, z), real, u)
        return *descend(d, grads, state, n, 1e-4, 0.0, 0.9), slope

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def generator(g, state, n, d, z):
        grads = jax.grad(lambda g: -judge(d, paint(g, z)).mean())(g)
        return descend(g, grads, state, n, 1e-4, 0.0, 0.9)

    inputs = [([(jnp.asarray(real).transpose(0, 2, 3, 1), jnp.asarray(z), jnp.asarray(u)) for real, z, u in turns], jnp.asarray(z)) for turns, z in gan_inputs(batches)]
    held = {"g": (g, moments(g)), "d": (d, moments(d)), "n": 0}

    def step(n):
        turns, z = inputs[n]
        for turn in turns:
            *held["d"], slope = critic(*held["d"], float(held["n"]), held["g"][0], *turn)
            held["n"] += 1
        held["g"] = generator(*held["g"], float(n), held["d"][0], z)
        return float(slope)
    return step


def sampling(w, mode, weights, batches):
    """Greedy, with a cache of keys and values; all tokens are one call."""
    heads, layers, many, n = w.settings["heads"], w.settings["layers"], w.settings.get("many", 1), w.settings["n"]
    p = of(weights, "gpt.")
    dim = p["gpt.embed"].shape[1]
    for i in range(layers):
        for kind in ("weight", "offset"):
            p[f"gpt.blocks.{i}.qkv.{kind}"] = jnp.concatenate([p.pop(f"gpt.blocks.{i}.{part}.{kind}") for part in ("query", "key", "value")], -1)

    def next_token(p, cache, tok, t):
        def norm(x, name):
            x = x - x.mean(-1, keepdims=True)
            return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * p[name + ".scale"] + p[name + ".shift"]

        def linear(x, name):
            return x @ p[name + ".weight"] + p[name + ".offset"]

        x = p["gpt.embed"][tok] + p["gpt.place"][t]
        seen = jnp.arange(n) <= t
        new = []
        for i in range(layers):
            b = f"gpt.blocks.{i}"
            q, k, v = linear(norm(x, b + ".norm1"), b + ".qkv").reshape(many, 3, heads, -1).transpose(1, 0, 2, 3)
            keys, values = (jax.lax.dynamic_update_slice(old, now[:, :, None], (0, 0, t, 0)) for old, now in zip(cache[i], (k, v)))
            new.append((keys, values))
            score = jnp.einsum("bhd,bhsd->bhs", q, keys) * (dim // heads) ** -0.5
            out = jnp.einsum("bhs,bhsd->bhd", jax.nn.softmax(jnp.where(seen, score, -jnp.inf)), values)
            x = x + linear(out.reshape(many, dim), b + ".mix")
            x = x + linear(jax.nn.gelu(linear(norm(x, b + ".norm2"), b + ".up"), approximate=False), b + ".down")
        return new, jnp.argmax(norm(x, "gpt.norm") @ p["gpt.embed"].T, -1)

    @jax.jit
    def write(p):
        empty = jnp.zeros((many, heads, n, dim // heads))
        first = jnp.arange(many)

        def turn(carry, t):
            cache, tok = next_token(p, *carry, t)
            return (cache, tok), tok
        _, toks = jax.lax.scan(turn, ([(empty, empty)] * layers, first), jnp.arange(n))
        return jnp.concatenate([first[:, None], toks.T], 1)
    return lambda _: write(p).ravel().tolist()


def draw(*shape):
    draw.n = getattr(draw, "n", 0) + 1
    return jax.random.normal(jax.random.key(draw.n), shape)


def waits(run):
    def step(n):
        jax.block_until_ready(run())
    return step


def product(w, mode, weights, batches):
    s = w.settings
    x, y = draw(s["many"], s["m"], s["k"]), draw(s["many"], s["k"], s["n"])
    if s["many"] == 1:
        x, y = x[0], y[0]
    run = jax.jit(jnp.matmul)
    return waits(lambda: run(x, y))


def attention(w, mode, weights, batches):
    s = w.settings
    q, k, v, g = (draw(s["batch"], s["ctx"], s["heads"], s["dim"]) for _ in range(4))

    @jax.jit
    def run(q, k, v, g):
        out, back = jax.vjp(attend, q, k, v)
        return back(g), jnp.sum(out * g)
    return waits(lambda: run(q, k, v, g))


def norm(w, mode, weights, batches):
    x, scale, shift = draw(16384, 1024), jnp.ones(1024), jnp.zeros(1024)

    @jax.jit
    def run(x):
        c = x - x.mean(-1, keepdims=True)
        return c * jax.lax.rsqrt((c * c).mean(-1, keepdims=True) + 1e-5) * scale + shift
    return waits(lambda: run(x))


def gelu(w, mode, weights, batches):
    x = draw(16384, 1024)
    run = jax.jit(lambda x: x + jax.nn.gelu(x * 1.5, approximate=False))
    return waits(lambda: run(x))


def toy():
    a = jnp.ones((8, 8))
    jax.block_until_ready(jax.jit(jax.grad(lambda a: (a @ a).sum()))(a))


if __name__ == "__main__":
    contend(globals(), toy)
