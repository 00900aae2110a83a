# mdlc: build, test, measure. `make demo` is the place to start.
export CGO_ENABLED = 0
GO ?= go
SOURCES := $(shell find . -name '*.go' -not -path './.git/*') $(shell find stdlib -name '*.mdl')
GOFILES := $(shell git ls-files '*.go' 2>/dev/null)

.PHONY: demo build cuda gpu-check test check bench bench-peers bench-fusion lint llvm peers ptxas clean

build: mdlc

mdlc: go.mod go.sum $(SOURCES)
	$(GO) build -o $@ ./cmd/mdlc

# The same binary with --device cuda. It starts without a driver, too.
cuda:
	@sh scripts/cuda.sh build -o mdlc ./cmd/mdlc

# A folder that checks and measures mdlc on a machine with a GPU and a driver, without Go and LLVM: `sh check.sh` there.
gpu-check: llvm
	@sh scripts/gpu-check.sh

# LLVM 19, the one thing beside Go that mdlc needs.
llvm:
	@sh scripts/install-llvm.sh

# PyTorch, NumPy and OpenBLAS: only for checks and benchmarks against them.
peers:
	@sh scripts/install-peers.sh

# NVIDIA's assembler, into bin/: with it the tests assemble all golden PTX.
ptxas:
	@sh scripts/install-ptxas.sh

# Trains a small Transformer on text, prints held-out bits per byte and a sample.
# TEXT=file takes another text than the Go standard library's source.
demo: llvm mdlc
	@sh scripts/demo.sh $(TEXT)

# Every test that a change should pass; at most 10 minutes on 2 cores.
test: llvm lint
	$(GO) test -timeout 900s ./...

# What CI runs: the tests, and the slower checks.
check: test
	sh scripts/check.sh

bench: mdlc peers
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./codegen/...

# mdlc beside PyTorch (eager, compiled), JAX and OpenBLAS, in turn, on this CPU, within 40 minutes: `make bench-peers WHAT="W2 W7 --rounds 31"`.
bench-peers: mdlc llvm
	@sh scripts/bench-peers.sh $(WHAT)

# Fused kernels beside kernels of one operation each, for every graph of the library's models, within 15 minutes: `make bench-fusion WHAT="gpt2 --fresh"`.
bench-fusion: mdlc llvm
	@python3 testdata/bench/fusion.py ./mdlc --out testdata/bench/FUSION.md $(WHAT)

lint:
	@test -z "$$(gofmt -l $(GOFILES))" || { echo "gofmt would change:"; gofmt -l $(GOFILES); exit 1; }
	$(GO) vet ./...

clean:
	rm -f mdlc
