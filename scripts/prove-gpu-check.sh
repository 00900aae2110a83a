#!/bin/sh
# Proves scripts/gpu-check.sh where no GPU is: a small folder of it runs to its end in a place of its own, without Go
# and LLVM, over a fake driver; what is wrong in it is found.
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
TARGETS=sm_90a SIZE=small KERNELS=TestOpsOnTheMachine/gpu MDLC_RECORD_MODELS="gpt2 gan2d" MDLC_RECORD_STEPS=2 sh scripts/gpu-check.sh "$tmp/made"
sh scripts/cuda.sh build -buildmode c-shared -ldflags '-s -w -extldflags -Wl,-Bsymbolic' -o "$tmp/driver/libcuda.so.1" ./runtime/cuda/fake/lib

mkdir "$tmp/bin" "$tmp/away"
for tool in awk basename cat cmp date diff dirname env find grep gunzip gzip head ln ls mkdir mv python3 rm sed sh sha256sum sort tail timeout; do
	ln -s "$(PATH=/usr/bin:/bin command -v $tool)" "$tmp/bin/$tool"
done
cp -r "$tmp/made" "$tmp/away/folder"

# check DRIVER PART …: check.sh as on a machine that has that driver. It says its status last.
check() {
	driver=$1
	shift
	env -i PATH="$tmp/bin" HOME="$tmp/away" LD_LIBRARY_PATH="$driver" sh "$tmp/away/folder/check.sh" "$@" 2>&1 && echo status 0 || echo "status $?"
}

# says TEXT …: the last check said so.
says() {
	for text; do
		grep -qF -- "$text" "$tmp/said" || {
			cut -c1-400 "$tmp/said"
			echo "gpu-check does not say: $text"
			exit 1
		}
	done
}

check "$tmp/driver" >"$tmp/said"
says 'status 0' ' runs have the evaluator' '2 have the CPU' '1 that use tensor cores near ones' 'there is no compute-sanitizer' 'TFLOP/s' 'GB/s' 'tokens/s' 'peers not measured: ' 'loading '
cp "$tmp/away/folder/RESULTS.md" "$tmp/said"
says '| bf16 product 96³ | – | ' '| attention d = 64, S = 16, forward | – | ' '| attention d = 128, S = 128, forward and backward | – | ' ' Fake GPU, driver unknown; `sh check.sh bench-product` |' '| compute-sanitizer over kernels and a training | clean | not measured |'
[ "$(grep -c '^| kernels of every' "$tmp/said")" = 1 ]

check "$tmp/none" kernels >"$tmp/said"
says 'status 1' 'there is no NVIDIA driver here'

printf '#!/bin/sh\nexit 0\n' >"$tmp/bin/compute-sanitizer"
chmod +x "$tmp/bin/compute-sanitizer"
check "$tmp/driver" sanitizer >"$tmp/said"
says 'status 0' 'memcheck clean, racecheck clean, synccheck clean, initcheck clean'
printf '#!/bin/sh\necho "========= Invalid read"\nexit 9\n' >"$tmp/bin/compute-sanitizer"
check "$tmp/driver" sanitizer >"$tmp/said"
says 'status 1' 'memcheck WRONG (status 9)' 'Invalid read'

# Wrong numbers: the last that a kernel shall write, and one of a report.
python3 - "$tmp/away/folder/kernels" <<'PY'
import glob, hashlib, sys
for path in glob.glob(sys.argv[1] + "/TestOps*.bundle"):
    with open(path, "r+b") as f:
        b = bytearray(f.read())
        b[-1] ^= 0x40
        b[40:72] = hashlib.sha256(b[:40] + b[72:]).digest()
        f.seek(0)
        f.write(b)
PY
for model in gpt2 gpt2_bf16; do
	sed -i 's/"loss":5/"loss":4/' "$tmp/away/folder/models/$model/expected"
done
check "$tmp/driver" kernels models >"$tmp/said"
says 'status 1' 'WRONG: 1 of ' 'the evaluator has' '1 have the CPU' '0 that use tensor cores' 'WRONG or out of time: gpt2 gpt2_bf16' 'FAILED: kernels models'
echo "gpu-check: what is right runs to its end, what is wrong is found"
