"""Measures programs of mdlc in turn with PyTorch (cuBLAS, eager, compiled): peers.py ARCH SECONDS NAME …

NAME is a bundle of bench for ARCH, whose settings are in bench/NAME.settings. For each it prints lines "row<tab>what was
measured": the median, and from the least to the most, of samples that were taken in turn. mdlc's come from
tests/runtime.test, a process that answers "kernel" (seconds of the device for the first launch of a step), "launches" (for
all of them) or "step" (seconds until the host has a step's results). Where PyTorch is absent or sees no GPU, its part says so.
"""
import json
import os
import statistics
import subprocess
import sys
import time

here = os.path.dirname(os.path.abspath(__file__))
began = time.monotonic()
arch, ends, names = sys.argv[1], began + float(sys.argv[2]), sys.argv[3:]
try:
    import torch
    import torch.nn.functional as F
    no_torch = "" if torch.cuda.is_available() else "PyTorch sees no GPU"
except ImportError:
    no_torch = "there is no PyTorch"


class Ours:
    """A bundle in a process of its own; cold and warm are the seconds of its first and its second loading."""

    def __init__(self, name):
        file = f"{here}/bench/{name}.{arch}.bundle"
        self.process = subprocess.Popen([f"{here}/tests/runtime.test", "-test.run", "^TestGPUBench$"], text=True,
                                        env={**os.environ, "MDLC_GPU_BENCH": file}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.cold, self.warm = self.answer("cold"), self.answer("warm")

    def answer(self, what):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)[what]
            print(line, end="", file=sys.stderr)
        sys.exit(f"mdlc ended instead of saying {what}")

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.answer(what)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def events(run):
    """A function that tells the seconds of the device for run."""
    def sample():
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3
    return sample


def in_turn(samplers, until, rounds=20, each=3):
    """Samples of each, in turn, after some that do not count. The first round is made in any case."""
    out = {name: [] for name in samplers}
    for sample in samplers.values():
        sample(), sample()
    while not all(out.values()) or len(out["mdlc"]) < rounds * each and time.monotonic() < until:
        for name, sample in samplers.items():
            out[name] += [sample() for _ in range(each)]
    return out


def figure(seconds, amount, unit):
    """amount a second: the median and its ends."""
    rates = sorted(amount / s for s in seconds)
    return f"{statistics.median(rates):.4g} {unit} ({rates[0]:.4g}–{rates[-1]:.4g}, n = {len(rates)})"


def clocks():
    try:
        said = subprocess.run(["nvidia-smi", "--query-gpu=clocks.sm,clocks.mem", "--format=csv,noheader"], capture_output=True, text=True)
        return "; clocks just after: " + said.stdout.splitlines()[0] if said.returncode == 0 else ""
    except FileNotFoundError:
        return ""


def row(name, out, amount, unit, share=None):
    parts = [figure(out["mdlc"], amount, unit)]
    for peer in out:
        if peer not in ("mdlc", share):
            parts.append(f"{peer} {figure(out[peer], amount, unit)}")
    if share in out:
        parts.append(f"copy {figure(out[share], copied, unit)}: {100 * (amount / statistics.median(out['mdlc'])) / (copied / statistics.median(out[share])):.0f}% of it")
    if no_torch:
        parts.append(f"peers not measured: {no_torch}")
    print(f"{name}\t{', '.join(parts)}{clocks()}", flush=True)


copied = 2e-9 * (1 << 30)  # GB that a copy reads and writes


def copy():
    x = randn(1 << 29)
    y = torch.empty_like(x)
    return events(lambda: y.copy_(x))


def randn(*dims):
    return torch.randn(*dims, device="cuda", dtype=torch.float32).bfloat16()


def kernel(name, until, amount, unit, title, peers, share=None, what="kernel", rounds=20):
    """Measures the kernel of a bundle, or all its launches, beside what peers() makes, and gives the samples."""
    ours = Ours(name)
    samplers = {"mdlc": lambda: ours.ask(what)}
    if not no_torch:
        samplers |= peers()
        if share:
            samplers[share] = copy()
    out = in_turn(samplers, until, rounds)
    row(title, out, amount, unit, share)
    ours.close()
    return out


def product(name, s, until):
    n = s["n"]

    def peers():
        a, b, c = randn(n, n), randn(n, n), randn(n, n)
        return {"cuBLAS": events(lambda: torch.mm(a, b, out=c))}
    kernel(name, until, 2e-12 * n ** 3, "TFLOP/s", f"bf16 product {n}³", peers)


def both(f, *args):
    """f eager and compiled."""
    torch._dynamo.reset()  # it bounds how many sizes one function has been compiled for
    compiled = torch.compile(f)
    return {"eager": events(lambda: f(*args)), "compiled": events(lambda: compiled(*args))}


def elementwise(name, s, until):
    n = s["n"]
    kernel(name, until, 6e-9 * n * n, "GB/s", f"element-wise kernel: gelu(a) * b of bf16, {n}²",
           lambda: both(lambda a, b: F.gelu(a) * b, randn(n, n), randn(n, n)), "copy")


def layernorm(name, s, until):
    rows, dim = s["rows"], s["dim"]
    kernel(name, until, 4e-9 * rows * dim, "GB/s", f"layer norm of {rows} bf16 rows of {dim}",
           lambda: both(lambda x, w, b: F.layer_norm(x, (dim,), w, b), randn(rows, dim), randn(dim), randn(dim)), "copy")


forwards = {}  # samples of attention forward, by sizes


def attention(name, s, until):
    """Attention as in the papers: half of the products count, since what comes later is hidden; backward is 2.5 times forward.
    Backward alone is what remains without the forward of the same sizes, which is measured before."""
    dims = s["batch"], s["seq"], s["heads"], s["dim"]
    products = 2e-12 * s["batch"] * s["heads"] * s["seq"] ** 2 * s["dim"]

    def forward(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def peers():
        q, k, v, w = (randn(*dims).transpose(1, 2) for _ in range(4))
        if not s["backward"]:
            return both(forward, q, k, v)
        inputs = [x.requires_grad_() for x in (q, k, v)]
        torch._dynamo.reset()
        compiled = torch.compile(forward)
        return {peer: events(lambda f=f: torch.autograd.grad(f(*inputs), inputs, w)) for peer, f in {"eager": forward, "compiled": compiled}.items()}
    title = f"attention d = {s['dim']}, S = {s['seq']}"
    out = kernel(name, until, products * (3.5 if s["backward"] else 1), "TFLOP/s",
                 f"{title}, forward{' and backward' if s['backward'] else ''}", peers, what="launches", rounds=8)
    if not s["backward"]:
        forwards[dims] = out
    elif dims in forwards:
        alone = {who: [x - statistics.median(forwards[dims][who]) for x in out[who]] for who in out if who in forwards[dims]}
        if all(x > 0 for samples in alone.values() for x in samples):
            row(f"{title}, backward", alone, 2.5 * products, "TFLOP/s")


def matvec(name, s, until):
    n = s["n"]
    kernel(name, until, 2e-9 * n * n, "GB/s", f"bf16 matrix-vector product {n}²",
           lambda: both(lambda a, x: a @ x, randn(n, n), randn(n)), "copy")


def gpt2(name, s, until):
    ours = Ours(name)
    size = sum(s[k] * s["dim"] for k in ("vocab", "ctx")) + s["layers"] * (12 * s["dim"] ** 2 + 13 * s["dim"]) + 2 * s["dim"]
    title = f"GPT-2 {size / 1e6:.3g}M"
    with open(f"{here}/bench/compile.txt") as f:
        compiling = f.read().strip()
    print(f"compile of {title} to a loaded module\t{compiling}; loading {ours.cold:.3f} s, with the driver's code from the cache {ours.warm:.3f} s", flush=True)
    samplers = {"mdlc": lambda: ours.ask("step")}
    if not no_torch:
        samplers |= torch_gpt2(s)
    amount = s["batch"] * s["ctx"]
    row(f"{title} bf16, training, batch {s['batch']} × {s['ctx']}: tokens per second", in_turn(samplers, until, each=2), amount, "tokens/s")
    ours.close()


def torch_gpt2(s):
    """Steps of the training of gpt2.mdl in PyTorch: bf16 autocast, fused AdamW, gradients clipped to 1."""
    from torch import nn

    dim, heads = s["dim"], s["heads"]

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.qkv, self.mix = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

        def forward(self, x):
            B, T, _ = x.shape
            q, k, v = (p.view(B, T, heads, dim // heads).transpose(1, 2) for p in self.qkv(self.norm1(x)).split(dim, 2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.mix(y.transpose(1, 2).reshape(B, T, dim))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    class GPT2(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.place = nn.Embedding(s["vocab"], dim), nn.Embedding(s["ctx"], dim)
            self.blocks = nn.ModuleList(Block() for _ in range(s["layers"]))
            self.norm = nn.LayerNorm(dim)
            for p in self.parameters():
                if p.dim() > 1:
                    nn.init.normal_(p, std=0.02)

        def forward(self, tok):
            x = self.embed(tok[:, :-1]) + self.place.weight
            for block in self.blocks:
                x = block(x)
            logits = F.linear(self.norm(x), self.embed.weight)
            return F.cross_entropy(logits.flatten(0, 1).float(), tok[:, 1:].flatten())

    tok = torch.randint(256, (s["batch"], s["ctx"] + 1))
    torch.set_float32_matmul_precision("high")

    def stepper(compiled):
        model = GPT2().cuda()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        loss_of = torch.compile(model) if compiled else model

        def step():
            start = time.monotonic()
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = loss_of(tok.cuda())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            loss.item()
            return time.monotonic() - start
        return step

    return {"eager": stepper(False), "compiled": stepper(True)}


def settings(name):
    with open(f"{here}/bench/{name}.settings") as f:
        return {k: int(v) if v.isdigit() else v == "true" for k, v in (line.split("=") for line in f.read().split())}


for i, name in enumerate(names):
    measure = {"product8192": product, "product4096": product, "elementwise": elementwise, "layernorm": layernorm, "matvec": matvec, "attention": attention, "gpt2": gpt2}[name.split("-")[0]]
    now = time.monotonic()
    measure(name, settings(name), now + (ends - now) / (len(names) - i))
