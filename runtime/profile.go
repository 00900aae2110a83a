package runtime

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// profile adds up the time that each kernel takes.
type profile struct{ times []kernelTime }

type kernelTime struct {
	kernel, launches int
	total            time.Duration
}

// add counts a launch and how long the device needs for it.
func (p *profile) add(kernel int, d device, launch func() error) error {
	took, err := d.measure(launch)
	p.times[kernel].launches++
	p.times[kernel].total += took
	return err
}

// shownKernels bounds the table.
const shownKernels = 20

// WriteProfile prints the kernels that took longest: share of the time in
// kernels, time, launches, time a launch, name and source line.
func (m *Model) WriteProfile(w io.Writer) {
	if m.profile == nil {
		return
	}
	times := slices.Clone(m.profile.times)
	sum := time.Duration(0)
	for i := range times {
		times[i].kernel = i
		sum += times[i].total
	}
	slices.SortStableFunc(times, func(a, b kernelTime) int { return int(b.total - a.total) })
	fmt.Fprintf(w, "%.3f s in kernels\n", sum.Seconds())
	for _, t := range times[:min(len(times), shownKernels)] {
		if t.launches == 0 {
			break
		}
		k, from := m.program.Kernels[t.kernel], "-"
		if len(k.Pos) > 0 {
			from = k.Pos[0].String()
		}
		fmt.Fprintf(w, "%5.1f%% %9.3f s %8d × %9.1f µs  %s  %s\n", 100*t.total.Seconds()/sum.Seconds(), t.total.Seconds(), t.launches,
			float64(t.total.Nanoseconds())/1000/float64(t.launches), k.Name, from)
	}
}
