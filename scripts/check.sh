#!/bin/sh
# The checks that take minutes: tokens of the library spoilt, whole trainings, killed ones too, and the same losses from PyTorch.
# MDLC_DATA names a folder of real data other than ../shared/data; what needs it is skipped without.
# Figures are printed; times are not asserted. Arguments go to go test: scripts/check.sh -run Depth
# gan2d and copying train with seed 1; others: MDLC_CHECK_SEEDS="1 2 3" scripts/check.sh -run 'GAN2D|Copying'
set -eu
cd "$(dirname "$0")/.."
sh scripts/install-llvm.sh
sh scripts/install-peers.sh
MDLC_CHECK=1 "${GO:-go}" test ./lang -run '^TestSpoiltTokens$' -count 1 -timeout 10m
MDLC_CHECK=1 exec "${GO:-go}" test ./cmd/mdlc -run '^TestAcceptance' -count 1 -v -timeout 35m "$@"
