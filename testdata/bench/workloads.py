"""The workloads that mdlc is measured on beside PyTorch and JAX. W1 … W9 as in RESULTS.md.

Each is a model file, what of it runs, its settings, and how many steps of training must give the same losses before
speeds are compared (0: it is no training).
"""
from dataclasses import dataclass, field


@dataclass
class Workload:
    name: str
    title: str
    model: str  # below the repository
    run: list  # what `mdlc bench` runs
    maker: str  # the function of torch_side.py and jax_side.py
    settings: dict = field(default_factory=dict)
    data: dict = field(default_factory=dict)  # name: kind, as bench.py makes it
    losses: str = ""  # what the model reports as its loss
    tolerance: float = 1e-3


def product(title, many, m, n, k):
    return Workload("W1", f"product {title}", "testdata/bench/product.mdl", ["sample"], "product", dict(many=many, m=m, n=n, k=k))


def attention(ctx):
    return Workload("W7", f"causal attention, 8 heads of 64, T = {ctx}, forward and backward", "testdata/bench/attention.mdl", ["sample"],
                    "attention", dict(batch=1, heads=8, dim=64, ctx=ctx))


WORKLOADS = [
    product("512³", 1, 512, 512, 512),
    product("1024³", 1, 1024, 1024, 1024),
    product("2048³", 1, 2048, 2048, 2048),
    product("4096 × 64 × 4096", 1, 4096, 64, 4096),
    product("96 of 256 × 64 × 256", 96, 256, 64, 256),
    product("vector × 4096²", 1, 1, 4096, 4096),
    Workload("W2", "GPT-2, 6 layers, 6 heads, dim 384, context 256, batch 8: a training step", "stdlib/models/gpt2.mdl", ["train"], "gpt2",
             dict(layers=6, heads=6, dim=384, ctx=256, batch=8, steps=2000), dict(corpus="text"), "loss"),
    Workload("W3", "MADE 784-500-784, batch 100: a training step", "stdlib/models/made.mdl", ["train"], "made", dict(), dict(digits="bits"), "nats"),
    Workload("W5", "convolutional autoencoder, 3 levels, 64 channels, batch 32: a training step", "testdata/bench/autoencoder.mdl", ["train"], "autoencoder",
             dict(steps=1000), dict(), "loss"),
    Workload("W6", "LSTM 512, length 128, batch 32: a training step", "stdlib/models/lstm.mdl", ["train"], "lstm", dict(layers=1, chunk=128), dict(corpus="text"), "loss"),
    attention(1024),
    attention(4096),
    Workload("W9", "layer norm of 64 MB", "testdata/bench/chain.mdl", ["sample", "norm"], "norm"),
    Workload("W9", "x + gelu(1.5 x) of 64 MB", "testdata/bench/chain.mdl", ["sample", "gelu"], "gelu"),
]
