package runtime

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mdlc/ir/index"
	"mdlc/runtime/program"
)

// Ceilings are what a machine can do at most in a second. The zero value: it is not known.
type Ceilings struct {
	Flops  float64     // operations in registers
	Tensor float64     // of tensor cores; 0: there are none
	Bytes  []Bandwidth // read and written, by how many are touched again and again: ascending, the last ones are in no cache
}

// Bandwidth is how many bytes pass in a second where a launch touches Touched.
type Bandwidth struct{ Touched, Rate float64 }

// flops are the operations that a kernel's products can be at most.
func (c Ceilings) flops(k *program.Kernel) float64 {
	if k.Tensor && c.Tensor > 0 {
		return c.Tensor
	}
	return c.Flops
}

// Memory is what passes where no cache helps.
func (c Ceilings) Memory() float64 {
	if c.Bytes == nil {
		return 0
	}
	return c.Bytes[len(c.Bytes)-1].Rate
}

// bandwidth is what can pass at most for a launch that touches so many bytes: what has passed with as many or fewer, and so nearer ones.
func (c Ceilings) bandwidth(touched float64) float64 {
	rate := c.Bytes[0].Rate
	for _, b := range c.Bytes {
		if b.Touched <= touched {
			rate = b.Rate
		}
	}
	return rate
}

// profile adds up the time that each kernel takes, and keeps when the last launches were.
type profile struct {
	times []kernelTime
	began time.Time
	spans []span // a ring once it is full
	count int    // of all spans so far
}

type kernelTime struct {
	kernel, launches int
	total            time.Duration
	lengths          bool          // its work depends on lengths: what is known of it is the most that it can be
	first            int           // launches that were the first of their place in the program, and so found memory and code that nobody had touched
	touching         time.Duration // that they took
}

// warm is t without what was first, which took 18 times as long where a system had yet to find 8 MB of pages; where nothing came after, that is all there is.
func (t kernelTime) warm() kernelTime {
	if t.launches > t.first {
		t.launches, t.total = t.launches-t.first, t.total-t.touching
		t.first, t.touching = 0, 0
	}
	return t
}

// span is a launch, or a run of a block that made launches.
type span struct {
	kernel     int    // -1: a run
	block      string // of a run
	from, took time.Duration
}

// keptSpans bounds the trace: some 30 MB as a file.
const keptSpans = 1 << 18

func newProfile(kernels int) *profile {
	return &profile{times: make([]kernelTime, kernels), began: time.Now()}
}

func (p *profile) keep(s span) {
	if len(p.spans) < keptSpans {
		p.spans = append(p.spans, s)
	} else {
		p.spans[p.count%keptSpans] = s
	}
	p.count++
}

// add counts a launch and how long the device needs for it.
func (p *profile) add(l *launch, d device, launch func() error) error {
	from := time.Since(p.began)
	took, err := d.measure(launch)
	t := &p.times[l.kernel]
	t.launches++
	t.total += took
	if !l.launched {
		l.launched = true
		t.first++
		t.touching += took
	}
	t.lengths = t.lengths || l.varies()
	p.keep(span{kernel: l.kernel, from: from, took: took})
	return err
}

// varies reports whether the launch has lengths that are known only when it runs: its kernel's work is then the most that it can be.
func (l *launch) varies() bool {
	return slices.ContainsFunc(l.src.Lens, func(e *index.Expr) bool { _, known := e.Const(); return !known })
}

// around makes a run of a block a span around its launches. A nil profile only makes it.
func (p *profile) around(block string, run func() error) error {
	if p == nil {
		return run()
	}
	from := time.Since(p.began)
	err := run()
	p.keep(span{kernel: -1, block: block, from: from, took: time.Since(p.began) - from})
	return err
}

// shownKernels bounds the table.
const shownKernels = 20

// roof is the share of the roofline that a launch of so many seconds reaches: what its products take in registers or its buffers
// in a copy, whichever is longer, over what it took. nil: there is no telling.
func (m *Model) roof(t kernelTime, peak Ceilings) *float64 {
	if t.lengths || peak.Bytes == nil || t.total == 0 {
		return nil
	}
	k := &m.program.Kernels[t.kernel]
	share := max(k.Products/peak.flops(k), k.Bytes/peak.bandwidth(k.Bytes)) * float64(t.launches) / t.total.Seconds()
	return &share
}

// WriteProfile prints the kernels that took longest: share of the time in kernels, time, launches, time a launch, what
// its products and its memory reach a second and the share of the roofline, name and source line. The work of a kernel whose lengths come with the run is not known.
func (m *Model) WriteProfile(w io.Writer, peak Ceilings) {
	if m.profile == nil {
		return
	}
	times := slices.Clone(m.profile.times)
	sum, left := time.Duration(0), time.Duration(0)
	for i, t := range times {
		times[i] = t.warm()
		times[i].kernel = i
		sum += times[i].total
		left += t.total - times[i].total
	}
	slices.SortStableFunc(times, func(a, b kernelTime) int { return int(b.total - a.total) })
	unit, of := "s ", 1.0
	if sum < time.Second {
		unit, of = "ms", 1e3
	}
	fmt.Fprintf(w, "%.3f %s in kernels", of*sum.Seconds(), strings.TrimSpace(unit))
	if peak.Bytes != nil {
		fmt.Fprintf(w, "; the roof is %.4g GFLOP/s, ", peak.Flops/1e9)
		if peak.Tensor > 0 {
			fmt.Fprintf(w, "%.4g of tensor cores, ", peak.Tensor/1e9)
		}
		fmt.Fprintf(w, "%.4g GB/s in memory and up to %.4g GB/s in caches", peak.Memory()/1e9, peak.Bytes[0].Rate/1e9)
	}
	if left > 0 {
		fmt.Fprintf(w, "\nwithout the first launches, which found memory that nobody had touched and took %.3f %s", of*left.Seconds(), strings.TrimSpace(unit))
	}
	fmt.Fprintf(w, "\n%6s %12s %8s   %12s %8s %8s %5s\n", "", "time", "launches", "each", "GFLOP/s", "GB/s", "roof")
	varies := false
	for _, t := range times[:min(len(times), shownKernels)] {
		if t.launches == 0 {
			break
		}
		varies = varies || t.lengths
		k, from := &m.program.Kernels[t.kernel], "-"
		if len(k.Pos) > 0 {
			from = k.Pos[0].Trail()
		}
		each := t.total.Seconds() / float64(t.launches)
		rate := func(work float64) string {
			if t.lengths || work == 0 {
				return ""
			}
			return fmt.Sprintf("%.1f", work/each/1e9)
		}
		roof := ""
		if share := m.roof(t, peak); share != nil {
			roof = fmt.Sprintf("%.0f%%", 100**share)
		}
		fmt.Fprintf(w, "%5.1f%% %9.3f %s %8d × %9.1f µs %8s %8s %5s  %s  %s\n", 100*t.total.Seconds()/sum.Seconds(), of*t.total.Seconds(), unit, t.launches,
			1e6*each, rate(k.Products), rate(k.Bytes), roof, k.Name, from)
	}
	if varies {
		fmt.Fprintln(w, "without rates: kernels whose lengths are known only when they run, and so their work")
	}
}

// traceEvent is an event of the format that Perfetto and browsers read, with times in microseconds.
type traceEvent struct {
	Name  string     `json:"name"`
	Phase string     `json:"ph"` // X: a span
	From  float64    `json:"ts"`
	Took  float64    `json:"dur"`
	PID   int        `json:"pid"`
	TID   int        `json:"tid"`
	Args  *traceArgs `json:"args,omitempty"`
}

// traceArgs is what a trace tells of a launch besides.
type traceArgs struct {
	Line  string   `json:"line,omitempty"`
	GFLOP *float64 `json:"GFLOP,omitempty"` // of products; nil: it depends on lengths
	GB    *float64 `json:"GB,omitempty"`    // moved at least
	Roof  *float64 `json:"roof,omitempty"`  // its share of the roofline
}

// trace is the file.
type trace struct {
	Unit   string       `json:"displayTimeUnit"`
	Events []traceEvent `json:"traceEvents"`
}

// WriteTrace writes the last launches and the runs around them, each with its line and work, as a trace.
func (m *Model) WriteTrace(w io.Writer, peak Ceilings) error {
	args := make([]traceArgs, len(m.program.Kernels))
	for i, t := range m.profile.times {
		k := &m.program.Kernels[i]
		if len(k.Pos) > 0 {
			args[i].Line = k.Pos[0].Trail()
		}
		if t.kernel = i; !t.lengths {
			products, moved := k.Products/1e9, k.Bytes/1e9
			args[i].GFLOP, args[i].GB = &products, &moved
		}
		args[i].Roof = m.roof(t.warm(), peak)
	}
	micro := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	events := make([]traceEvent, len(m.profile.spans))
	for i, s := range m.profile.spans {
		e := traceEvent{Name: s.block, Phase: "X", From: micro(s.from), Took: micro(s.took), PID: 1, TID: 1}
		if s.kernel >= 0 {
			e.Name, e.Args = m.program.Kernels[s.kernel].Name, &args[s.kernel]
		}
		events[i] = e
	}
	return json.NewEncoder(w).Encode(trace{"ns", events})
}
