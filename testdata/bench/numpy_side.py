"""OpenBLAS's side of the products, through NumPy.

usage: numpy_side.py WORKLOAD-NUMBER THREADS openblas EXPORT
"""
import numpy as np

from contender import contend


def product(w, mode, weights, batches):
    s = w.settings
    draw = np.random.default_rng(1)
    x, y = (draw.standard_normal((s["many"], *shape), dtype=np.float32) for shape in ((s["m"], s["k"]), (s["k"], s["n"])))
    if s["many"] == 1:
        x, y = x[0], y[0]
    out = x @ y
    return lambda n: (np.matmul(x, y, out=out), None)[1]


if __name__ == "__main__":
    contend(globals(), lambda: np.ones((8, 8)) @ np.ones((8, 8)))
