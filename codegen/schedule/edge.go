package schedule

import (
	"maps"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Step edge, before: axis j: 100 = j0*64 + j1, j0: 2 loop, j1: 64
//
//	for j0 { Y[j] = X[j] + 1 }
//
// after, the kernel being guarded:
//
//	for j0 in 0..1 { Y[j] = X[j] + 1 }   for j0 in 1..2 { Y[j; j1 < 36] = X[j; j1 < 36] + 1 }
//
// Until here a point is live if every axis that it determines is inside its
// extent. A limit is an axis that leaf extents alone do not keep inside.

// limit is the condition at < extent of an axis at = def.
type limit struct {
	axis   *loop.Axis
	leaves []*loop.Axis
	def    *index.Expr
	extent *index.Expr
	holds  *loop.Value
}

// place is a position in the loops.
type place struct {
	memo  map[*loop.Value]*loop.Value
	bound map[*loop.Axis]bool        // enumerated around here
	holds map[*loop.Axis]bool        // limits that hold here
	short map[*loop.Axis]*loop.Value // what limits come to here, in the last turn of a loop
}

func newPlace() *place {
	return &place{map[*loop.Value]*loop.Value{}, map[*loop.Axis]bool{}, map[*loop.Axis]bool{}, map[*loop.Axis]*loop.Value{}}
}

func (p *place) inner() *place {
	n := newPlace()
	maps.Copy(n.short, p.short)
	for v, x := range p.memo {
		n.memo[v] = x
	}
	for a := range p.bound {
		n.bound[a] = true
	}
	for a := range p.holds {
		n.holds[a] = true
	}
	return n
}

type edger struct {
	x      *indices
	deps   *depends
	k      *loop.Kernel
	limits []*limit
	ands   map[[2]*loop.Value]*loop.Value // conjunctions: equal ones are one value
	passed map[*loop.Buffer]bool          // which may be read where they are not written

	multiplied map[*loop.Value]bool // operands of products
}

// both is a & b; nil is true.
func (e *edger) both(a, b *loop.Value) *loop.Value {
	pair := [2]*loop.Value{a, b}
	v, ok := e.ands[pair]
	if !ok {
		v = both(a, b)
		e.ands[pair] = v
	}
	return v
}

// edge makes guards and loop bounds explicit.
func edge(k *loop.Kernel) *loop.Kernel {
	if k.Guarded {
		return k
	}
	k = clone(k)
	e := &edger{x: newIndices(), deps: newDepends(), k: k, ands: map[[2]*loop.Value]*loop.Value{}, passed: passedPanels(k)}
	e.multiplied = map[*loop.Value]bool{}
	walkBody(k.Body, func(v *loop.Value) {
		if v.Op == loop.Dot {
			e.multiplied[v.Args[0]], e.multiplied[v.Args[1]] = true, true
		}
	})
	e.findLimits(k)
	e.filled(k.Body)
	k.Body = e.pages(k.Body, nil)
	k.Guarded = true
	return finish(k)
}

// pages is a body in rounds over an axis, if that is not nil.
func (e *edger) pages(body []loop.Stmt, round *loop.Axis) []loop.Stmt {
	var out [][]loop.Stmt
	for _, page := range pages(body) {
		if f := roundsOf(page); f != nil {
			f.Body = e.pages(f.Body, f.Axis)
			out = append(out, page)
			continue
		}
		p := newPlace()
		for _, a := range append(PointAxes(e.k, page), round) {
			p.bound[a] = true
		}
		out = append(out, e.body(page, p))
	}
	return bind(out)
}

func (e *edger) findLimits(k *loop.Kernel) {
	for _, a := range k.Axes {
		if a.Def == nil || isFusedPart(a) && !isPadded(a) || e.isTight(a) {
			continue
		}
		l := &limit{axis: a, leaves: e.deps.axis(a), def: e.x.axis(a), extent: e.x.of(a.Extent)}
		_, hi := e.x.rng(l.def)
		if n, ok := l.extent.Const(); ok && hi < n {
			continue
		}
		if l.holds = e.whole(l.def, l.extent); l.holds == nil {
			l.holds = binary(loop.Lt, axisValue(a), a.Extent)
		}
		e.limits = append(e.limits, l)
	}
}

// filled takes panels out of the passed that a statement fills in any case: one under no condition, in loops that make all of their turns.
func (e *edger) filled(body []loop.Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Store:
			if e.fills(s) {
				delete(e.passed, s.Buf)
			}
		case *loop.For:
			if s.Lo == nil && s.Hi == nil && constantExtent(s.Axis) {
				e.filled(s.Body)
			}
		}
	}
}

// fills reports whether s writes all of a panel: no limit leaves out any of it.
func (e *edger) fills(s *loop.Store) bool {
	all := s.Buf.Mode == loop.Local && s.Guard == nil
	for i, at := range s.Index {
		all = all && at.Op == loop.AxisIndex && constantExtent(at.Axis) && at.Axis.Max == s.Buf.Dims[i]
		for _, l := range e.limits {
			all = all && !overlaps(l.leaves, e.deps.value(at))
		}
	}
	return all
}

// whole is at < extent where that is so for all registers of a block or for none, without these; else nil:
//
//	j0*256 + j1*8 + j2 < 1000   is   j0*256 + j1*8 < 1000   for j2: 8
//
// So neighbours that a thread reads have one guard.
func (e *edger) whole(at, extent *index.Expr) *loop.Value {
	n, ok := extent.Const()
	c, terms := affine(at)
	for name, k := range terms {
		v := e.x.vars[name]
		if !ok || k != 1 || v == nil || v.Op != loop.AxisIndex || v.Axis.Bind != loop.Reg {
			continue
		}
		fits := c%v.Axis.Max == 0 && n%v.Axis.Max == 0
		for other, k := range terms {
			fits = fits && (other == name || k%v.Axis.Max == 0)
		}
		if fits {
			return binary(loop.Lt, e.x.value(index.Sub(at, index.V(name))), intValue(n))
		}
	}
	return nil
}

// isFusedPart reports whether a is a quotient or remainder of one axis, and so inside where that is, unless it is padded.
func isFusedPart(a *loop.Axis) bool {
	op := a.Def.Op
	return (op == loop.Div || op == loop.Mod) && a.Def.Args[0].Op == loop.AxisIndex
}

// isPadded reports whether a is a remainder that may be its extent or more.
func isPadded(a *loop.Axis) bool {
	n, constant := a.Def.Args[len(a.Def.Args)-1].IntConst()
	return a.Def.Op == loop.Mod && constant && int(n) > a.Max
}

// isTight reports whether the innermost piece of a ends where a does.
func (e *edger) isTight(a *loop.Axis) bool {
	for _, l := range e.deps.axis(a) {
		if _, ok := l.Extent.IntConst(); !ok && l.Extent.Op == loop.Min {
			return true
		}
	}
	return false
}

func (e *edger) body(body []loop.Stmt, p *place) []loop.Stmt {
	var out []loop.Stmt
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			v := e.value(s.Val, p)
			out = append(out, &loop.Let{Val: v})
		case *loop.Store:
			out = append(out, e.store(s, p))
		case *loop.If:
			out = append(out, &loop.If{Cond: e.value(s.Cond, p), Body: e.body(s.Body, p.inner())})
		case *loop.For:
			out = append(out, e.loop(s, p)...)
		}
	}
	return out
}

func (e *edger) store(s *loop.Store, p *place) loop.Stmt {
	n := &loop.Store{Buf: s.Buf, Val: e.value(s.Val, p), Guard: e.value(s.Guard, p)}
	for _, x := range s.Index {
		n.Index = append(n.Index, e.value(x, p))
	}
	if s.Buf.Mode != loop.Local || !e.inside(s.Buf, s.Index, nil, nil) {
		n.Guard = e.both(e.live(e.deps.store(s), p, nil), n.Guard)
	}
	return n
}

// live is the condition that the limits hold that a point with these leaves determines, and
// that involve axis a (nil: any). nil where they hold anyway.
func (e *edger) live(leaves []*loop.Axis, p *place, involving []*loop.Axis) *loop.Value {
	var cond *loop.Value
	for _, l := range e.limits {
		if p.holds[l.axis] || !overlaps(l.leaves, leaves) {
			continue
		}
		if involving != nil && !overlaps(l.leaves, involving) {
			continue
		}
		determined := true
		for _, x := range l.leaves {
			determined = determined && (p.bound[x] || x.IsOpen() && loop.Has(leaves, x))
		}
		if !determined {
			continue
		}
		holds := l.holds
		if short := p.short[l.axis]; short != nil {
			holds = short
		}
		cond = e.both(cond, holds)
	}
	return cond
}

// inside reports whether an access is inside the buffer where conditions hold, at dead points too. need, if
// given, collects the leaves of indices that may be outside.
func (e *edger) inside(buf *loop.Buffer, at []*loop.Value, conds []*loop.Value, need *[]*loop.Axis) bool {
	ok := true
	for i, v := range at {
		lo, hi := within(e.x, v, conds)
		if lo >= 0 && hi < buf.Dims[i] && (i > 0 || buf.Length == nil) {
			continue
		}
		ok = false
		if need != nil {
			*need = append(*need, e.deps.value(v)...)
		}
	}
	return ok
}

// within is what conditions leave of the range of an index.
func within(x *indices, at *loop.Value, conds []*loop.Value) (lo, hi int) {
	lo, hi = x.rng(x.of(at).SimplifyIn(x.bound))
	for _, c := range conds {
		if c.Op != loop.Lt && c.Op != loop.Ge || c.Args[0].Elem != loop.I64 {
			continue
		}
		limit, ok := index.Sum(index.Sub(x.of(c.Args[1]), x.of(c.Args[0])), x.of(at)).SimplifyIn(x.bound).Const() // what the index is compared with
		switch {
		case ok && c.Op == loop.Lt:
			hi = min(hi, limit-1)
		case ok:
			lo = max(lo, limit)
		}
	}
	return lo, hi
}

// value rewrites v with the guards that it needs at p.
func (e *edger) value(v *loop.Value, p *place) *loop.Value {
	if v == nil {
		return nil
	}
	if n, ok := p.memo[v]; ok {
		return n
	}
	n := *v
	p.memo[v] = &n
	n.Args = nil
	for _, a := range v.Args {
		n.Args = append(n.Args, e.value(a, p))
	}
	n.Guard = e.value(v.Guard, p)
	switch {
	case v.Op == loop.Load:
		var need []*loop.Axis
		var conds []*loop.Value
		if e.multiplied[v] && v.Guard != nil { // what a product has at dead points nobody sees
			conds = conjuncts(v.Guard)
		}
		if e.passed[v.Buf] {
			n.Guard = e.both(e.live(e.deps.value(v), p, nil), n.Guard)
		} else if !e.inside(v.Buf, v.Args, conds, &need) {
			n.Guard = e.both(e.live(e.deps.value(v), p, need), n.Guard)
		}
	case v.Op.Info().Class == loop.ClassReduce:
		over := e.deps.over(v)
		leaves := append(append([]*loop.Axis(nil), over...), e.deps.value(v.Args[0])...)
		if c := e.live(leaves, p, over); c != nil {
			n.Args[0] = where(c, n.Args[0], start(v))
		}
	case v.Op == loop.Dot:
		over := e.deps.over(v)
		if c := e.live(over, p, over); c != nil {
			n.Args[0], n.Args[1] = e.zeroed(n.Args[0], c), e.zeroed(n.Args[1], c)
		}
	}
	return &n
}

// zeroed is an operand of a product that is 0 where dead: in both, since 0 times what is no number is none.
func (e *edger) zeroed(v, live *loop.Value) *loop.Value {
	n := *v
	if v.Op == loop.Load {
		if !implies(v.Guard, live) {
			n.Guard = e.both(live, v.Guard)
		}
		return &n
	}
	n.Name = "" // what a schedule calls the operand is what the product has
	w := where(live, &n, number(v.Elem, 0, 0))
	w.Name = v.Name
	return w
}

// implies reports whether cond is one of the conditions that guard joins.
func implies(guard, cond *loop.Value) bool {
	if guard == nil || guard == cond {
		return guard == cond
	}
	return guard.Op == loop.And && (implies(guard.Args[0], cond) || implies(guard.Args[1], cond))
}
