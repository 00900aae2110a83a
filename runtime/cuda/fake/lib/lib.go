//go:build cuda

// Command lib is the fake as a library, libcuda.so.1, for programs that are to load it as they load a real driver:
//
//	sh scripts/cuda.sh build -buildmode c-shared -ldflags '-extldflags -Wl,-Bsymbolic' -o DIR/libcuda.so.1 ./runtime/cuda/fake/lib
package main

import (
	"C"

	"mdlc/runtime/cuda/fake"
)

// The program has another Go, which may come before this one is ready: its calls wait for the end of init.
func init() { (&fake.Driver{Major: 9, Minor: 0, Memory: 8 << 30, GPUs: 1}).Install() }

func main() {}
