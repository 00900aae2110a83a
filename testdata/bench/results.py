"""What was measured, in a file of JSON lines, and the tables that are made of it."""
import json
import os

from workloads import WORKLOADS

MARK = "<!-- What follows is written by bench.py. -->"
TITLES = ("PyTorch", "torch.compile", "JAX", "OpenBLAS")


class Log:
    """The records of what has this digest; those of others stay in the file."""

    def __init__(self, path, digest):
        self.path, self.digest, self.records = path, digest, {}
        if os.path.exists(path):
            with open(path) as f:
                for r in map(json.loads, f):
                    if r["digest"] == digest:
                        self.records[r["workload"], r["threads"]] = r

    def has(self, w, threads, rounds):
        return all(self.records.get((w.title, n), {"asked": 0})["asked"] >= rounds for n in threads)

    def add(self, w, record):
        record = {"digest": self.digest, "workload": w.title, **record}
        self.records[w.title, record["threads"]] = record
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "a") as f:
            f.write(json.dumps(record) + "\n")
        print(times_row(w, record), flush=True)

    def rows(self):
        return [(w, r) for w in WORKLOADS for (title, _), r in sorted(self.records.items(), key=lambda kv: kv[0][1]) if title == w.title]


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
    """Replaces what stands behind the mark."""
    with open(path) as f:
        head = f.read().partition(MARK)[0].rstrip()
    rows = log.rows()
    training = [(w, r) for w, r in rows if w.kind == "training"]
    parts = [head, MARK, "## " + "; ".join(sorted({f"{r['date']}, {r['machine']}" for _, r in rows})),
             "### Time of a run, ms", table(cells("", "workload", "threads", "mdlc", *TITLES, "rounds, load"), *(times_row(w, r) for w, r in rows)),
             "### mdlc beside itself, ms", table(cells("workload", "threads", "mdlc", "otherwise", "its time over mdlc's"), *(line for w, r in rows for line in own_rows(w, r))),
             "### Peak memory of a training process beyond import and a toy step, MiB, and mdlc's share of it",
             table(cells("", "threads", "mdlc", *TITLES[:3]), *(memory_row(w, r) for w, r in training)),
             "### Seconds to compile, cold / warm", table(cells("", "mdlc", *TITLES[:3]), *(compile_row(w, r) for w, r in training if "compile" in r))]
    with open(path, "w") as f:
        f.write("\n\n".join(parts) + "\n")
