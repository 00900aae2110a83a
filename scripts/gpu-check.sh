#!/bin/sh
# Makes a folder that checks mdlc on a machine with an NVIDIA GPU, and measures it: scripts/gpu-check.sh [DIR].
# It holds all that it takes there: its check.sh needs a driver, and Python with PyTorch for the peers; no Go, no LLVM.
# Afterwards RESULTS.md in it belongs to testdata/gpu. $TARGETS names the GPUs it is for; $SIZE small makes one whose
# programs an emulated GPU can run; $KERNELS (tests of codegen), $MDLC_RECORD_MODELS and $MDLC_RECORD_STEPS make it smaller still.
set -eu
cd "$(dirname "$0")/.."
dir=${1:-gpu-check}
targets=${TARGETS:-sm_80 sm_90a}
[ "${SIZE:-full}" = full ] && full=true || full=false
rm -rf "$dir"
mkdir -p "$dir/tests" "$dir/kernels" "$dir/models" "$dir/bench" "$dir/testdata/runtime"
dir=$(cd "$dir" && pwd)
cp testdata/gpu/check.sh testdata/gpu/peers.py testdata/gpu/RESULTS.md "$dir"
cp testdata/runtime/kernels.ptx "$dir/testdata/runtime"

echo "binary and tests ..." >&2
sh scripts/cuda.sh build -ldflags '-s -w' -o "$dir/mdlc" ./cmd/mdlc
sh scripts/cuda.sh test -c -ldflags '-s -w' -o "$dir/tests/runtime.test" ./runtime

export CGO_ENABLED=0
echo "kernels ..." >&2
for target in $targets; do
	MDLC_RECORD="$dir/kernels" MDLC_RECORD_TARGET=$target "${GO:-go}" test ./codegen -count 1 -run "${KERNELS:-TestOpsOnTheMachine/gpu|TestScheduledKernelsEqualEvaluator/gpu|TestTensorCores|TestRoundsOfLaunches|TestGroupsOfWarps|TestBoxes}" >&2
done

echo "models ..." >&2
MDLC_RECORD="$dir/models" MDLC_RECORD_TARGETS="host $targets" "${GO:-go}" test ./cmd/mdlc -count 1 -timeout 30m -run '^TestRecordModels$' >&2
sh "$dir/check.sh" record

# bench NAME FILE SETTING …: a program to measure, for every target, which $target is then. $flags are more flags.
flags=
bench() {
	name=$1 file=$2
	shift 2
	printf '%s\n' "$@" >"$dir/bench/$name.settings"
	for s; do
		set -- "$@" --set "$s"
		shift
	done
	for target in $targets; do
		# shellcheck disable=SC2086
		"$dir/mdlc" compile "$file" -q $flags "$@" --target "$target" -o "$dir/bench/$name.$target.bundle"
	done
}

echo "programs to measure ..." >&2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if $full; then
	bench product8192 testdata/gpu/bench/product.mdl n=8192
	bench product4096 testdata/gpu/bench/product.mdl n=4096
	bench elementwise testdata/gpu/bench/elementwise.mdl n=16384
	bench layernorm testdata/gpu/bench/layernorm.mdl rows=131072 dim=2048
	bench matvec testdata/gpu/bench/matvec.mdl n=16384
	lengths="1024 2048 4096 8192" attention=1
	gpt2="vocab=50257 ctx=1024 dim=768 heads=12 layers=12 batch=8"
else
	bench product8192 testdata/gpu/bench/product.mdl n=96
	bench product4096 testdata/gpu/bench/product.mdl n=48
	bench elementwise testdata/gpu/bench/elementwise.mdl n=64
	bench layernorm testdata/gpu/bench/layernorm.mdl rows=64 dim=48
	bench matvec testdata/gpu/bench/matvec.mdl n=64
	lengths="1024 8192" attention=64 # times less of it
	gpt2="vocab=256 ctx=8 dim=16 heads=2 layers=1 batch=2"
fi
# As many tokens at each length, and as wide.
for dim in 64 128; do
	for seq in $lengths; do
		for backward in false true; do
			bench attention-$dim-$seq-$backward testdata/gpu/bench/attention.mdl batch=$((8192 / seq)) seq=$((seq / attention)) heads=$((2048 / dim / attention + (attention > 1))) dim=$dim backward=$backward
		done
	done
done
flags="--precision bf16"
# shellcheck disable=SC2086
bench gpt2 stdlib/models/gpt2.mdl $gpt2
# Once more, thrice into an empty cache and then from it.
settings=$(sed 's/^/--set /' "$dir/bench/gpt2.settings")
seconds=
for run in 1 2 3 cached; do
	[ $run = cached ] || rm -rf "$tmp/cache"
	start=$(date +%s%N)
	# shellcheck disable=SC2086
	MDLC_CACHE="$tmp/cache" "$dir/mdlc" compile stdlib/models/gpt2.mdl -q $flags $settings --target "$target" -o "$dir/bench/gpt2.$target.bundle"
	seconds="$seconds $(awk "BEGIN { printf \"%.2f\", ($(date +%s%N) - $start) / 1e9 }")"
done
echo "compiling $(echo "$seconds" | awk '{ print $1 ", " $2 ", " $3 " s, from the cache " $4 " s" }') on $("$dir/mdlc" doctor | sed -n 's/^cpu *//p')" >"$dir/bench/compile.txt"

rm -rf "$dir/logs"
# Code is text, and a folder that must travel is better small.
find "$dir" -name '*.bundle' -exec gzip -9 {} +
echo "$dir: $(du -sm "$dir" | cut -f1) MiB; on the machine with the GPU: sh check.sh" >&2
