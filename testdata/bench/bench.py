"""Measures mdlc in turn with PyTorch (eager, compiled), JAX and OpenBLAS on this CPU, and writes the rows to a file.

usage: bench.py MDLC [--out RESULTS.md] [--log FILE] [--fresh] [--rounds 15] [--seconds 45] [--threads 1,2] [W2 W7 …]

All sides run on the same cores with as many threads. Of training, the first 20 losses from the same weights and batches must
agree to 1e-3, of sampling all tokens, or the side is void. The times are medians of rounds in which every side has a turn, and the ratio is
mdlc's time over a peer's: the median of the rounds' ratios with its 95% interval (order statistics). Rounds end when they are
made, or after so many seconds, but not before three. The log has what this binary was measured on already: that is not done again.
"""
import argparse
import json
import os
import random
import statistics
import sys
import tempfile
from contextlib import ExitStack

import results
from data import make_data, root
from sides import PEERS, Failure, Peer, Side, call, flags, here, mine, rounds
from workloads import WORKLOADS

TOLERANCE = 1e-3


class Bench:
    def __init__(self, mdlc, data, rounds, seconds, threads):
        self.mdlc, self.data, self.rounds, self.seconds, self.threads = mdlc, data, rounds, seconds, threads

    def reference(self, w, folder):
        """Lets mdlc compute what the peers must compute, too, and returns it with the folder of the weights and batches."""
        def run(*words):
            return call([self.mdlc, "run", f"{root}/{w.model}", *words, *flags(w, self.data), "--seed", "1", "--quiet", "--out", f"{folder}/run"])
        if w.kind == "training":
            lines = run("train", "--steps", "20", "--json", "--export", f"{folder}/export").splitlines()
            return [r[w.losses] for r in map(json.loads, lines) if r["block"] == "train"], f"{folder}/export"
        if w.kind == "sampling":
            run("train")
            return [int(token) for token in run(*w.run).split()], f"{folder}/run"
        return [], folder

    def mine(self, w, cores, threads, *more):
        return mine(self.mdlc, w, self.data, cores, threads, *more)

    def toy(self, cores, threads):
        """What mdlc's process holds after a small step."""
        tiny = [f"--set={k}=8" for k in "mnk"]
        side = Side([self.mdlc, "bench", f"{here}/product.mdl", "sample", *tiny, "--threads", str(threads), "--quiet", "--turns"], cores, threads)
        side.turn()
        held = side.peak()
        side.close()
        return held

    def measure(self, number):
        """Yields a record for each number of threads."""
        w = WORKLOADS[number]
        with tempfile.TemporaryDirectory() as folder:
            want, export = self.reference(w, folder)
            for threads in self.threads:
                with ExitStack() as stack:
                    yield self.record(w, want, threads, (number, export), folder, stack)

    def record(self, w, want, threads, what, folder, stack):
        """Starts all sides, which the stack closes, and measures them."""
        cores = sorted(os.sched_getaffinity(0))[:threads]
        with_compiling = w.kind == "training" and threads == max(self.threads)
        record = {"threads": threads, "load": os.getloadavg()[0], "peers": {}}
        mine = self.mine(w, cores, threads)
        stack.callback(mine.close)
        sides = {}
        for title, script, mode, only in PEERS:
            if only and w.maker not in only:
                continue
            record["peers"][title] = row = {}
            try:
                side = self.peer(row, want, (script, mode, *what, cores, threads), f"{folder}/cache-{title}" if with_compiling else None)
                stack.callback(side.close)
            except Failure as failure:
                row["void"] = "does not run: " + failure.reason()[:120]
                continue
            if "void" not in row:
                sides[title] = side
        own = {}
        for title, more in w.own.items():
            own[title] = side = self.mine(w, cores, threads, *more)
            stack.callback(side.close)
        rounds([mine, *sides.values(), *own.values()], self.rounds, self.seconds)
        record |= {"rounds": len(mine.times), "time": statistics.median(mine.times), "cpu": statistics.mean(mine.spent), "memory": mine.peak() - self.toy(cores, threads)}
        for title, side in sides.items():
            record["peers"][title] |= {"time": statistics.median(side.times), "ratio": results.interval([a / b for a, b in zip(mine.times, side.times)]),
                                       "cpu": statistics.mean(side.spent), "memory": side.peak() - side.header["before"]}
        if own:
            record["own"] = {title: {"time": statistics.median(side.times), "ratio": results.interval([b / a for a, b in zip(mine.times, side.times)])} for title, side in own.items()}
        if with_compiling:
            record["compile"] = json.loads(call([self.mdlc, "bench", f"{root}/{w.model}", *w.run, *flags(w, self.data), "--quiet", "--json", "--rounds", "1"]))["Compile"]
        return record

    def peer(self, row, want, command, cache):
        """A peer that computes what it should, or row says why it is void; with a cache it is started before, to compile everything."""
        if cache:
            cold = Peer(*command, cache)
            row["cold"] = cold.header["first"]
            cold.close()
        side = Peer(*command, cache)
        if cache:
            row["warm"] = side.header["first"]
        if why := unlike(want, side.header["values"] if want else []):
            row["void"] = "void: " + why
        else:
            side.settle()
        return side


def unlike(want, got):
    """How what a peer computed differs from what mdlc did: losses by more than the tolerance, tokens at all."""
    if len(want) != len(got):
        return f"{len(got)} values instead of {len(want)}"
    if want and type(want[0]) is int:
        return next((f"tokens differ from {n} of {len(want)} on" for n, (a, b) in enumerate(zip(want, got)) if a != b), None)
    off = max((abs(a - b) / abs(b) for a, b in zip(want, got)), default=0)
    return None if off <= TOLERANCE else f"the losses differ by {off:.1e}"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mdlc")
    p.add_argument("--out")
    p.add_argument("--log", default=f"{root}/runs/bench-peers.jsonl")
    p.add_argument("--fresh", action="store_true")
    p.add_argument("--rounds", type=int, default=15)
    p.add_argument("--seconds", type=float, default=45)
    p.add_argument("--threads", default="1,2")
    p.add_argument("names", nargs="*")
    a = p.parse_intermixed_args()
    random.seed(1)
    mdlc, threads = os.path.abspath(a.mdlc), [int(n) for n in a.threads.split(",")]
    log = results.Log(a.log, mdlc, WORKLOADS, results.times_row)
    with tempfile.TemporaryDirectory() as data:
        make_data(data)
        bench = Bench(mdlc, data, a.rounds, a.seconds, threads)
        for number, w in enumerate(WORKLOADS):
            if a.names and w.name not in a.names or not a.fresh and log.has(w, threads, a.rounds):
                continue
            try:
                for record in bench.measure(number):
                    log.add(w, {**record, "asked": a.rounds, "machine": machine()})
            except Failure as failure:
                print(f"{w.title}: {failure.reason()}", file=sys.stderr, flush=True)
    if a.out:
        results.write(a.out, log)


def machine():
    from importlib.metadata import version
    return f"{results.cpu()}, PyTorch {version('torch')}, JAX {version('jax')}, NumPy {version('numpy')}"


if __name__ == "__main__":
    main()
