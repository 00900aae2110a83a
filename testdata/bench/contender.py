"""What a contender process says: its first line is JSON, then it answers each line with the seconds of one run.

usage: SIDE.py WORKLOAD-NUMBER THREADS MODE EXPORT
EXPORT is what `mdlc run --export` wrote: the first weights and the batches; its losses are checked against it.
"""
import json
import resource
import struct
import sys
import time

import numpy as np

from workloads import WORKLOADS

DTYPES = {"F32": np.float32, "I32": np.int32, "I64": np.int64, "U8": np.uint8, "U32": np.uint32, "BOOL": np.bool_}
STEPS = 20  # of training, whose losses are compared


def load(path):
    """All tensors of a safetensors file, by name."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        body = f.read()
    return {name: np.frombuffer(body[t["data_offsets"][0]:t["data_offsets"][1]], dtype=DTYPES[t["dtype"]]).reshape(t["shape"]).copy()
            for name, t in header.items() if name != "__metadata__"}


def peak():
    """Bytes of this process at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def contend(make, toy):
    """make(workload, mode, weights, batches) gives step(n), which runs once and returns a float or None; toy() is a first run of the framework."""
    number, mode, export = int(sys.argv[1]), sys.argv[3], sys.argv[4]
    w = WORKLOADS[number]
    toy()
    before = peak()
    weights = load(f"{export}/weights.safetensors") if w.losses else {}
    batches = load(f"{export}/batches.safetensors") if w.losses else {}
    began = time.perf_counter()
    step = make(w, mode, weights, batches)
    losses = []
    for n in range(STEPS if w.losses else 3):
        value = step(n)
        if n == 0:
            first = time.perf_counter() - began
        losses.append(value)
    print(json.dumps({"losses": losses if w.losses else [], "first": first, "before": before}), flush=True)
    n = len(losses)
    for _ in sys.stdin:
        began = time.perf_counter()
        step(n % STEPS)
        print(time.perf_counter() - began, flush=True)
        n += 1
    print(json.dumps({"peak": peak()}), flush=True)
