"""Processes that run a workload when they are told to, and what they read."""
import json
import os
import random
import re
import select
import subprocess
import sys
import tempfile
import time

from data import root
from workloads import peak

here = os.path.dirname(os.path.abspath(__file__))

# Title, script and mode of each peer, and the workloads that it has if it has few.
PEERS = [("PyTorch", "torch_side.py", "eager", None), ("torch.compile", "torch_side.py", "compiled", None), ("JAX", "jax_side.py", "jit", None),
         ("OpenBLAS", "numpy_side.py", "openblas", {"product"})]

# Variables that some machines set for old builds of OpenBLAS, and that make a new one slow.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


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


TURN = 0.1  # seconds that a turn takes at least
REST = 0.01  # seconds in which a side at rest has nothing of a processor
REST_LIMIT = 0.5  # seconds that a side has to come to rest


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
        self.times, self.spent, self.runs = [], [], 1  # seconds of a run in each turn, by the clock and of processors

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
        self.spent.append((self.cpu() - before) / self.runs)
        return took

    def rest(self):
        """Waits until its threads rest: some poll for work after a turn, OpenBLAS's for a tenth of a second, and the next side's would share cores with them."""
        end, before = time.monotonic() + REST_LIMIT, self.cpu()
        while time.monotonic() < end:
            time.sleep(REST)
            now = self.cpu()
            if now - before < REST / 10:
                break
            before = now

    def settle(self):
        """Makes a turn of as many runs as it will have, and forgets what was measured so far."""
        took = self.turn()
        self.runs = max(1, round(TURN / took))
        self.turn()
        self.rest()
        self.times, self.spent = [], []

    def cpu(self):
        """Seconds of processors that all threads had."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # the process's clock, as clock_getcpuclockid gives it

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


def mine(mdlc, w, data, cores, threads, *more):
    """mdlc's side of a workload."""
    run = [word.format(data=data) for word in w.run]
    side = Side([mdlc, "bench", f"{root}/{w.model}", *run, *flags(w, data), "--threads", str(threads), "--seed", "1", "--quiet", "--turns", *more], cores, threads)
    side.settle()
    return side


class Peer(Side):
    """Its first line says what it has computed and how long that took."""

    def __init__(self, script, mode, number, export, cores, threads, cache=None):
        super().__init__([sys.executable, f"{here}/{script}", str(number), str(threads), mode, export], cores, threads, cache)
        self.header = json.loads(self.line())


def rounds(sides, most, seconds):
    """Gives every side a turn in each round, in any order, until so many are made or so many seconds over, but not before three."""
    sides, end = list(sides), time.monotonic() + seconds
    for n in range(most):
        if n >= 3 and time.monotonic() > end:
            break
        random.shuffle(sides)
        for side in sides:
            side.turn()
            side.rest()
