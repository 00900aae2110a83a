"""What was measured, in a file of JSON lines, and the tables that are made of it."""
import datetime
import hashlib
import json
import os
import platform
import statistics
from math import comb

from data import root

here = os.path.dirname(os.path.abspath(__file__))

MARK = "<!-- What follows is measured. -->"
TITLES = ("PyTorch", "torch.compile", "JAX", "OpenBLAS")


def interval(ratios):
    """The median and its 95% interval."""
    s = sorted(ratios)
    n = len(s)
    low = next((k for k in range(n // 2, -1, -1) if sum(comb(n, i) for i in range(k)) / 2**n <= 0.025), 0)
    return statistics.median(s), s[low], s[n - 1 - low]


class Log:
    """The records of what this binary was measured on with these sources; those of others stay in the file."""

    def __init__(self, path, mdlc, workloads, row):
        self.path, self.workloads, self.row, self.records = path, workloads, row, {}
        self.digest = digest(mdlc, workloads)
        if os.path.exists(path):
            with open(path) as f:
                for r in map(json.loads, f):
                    if r["digest"] == self.digest:
                        self.records[r["workload"], r["threads"]] = r

    def has(self, w, threads, rounds):
        return all(self.records.get((w.title, n), {"asked": 0})["asked"] >= rounds for n in threads)

    def add(self, w, record):
        record = {"digest": self.digest, "workload": w.title, "date": str(datetime.date.today()), **record}
        self.records[w.title, record["threads"]] = record
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "a") as f:
            f.write(json.dumps(record) + "\n")
        print(self.row(w, record), flush=True)

    def rows(self):
        return [(w, r) for w in self.workloads for (title, _), r in sorted(self.records.items(), key=lambda kv: kv[0][1]) if title == w.title]


def digest(mdlc, workloads):
    """Changes with all that is measured."""
    h = hashlib.sha256()
    sources = [f"{here}/{name}" for name in sorted(os.listdir(here)) if name.endswith((".py", ".mdl"))]
    for path in [mdlc, *sources, *sorted({f"{root}/{w.model}" for w in workloads})]:
        with open(path, "rb") as f:
            h.update(f.read())
    return h.hexdigest()


def cpu():
    with open("/proc/cpuinfo") as f:
        name = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def table(*rows):
    head = rows[0]
    return "\n".join([head, "|" + " --- |" * (head.count("|") - 1), *rows[1:]])


def cells(*values):
    return "| " + " | ".join(values) + " |"


def times_row(w, r):
    peers = r["peers"]
    best = min((row["time"] for row in peers.values() if "time" in row), default=None)

    def cell(title):
        row = peers.get(title)
        if row is None:
            return ""
        if "void" in row:
            return row["void"]
        mid, low, high = row["ratio"]
        ratio = f"**{mid:.2f}**" if row["time"] == best else f"{mid:.2f}"
        return f"{1e3 * row['time']:.4g}: {ratio} ({low:.2f} .. {high:.2f})" + (f", CPU {r['cpu'] / row['cpu']:.2f}" if row["cpu"] else "")
    return cells(w.name, w.title, str(r["threads"]), f"{1e3 * r['time']:.4g}", *map(cell, TITLES), f"{r['rounds']}, {r['load']:.1f}")


def memory_row(w, r):
    def cell(title):
        row = r["peers"].get(title, {})
        return f"{row['memory'] / 2**20:.0f}: {r['memory'] / row['memory']:.2f}" if row.get("memory") else ""
    return cells(w.name, str(r["threads"]), f"{r['memory'] / 2**20:.0f}", *map(cell, TITLES[:3]))


def compile_row(w, r):
    def cell(title):
        row = r["peers"].get(title, {})
        return f"{row['cold']:.1f} / {row['warm']:.1f}" if "warm" in row else ""
    return cells(w.name, f"{r['compile']['Cold']:.2f} / {r['compile']['Warm']:.3f}", *map(cell, TITLES[:3]))


def own_rows(w, r):
    for title, row in r.get("own", {}).items():
        mid, low, high = row["ratio"]
        yield cells(w.title, str(r["threads"]), f"{1e3 * r['time']:.4g}", f"{title}: {1e3 * row['time']:.4g}", f"{mid:.2f} ({low:.2f} .. {high:.2f})")


def write(path, log):
    rows = log.rows()
    training = [(w, r) for w, r in rows if w.kind == "training"]
    replace(path, "## " + "; ".join(sorted({f"{r['date']}, {r['machine']}" for _, r in rows})),
            "### Time of a run, ms", table(cells("", "workload", "threads", "mdlc", *TITLES, "rounds, load"), *(times_row(w, r) for w, r in rows)),
            "### mdlc beside itself, ms", table(cells("workload", "threads", "mdlc", "otherwise", "its time over mdlc's"), *(line for w, r in rows for line in own_rows(w, r))),
            "### Peak memory of a training process beyond import and a toy step, MiB, and mdlc's share of it",
            table(cells("", "threads", "mdlc", *TITLES[:3]), *(memory_row(w, r) for w, r in training)),
            "### Seconds to compile, cold / warm", table(cells("", "mdlc", *TITLES[:3]), *(compile_row(w, r) for w, r in training if "compile" in r)))


def replace(path, *parts):
    """Replaces what stands behind the mark."""
    with open(path) as f:
        head = f.read().partition(MARK)[0].rstrip()
    with open(path, "w") as f:
        f.write("\n\n".join([head, MARK, *parts]) + "\n")
