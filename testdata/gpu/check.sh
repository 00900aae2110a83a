#!/bin/sh
# Checks mdlc on this machine's NVIDIA GPU and measures it: sh check.sh [PART …], all parts if none is named.
# The folder is self-contained (`make gpu-check` makes it): a driver is enough, and Python with PyTorch for the peers.
# Everything ends within 10 minutes; a part that has run out of time says so and fails. What was found becomes
# rows of RESULTS.md here, which belongs to testdata/gpu. 0: what ran is right. Logs are in logs.
#
#   kernels            recorded runs of kernels, and what the driver is asked for, against the evaluator's bits
#   models             trainings and samples of the library against the CPU's bits
#   sanitizer          compute-sanitizer over both, where it is present
#   bench-product      bf16 products beside cuBLAS
#   bench-elementwise  element-wise, norm and matrix-vector kernels beside a copy and PyTorch
#   bench-attention    causal attention, forward and with its gradients, beside PyTorch, eager and compiled
#   bench-gpt2         a training of GPT-2 124M beside PyTorch, eager and compiled
set -u
cd "$(dirname "$0")" || exit 1
here=$PWD
began=$(date +%s)
seconds=580 # of all parts
export CUDA_CACHE_DISABLE=1 MDLC_CACHE="$here/logs/cache" TMPDIR="$here/logs"
mdlc=$here/mdlc tests=$here/tests/runtime.test
PATH=$PATH:/usr/local/cuda/bin # compute-sanitizer is often there alone
mkdir -p logs
find . -name '*.gz' -exec gunzip -f {} +

# part SECONDS: from here on a part runs, for that long, or what is left of the whole.
part() {
	ends=$(($(date +%s) + $1))
	[ "$ends" -lt $((began + seconds)) ] || ends=$((began + seconds))
}

# within COMMAND …: 124 where the part's time is over.
within() {
	left=$((ends - $(date +%s)))
	[ "$left" -gt 0 ] || return 124
	timeout -k 5 "$left" "$@"
}

# row NAME TEXT: the row of that name in RESULTS.md, or a new one at the table's end.
row() {
	echo "$1: $2"
	NAME=$1 TEXT="$2; $(date -u +%F), $gpu, driver $driver; \`sh check.sh $now\`" awk -F ' *[|] *' '
		function add() { if (rows && !done) print "| " ENVIRON["NAME"] " | – | " ENVIRON["TEXT"] " |"; done = 1 }
		/^[|]/ && $2 == ENVIRON["NAME"] { print "| " $2 " | " $3 " | " ENVIRON["TEXT"] " |"; done = rows = 1; next }
		/^[|]/ { rows = 1 }
		!/^[|]/ && rows { add() }
		{ print }
		END { add() }' RESULTS.md >logs/results && mv logs/results RESULTS.md
}

# bad TEXT: something is wrong; the rest goes on.
bad() {
	case "$failed " in
	*" $now "*) ;;
	*) failed="$failed $now" ;;
	esac
	echo "$now: FAILED: $1" >&2
}

kernels() {
	part 45
	MDLC_GPU_KERNELS=$here/kernels within "$tests" -test.run '^TestGPUKernels$' -test.v >logs/kernels.txt 2>&1 &&
		(cd tests && MDLC_TEST_GPU=1 within "$tests" -test.run '^TestGPU$' -test.skip '^TestGPU$/training' -test.v) >logs/driver.txt 2>&1
	code=$?
	runs=$(sed -n 's/.* kernels, \([0-9]*\) runs/\1/p' logs/kernels.txt | awk '{ n += $1 } END { print n + 0 }')
	wrong=$(grep -c ' the evaluator has ' logs/kernels.txt)
	if [ $code = 0 ] && [ "$runs" -gt 0 ] && grep -q '^--- PASS: TestGPU ' logs/driver.txt; then
		row "kernels of every op and schedule on the device" "$runs runs have the evaluator's bits; what tensor cores add is near them"
	else
		bad "$(grep -h 'the evaluator has\|Error:\|panic:' logs/kernels.txt logs/driver.txt | head -5)"
		row "kernels of every op and schedule on the device" "WRONG: $wrong of $runs runs differ (status $code)"
	fi
}

# transcript MODEL BUNDLE DEVICE: what the model's commands print, and the sums of what they write.
transcript() (
	out=$here/logs/run/$1
	rm -rf "$out" && mkdir -p "$here/logs/run"
	cd "models/$1" || exit
	while read -r words; do
		echo "mdlc run $words"
		# shellcheck disable=SC2086
		within "$mdlc" run "$2.bundle" $words --device "$3" --out "$out" -q </dev/null >"$out.said" || exit
		sed "s|$out/||g" "$out.said"
	done <commands
	cd "$out" && find . -name '*.safetensors' -exec sha256sum {} + -o -path './samples/*' -type f -exec sha256sum {} + | sort
)

# same MODEL: whether its transcript is what is expected, or, with products on tensor cores, reports what is near it.
same() {
	if [ ! -e "models/$1/near" ]; then
		cmp -s "models/$1/expected" "logs/$1.txt"
		return
	fi
	grep '^{' "models/$1/expected" >"logs/$1.want" || return # nothing is expected
	grep '^{' "logs/$1.txt" | awk -F '[]:,{}[]+' '
		NR == FNR { want[FNR] = $0; lines = FNR; next }
		{
			if (NF != split(want[FNR], w)) bad = 1
			for (i = 1; i <= NF; i++) {
				number = $i ~ /^-?[0-9]/ && w[i] ~ /^-?[0-9]/
				far = $i - w[i]; room = 0.002 * (1 + (w[i] < 0 ? -w[i] : w[i]))
				if ($i != w[i] && !(number && far <= room && -far <= room)) bad = 1
			}
		}
		END { exit bad || !lines || FNR != lines }' "logs/$1.want" -
}

# record has the CPU make what is expected of the models, where the folder is made.
record() {
	part 3600
	for m in models/*/; do
		m=$(basename "$m")
		transcript "$m" host cpu >"models/$m/expected" || exit 1
		rm "models/$m/host.bundle"
	done
}

# models runs some at a time: the driver assembles their code on the CPU, and their kernels are small.
models() {
	part 100
	started=0
	for m in models/*/; do
		m=$(basename "$m")
		{
			transcript "$m" "$arch" cuda >"logs/$m.txt" 2>"logs/$m.errors"
			echo $? >"logs/$m.status"
		} &
		started=$((started + 1))
		[ $((started % 6)) != 0 ] || wait
	done
	wait
	equal=0 near=0 wrong=
	for m in models/*/; do
		m=$(basename "$m")
		code=$(cat "logs/$m.status")
		if [ "$code" = 0 ] && same "$m"; then
			[ -e "models/$m/near" ] && near=$((near + 1)) || equal=$((equal + 1))
			continue
		fi
		wrong="$wrong $m"
		bad "$m: $([ "$code" = 124 ] && echo "out of time" || { head -3 "logs/$m.errors"; diff "models/$m/expected" "logs/$m.txt" | head -4; })"
	done
	row "models of the library on the device" "$equal have the CPU's reports, weights and samples to the bit, $near that use tensor cores near ones${wrong:+; WRONG or out of time:$wrong}"
}

sanitizer() {
	part 60
	name="compute-sanitizer over kernels and a training" said=
	if ! command -v compute-sanitizer >/dev/null; then
		echo "$name: not measured: there is no compute-sanitizer"
		return
	fi
	rm -rf logs/kernels && mkdir logs/kernels && ln -s "$here"/kernels/*."$arch".bundle logs/kernels
	model=$(ls models | grep -x gpt2 || ls models | head -1)
	words=$(sed -n '1s/--steps [0-9]*/--steps 2/p' "models/$model/commands")
	for tool in memcheck racecheck synccheck initcheck; do
		check="within compute-sanitizer --tool $tool --error-exitcode 9 --print-limit 20"
		MDLC_GPU_KERNELS=$here/logs/kernels $check "$tests" -test.run '^TestGPUKernels$' >"logs/$tool.txt" 2>&1 &&
			(cd "models/$model" && $check "$mdlc" run "$arch.bundle" $words --device cuda --out "$here/logs/run/$tool" -q) >>"logs/$tool.txt" 2>&1
		code=$?
		if grep -q 'Device not supported' "logs/$tool.txt"; then
			echo "$name: not measured: compute-sanitizer does not support this machine's GPU"
			return
		fi
		case $code in
		0) said="$said $tool clean," ;;
		124 | 137) said="$said $tool not measured: out of time," ;;
		*)
			said="$said $tool WRONG (status $code),"
			bad "$tool: $(grep '=========' "logs/$tool.txt" | head -5)"
			;;
		esac
	done
	row "$name" "${said# }"
}

# bench SECONDS NAME …: peers.py measures; it prints a row a line: name, tab, text.
bench() {
	part "$1"
	shift
	if ! command -v python3 >/dev/null; then
		echo "$now: not measured: there is no python3"
		return
	fi
	within python3 peers.py "$arch" "$((ends - $(date +%s) - 5))" "$@" >"logs/$now.txt" 2>"logs/$now.errors"
	code=$?
	while IFS="$(printf '\t')" read -r name text; do
		[ -z "$text" ] || row "$name" "$text"
	done <"logs/$now.txt"
	[ $code = 0 ] || bad "status $code: $(tail -5 "logs/$now.errors")"
}

failed=
[ "${1-}" != record ] || { record && exit; }
arch=$("$mdlc" doctor | sed -n 's/.*cuda:0: .*compute capability \(.*\), .*/\1/p')
if [ -z "$arch" ]; then
	"$mdlc" doctor | grep cuda >&2
	exit 1
fi
[ "$arch" = 9.0 ] && arch=sm_90a || arch=sm_80
gpu=$("$mdlc" doctor | sed -n 's/.*cuda:0: \(.*\), compute capability.*/\1/p')
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1)
driver=${driver:-unknown}
echo "$gpu ($arch), driver $driver"
[ $# -gt 0 ] || set -- kernels models sanitizer bench-product bench-elementwise bench-attention bench-gpt2
for now; do
	case $now in
	kernels | models | sanitizer) $now ;;
	bench-product) bench 40 product8192 product4096 ;;
	bench-elementwise) bench 60 elementwise layernorm matvec ;;
	bench-attention) bench 155 $(cd bench && ls attention-*.settings | sed 's/[.]settings$//' | sort -t- -k4,4 -k2,2n -k3,3n) ;;
	bench-gpt2) bench 120 gpt2 ;;
	*)
		echo "there is no part $now: see the head of check.sh" >&2
		exit 2
		;;
	esac
done
echo "$(($(date +%s) - began)) s"
[ -z "$failed" ] || echo "FAILED:$failed" >&2
[ -z "$failed" ]
