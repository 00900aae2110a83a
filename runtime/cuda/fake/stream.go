//go:build cuda

package fake

/*
#include "fake.h"
*/
import "C"

import (
	"time"
	"unsafe"
)

//export fake_cuStreamCreate
func fake_cuStreamCreate(s *C.CUstream, _ C.uint) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	*s = C.CUstream(pointer(d.handle(&stream{})))
	return r
}

//export fake_cuStreamDestroy
func fake_cuStreamDestroy(s C.CUstream) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	delete(d.handles, uintptr(unsafe.Pointer(s)))
	return d.broken
}

//export fake_cuStreamSynchronize
func fake_cuStreamSynchronize(h C.CUstream) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	s, ok := get[*stream](d, uintptr(unsafe.Pointer(h)))
	switch {
	case r != 0:
		return r
	case !ok:
		return C.CUDA_ERROR_INVALID_HANDLE
	}
	d.Waits++
	return d.drain(s, func() bool { return true })
}

//export fake_cuEventCreate
func fake_cuEventCreate(e *C.CUevent, _ C.uint) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	*e = C.CUevent(pointer(d.handle(&event{})))
	return r
}

//export fake_cuEventDestroy
func fake_cuEventDestroy(e C.CUevent) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	delete(d.handles, uintptr(unsafe.Pointer(e)))
	return d.broken
}

//export fake_cuEventRecord
func fake_cuEventRecord(h C.CUevent, s C.CUstream) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	e, ok := get[*event](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok {
		return max(r, C.CUDA_ERROR_INVALID_HANDLE)
	}
	e.pending = true
	return d.put(s, func() { e.at, e.pending = time.Now(), false })
}

//export fake_cuEventSynchronize
func fake_cuEventSynchronize(h C.CUevent) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	e, ok := get[*event](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok {
		return max(r, C.CUDA_ERROR_INVALID_HANDLE)
	}
	d.Looks++
	for _, h := range d.handles {
		if s, ok := h.(*stream); ok {
			d.drain(s, func() bool { return e.pending })
		}
	}
	return d.broken
}

//export fake_cuEventElapsedTime
func fake_cuEventElapsedTime(ms *C.float, h, k C.CUevent) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	a, ok := get[*event](d, uintptr(unsafe.Pointer(h)))
	b, too := get[*event](d, uintptr(unsafe.Pointer(k)))
	switch {
	case r != 0 || !ok || !too:
		return max(r, C.CUDA_ERROR_INVALID_HANDLE)
	case a.at.IsZero() || b.at.IsZero():
		return C.CUDA_ERROR_NOT_READY
	}
	*ms = C.float(b.at.Sub(a.at).Seconds() * 1000)
	return 0
}
