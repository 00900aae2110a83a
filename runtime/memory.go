// Package runtime runs programs: it loads their code, holds their memory,
// feeds them data, trains, evaluates and samples, and saves what they learnt.
package runtime

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	alignment = 64 // a cache line and the widest vector
	hugePage  = 2 << 20
)

func alignUp(n, to int) int { return (n + to - 1) / to * to }

// region is zeroed memory outside the Go heap, handed out in aligned pieces.
type region struct {
	data []byte
	used int
}

func newRegion(size int) (*region, error) {
	size = alignUp(max(size, 1), hugePage)
	// The host's side of a GPU's memory may be larger than the host's own: most of it is never touched.
	data, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("cannot allocate %s: %w", byteSize(int64(size)), err)
	}
	// Without huge pages the code is slower, not wrong.
	_ = unix.Madvise(data, unix.MADV_HUGEPAGE)
	return &region{data: data}, nil
}

// take returns the next n bytes, aligned. Running out is a fault of the caller's sum.
func (r *region) take(n int) []byte {
	b := r.data[r.used : r.used+n : r.used+n]
	r.used += alignUp(n, alignment)
	return b
}

func (r *region) free() {
	if r.data != nil {
		_ = unix.Munmap(r.data)
		r.data = nil
	}
}

func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// checkMemory refuses before anything is allocated.
func checkMemory(need int64) error {
	have, ok := availableMemory()
	if ok && need > have {
		return fmt.Errorf("this program needs %s of memory and %s are available: a smaller batch or a smaller model would fit", byteSize(need), byteSize(have))
	}
	return nil
}

// availableMemory is what the kernel says can be had without swapping, within the limit of
// this process's control group. What the group holds already is not taken off: most of that
// are files that give way.
func availableMemory() (int64, bool) {
	for line := range strings.Lines(readText("/proc/meminfo")) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			have := int64(number(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))) << 10
			if most, limited := memoryLimit(controlGroups("/sys/fs/cgroup", "/proc/self/cgroup", "memory")); limited {
				have = min(have, most)
			}
			return have, have > 0
		}
	}
	return 0, false
}

func byteSize(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
