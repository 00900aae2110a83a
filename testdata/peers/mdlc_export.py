"""Reads what `mdlc run … --export DIR` writes: weights and batches in safetensors."""
import json
import struct

import numpy as np
import torch

DTYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8, "U32": np.uint32, "BOOL": np.bool_}


def load(path):
    """All tensors of a safetensors file, by name."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        body = f.read()
    out = {}
    for name, t in header.items():
        if name == "__metadata__":
            continue
        begin, end = t["data_offsets"]
        array = np.frombuffer(body[begin:end], dtype=DTYPES[t["dtype"]]).reshape(t["shape"])
        out[name] = torch.from_numpy(array.copy())
    return out


def losses(path):
    """The loss of each training step in a file of mdlc's JSON lines."""
    out = []
    with open(path) as f:
        for line in f:
            record = json.loads(line)
            if record["block"] == "train":
                out.append(record)
    return out


def compare(ours, theirs, tolerance=1e-4):
    """Prints both, and fails where they differ by more than tolerance, relative."""
    assert len(ours) == len(theirs) and ours, f"{len(ours)} losses of ours, {len(theirs)} of PyTorch's"
    worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
    print(f"{len(ours)} losses, first {ours[0]:.6f} (PyTorch {theirs[0]:.6f}), last {ours[-1]:.6f} ({theirs[-1]:.6f}), largest relative difference {worst:.1e}")
    if not worst <= tolerance:
        for step, (a, b) in enumerate(zip(ours, theirs)):
            print(f"step {step}: {a:.7f} {b:.7f}")
        raise SystemExit(f"the losses differ by {worst:.1e}, more than {tolerance:.0e}")
