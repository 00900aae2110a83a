package runtime

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Measurement is what runs of one entry took.
type Measurement struct {
	Title    string          // of the entry
	Times    []time.Duration // of the runs, ascending
	Rows     int             // of data that a run reads; 0: none
	Launches int             // of kernels in a run

	// Floating-point operations of the products of a run, and the bytes that its kernels must at least move.
	Products, Bytes float64
	AtMost          bool // launches have lengths that are known only when they run: they do no more than this

	tensor float64         // of the products, those on tensor cores
	moved  map[float64]int // launches, by the bytes that they move
}

// Multiplying is what a run takes at least for its products.
func (m *Measurement) Multiplying(peak Ceilings) (seconds float64) {
	if peak.Tensor == 0 {
		return m.Products / peak.Flops
	}
	return (m.Products-m.tensor)/peak.Flops + m.tensor/peak.Tensor
}

// Moving is what a run takes at least to move its bytes, one launch after the other.
func (m *Measurement) Moving(peak Ceilings) (seconds float64) {
	for bytes, n := range m.moved {
		seconds += float64(n) * bytes / peak.bandwidth(bytes)
	}
	return seconds
}

// Quantile is the time that a share q of the runs did not take longer than; between two runs it lies between their times.
func (m *Measurement) Quantile(q float64) time.Duration {
	at := q * float64(len(m.Times)-1)
	i := min(int(at), len(m.Times)-1)
	next := m.Times[min(i+1, len(m.Times)-1)]
	return m.Times[i] + time.Duration((at-float64(i))*float64(next-m.Times[i]))
}

// warmUps are runs before those that count: the first touch memory, and a GPU's are recorded.
const warmUps = 3

// Measure runs an entry some times, from the model's first values and on its data, and writes nothing.
// What a run changes the next goes on with, as in training.
func (r *Runner) Measure(kind, name string, flags []FlagValue, rounds int) (*Measurement, error) {
	w, err := r.Stopwatch(kind, name, flags)
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	m := &Measurement{Title: w.e.title(), moved: map[float64]int{}}
	for range rounds {
		took, err := w.Run()
		if err != nil {
			return nil, err
		}
		m.Times = append(m.Times, took)
	}
	slices.Sort(m.Times)
	for _, f := range w.in.feeds {
		m.Rows = max(m.Rows, f.batch)
	}
	m.count(r.m, w.e.block, w.e.block.steps[w.e.block.Settled:], 1)
	return m, nil
}

// Stopwatch runs an entry again and again, and tells what each run took.
type Stopwatch struct {
	r    *Runner
	e    *entry
	in   *inputs
	feed *prefetch
	runs int
}

// Stopwatch starts with the model's first values, and with runs that do not count.
func (r *Runner) Stopwatch(kind, name string, flags []FlagValue) (*Stopwatch, error) {
	e, in, err := r.measured(kind, name, flags)
	if err != nil {
		return nil, err
	}
	if err := r.init(); err != nil {
		return nil, err
	}
	w := &Stopwatch{r: r, e: e, in: in, feed: startPrefetch(in, 0, math.MaxInt)}
	for range warmUps {
		if _, err := w.Run(); err != nil {
			w.Stop()
			return nil, err
		}
	}
	return w, nil
}

// Run runs the entry once, on the next batch of its data.
func (w *Stopwatch) Run() (time.Duration, error) {
	began := time.Now()
	w.feed.next()
	w.in.setStep(w.runs)
	w.runs++
	err := w.r.run(w.e.block, w.runs, w.r.o.Stop)
	return time.Since(began), err
}

// Stop ends what prepares further batches.
func (w *Stopwatch) Stop() { w.feed.stop() }

// CheckMeasure tells whether Measure will find the entry, its flags and its data. It needs no weights: how fast
// a model is does not depend on them.
func (r *Runner) CheckMeasure(kind, name string, flags []FlagValue) error {
	_, _, err := r.measured(kind, name, flags)
	return err
}

func (r *Runner) measured(kind, name string, flags []FlagValue) (*entry, *inputs, error) {
	e, err := r.m.find(kind, name)
	if err != nil {
		return nil, nil, err
	}
	if err := r.checkFlags(e, flags); err != nil {
		return nil, nil, err
	}
	in, err := r.sampleInputs(e, flags)
	return e, in, err
}

// count adds up what steps, each made n times, do.
func (m *Measurement) count(of *Model, b *block, steps []step, n int) {
	for i := range steps {
		if t := steps[i].loop; t != nil {
			turns := t.count.eval(b.slots)
			if t.while.exists() {
				turns = b.slots[t.made]
			}
			m.count(of, b, t.steps, n*turns)
			continue
		}
		k := &of.program.Kernels[steps[i].launch.kernel]
		m.Launches += n
		m.AtMost = m.AtMost || steps[i].launch.varies()
		m.Products += float64(n) * k.Products
		if k.Tensor {
			m.tensor += float64(n) * k.Products
		}
		m.Bytes += float64(n) * k.Bytes
		m.moved[k.Bytes] += n
	}
}

// MeasureCeilings runs the samples of codegen.Ceilings. What a machine can do is what it did in the best of the rounds.
func (m *Model) MeasureCeilings(rounds int) (peak Ceilings, err error) {
	r := NewRunner(m, Options{})
	for _, e := range m.entries {
		got, err := r.Measure("sample", e.Name, nil, rounds)
		if err != nil {
			return Ceilings{}, fmt.Errorf("what this machine can do at most: %w", err)
		}
		seconds := got.Quantile(0).Seconds()
		switch e.Name {
		case "multiply":
			peak.Flops = got.Products / seconds
		case "multiply_tensor":
			peak.Tensor = got.Products / seconds
		default:
			peak.add(Bandwidth{Touched: got.Bytes / float64(got.Launches), Rate: got.Bytes / seconds})
		}
	}
	return peak, nil
}

// add counts what has passed. It can pass where fewer bytes are touched, too.
func (c *Ceilings) add(b Bandwidth) {
	c.Bytes = append(c.Bytes, b)
	slices.SortStableFunc(c.Bytes, func(x, y Bandwidth) int { return cmp.Compare(x.Touched, y.Touched) })
	for i := len(c.Bytes) - 2; i >= 0; i-- {
		c.Bytes[i].Rate = max(c.Bytes[i].Rate, c.Bytes[i+1].Rate)
	}
}
