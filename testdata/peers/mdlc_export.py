"""Reads what `mdlc run … --export DIR` writes, for PyTorch: weights and batches in safetensors."""
import json

import torch

import mdlc_arrays


def load(path):
    """All tensors of a safetensors file, by name."""
    return {name: torch.from_numpy(array) for name, array in mdlc_arrays.load(path).items()}


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
