"""Measures each graph of the corpus with fused kernels in turn with kernels of one operation each, on one core, and writes the rows to a file.

usage: fusion.py MDLC [--out FUSION.md] [--log FILE] [--fresh] [--rounds 40] [--seconds 5] [--slower 1.03] [TITLE …]

A ratio is the time with fusion over the time without: the median of the rounds' ratios with its 95% interval, of the seconds that the
processor spent and by the clock. Others at work disturb the clock, and of one thread the former is what the clock shows on a quiet machine: a graph
counts as slower where its interval lies above 1 and its median above --slower; one that seems so is measured again for four times as long
before it counts. TITLE: only graphs whose title begins so. The log has what this binary was
measured on already: that is not done again.
"""
import argparse
import os
import random
import statistics
import sys
import tempfile
from contextlib import ExitStack

import results
from corpus import CORPUS
from data import make_data, root
from results import cells, table
from sides import Failure, mine, rounds


def measure(mdlc, w, data, most, seconds, more):
    """The record of a graph."""
    cores, load = sorted(os.sched_getaffinity(0))[:1], os.getloadavg()[0]
    with ExitStack() as stack:
        fused, apart = sides = [mine(mdlc, w, data, cores, 1, *flags) for flags in ((), ("--no-fusion",))]
        for side in sides:
            stack.callback(side.close)
        rounds(sides, most, seconds)
        if slower(record := compared(fused, apart), more):
            rounds(sides, 4 * most, 4 * seconds)
            record = compared(fused, apart)
    return {**record, "threads": 1, "load": load, "asked": most, "machine": results.cpu()}


def compared(fused, apart):
    def ratio(a, b):
        return results.interval([x / y for x, y in zip(a, b)])
    return {"rounds": len(fused.times), "fused": statistics.median(fused.spent), "apart": statistics.median(apart.spent),
            "cpu": ratio(fused.spent, apart.spent), "ratio": ratio(fused.times, apart.times)}


def slower(r, more):
    mid, low, _ = r["cpu"]
    return low > 1 and mid > more


def row(w, r):
    def ratio(mid, low, high):
        return f"{mid:.2f} ({low:.2f} .. {high:.2f})"
    return cells(w.title, f"{1e3 * r['fused']:.4g}", f"{1e3 * r['apart']:.4g}", ratio(*r["cpu"]), ratio(*r["ratio"]), f"{r['rounds']}, {r['load']:.1f}")


def write(path, log, more):
    rows = sorted(log.rows(), key=lambda wr: -wr[1]["cpu"][0])
    bad = [w.title for w, r in rows if slower(r, more)]
    middle = statistics.median(r["cpu"][0] for _, r in rows)
    results.replace(path, "## " + "; ".join(sorted({f"{r['date']}, {r['machine']}, one thread" for _, r in rows})),
                    f"{len(rows)} graphs, of which {len(bad)} are slower with fusion{': ' if bad else ''}{', '.join(bad)}. The median ratio is {middle:.2f}.",
                    table(cells("graph", "fused, ms", "unfused, ms", "ratio", "by the clock", "rounds, load"), *(row(w, r) for w, r in rows)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("mdlc")
    p.add_argument("--out")
    p.add_argument("--log", default=f"{root}/runs/bench-fusion.jsonl")
    p.add_argument("--fresh", action="store_true")
    p.add_argument("--rounds", type=int, default=40)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--slower", type=float, default=1.03)
    p.add_argument("titles", nargs="*")
    a = p.parse_intermixed_args()
    random.seed(1)
    mdlc = os.path.abspath(a.mdlc)
    log = results.Log(a.log, mdlc, CORPUS, row)
    failed = 0
    with tempfile.TemporaryDirectory() as data:
        make_data(data)
        for w in CORPUS:
            if a.titles and not w.title.startswith(tuple(a.titles)) or not a.fresh and log.has(w, [1], a.rounds):
                continue
            try:
                log.add(w, measure(mdlc, w, data, a.rounds, a.seconds, a.slower))
            except Failure as failure:
                failed += 1
                print(f"{w.title}: {failure.reason()}", file=sys.stderr, flush=True)
    if a.out:
        write(a.out, log, a.slower)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
