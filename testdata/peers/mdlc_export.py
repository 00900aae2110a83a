"""Reads what `mdlc run … --export DIR` writes, for PyTorch: weights and batches in safetensors."""
import json

import torch

import mdlc_arrays


def load(path):
    """All tensors of a safetensors file, by name. Where one is f64, as all are of `--precision f64`, PyTorch computes in f64 from here on."""
    tensors = {name: torch.from_numpy(array) for name, array in mdlc_arrays.load(path).items()}
    if any(t.dtype == torch.float64 for t in tensors.values()):
        torch.set_default_dtype(torch.float64)
    return tensors


def losses(path):
    """The loss of each training step in a file of mdlc's JSON lines."""
    out = []
    with open(path) as f:
        for line in f:
            record = json.loads(line)
            if record["block"] == "train":
                out.append(record)
    return out


def compare(ours, theirs, tolerance=None):
    """Prints both, and fails where they differ by more than tolerance, relative: by default 1e-4 in f32 and 1e-9 in f64."""
    dtype = torch.get_default_dtype()
    tolerance = tolerance or {torch.float32: 1e-4, torch.float64: 1e-9}[dtype]
    assert len(ours) == len(theirs) and ours, f"{len(ours)} losses of ours, {len(theirs)} of PyTorch's"
    worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
    print(f"{len(ours)} losses in {str(dtype)[6:]}, first {ours[0]:.6f} (PyTorch {theirs[0]:.6f}), last {ours[-1]:.6f} ({theirs[-1]:.6f}), largest relative difference {worst:.1e}")
    if not worst <= tolerance:
        for step, (a, b) in enumerate(zip(ours, theirs)):
            print(f"step {step}: {a:.7f} {b:.7f}")
        raise SystemExit(f"the losses differ by {worst:.1e}, more than {tolerance:.0e}")
