"""What a contender process says: its first line is JSON, then it answers each line, a number N, with the seconds of a run, the mean of N.

usage: SIDE.py WORKLOAD-NUMBER THREADS MODE EXPORT
EXPORT is what `mdlc run --export` wrote: the first weights and the batches; what is computed from them is checked against mdlc.
"""
import json
import os
import sys
import time

from workloads import WORKLOADS, peak

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers"))

from mdlc_arrays import load
from mdlc_draw import Draws

STEPS = 20  # of training, whose losses are compared


def optional(path):
    return load(path) if os.path.exists(path) else {}


def gan_inputs(batches, latent=64, batch=64, turns=5):
    """For each step of wgan_gp.mdl the pictures, latents and mixtures of the critic's turns, and the generator's latents."""
    draws = Draws(1)
    for n in range(STEPS):
        reals = [batches[f"real{turn + 1 if turn else ''}.{n}"] for turn in range(turns)]
        drawn = [(draws.normal("train/z", [batch, latent], n, turn), draws.uniform("train/u", [batch, 1, 1, 1], n, turn)) for turn in range(turns)]
        yield [(real, z, u) for real, (z, u) in zip(reals, drawn)], draws.normal("train/z", [batch, latent], n, nth=2)


def contend(makers, toy):
    """makers[w.maker](workload, mode, weights, batches) gives step(n), run number n, which returns what is compared; toy() is a first run of the framework."""
    number, mode, export = int(sys.argv[1]), sys.argv[3], sys.argv[4]
    w = WORKLOADS[number]
    toy()
    before = peak()
    weights, batches = (optional(f"{export}/{file}.safetensors") for file in ("weights", "batches"))
    began = time.perf_counter()
    step = makers[w.maker](w, mode, weights, batches)
    values = [step(0)]
    first = time.perf_counter() - began
    if w.kind == "training":
        values += [step(n) for n in range(1, STEPS)]
    print(json.dumps({"values": values[0] if w.kind == "sampling" else values, "first": first, "before": before}), flush=True)
    n = len(values)
    for line in sys.stdin:
        runs = int(line)
        began = time.perf_counter()
        for _ in range(runs):
            step(n % STEPS)
            n += 1
        print((time.perf_counter() - began) / runs, flush=True)
