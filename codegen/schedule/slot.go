package schedule

import (
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Slots: what a slot of an operand is, which thread copies what of it, and whether 16 bytes at a time.

// slot is where an operand waits: rows (of the product's rows or columns) by summands, or these by rows. That of a group of warps
// is swizzled.
type slot struct {
	v           *loop.Value
	buf         *loop.Buffer
	rowAxes     []*loop.Axis
	sumAxes     []*loop.Axis
	rows, sums  *loop.Value // place in the slot
	rowsInner   bool
	inner, size int
	chunk       int         // elements that a thread copies at once
	copy        *loop.Axis  // all elements, as threads copy them
	steps       *loop.Axis  // how often each of them does
	part        *loop.Axis  // elements of a thread's chunk
	of          *tiles      // that a point makes; nil: one
	ring        *loop.Ring  // that it is of; nil: threads fill it
	base        *loop.Value // the turn of its ring where its loop is at turn 0; nil: that
}

// turn is the turn of its ring where its loop is at turn n.
func (sl *slot) turn(n *loop.Value) *loop.Value {
	if n = sl.of.turn(n); sl.base != nil {
		n = binary(loop.Add, n, sl.base)
	}
	return n
}

func (sl *slot) at(turn, rows, sums *loop.Value) []*loop.Value {
	outer, inner := rows, sums
	if sl.rowsInner {
		outer, inner = sums, rows
	}
	if sl.buf.Swizzle {
		n := sl.buf.Dims[3]
		return []*loop.Value{turn, over(inner, n), outer, rest(inner, n)}
	}
	return []*loop.Value{turn, outer, inner}
}

// read is what v is in a turn: what the slot has of it.
func (s *stager) read(sl *slot, v, turn *loop.Value) *loop.Value {
	at := sl.at(turn, sl.rows, sl.sums)
	for n := 1; sl.buf.Swizzle && n < len(at); n++ { // which of its pieces are there once
		at[n] = s.x.simple(at[n])
	}
	x := load(sl.buf, at, nil)
	x.Name = v.Name
	return x
}

func (s *stager) slot(v, d *loop.Value, depth, threads int) *slot {
	sl := s.shape(v, d, depth)
	s.place(sl, threads)
	return sl
}

// shape is the slot of operand v of product d, which has no place yet.
func (s *stager) shape(v, d *loop.Value, depth int) *slot {
	sl := &slot{v: v, chunk: chunkBytes / v.Elem.Size()}
	over := s.deps.over(d)
	for _, a := range inOrder(s.k, s.deps.value(v)) {
		switch {
		case !a.IsOpen():
		case loop.Has(over, a):
			sl.sumAxes = append(sl.sumAxes, a)
		default:
			sl.rowAxes = append(sl.rowAxes, a)
		}
	}
	rows, sums := 1, 1
	sl.rows, rows = s.position(sl.rowAxes)
	sl.sums, sums = s.position(sl.sumAxes)
	sl.rowsInner = !s.contiguous(v, sl.sumAxes) && s.contiguous(v, sl.rowAxes) && v.Elem.Size() > 1 // tensor cores read bytes along the summands only
	outer := rows
	sl.inner = sums
	if sl.rowsInner {
		outer, sl.inner = sums, rows
	}
	sl.size = outer * sl.inner
	sl.buf = &loop.Buffer{Elem: v.Elem, Mode: loop.Local, Dims: []int{depth, outer, sl.inner + sl.chunk}}
	if d.Instr == loop.WGMMA { // rows of a fixed length; where they are not enough, blocks of them
		n := loop.SwizzleBytes / v.Elem.Size()
		sl.buf.Dims, sl.buf.Swizzle = []int{depth, (sl.inner + n - 1) / n, outer, n}, true
	}
	return sl
}

// place gives a slot memory that so many threads fill.
func (s *stager) place(sl *slot, threads int) {
	sl.buf.Name = freshName(s.k, "slot")
	s.k.Bufs = append(s.k.Bufs, sl.buf)
	sl.steps = s.newAxis("step", multiple(sl.size, threads*sl.chunk)/(threads*sl.chunk), loop.Open)
	thread := s.newAxis("thread", threads, loop.Thread)
	sl.part = s.newAxis("part", sl.chunk, loop.Open)
	sl.copy = s.newAxis("copy", sl.size, loop.Open)
	sl.copy.Def = binary(loop.Add, times(binary(loop.Add, times(axisValue(sl.steps), threads), axisValue(thread)), sl.chunk), axisValue(sl.part))
}

func (s *stager) newAxis(stem string, n int, bind loop.Bind) *loop.Axis {
	a := &loop.Axis{Name: freshName(s.k, stem), Extent: intValue(n), Max: n, Bind: bind}
	s.k.Axes = append(s.k.Axes, a)
	return a
}

// position is the place that leaf axes, the last fastest, come to, and how many there are.
func (s *stager) position(axes []*loop.Axis) (at *loop.Value, n int) {
	at, n = intValue(0), 1
	for i := len(axes) - 1; i >= 0; i-- {
		step := times(axisValue(axes[i]), n)
		if n == 1 {
			at = step
		} else {
			at = binary(loop.Add, step, at)
		}
		n *= axes[i].Max
	}
	return at, n
}

// contiguous reports whether a load in v goes along the last of axes.
func (s *stager) contiguous(v *loop.Value, axes []*loop.Axis) bool {
	found := false
	loop.Visit(v, func(x *loop.Value) {
		if x.Op == loop.Load && len(axes) > 0 {
			_, terms := affine(address(s.x, x.Buf, x.Args))
			found = found || terms[axes[len(axes)-1].Name] == 1
		}
	})
	return found
}

// fill copies the operand of a turn of the loop over axis a to its slot.
func (s *stager) fill(sl *slot, a *loop.Axis, turn *loop.Value) loop.Stmt {
	at := axisValue(sl.copy)
	st := s.store(sl, a, turn, over(at, sl.inner), rest(at, sl.inner))
	if _, most := s.x.rng(s.x.axis(sl.copy)); most >= sl.size {
		if sl.steps.Max == 1 { // of which no index says anything
			at = s.x.simple(at)
		}
		st.Guard = binary(loop.Lt, at, intValue(sl.size))
		loop.Visit(st.Val, func(v *loop.Value) {
			if v.Op == loop.Load { // what is beyond may be outside of the buffer
				v.Guard = both(st.Guard, v.Guard)
			}
		})
	}
	if s.isCopy(st, sl) {
		st.Async = true
	}
	return st
}

// store puts the element of the operand in a turn of the loop over axis a that belongs at a place of its slot there.
func (s *stager) store(sl *slot, a *loop.Axis, turn, outer, inner *loop.Value) *loop.Store {
	m := &mover{x: s.x, to: map[string]*index.Expr{a.Name: s.x.of(turn)}, done: map[*loop.Value]*loop.Value{}}
	rows, sums := outer, inner
	if sl.rowsInner {
		rows, sums = inner, outer
	}
	m.spread(sl.rowAxes, rows)
	m.spread(sl.sumAxes, sums)
	st := &loop.Store{Buf: sl.buf, Index: sl.at(binary(loop.Mod, sl.turn(turn), intValue(sl.buf.Dims[0])), rows, sums), Val: m.value(sl.v)}
	for i, v := range st.Index {
		st.Index[i] = s.x.simple(v)
	}
	return st
}

// isCopy reports whether st copies 16 bytes that lie side by side, and on a multiple of 16, for all indices of a chunk.
func (s *stager) isCopy(st *loop.Store, sl *slot) bool {
	v, part := st.Val, sl.part
	if v.Op != loop.Load || v.Elem != st.Buf.Elem || v.Buf.Bytes()%chunkBytes != 0 {
		return false
	}
	aligned := func(e *index.Expr) bool {
		first, ok := s.at(e, part, 0), true
		e.Vars(func(name string) {
			v := s.x.vars[name]
			ok = ok && (v.Op == loop.AxisIndex || !loop.Has(newDepends().value(v), part))
		})
		for i := range sl.chunk {
			ok = ok && index.Sub(s.at(e, part, i), first).SimplifyIn(s.x.bound).IsConst(i)
		}
		return ok && index.Rem(first, index.C(sl.chunk)).SimplifyIn(s.x.bound).IsConst(0)
	}
	return aligned(address(s.x, v.Buf, v.Args)) && aligned(address(s.x, st.Buf, st.Index)) && s.even(v.Guard, part, aligned) && s.even(st.Guard, part, aligned)
}

// at is e at an index of an axis.
func (s *stager) at(e *index.Expr, a *loop.Axis, i int) *index.Expr {
	return e.Subst(func(name string) *index.Expr {
		if name == a.Name {
			return index.C(i)
		}
		return index.V(name)
	}).SimplifyIn(s.x.bound)
}

// even reports whether a condition is the same for all indices of part: where it compares an index with a limit, both
// are multiples of a chunk.
func (s *stager) even(cond *loop.Value, part *loop.Axis, aligned func(*index.Expr) bool) bool {
	switch {
	case cond == nil || !loop.Has(newDepends().value(cond), part):
		return true
	case cond.Op == loop.And:
		return s.even(cond.Args[0], part, aligned) && s.even(cond.Args[1], part, aligned)
	case cond.Op != loop.Lt && cond.Op != loop.Ge || cond.Args[0].Elem != loop.I64:
		return false
	}
	return aligned(index.Sub(s.x.of(cond.Args[0]), s.x.of(cond.Args[1])).SimplifyIn(s.x.bound))
}
