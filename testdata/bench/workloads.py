"""The workloads that mdlc is measured on beside PyTorch and JAX. W1 … W9 as in RESULTS.md.

Each is a model file, what of it runs, its settings, and what must come out alike before speeds are compared: the first
losses of a training, the tokens of a sampling, of the others nothing.
"""
from dataclasses import dataclass, field


@dataclass
class Workload:
    name: str
    title: str
    model: str  # below the repository
    run: list  # what `mdlc bench` runs; {data} is the folder of the data
    maker: str  # the function of torch_side.py, jax_side.py and numpy_side.py, where they have it
    settings: dict = field(default_factory=dict)
    data: dict = field(default_factory=dict)  # name: what data.py makes
    kind: str = ""  # training or sampling: what is compared
    losses: str = ""  # what the model reports as its loss
    own: dict = field(default_factory=dict)  # title: flags with which mdlc does it otherwise


def product(title, many, m, n, k):
    return Workload("W1", f"product {title}", "testdata/bench/product.mdl", ["sample"], "product", dict(many=many, m=m, n=n, k=k))


def training(name, title, model, maker, losses, settings={}, data={}):
    return Workload(name, title + ": a training step", model, ["train"], maker, settings, data, "training", losses)


def attention(ctx):
    return Workload("W7", f"causal attention, 8 heads of 64, T = {ctx}, forward and backward", "testdata/bench/attention.mdl", ["sample"],
                    "attention", dict(batch=1, heads=8, dim=64, ctx=ctx))


def sampling(title, n, own={}, **settings):
    many = settings.get("many", 1)
    return Workload("W8", f"{title}, batch {many}: {n} tokens", "testdata/bench/sampling.mdl", ["sample", "write"], "sampling", dict(settings, n=n), kind="sampling", own=own)


def chain(title, name):
    return Workload("W9", f"{title} of 64 MB", "testdata/bench/chain.mdl", ["sample", name], name)


small = dict(layers=6, heads=6, dim=384, ctx=256)
int8 = {"int8": ["--weights", "int8"]}

WORKLOADS = [
    product("512³", 1, 512, 512, 512),
    product("1024³", 1, 1024, 1024, 1024),
    product("2048³", 1, 2048, 2048, 2048),
    product("4096 × 64 × 4096", 1, 4096, 64, 4096),
    product("96 of 256 × 64 × 256", 96, 256, 64, 256),
    product("vector × 4096²", 1, 1, 4096, 4096),
    training("W2", "GPT-2, 6 layers, 6 heads, dim 384, context 256, batch 8", "stdlib/models/gpt2.mdl", "gpt2", "loss", dict(small, batch=8, steps=2000, rate=1e-4), dict(corpus="text")),
    training("W3", "MADE 784-500-784, batch 100", "stdlib/models/made.mdl", "made", "nats", data=dict(digits="bits")),
    training("W4", "WGAN-GP, DCGAN's layers, 28×28, batch 64: 5 steps of the critic, 1 of the generator", "stdlib/models/wgan_gp.mdl", "wgan", "slope", data=dict(digits="digits")),
    training("W5", "convolutional autoencoder, 3 levels, 64 channels, batch 32", "testdata/bench/autoencoder.mdl", "autoencoder", "loss", dict(steps=1000)),
    training("W6", "LSTM 512, length 128, batch 32", "stdlib/models/lstm.mdl", "lstm", "loss", dict(layers=1, chunk=128), dict(corpus="text")),
    attention(1024),
    attention(4096),
    sampling("stories260K's size", 256, layers=5, heads=8, dim=64, vocab=512, ctx=512),
    sampling("GPT-2 of 10.8M", 128, int8, **small),
    sampling("GPT-2 of 10.8M, from the first token to the last of the context", 255, {"recomputing": ["--no-decode"]}, **small),
    sampling("GPT-2 of 10.8M", 32, **small, many=16),
    sampling("GPT-2 124M", 32, int8, layers=12, heads=12, dim=768, vocab=50257, ctx=1024),
    chain("layer norm", "norm"),
    chain("x + gelu(1.5 x)", "gelu"),
]


def peak(process="self"):
    """Bytes that a process held at most."""
    with open(f"/proc/{process}/status") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))
