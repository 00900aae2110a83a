//go:build cuda

// Package fake is a CUDA driver without a GPU: its functions stand where those of the real
// driver would (sys.Pretend), and kernels run on the emulator. It is for tests.
//
// It is unfriendly where a real driver may be. What is put on a stream is done when somebody
// waits for the stream, and not before: a copy from pinned memory takes what is there then. What does not
// wait for the stream sees what was before. Nodes of a graph that do not wait for each other are done backwards. New memory holds NaN. After a kernel has gone wrong everything fails.
package fake

/*
#include "fake.h"
*/
import "C"

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"mdlc/runtime/cuda/sys"
	"mdlc/runtime/emulator"
)

// Driver is what the fake has and what became of it.
type Driver struct {
	Major, Minor int   // compute capability
	Memory       int   // bytes
	GPUs         int   // how many
	Fault        error // what the first kernel that went wrong did
	OldLinker    bool  // the linker takes no PTX, the loader does
	Assembled    int   // PTX texts, by the linker
	Loaded       int   // PTX texts, by the loader
	Launched     int   // kernels, those of graphs too
	Graphs       int   // launches of graphs
	Waits        int   // of the host, until all is done
	Looks        int   // of the host, for what is done up to an event
	Copies       int   // between host and device
	Asked        int   // what was put on a stream; a graph is one
	Changed      int   // nodes of graphs

	mu      sync.Mutex
	gpu     emulator.Device
	used    int
	blocks  map[uint64]*emulator.Buffer
	current map[int]bool // threads that have a context
	pinned  map[uintptr]int
	handles map[uintptr]any
	next    uintptr
	full    int // calls for graphs until there is no memory for them; 0: it is always there
	broken  C.CUresult
}

// The driver that the exported functions mean.
var driver *Driver

// Install makes d the driver of this process.
func (d *Driver) Install() {
	d.blocks, d.current, d.pinned, d.handles = map[uint64]*emulator.Buffer{}, map[int]bool{}, map[uintptr]int{}, map[uintptr]any{}
	driver = d
	sys.Pretend(func() { C.mdlc_fake_install() })
}

// Left is how many objects and allocations of device memory nobody has freed.
func (d *Driver) Left() int { return len(d.handles) + len(d.blocks) + len(d.pinned) }

type (
	module   struct{ code *emulator.Module }
	function struct {
		of     *module
		kernel *emulator.Kernel
		shared int // dynamic shared memory that is allowed
	}
	stream struct{ waiting []func() }
	event  struct {
		at      time.Time
		pending bool // it is recorded, and has not come yet
	}
	link struct {
		log   errorLog
		cubin unsafe.Pointer
		size  int
	}
)

// maxShared is how much shared memory a block may have: an A100's, or a Hopper's.
func (d *Driver) maxShared() C.int {
	if d.Major >= 9 {
		return 227 << 10
	}
	return 163 << 10
}

// handle gives an object a number that is no address.
func (d *Driver) handle(x any) uintptr {
	d.next += 16
	d.handles[0x10000+d.next] = x
	return 0x10000 + d.next
}

func get[T any](d *Driver, h uintptr) (x T, ok bool) {
	x, ok = d.handles[h].(T)
	return x, ok
}

// enter locks the driver; what needs a context fails in a thread that has none.
func enter(context bool) (*Driver, C.CUresult) {
	d := driver
	d.mu.Lock()
	if d.broken != 0 {
		return d, d.broken
	}
	if context && !d.current[unix.Gettid()] {
		return d, C.CUDA_ERROR_INVALID_CONTEXT
	}
	return d, C.CUDA_SUCCESS
}

// put puts work on a stream.
func (d *Driver) put(h C.CUstream, work ...func()) C.CUresult {
	s, ok := get[*stream](d, uintptr(unsafe.Pointer(h)))
	if !ok {
		return C.CUDA_ERROR_INVALID_HANDLE
	}
	d.Asked++
	s.waiting = append(s.waiting, work...)
	return C.CUDA_SUCCESS
}

// drain does what waits on a stream, as long as more holds.
func (d *Driver) drain(s *stream, more func() bool) C.CUresult {
	for len(s.waiting) > 0 && more() {
		work := s.waiting[0]
		if s.waiting = s.waiting[1:]; d.broken == 0 {
			work()
		}
	}
	return d.broken
}

// Full lets the driver have no memory for graphs at that call for them from now on, and after it; 0: it has.
func (d *Driver) Full(calls int) { d.full = calls }

// forGraphs is enter for what takes memory for graphs.
func forGraphs() (*Driver, C.CUresult) {
	d, r := enter(true)
	if d.full > 1 {
		d.full--
	} else if r == 0 && d.full == 1 {
		r = C.CUDA_ERROR_OUT_OF_MEMORY
	}
	return d, r
}

// drop frees an object and those that are of it.
func drop[T any](d *Driver, h uintptr, of func(x any, whole T) bool) C.CUresult {
	whole, ok := get[T](d, h)
	if !ok {
		return C.CUDA_ERROR_INVALID_HANDLE
	}
	for part, x := range d.handles {
		if of(x, whole) {
			delete(d.handles, part)
		}
	}
	delete(d.handles, h)
	return d.broken
}

func bytesAt(p unsafe.Pointer, n C.size_t) []byte { return unsafe.Slice((*byte)(p), int(n)) }
