package schedule

import (
	"errors"
	"fmt"
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Step skew, before (i runs from 0 to 16, the last sweep over j needs d, the sum of the row):
//
//	for i { m = …   for j { E[j] = exp(X[i,j] - m) }   d = …   for j { Y[i,j] = E[j] / d } }
//
// after Skew i, the last sweep of a row running inside the dearest sweep of the next one:
//
//	d0 = for i in 0..1 carry d = 0.0 { m = …   for j { E[i%2,j] = exp(X[i,j] - m) }   yield … }
//	d1 = for i in 1..16 carry d = d0 {
//	  m = …   for j { E[i%2,j] = exp(X[i,j] - m)   Y[i - 1,j] = E[(i + 1)%2,j] / d }   yield … }
//	for i in 15..16 { Y[i,j] = E[i%2,j] / d1 }
//
// What the last sweep takes from its row is carried if it is a number, and kept in two panels
// in turn if it is a panel.

// run is the loops of one sweep: a main loop and the edge loops that go on where it ends.
type run struct {
	at   int // of the first in the body around them
	fors []*loop.For
}

// runs are the sweeps among the statements of a body.
func runs(body []loop.Stmt) []run {
	x := newIndices()
	var out []run
	for i, s := range body {
		f, ok := s.(*loop.For)
		if !ok {
			continue
		}
		if n := len(out); n > 0 && out[n-1].at+len(out[n-1].fors) == i {
			if last := out[n-1].fors[i-1-out[n-1].at]; last.Axis == f.Axis && last.Hi != nil && f.Lo != nil && index.Equal(x.of(last.Hi), x.of(f.Lo)) {
				out[n-1].fors = append(out[n-1].fors, f)
				continue
			}
		}
		out = append(out, run{i, []*loop.For{f}})
	}
	return out
}

// DearestSweep is the loops of the sweep of a body that costs most at a point, the last of several.
func DearestSweep(body []loop.Stmt) []*loop.For {
	var dearest []*loop.For
	most := 0.0
	for _, r := range runs(body) {
		if c := r.cost(); c >= most {
			dearest, most = r.fors, c
		}
	}
	return dearest
}

// simple reports whether the loops hold Lets and Stores only.
func (r run) simple() bool {
	for _, f := range r.fors {
		if _, ok := equations(f.Body); !ok {
			return false
		}
	}
	return true
}

func (r run) carries() bool {
	for _, f := range r.fors {
		if len(f.Carry) > 0 {
			return true
		}
	}
	return false
}

func (r run) stmts() []loop.Stmt {
	var out []loop.Stmt
	for _, f := range r.fors {
		out = append(out, f)
	}
	return out
}

// cost is what a point of the sweep costs, in its main loop: what varies along it.
func (r run) cost() float64 {
	deps := newDepends()
	var all []*loop.Value
	f := r.fors[0]
	eachStmt([]loop.Stmt{f}, func(_ loop.Stmt, vs []*loop.Value) { all = append(all, vs...) })
	total := 0.0
	walk(all, func(v *loop.Value) {
		axes := deps.value(v)
		if v.Elem != loop.I64 && (loop.Has(axes, f.Axis) || len(openAxes(axes)) > 0) {
			total += v.Op.Info().Cost
		}
	})
	return total
}

// along reports whether two sweeps make the same turns.
func (r run) along(x *indices, o run) bool {
	if len(r.fors) != len(o.fors) {
		return false
	}
	for i, f := range r.fors {
		lo, hi := span(x, f)
		lo1, hi1 := span(x, o.fors[i])
		if f.Axis != o.fors[i].Axis || !index.Equal(lo, lo1) || !index.Equal(hi, hi1) {
			return false
		}
	}
	return true
}

// varies reports whether the sweep's bounds depend on axis a.
func (r run) varies(a *loop.Axis) bool {
	deps := newDepends()
	for _, f := range r.fors {
		for _, v := range []*loop.Value{f.Lo, f.Hi, f.Axis.Extent} {
			if v != nil && loop.Has(deps.value(v), a) {
				return true
			}
		}
	}
	return false
}

// span is the range of a loop.
func span(x *indices, f *loop.For) (lo, hi *index.Expr) {
	lo, hi = index.C(0), x.of(f.Axis.Extent)
	if f.Lo != nil {
		lo = x.of(f.Lo)
	}
	if f.Hi != nil {
		hi = x.of(f.Hi)
	}
	return lo, hi
}

// rowLoop is a loop over rows whose last sweep can run one row late.
type rowLoop struct {
	x       *indices
	f       *loop.For
	runs    []run
	late    run                  // the last sweep
	host    run                  // the sweep of the next row that it joins
	outer   map[*loop.Value]bool // what statements of the row define
	carried []*loop.Value        // those that late takes
	panels  []*loop.Buffer       // that late reads
}

// rowLoopOf finds out whether and how the last sweep of f, a loop of k, can be delayed.
func rowLoopOf(k *loop.Kernel, f *loop.For) (*rowLoop, error) {
	r := &rowLoop{x: newIndices(), f: f, runs: runs(f.Body), outer: map[*loop.Value]bool{}}
	n := len(r.runs)
	switch {
	case len(f.Carry) > 0:
		return nil, errors.New("the loop carries values")
	case n < 2:
		return nil, errors.New("the loop has no two sweeps")
	}
	r.late = r.runs[n-1]
	if r.late.at+len(r.late.fors) != len(f.Body) || !r.late.simple() || r.late.carries() {
		return nil, errors.New("the loop does not end with a sweep that only stores")
	}
	if r.late.varies(f.Axis) {
		return nil, errors.New("the turns of the last sweep differ from row to row")
	}
	lo, hi := span(r.x, f)
	if least, _ := r.x.rng(index.Sub(hi, lo).SimplifyIn(r.x.bound)); least < 1 {
		return nil, errors.New("the loop may make no turn")
	}
	best := -1.0
	for _, o := range r.runs[:n-1] {
		if c := o.cost(); o.simple() && o.along(r.x, r.late) && c > best {
			r.host, best = o, c
		}
	}
	if best < 0 {
		return nil, errors.New("no other sweep makes the turns of the last one")
	}
	for _, s := range f.Body[:r.late.at] {
		switch s := s.(type) {
		case *loop.Let:
			r.outer[s.Val] = true
		case *loop.For:
			for _, c := range s.Carry {
				r.outer[c.Out] = true
			}
		}
	}
	if err := r.takes(); err != nil {
		return nil, err
	}
	for _, b := range r.panels {
		if users(k.Body, b) > users(f.Body, b) {
			return nil, fmt.Errorf("%s is used outside the loop", b.Name)
		}
	}
	return r, nil
}

// users counts the statements that touch b.
func users(body []loop.Stmt, b *loop.Buffer) int {
	n := 0
	eachStmt(body, func(s loop.Stmt, vs []*loop.Value) {
		st, ok := s.(*loop.Store)
		found := ok && st.Buf == b
		walk(vs, func(v *loop.Value) { found = found || v.Op == loop.Load && v.Buf == b })
		if found {
			n++
		}
	})
	return n
}

// takes finds what the late sweep takes from its row, and checks that it can be kept for a turn more.
func (r *rowLoop) takes() error {
	row := r.f.Body[:r.late.at]
	written, read := map[*loop.Buffer]bool{}, map[*loop.Buffer]bool{}
	eachStmt(row, func(s loop.Stmt, vs []*loop.Value) {
		if st, ok := s.(*loop.Store); ok {
			written[st.Buf] = true
		}
		walk(vs, func(v *loop.Value) {
			if v.Op == loop.Load {
				read[v.Buf] = true
			}
		})
	})
	var err error
	seen := map[any]bool{}
	fresh := func(x any) bool {
		old := seen[x]
		seen[x] = true
		return !old
	}
	eachStmt(r.late.stmts(), func(s loop.Stmt, vs []*loop.Value) {
		if st, ok := s.(*loop.Store); ok && (written[st.Buf] || read[st.Buf] || st.Buf.Mode == loop.Local) {
			err = fmt.Errorf("the row uses %s, which its last sweep stores", st.Buf.Name)
		}
		r.walkLate(vs, func(v *loop.Value) {
			switch {
			case r.outer[v] && fresh(v):
				r.carried = append(r.carried, v)
			case v.Op == loop.Load && written[v.Buf] && fresh(v.Buf):
				r.panels = append(r.panels, v.Buf)
			}
		})
	})
	for _, v := range r.carried {
		if err == nil && len(v.Axes) > 0 {
			err = fmt.Errorf("the last sweep needs %s, which is no single number", v.Name)
		}
	}
	for _, b := range r.panels {
		if err == nil {
			err = r.checkPanel(b)
		}
	}
	return err
}

// walkLate visits the values of the late sweep, and of the row before it those that it takes only.
func (r *rowLoop) walkLate(vs []*loop.Value, f func(v *loop.Value)) {
	seen := map[*loop.Value]bool{}
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if v == nil || seen[v] {
			return
		}
		seen[v] = true
		f(v)
		if r.outer[v] {
			return
		}
		for _, a := range v.Args {
			visit(a)
		}
		visit(v.Guard)
	}
	for _, v := range vs {
		visit(v)
	}
}

// checkPanel checks that every row fills a panel anew: a sweep stores what later ones load, at the
// same place of each turn.
func (r *rowLoop) checkPanel(b *loop.Buffer) error {
	bad := fmt.Errorf("not every row fills %s in a sweep before it is read", b.Name)
	if b.Mode != loop.Local {
		return bad
	}
	place, loaded := "", false
	for i, s := range r.f.Body {
		stores, loads := r.accesses(s, b)
		if len(stores)+len(loads) == 0 {
			continue
		}
		o := r.runAt(i)
		if o == nil || !o.simple() || !o.along(r.x, r.late) || len(stores) > 1 || len(stores) == 1 && (loaded || len(loads) > 0) {
			return bad
		}
		if place == "" && len(stores) == 1 {
			place = stores[0]
		}
		for _, p := range append(stores, loads...) {
			if p != place {
				return bad
			}
		}
		loaded = loaded || len(loads) > 0
	}
	return nil
}

// runAt is the sweep that the statement at i of the loop's body is a part of, or nil.
func (r *rowLoop) runAt(i int) *run {
	for j, o := range r.runs {
		if o.at <= i && i < o.at+len(o.fors) {
			return &r.runs[j]
		}
	}
	return nil
}

// accesses are the places, as texts, at which s stores to b and loads it. That of a store which some
// turn may leave out is like none of a load.
func (r *rowLoop) accesses(s loop.Stmt, b *loop.Buffer) (stores, loads []string) {
	place := func(at []*loop.Value) string {
		text := ""
		for _, v := range at {
			text += r.x.of(v).String() + ","
		}
		return text
	}
	eachStmt([]loop.Stmt{s}, func(s loop.Stmt, vs []*loop.Value) {
		if st, ok := s.(*loop.Store); ok && st.Buf == b {
			text := place(st.Index)
			if st.Guard != nil {
				text += "?"
			}
			stores = append(stores, text)
		}
		walk(vs, func(v *loop.Value) {
			if v.Op == loop.Load && v.Buf == b {
				loads = append(loads, place(v.Args))
			}
		})
	})
	return stores, loads
}

// skew delays the last sweep of the loops over an axis by a turn.
func skew(k *loop.Kernel, axis string) error {
	a, err := axisNamed(k, axis)
	if err != nil {
		return err
	}
	found := false
	var visit func(body []loop.Stmt) ([]loop.Stmt, error)
	visit = func(body []loop.Stmt) ([]loop.Stmt, error) {
		var out []loop.Stmt
		for _, s := range body {
			f, ok := s.(*loop.For)
			switch {
			case ok && f.Axis == a:
				r, err := rowLoopOf(k, f)
				if err != nil {
					return nil, err
				}
				found = true
				out = append(out, r.skewed()...)
				continue
			case ok:
				inner, err := visit(f.Body)
				if err != nil {
					return nil, err
				}
				f.Body = inner
			}
			out = append(out, s)
		}
		return out, nil
	}
	body, err := visit(k.Body)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("there is no loop over %s", axis)
	}
	k.Body = body
	return nil
}

// skewed is the loop over the first row, the one over the others, and the last sweep of the last.
func (r *rowLoop) skewed() []loop.Stmt {
	axis := r.f.Axis
	lo, hi := span(r.x, r.f)
	bound := func(e *index.Expr, n int) *loop.Value {
		return r.x.value(index.Sum(e, index.C(n)).SimplifyIn(r.x.bound))
	}
	even, odd := rest(axisValue(axis), 2), rest(binary(loop.Add, axisValue(axis), intValue(1)), 2)
	first := &loop.For{Axis: axis, Lo: bound(lo, 0), Hi: bound(lo, 1)}
	others := &loop.For{Axis: axis, Lo: bound(lo, 1), Hi: bound(hi, 0)}
	last := &loop.For{Axis: axis, Lo: bound(hi, -1), Hi: bound(hi, 0)}
	before, after := newCloner(), newCloner() // of what the late sweep takes
	r.shift(before)
	for _, v := range r.carried {
		in, out := carriedValue(loop.CarryIn, v), carriedValue(loop.CarryOut, v)
		before.values[v], after.values[v] = in, out
		others.Carry = append(others.Carry, &loop.Carry{Name: in.Name, In: in, Next: v, Out: out})
	}
	late := before.body(r.late.stmts())
	last.Body = after.body(r.late.stmts())
	row := r.f.Body[:r.late.at]
	for _, b := range r.panels {
		b.Dims = append([]int{2}, b.Dims...)
	}
	r.alternate(row, even)
	r.alternate(late, odd)
	r.alternate(last.Body, even)
	c := newCloner()
	first.Body = c.body(row)
	for _, o := range others.Carry {
		in, out := carriedValue(loop.CarryIn, o.Next), carriedValue(loop.CarryOut, o.Next)
		first.Carry = append(first.Carry, &loop.Carry{Name: in.Name, Init: number(in.Elem, 0, 0), In: in, Next: c.value(o.Next), Out: out})
		o.Init = out
	}
	for i, f := range r.host.fors {
		f.Body = append(f.Body, late[i].(*loop.For).Body...)
	}
	others.Body = row
	return []loop.Stmt{first, others, last}
}

func carriedValue(op loop.Op, v *loop.Value) *loop.Value {
	return &loop.Value{Op: op, Elem: v.Elem, Name: v.Name}
}

// shift makes c copy the late sweep as the row before has it.
func (r *rowLoop) shift(c *cloner) {
	deps := newDepends()
	eachStmt(r.late.stmts(), func(_ loop.Stmt, vs []*loop.Value) {
		r.walkLate(vs, func(v *loop.Value) { r.shiftAxis(c, deps, v) })
	})
}

func (r *rowLoop) shiftAxis(c *cloner, deps *depends, v *loop.Value) {
	switch {
	case v.Op != loop.AxisIndex || !loop.Has(deps.axis(v.Axis), r.f.Axis):
	case v.Axis == r.f.Axis:
		c.values[v] = binary(loop.Sub, axisValue(v.Axis), intValue(1))
	default:
		walk([]*loop.Value{v.Axis.Def}, func(d *loop.Value) { r.shiftAxis(c, deps, d) })
		c.values[v] = c.value(v.Axis.Def)
	}
}

// alternate makes the panels of a body those of a turn's parity.
func (r *rowLoop) alternate(body []loop.Stmt, parity *loop.Value) {
	done := map[*loop.Value]bool{}
	eachStmt(body, func(s loop.Stmt, vs []*loop.Value) {
		if st, ok := s.(*loop.Store); ok && slices.Contains(r.panels, st.Buf) {
			st.Index = append([]*loop.Value{parity}, st.Index...)
		}
		walk(vs, func(v *loop.Value) {
			if v.Op == loop.Load && slices.Contains(r.panels, v.Buf) && !done[v] {
				done[v] = true
				v.Args = append([]*loop.Value{parity}, v.Args...)
			}
		})
	})
}
