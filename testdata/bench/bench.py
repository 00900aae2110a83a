"""Measures mdlc in turn with PyTorch (eager, compiled) and JAX on this CPU, and writes the rows to a file.

usage: bench.py MDLC [--out RESULTS.md] [--rounds 15] [--threads 1,2] [W2 W7 …]

All sides run on the same cores with as many threads. Of training, the first 20 losses from the same weights and batches must
agree to 1e-3, or the row is void. The times are medians of rounds in which every side runs once, and the ratio is
mdlc's time over a peer's: the median of the rounds' ratios with its 95% interval (order statistics).
"""
import argparse
import datetime
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile

from workloads import WORKLOADS

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(os.path.dirname(here))
SIDES = [("eager", "torch_side.py", "PyTorch"), ("compiled", "torch_side.py", "torch.compile"), ("jit", "jax_side.py", "JAX")]


def make_data(folder):
    """What the models read: text of this repository, and random bits of which each pixel has its own share."""
    with open(f"{folder}/text", "wb") as out:
        for base, _, files in sorted(os.walk(root)):
            for name in sorted(files):
                if name.endswith((".go", ".md", ".mdl")) and "/." not in base:
                    with open(os.path.join(base, name), "rb") as f:
                        out.write(f.read())
    import numpy as np
    draw = np.random.default_rng(1)
    os.mkdir(f"{folder}/bits")
    for split, rows in (("train", 2000), ("valid", 200), ("test", 200)):
        pixels = draw.random((rows, 784)) < draw.random(784)
        np.save(f"{folder}/bits/{split}.npy", np.packbits(pixels, axis=1))


def flags(w, data):
    out = []
    for k, v in w.settings.items():
        out += ["--set", f"{k}={v}"]
    for k, v in w.data.items():
        out += ["--data", f"{k}={data}/{v}"]
    return out


class Side:
    """A process that runs the workload once for each line."""

    def __init__(self, command, cores, threads, has_header):
        env = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(["taskset", "-c", cores, *command], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.header = json.loads(self.line()) if has_header else {}
        self.times = []

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(self.process.stderr.read()[-2000:])
        return line

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.times.append(float(self.line()))

    def peak(self):
        """Bytes that the process held at most."""
        with open(f"/proc/{self.children()}/status") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM"))

    def children(self):
        return self.process.pid  # taskset becomes the command

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def interval(ratios):
    """The median and its 95% interval."""
    s = sorted(ratios)
    n = len(s)
    low = next((k for k in range(n // 2, -1, -1) if binomial(k - 1, n) <= 0.025), 0)
    return statistics.median(s), s[low], s[n - 1 - low]


def binomial(k, n):
    """The chance of at most k heads of n."""
    from math import comb
    return sum(comb(n, i) for i in range(k + 1)) / 2**n if k >= 0 else 0.0


def export(mdlc, w, data, folder):
    """Runs the first steps of training, and returns their losses."""
    command = [mdlc, "run", f"{root}/{w.model}", "train", *flags(w, data), "--steps", "20", "--seed", "1", "--json", "--quiet", "--out", f"{folder}/run", "--export", f"{folder}/export"]
    lines = subprocess.run(command, check=True, text=True, capture_output=True).stdout.splitlines()
    return [r[w.losses] for r in map(json.loads, lines) if r["block"] == "train"]


def measure(mdlc, number, threads, data, rounds):
    """Yields a row for each peer."""
    w = WORKLOADS[number]
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
    with tempfile.TemporaryDirectory() as folder:
        ours = export(mdlc, w, data, folder) if w.losses else []
        sides = {"mdlc": Side([mdlc, "bench", f"{root}/{w.model}", *w.run, *flags(w, data), "--threads", str(threads), "--seed", "1", "--quiet", "--turns"], cores, threads, False)}
        void = {}
        for mode, script, title in SIDES:
            try:
                side = Side([sys.executable, f"{here}/{script}", str(number), str(threads), mode, f"{folder}/export"], cores, threads, True)
            except RuntimeError as failure:
                void[title] = "does not run: " + str(failure).strip().splitlines()[-1][:120]
                continue
            theirs = side.header["losses"]
            off = max((abs(a - b) / abs(b) for a, b in zip(ours, theirs)), default=0)
            if len(ours) != len(theirs) or not off <= w.tolerance:
                void[title] = f"void: the losses differ by {off:.1e}"
                side.close()
                continue
            sides[title] = side
        for side in sides.values():
            side.run()
            side.times.clear()
        order = list(sides.values())
        for _ in range(rounds):
            random.shuffle(order)
            for side in order:
                side.run()
        mine = sides["mdlc"]
        peak = mine.peak()
        for mode, script, title in SIDES:
            if title in void:
                yield w, threads, title, None, void[title]
                continue
            side = sides[title]
            ratio = interval([a / b for a, b in zip(mine.times, side.times)])
            memory = (peak, side.peak() - side.header["before"])
            yield w, threads, title, (statistics.median(mine.times), statistics.median(side.times), ratio, memory), ""
        for side in sides.values():
            side.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mdlc")
    p.add_argument("--out")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--threads", default="1,2")
    p.add_argument("names", nargs="*")
    a = p.parse_intermixed_args()
    random.seed(1)
    rows = []
    with tempfile.TemporaryDirectory() as data:
        make_data(data)
        for number, w in enumerate(WORKLOADS):
            if a.names and w.name not in a.names:
                continue
            for threads in map(int, a.threads.split(",")):
                for w, threads, title, got, why in measure(os.path.abspath(a.mdlc), number, threads, data, a.rounds):
                    if got:
                        ours, theirs, (r, low, high), (mine, other) = got
                        row = f"| {w.name} | {w.title} | {threads} | {title} | {1e3 * ours:.4g} | {1e3 * theirs:.4g} | {r:.2f} ({low:.2f} .. {high:.2f}) | {mine / 2**20:.0f} / {other / 2**20:.0f} |"
                    else:
                        row = f"| {w.name} | {w.title} | {threads} | {title} | | | {why} | |"
                    print(row, flush=True)
                    rows.append(row)
    if a.out:
        with open(a.out, "a") as f:
            f.write(f"\n{heading(a.mdlc, a.rounds)}\n\n| | workload | threads | peer | mdlc, ms | peer, ms | mdlc's time over the peer's (95%) | MiB: mdlc in all / peer beyond its import |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
            f.write("\n".join(rows) + "\n")


def heading(mdlc, rounds):
    import jax
    import torch
    with open("/proc/cpuinfo") as f:
        cpu = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return f"## {datetime.date.today()}: {cpu}, {len(os.sched_getaffinity(0))} cores, PyTorch {torch.__version__}, JAX {jax.__version__}, {rounds} rounds"


if __name__ == "__main__":
    main()
