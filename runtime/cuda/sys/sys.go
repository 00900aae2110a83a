//go:build cuda

// Package sys is the way to the CUDA driver: it loads it when it is asked to and not before, and
// has the calls that gorgonia.org/cu lacks.
//
// A program that links gorgonia.org/cu needs the driver's library to start. Here that library is
// an empty archive (stub/), the header is our own (include/), and the functions are jumps through a table
// (tramp.c) that [Load] fills from libcuda.so.1. Functions of a fake driver can stand in it too.
package sys

/*
#cgo CFLAGS: -I${SRCDIR}/include
#cgo LDFLAGS: -L${SRCDIR}/stub -ldl
#include "sys.h"
*/
import "C"

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"gorgonia.org/cu"
)

var (
	load   sync.Mutex
	loaded bool
	failed error
)

// Load loads the driver and starts it; later calls tell what the first one found.
func Load() error {
	load.Lock()
	defer load.Unlock()
	if !loaded {
		loaded, failed = true, start()
	}
	return failed
}

func start() error {
	if text := C.mdlc_load(); text != nil {
		return fmt.Errorf("there is no NVIDIA driver here (%s): install the driver of the GPU, and in a container mount it", C.GoString(text))
	}
	if err := check(C.cuInit(0)); err != nil {
		return fmt.Errorf("the NVIDIA driver does not start: %w; nvidia-smi tells more", err)
	}
	return nil
}

// Pretend makes the functions of a fake the driver, which lacks all others.
func Pretend(install func()) {
	load.Lock()
	defer load.Unlock()
	C.mdlc_old()
	install()
	loaded, failed = true, nil
}

// Error is what the driver says went wrong.
type Error int

func (e Error) Error() string {
	var name, text *C.char
	if C.cuGetErrorName(C.CUresult(e), &name) != C.CUDA_SUCCESS || C.cuGetErrorString(C.CUresult(e), &text) != C.CUDA_SUCCESS {
		return fmt.Sprintf("CUDA error %d", int(e))
	}
	return C.GoString(name) + ", " + C.GoString(text)
}

func check(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return Error(r)
}

// Explain gives an error of gorgonia.org/cu, whose type it keeps to itself, the driver's words.
func Explain(err error) error {
	if v := reflect.ValueOf(err); v.IsValid() && v.Kind() == reflect.Int {
		return Error(v.Int())
	}
	return err
}

// Handles of gorgonia.org/cu are structs of one pointer.
var (
	_ [unsafe.Sizeof(uintptr(0))]byte = [unsafe.Sizeof(cu.Function{})]byte{}
	_ [unsafe.Sizeof(uintptr(0))]byte = [unsafe.Sizeof(cu.Stream{})]byte{}
)

func function(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) }
func stream(s cu.Stream) C.CUstream       { return *(*C.CUstream)(unsafe.Pointer(&s)) }

// Launch launches the kernel of a step.
func Launch(k Step, s cu.Stream) error {
	values, n := arguments(k.Args)
	return check(C.mdlc_launch(k.c(), stream(s), values, n))
}

// AllowShared lets blocks of a kernel have that many bytes of dynamic shared memory; without it 48 KiB are the most.
func AllowShared(f cu.Function, bytes int) error {
	return check(C.cuFuncSetAttribute(function(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// MaxShared is how many bytes of shared memory a block of a device may be allowed.
func MaxShared(d cu.Device) (int, error) {
	var n C.int
	err := check(C.cuDeviceGetAttribute(&n, C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, C.CUdevice(d)))
	return int(n), err
}

// Assemble makes a cubin for the device of the current context. The error holds what the driver's assembler says.
func Assemble(ptx []byte) ([]byte, error) {
	const room = 64 << 10
	text, log := C.CBytes(append(ptx[:len(ptx):len(ptx)], 0)), (*C.char)(C.calloc(1, room))
	defer C.free(text)
	defer C.free(unsafe.Pointer(log))
	var cubin unsafe.Pointer
	var size C.size_t
	if err := check(C.mdlc_assemble((*C.char)(text), C.size_t(len(ptx)+1), log, room, &cubin, &size)); err != nil {
		if said := C.GoString(log); said != "" {
			return nil, fmt.Errorf("%w: %s", err, said)
		}
		return nil, err
	}
	defer C.free(cubin)
	return C.GoBytes(cubin, C.int(size)), nil
}

// Pinned is n bytes of the host that copies reach without a detour. cu.MemFreeHost frees them.
func Pinned(n int) ([]byte, error) {
	var p unsafe.Pointer
	err := check(C.cuMemAllocHost(&p, C.size_t(n)))
	return unsafe.Slice((*byte)(p), n), err
}
