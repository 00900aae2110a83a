#!/bin/sh
# Measures mdlc in turn with PyTorch, JAX and OpenBLAS and writes the tables of testdata/bench/RESULTS.md:
# bench-peers.sh [--rounds N] [--threads 1,2] [--fresh] [W2 W7 …]. What is done is in runs/bench-peers.jsonl: called again
# with the same binary it goes on after that. The peers live in .peers/, made once; that brings several GB, for the
# ordinary wheel of PyTorch comes with its packages for GPUs.
set -eu
cd "$(dirname "$0")/.."
if [ ! -x .peers/bin/python ] || ! .peers/bin/python -c 'import torch, jax, numpy' 2>/dev/null; then
	echo "making .peers with PyTorch and JAX (once, several GB) ..." >&2
	python3 -m venv .peers || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	.peers/bin/pip install --quiet torch jax numpy
fi
exec .peers/bin/python testdata/bench/bench.py ./mdlc --out testdata/bench/RESULTS.md "$@"
