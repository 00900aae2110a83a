"""Arrays that mdlc writes (weights, the batches of `--export`), read with NumPy alone."""
import json
import struct

import numpy as np

DTYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8, "U32": np.uint32, "BOOL": np.bool_}


def load(path):
    """All tensors of a safetensors file, by name."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        body = f.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(body[t["data_offsets"][0] : t["data_offsets"][1]], dtype=DTYPES[t["dtype"]]).reshape(t["shape"]).copy()
            for name, t in header.items()}
