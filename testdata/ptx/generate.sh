#!/bin/sh
# Writes the PTX of every .ll here, for sm_80 and for sm_90a, with LLVM 19.
set -eu
cd "$(dirname "$0")"
for f in ${*:-*.ll}; do
	for cpu in sm_80 sm_90a; do
		opt-19 -passes='default<O3>' "$f" -o - | llc-19 -O3 -march=nvptx64 -mcpu=$cpu -mattr=+ptx80 -o "${f%.ll}.$cpu.ptx"
	done
done
