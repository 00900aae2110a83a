#!/bin/sh
# Installs what the checks and benchmarks compare with: Debian's PyTorch, NumPy and OpenBLAS.
set -eu
python=/usr/bin/python3
if $python -c 'import torch, numpy' 2>/dev/null && ldconfig -p 2>/dev/null | grep -q 'libopenblas\.so\.0'; then
	exit 0
fi
command -v apt-get >/dev/null 2>&1 || { echo "install PyTorch, NumPy and OpenBLAS for $python" >&2; exit 1; }
SUDO=
[ "$(id -u)" = 0 ] || SUDO=sudo
echo "installing python3-torch, python3-numpy, libopenblas0-pthread ..." >&2
$SUDO apt-get update -qq >/dev/null
$SUDO env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-torch python3-numpy libopenblas0-pthread >/dev/null
