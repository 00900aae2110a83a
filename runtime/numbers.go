package runtime

import (
	"bytes"
	"cmp"
	"fmt"
	"math"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// A numberSearch finds the launch of a step that first made a NaN, or an infinity where there is
// none. A step that went wrong is run again for it, from the memory that it began with.
type numberSearch struct {
	kernels []program.Kernel
	before  [][]byte // of the launch that runs, its buffers
	nan     *foundNumber
	inf     *foundNumber
}

// foundNumber is a value that is no number, and where it came from.
type foundNumber struct {
	kernel *program.Kernel
	value  float64
	name   string // of the buffer
}

// keepsBetweenRuns reports whether a buffer's memory says where a run begins.
func keepsBetweenRuns(h program.Home) bool {
	return h == program.HomeState || h == program.HomeInput
}

// snapshot copies what the block's next run begins with.
func (b *block) snapshot() ([][]byte, error) {
	if err := b.pullStates(); err != nil {
		return nil, err
	}
	out := make([][]byte, len(b.Bufs))
	for i := range b.Bufs {
		if keepsBetweenRuns(b.Bufs[i].Home) {
			out[i] = bytes.Clone(b.bufs[i].host)
		}
	}
	return out, nil
}

// pullStates brings the states that the block knows to the host.
func (b *block) pullStates() error {
	for i := range b.Bufs {
		if b.Bufs[i].Home == program.HomeState {
			if err := b.device.pull(b.bufs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// newNaN is a state that has a NaN and had none in the snapshot.
func (b *block) newNaN(began [][]byte) (*program.Buffer, error) {
	if err := b.pullStates(); err != nil {
		return nil, err
	}
	for i := range b.Bufs {
		buf := &b.Bufs[i]
		if buf.Home == program.HomeState && firstOdd(buf.Elem, b.bufs[i].host, nil, math.IsNaN) >= 0 && firstOdd(buf.Elem, began[i], nil, math.IsNaN) < 0 {
			return buf, nil
		}
	}
	return nil, nil
}

// search runs the block again from a snapshot, looking at what every launch writes.
func (b *block) search(kernels []program.Kernel, began [][]byte) (*numberSearch, error) {
	for i, mem := range began {
		p := b.bufs[i]
		switch h := b.Bufs[i].Home; {
		case h == program.HomeArena, h == program.HomeKept:
			clear(p.host) // what the first run left there would look as if it were not written
		case keepsBetweenRuns(h):
			copy(p.host, mem)
		default:
			continue
		}
		if err := b.device.push(p); err != nil {
			return nil, err
		}
	}
	b.seen = 0 // what is settled is looked at, too
	b.numbers = &numberSearch{kernels: kernels}
	err := b.run(nil)
	s := b.numbers
	b.numbers = nil
	return s, err
}

func (s *numberSearch) String() string {
	switch {
	case s.nan != nil && s.inf != nil:
		return s.inf.String() + ", " + s.nan.String()
	case s.nan != nil:
		return s.nan.String()
	case s.inf != nil:
		return s.inf.String()
	}
	return "what the step reads holds it already, or it is made where it is checked"
}

func (f *foundNumber) String() string {
	text := fmt.Sprintf("the first %v is in `%s`", f.value, f.name)
	if len(f.kernel.Pos) > 0 {
		text += ", made at " + f.kernel.Pos[0].Trail()
	}
	return text
}

// place is the line of the user's files that made the number.
func (f *foundNumber) place() string {
	if len(f.kernel.Pos) == 0 {
		return loop.Pos{}.String()
	}
	return cmp.Or(f.kernel.Pos[0].From, f.kernel.Pos[0].String())
}

// checkNumbers runs a sample again, which has no loss to tell of it, and looks for what is no number. A NaN is wrong wherever it
// is, since what is drawn or chosen by it is a number again; an infinity only where it is shown, for logits and
// least values may well be infinite on their way.
func (r *Runner) checkNumbers(e *entry, began [][]byte) error {
	s, err := e.block.search(r.m.program.Kernels, began)
	const help = "a logarithm or a quotient may have met a 0"
	switch {
	case err != nil:
		return err
	case s.nan != nil:
		return fmt.Errorf("%s: error: a NaN is made here (%s)\n  = help: %v; %s", s.nan.place(), e.title(), s, help)
	case s.inf == nil:
		return nil
	case e.block.showsInfinity():
		return fmt.Errorf("%s: error: an infinity is made here, and one is shown (%s)\n  = help: %v; %s", s.inf.place(), e.title(), s, help)
	}
	r.o.Progress.Line("warning: %s: %v; no infinity is shown", e.title(), s)
	return nil
}

// showsInfinity reports whether b shows an infinity above all numbers.
func (b *block) showsInfinity() bool {
	for i := range b.Outputs {
		if out := &b.Outputs[i]; out.Kind == program.OutputShow {
			s := b.shown(out)
			if firstOdd(s.elem, s.mem, nil, infinite) >= 0 {
				return true
			}
		}
	}
	return false
}

func infinite(x float64) bool { return math.IsInf(x, 1) }

// start notes what the buffers of a launch hold. The host has it: the search pushed it, or pulled it after the launch that wrote it.
func (s *numberSearch) start(b *block, l *launch) {
	s.before = s.before[:0]
	for _, r := range l.src.Args {
		s.before = append(s.before, bytes.Clone(b.bufs[r.Buf].host))
	}
}

// end looks at the elements that the launch changed.
func (s *numberSearch) end(b *block, l *launch) error {
	for i, r := range l.src.Args {
		if err := b.device.pull(b.bufs[r.Buf]); err != nil {
			return err
		}
		buf, mem := &b.Bufs[r.Buf], b.bufs[r.Buf].host
		if bytes.Equal(mem, s.before[i]) {
			continue
		}
		note := func(have **foundNumber, odd func(float64) bool) {
			if *have != nil {
				return
			}
			if at := firstOdd(buf.Elem, mem, s.before[i], odd); at >= 0 {
				*have = &foundNumber{&s.kernels[l.kernel], readElem(buf.Elem, mem, at), buf.Name}
			}
		}
		if s.nan == nil { // what comes after a NaN says nothing
			note(&s.inf, infinite)
		}
		note(&s.nan, math.IsNaN)
	}
	return nil
}

// spoilt is a param that has a NaN; nil: there is none.
func (m *Model) spoilt() (*program.State, error) {
	if err := m.pullStates(); err != nil {
		return nil, err
	}
	for i := range m.program.States {
		if s := &m.program.States[i]; s.Kind == program.Param && hasNaN(s.Elem, m.states[i].host) {
			return s, nil
		}
	}
	return nil, nil
}

func hasNaN(e loop.Elem, mem []byte) bool {
	if e != loop.F32 {
		return firstOdd(e, mem, nil, math.IsNaN) >= 0
	}
	const infinity = 0x7f800000
	for i := 0; i < len(mem); i += 4 {
		if little.Uint32(mem[i:])&(1<<31-1) > infinity {
			return true
		}
	}
	return false
}

// firstOdd is the first element of mem for which odd holds and that differs from old, where there is old; -1: none.
func firstOdd(e loop.Elem, mem, old []byte, odd func(float64) bool) int {
	if !e.IsFloat() {
		return -1
	}
	size := e.Size()
	for i := range len(mem) / size {
		if (old == nil || !bytes.Equal(mem[i*size:][:size], old[i*size:][:size])) && odd(readElem(e, mem, i)) {
			return i
		}
	}
	return -1
}
