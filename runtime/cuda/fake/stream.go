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
	case d.capturing():
		return C.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED
	}
	return d.drain(s)
}

//export fake_cuStreamBeginCapture
func fake_cuStreamBeginCapture(h C.CUstream, _ C.CUstreamCaptureMode) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	s, ok := get[*stream](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok || s.recording != nil {
		return max(r, C.CUDA_ERROR_ILLEGAL_STATE)
	}
	s.recording = &graph{}
	return 0
}

//export fake_cuStreamEndCapture
func fake_cuStreamEndCapture(h C.CUstream, g *C.CUgraph) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	s, ok := get[*stream](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok || s.recording == nil {
		return max(r, C.CUDA_ERROR_ILLEGAL_STATE)
	}
	made := s.recording
	s.recording = nil
	if made.invalid {
		*g = nil
		return C.CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
	}
	*g = C.CUgraph(pointer(d.handle(made)))
	return 0
}

//export fake_cuGraphInstantiate
func fake_cuGraphInstantiate(e *C.CUgraphExec, h C.CUgraph, _ C.ulonglong) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	g, ok := get[*graph](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok {
		return max(r, C.CUDA_ERROR_INVALID_HANDLE)
	}
	*e = C.CUgraphExec(pointer(d.handle(&graph{work: g.work})))
	return 0
}

//export fake_cuGraphDestroy
func fake_cuGraphDestroy(g C.CUgraph) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	delete(d.handles, uintptr(unsafe.Pointer(g)))
	return d.broken
}

//export fake_cuGraphExecDestroy
func fake_cuGraphExecDestroy(g C.CUgraphExec) C.CUresult {
	return fake_cuGraphDestroy(C.CUgraph(unsafe.Pointer(g)))
}

//export fake_cuGraphLaunch
func fake_cuGraphLaunch(h C.CUgraphExec, s C.CUstream) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	g, ok := get[*graph](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok {
		return max(r, C.CUDA_ERROR_INVALID_HANDLE)
	}
	d.Graphs++
	for _, work := range g.work {
		if r := d.put(s, work); r != 0 {
			return r
		}
	}
	return 0
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
	return d.put(s, func() { e.at = time.Now() })
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
