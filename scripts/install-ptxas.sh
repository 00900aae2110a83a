#!/bin/sh
# Brings NVIDIA's assembler ptxas into bin/, a folder of this checkout alone, from its Python wheel.
# It is proprietary and never needed: tests assemble the golden PTX where it is there.
set -eu
cd "$(dirname "$0")/.."
wheel=nvidia-cuda-nvcc-cu12==12.9.86
command -v ptxas >/dev/null 2>&1 && { echo "ptxas is on PATH: $(command -v ptxas)"; exit 0; }
[ -x bin/ptxas ] && { echo "bin/ptxas is there"; exit 0; }
[ "$(uname -s)/$(uname -m)" = Linux/x86_64 ] || { echo "there is a wheel with ptxas for Linux on x86-64 only" >&2; exit 1; }
python3 -m pip --version >/dev/null 2>&1 || { echo "ptxas comes as a Python wheel: install python3-pip, or put a ptxas on PATH" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "downloading $wheel (about 40 MB) ..." >&2
python3 -m pip download -q --disable-pip-version-check --no-deps -d "$tmp" "$wheel"
mkdir -p bin
python3 - "$tmp"/*.whl "$tmp/ptxas" <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z, open(sys.argv[2], "wb") as out:
    name = next(n for n in z.namelist() if n.endswith("/bin/ptxas"))
    out.write(z.read(name))
PY
chmod +x "$tmp/ptxas"
"$tmp/ptxas" --version >/dev/null
mv "$tmp/ptxas" bin/ptxas
echo "bin/ptxas is there"
