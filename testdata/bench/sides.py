"""Processes that run a workload when they are told to, and what they read."""
import json
import os
import re
import select
import subprocess
import sys
import tempfile

from workloads import peak

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(os.path.dirname(here))

# Title, script and mode of each peer, and the workloads that it has if it has few.
PEERS = [("PyTorch", "torch_side.py", "eager", None), ("torch.compile", "torch_side.py", "compiled", None), ("JAX", "jax_side.py", "jit", None),
         ("OpenBLAS", "numpy_side.py", "openblas", {"product"})]

TEXT = 1 << 18  # bytes

# Variables that some machines set for old builds of OpenBLAS, and that make a new one slow.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def make_data(folder):
    """What the models read: text of this repository, random bits of which each pixel has its own share, and random pictures."""
    import numpy as np
    with open(f"{folder}/text", "wb") as out:  # little of it: its last tenth is evaluated after the steps that are compared
        for base, folders, files in os.walk(root):
            folders[:] = sorted(f for f in folders if not f.startswith(".") and not os.path.islink(os.path.join(base, f)))
            for name in sorted(files):
                if name.endswith((".go", ".md", ".mdl")) and out.tell() < TEXT:
                    with open(os.path.join(base, name), "rb") as f:
                        out.write(f.read(TEXT - out.tell()))
    draw = np.random.default_rng(1)
    os.mkdir(f"{folder}/bits")
    for split, rows in (("train", 2000), ("valid", 200), ("test", 200)):
        pixels = draw.random((rows, 784)) < draw.random(784)
        np.save(f"{folder}/bits/{split}.npy", np.packbits(pixels, axis=1))
    os.mkdir(f"{folder}/digits")
    pictures = draw.integers(0, 256, (2000, 28, 28), dtype=np.uint8)
    with open(f"{folder}/digits/train-images-idx3-ubyte", "wb") as out:
        out.write(bytes([0, 0, 8, 3]) + b"".join(n.to_bytes(4, "big") for n in pictures.shape) + pictures.tobytes())


def flags(w, data):
    out = []
    for k, v in w.settings.items():
        out += ["--set", f"{k}={v}"]
    for k, v in w.data.items():
        out += ["--data", f"{k}={data}/{v}"]
    return out


class Failure(Exception):
    """A process that did not do what it should, with what it said."""

    def reason(self):
        """The line that says why, as Python and mdlc say it."""
        lines = str(self).strip().splitlines() or [""]
        return next((line for line in reversed(lines) if re.match(r"[\w.]*(Error|Exception|error)\b", line)), lines[-1])


def call(command, **env):
    """What a command prints."""
    done = subprocess.run(command, text=True, capture_output=True, env={**os.environ, **env})
    if done.returncode:
        raise Failure(done.stderr)
    return done.stdout


class Side:
    """A process that answers each line, a number, with the mean seconds of so many runs."""

    LIMIT = 900  # seconds for an answer

    def __init__(self, command, cores, threads, cache=None):
        env = {k: v for k, v in os.environ.items() if k not in UNSET}
        env |= {name + "_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS")}
        if cache:
            env |= {"TORCHINDUCTOR_CACHE_DIR": cache, "JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said,
                                        preexec_fn=lambda: os.sched_setaffinity(0, cores))
        self.times, self.runs, self.spent = [], 1, 0.0

    def line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], self.LIMIT)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.close()
            self.said.seek(0)
            raise Failure(self.said.read().decode() if ready else f"no answer within {self.LIMIT} s")
        return line

    def turn(self):
        """Makes the runs of a turn and returns the seconds of one."""
        before = self.cpu()
        self.process.stdin.write(f"{self.runs}\n")
        self.process.stdin.flush()
        took = float(self.line())
        self.times.append(took)
        self.spent += (self.cpu() - before) / self.runs
        return took

    def settle(self, least):
        """Makes a turn of as many runs as take at least so many seconds, and forgets what was measured so far."""
        took = self.turn()
        self.runs = max(1, round(least / took))
        self.turn()
        self.times, self.spent = [], 0.0

    def cpu(self):
        """Seconds of processors that all threads had."""
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak(self):
        return peak(self.process.pid)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Peer(Side):
    """Its first line says what it has computed and how long that took."""

    def __init__(self, script, mode, number, export, cores, threads, cache=None):
        super().__init__([sys.executable, f"{here}/{script}", str(number), str(threads), mode, export], cores, threads, cache)
        self.header = json.loads(self.line())
