#!/bin/sh
# go with CUDA: scripts/cuda.sh build -o mdlc ./cmd/mdlc. It needs a C compiler; no toolkit, no GPU and no driver.
set -eu
cd "$(dirname "$0")/.."
if ! command -v "${CC:-gcc}" >/dev/null; then
	echo "a build with CUDA needs a C compiler: install gcc" >&2
	exit 1
fi
sys=$PWD/runtime/cuda/sys
# go does not look at headers outside of a package: their sum makes it build anew where one changed.
sum=$(cat "$sys"/include/*.h | cksum | cut -d' ' -f1)
export CGO_ENABLED=1 CGO_CFLAGS="-O2 -g -I$sys/include -DMDLC_HEADERS=$sum" CGO_LDFLAGS="-L$sys/stub"
command=$1
shift
exec "${GO:-go}" "$command" -tags cuda "$@"
