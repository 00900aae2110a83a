#!/bin/sh
# The checks that take minutes: tokens of the library spoilt, whole trainings, killed ones too, and the same losses from PyTorch.
# MDLC_DATA names a folder of real data other than ../shared/data; what needs it is skipped without.
# Figures are printed; times are not asserted. Arguments go to go test: scripts/check.sh -run Depth
# Whole trainings take seed 1; others: MDLC_CHECK_SEEDS="1 2 3" scripts/check.sh -run 'GAN2D|Copying|Quality'
# Models on the emulated GPU make 2 to 20 steps; all make 20: MDLC_CHECK_STEPS=20 scripts/check.sh -run GPU
set -eu
cd "$(dirname "$0")/.."
sh scripts/install-llvm.sh
sh scripts/install-peers.sh
# The way to a GPU, over a driver that is faked on the emulator.
if command -v "${CC:-gcc}" >/dev/null; then
	sh scripts/cuda.sh vet ./...
	sh scripts/cuda.sh test -count 1 -timeout 10m ./runtime/... ./cmd/mdlc -run 'CUDA|GPU|Device|Module|Fault|Recorded'
	sh scripts/prove-gpu-check.sh
else
	echo "skipped: the tests of CUDA need a C compiler, and there is no ${CC:-gcc}"
fi
MDLC_CHECK=1 "${GO:-go}" test ./lang -run '^TestSpoiltTokens$' -count 1 -timeout 10m
MDLC_CHECK=1 exec "${GO:-go}" test ./cmd/mdlc -run '^TestAcceptance' -count 1 -v -timeout 35m "$@"
