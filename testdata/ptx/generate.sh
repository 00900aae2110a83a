#!/bin/sh
# Writes the PTX of every .ll here, for sm_80 and for sm_90a, with LLVM 19; that of a .sm_90a.ll for sm_90a only.
set -eu
cd "$(dirname "$0")"
for f in ${*:-*.ll}; do
	name=${f%.ll} cpus="sm_80 sm_90a"
	case $name in *.sm_90a) name=${name%.sm_90a} cpus=sm_90a ;; esac
	for cpu in $cpus; do
		opt-19 -passes='default<O3>' "$f" -o - | llc-19 -O3 -march=nvptx64 -mcpu=$cpu -mattr=+ptx80 -o "$name.$cpu.ptx"
	done
done
