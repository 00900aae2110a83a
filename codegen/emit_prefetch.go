package codegen

import (
	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// cacheLine is the bytes that a prefetch brings.
const cacheLine = 64

// ahead is a load of the present row whose place in the next row is fetched.
type ahead struct {
	row  *loop.Axis
	load *loop.Value
}

// planAhead notes for the dearest sweep in the loop f over a row, in all of its parts, what it
// fetches: there the memory has time.
func (e *emitter) planAhead(f *loop.For) {
	for _, o := range e.k.Opts {
		if o.Kind != schedule.Prefetch || o.Word != f.Axis.Name {
			continue
		}
		load := e.loadOf(f.Body, o.Axis)
		if load == nil {
			continue
		}
		for _, s := range schedule.DearestSweep(f.Body) {
			e.ahead[s] = append(e.ahead[s], ahead{f.Axis, load})
		}
	}
}

// loadOf is the first load of the buffer with a name.
func (e *emitter) loadOf(body []loop.Stmt, name string) *loop.Value {
	var found *loop.Value
	eachValue(body, func(v *loop.Value) {
		if found == nil && v.Op == loop.Load && v.Buf.Name == name {
			found = v
		}
	})
	return found
}

// fetchAhead fetches what the next row has where the loop f is now. The row after the last one lies
// outside the buffer at times; fetching it does no harm.
func (e *emitter) fetchAhead(f *loop.For) {
	for _, a := range e.ahead[f] {
		old := e.bind[a.row]
		e.bind[a.row] = binding{v: old.v, off: old.off + 1}
		step := max(e.lanes(a.load), 1) * a.load.Elem.Size()
		at := 0
		e.each(a.load.Axes, func() {
			if at%cacheLine < step {
				e.b.Prefetch(e.place(a.load.Buf, a.load.Args).base)
			}
			at += step
		})
		e.bind[a.row] = old
	}
}
