//go:build cuda

package fake

/*
#include "fake.h"
*/
import "C"

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

//export fake_cuMemGetInfo
func fake_cuMemGetInfo(free, total *C.size_t) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	*free, *total = C.size_t(d.Memory-d.used), C.size_t(d.Memory)
	return r
}

//export fake_cuMemAlloc
func fake_cuMemAlloc(at *C.CUdeviceptr, n C.size_t) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	switch {
	case r != 0:
		return r
	case n == 0:
		return C.CUDA_ERROR_INVALID_VALUE
	case d.used+int(n) > d.Memory:
		return C.CUDA_ERROR_OUT_OF_MEMORY
	}
	d.used += int(n)
	b := d.gpu.Alloc("memory", int(n))
	_ = b.Write(0, bytes.Repeat([]byte{0xff}, int(n))) // what was there before
	d.blocks[b.Addr()] = b
	*at = C.CUdeviceptr(b.Addr())
	return 0
}

//export fake_cuMemFree
func fake_cuMemFree(at C.CUdeviceptr) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	b := d.blocks[uint64(at)]
	if b == nil {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	d.used -= b.Len()
	d.gpu.Free(b)
	delete(d.blocks, uint64(at))
	return d.broken
}

//export fake_cuMemAllocHost
func fake_cuMemAllocHost(p *unsafe.Pointer, n C.size_t) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	*p = C.calloc(1, n)
	d.pinned[uintptr(*p)] = int(n)
	return 0
}

//export fake_cuMemFreeHost
func fake_cuMemFreeHost(p unsafe.Pointer) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	if d.pinned[uintptr(p)] == 0 {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	delete(d.pinned, uintptr(p))
	C.free(p)
	return d.broken
}

func (d *Driver) isPinned(p unsafe.Pointer) bool {
	for at, n := range d.pinned {
		if uintptr(p) >= at && uintptr(p) < at+uintptr(n) {
			return true
		}
	}
	return false
}

// write and read copy; a range that is in no allocation breaks the driver as it does a GPU's context.
func (d *Driver) write(to C.CUdeviceptr, from []byte) {
	if b, at := d.gpu.Find(uint64(to)); b == nil || b.Write(at, from) != nil {
		d.broken = C.CUDA_ERROR_INVALID_VALUE
	}
}

func (d *Driver) read(to []byte, from C.CUdeviceptr) {
	if b, at := d.gpu.Find(uint64(from)); b == nil || b.Peek(at, to) != nil {
		d.broken = C.CUDA_ERROR_INVALID_VALUE
	}
}

//export fake_cuMemcpyHtoDAsync
func fake_cuMemcpyHtoDAsync(to C.CUdeviceptr, from unsafe.Pointer, n C.size_t, s C.CUstream) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	host := bytesAt(from, n)
	if !d.isPinned(from) {
		host = bytes.Clone(host) // the driver takes it at once
	}
	d.Copies++
	return d.put(s, func() { d.write(to, host) })
}

//export fake_cuMemcpyDtoHAsync
func fake_cuMemcpyDtoHAsync(to unsafe.Pointer, from C.CUdeviceptr, n C.size_t, s C.CUstream) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	d.Copies++
	return d.put(s, func() { d.read(bytesAt(to, n), from) })
}

//export fake_cuMemcpyDtoH
func fake_cuMemcpyDtoH(to unsafe.Pointer, from C.CUdeviceptr, n C.size_t) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r == 0 {
		d.Copies, d.Waits = d.Copies+1, d.Waits+1
		d.read(bytesAt(to, n), from)
		r = d.broken
	}
	return r
}

//export fake_cuMemcpyDtoDAsync
func fake_cuMemcpyDtoDAsync(to, from C.CUdeviceptr, n C.size_t, s C.CUstream) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	return d.put(s, func() {
		b := make([]byte, int(n))
		d.read(b, from)
		d.write(to, b)
	})
}

//export fake_cuMemsetD32Async
func fake_cuMemsetD32Async(to C.CUdeviceptr, value C.uint, count C.size_t, s C.CUstream) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	switch {
	case r != 0:
		return r
	case to%4 != 0:
		return C.CUDA_ERROR_INVALID_VALUE
	}
	return d.put(s, d.fill(to, value, count))
}

// fill is the work of setting words.
func (d *Driver) fill(to C.CUdeviceptr, value C.uint, count C.size_t) func() {
	words := bytes.Repeat(binary.LittleEndian.AppendUint32(nil, uint32(value)), int(count))
	return func() { d.write(to, words) }
}
