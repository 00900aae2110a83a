package runtime

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// run runs a block and looks at what it says of itself. A block that went wrong ends the
// run, but what it printed is told before: it is there to find out why. step (negative: none)
// is for the messages.
func (r *Runner) run(b *block, step int, stop *atomic.Bool) error {
	var began [][]byte
	if r.o.CheckNumbers {
		var err error
		if began, err = b.snapshot(); err != nil {
			return err
		}
	}
	if err := b.run(stop); err != nil {
		return err
	}
	for i := range b.Outputs {
		out := &b.Outputs[i]
		if b.holds(out) {
			continue
		}
		r.printAll(b, step)
		v := little.Uint32(b.bufs[out.Buf].host)
		switch out.Kind {
		case program.OutputBound:
			help := "`x[… | v]` reads v outside; if the data are right, the axis is too short: check the sizes in `config`"
			return r.failed(b, out.Pos, step, b.outside(out, v), help)
		case program.OutputAssert:
			return r.failed(b, out.Pos, step, out.Name+b.operands(i+1), "this `assert` does not hold; nothing of the step is saved")
		default:
			return r.failed(b, out.Pos, step, notFinite(out, v), r.origin(b, began))
		}
	}
	if began != nil {
		state, err := b.newNaN(began)
		if err != nil {
			return err
		}
		if state != nil {
			r.printAll(b, step)
			return r.failed(b, r.m.program.States[state.State].Pos, step, "`"+r.m.program.States[state.State].Name+"` becomes NaN", r.origin(b, began))
		}
	}
	return nil
}

// holds reports whether an output says that all is well: one that is no check always does.
func (b *block) holds(out *program.Output) bool {
	switch out.Kind {
	case program.OutputBound:
		return int64(little.Uint32(b.bufs[out.Buf].host)) < int64(out.Limit)
	case program.OutputAssert, program.OutputFinite:
		return little.Uint32(b.bufs[out.Buf].host) == 0
	}
	return true
}

// origin says where what is no number comes from, or how to learn it.
func (r *Runner) origin(b *block, began [][]byte) string {
	data := b.oddData()
	advice := "a smaller learning rate or `clip` often helps, and a logarithm or a quotient may have met a 0"
	if data != "" {
		advice = data
	}
	if began == nil {
		return "nothing of this step is saved; the same run with --check-numbers names the line that it comes from; " + advice
	}
	found, err := b.search(r.m.program.Kernels, began)
	if err != nil {
		return err.Error()
	}
	return found.String() + "; " + advice
}

// oddData says which of the data that this run was given are no numbers; "" where all are.
func (b *block) oddData() string {
	odd := func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
	for _, in := range b.Inputs {
		buf, mem := &b.Bufs[in.Buf], b.bufs[in.Buf].host
		if in.Kind != program.InputFeed {
			continue
		}
		if at := firstOdd(buf.Elem, mem, nil, odd); at >= 0 {
			return fmt.Sprintf("the data have such numbers: `%s` from `%s.%s` is %v at [%s] of this batch",
				in.Name, in.Feed.Source, in.Feed.Split, readElem(buf.Elem, mem, at), coordinates(buf.Dims, at))
		}
	}
	return ""
}

// coordinates are the indices of element number at, row by row, with commas between.
func coordinates(dims []int, at int) string {
	text := make([]string, len(dims))
	for i := len(dims) - 1; i >= 0; i-- {
		text[i] = strconv.Itoa(at % dims[i])
		at /= dims[i]
	}
	return strings.Join(text, ", ")
}

// failed is the error of a check.
func (r *Runner) failed(b *block, at loop.Pos, step int, what, help string) error {
	if r.o.Progress != nil {
		r.o.Progress.clear()
	}
	return fmt.Errorf("%s: error: %s (%s)\n  = help: %s", at, what, b.when(step), help)
}

// when names a run of the block; step is negative where there is none.
func (b *block) when(step int) string {
	if step < 0 {
		return b.Name
	}
	return fmt.Sprintf("%s, step %d", b.Name, step)
}

// operands says where a condition does not hold, and what was compared there: the outputs from i on tell.
func (b *block) operands(i int) string {
	var place, compared []string
	sign := ""
	for ; i < len(b.Outputs) && b.Outputs[i].As == operand; i++ {
		text := b.shown(&b.Outputs[i]).number(0, 6)
		if b.Outputs[i].Name == "place" {
			place = append(place, text)
		} else {
			sign, compared = b.Outputs[i].Name, append(compared, text)
		}
	}
	text := ""
	if len(compared) == 2 {
		text = fmt.Sprintf(": %s %s %s is false", compared[0], sign, compared[1])
	}
	if len(place) > 0 {
		if text == "" {
			text = ": it is false"
		}
		text += " at [" + strings.Join(place, ", ") + "]"
	}
	return text
}

// outside says which index was where.
func (b *block) outside(out *program.Output, v uint32) string {
	text := fmt.Sprintf("index %d is outside of axis %d", int32(v), out.Axis)
	switch {
	case out.Len != nil:
		n := out.Len.Eval(func(name string) int { return b.slots[b.names[name]] })
		text = fmt.Sprintf("index %d is outside of the axis of %d", int32(v), n)
	case out.Limit > 1:
		text = fmt.Sprintf("index %d is outside of the axis of %d", int32(v), out.Limit)
	}
	if out.Name != "" {
		text += " of `" + out.Name + "`"
	}
	return text
}

func notFinite(out *program.Output, v uint32) string {
	name := "what a gradient is taken of"
	if out.Name != "" {
		name = "`" + out.Name + "`"
	}
	if v == 1 {
		return name + " is infinite"
	}
	return name + " is NaN"
}
