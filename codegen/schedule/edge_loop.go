package schedule

import (
	"maps"
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// loop bounds a loop and peels the turns that are dead in part.
func (e *edger) loop(f *loop.For, p *place) []loop.Stmt {
	a := f.Axis
	lo, hi := index.C(0), e.shareEnd(a)
	if f.Lo != nil {
		lo = e.x.of(e.value(f.Lo, p))
	}
	if f.Hi != nil {
		hi = e.x.of(e.value(f.Hi, p))
	}
	full := hi
	settled, partial := map[*loop.Axis]bool{}, map[*loop.Axis]bool{}
	short := map[*loop.Axis]*loop.Value{}
	for _, l := range e.limits {
		if p.holds[l.axis] || !loop.Has(l.leaves, a) {
			continue
		}
		rest, s, inner, ok := e.along(l, a, p)
		if !ok {
			continue
		}
		end := func(extra int) *index.Expr {
			n := index.Sum(l.extent, index.Prod(rest, index.C(-1)), index.C(s-1-extra))
			return index.Quo(n, index.C(s)).SimplifyIn(e.x.bound)
		}
		hi = index.Least(hi, end(0)).SimplifyIn(e.x.bound)
		if inner.loops {
			full = index.Least(full, end(0)).SimplifyIn(e.x.bound)
			continue
		}
		full = index.Least(full, end(inner.max)).SimplifyIn(e.x.bound)
		if inner.max == 0 {
			settled[l.axis] = true
		} else {
			partial[l.axis] = true
			short[l.axis] = e.short(l, a, rest, s, inner)
		}
	}
	if len(partial) > 1 {
		short = nil // a turn that is partly outside one limit need not be so for the other
	}
	full = index.Least(full, hi).SimplifyIn(e.x.bound)
	if len(partial) == 0 || index.Equal(full, hi) {
		for x := range partial {
			settled[x] = true
		}
		return []loop.Stmt{e.turns(f, lo, hi, settled, nil, p, nil)}
	}
	full = index.Most(full, lo).SimplifyIn(e.x.bound)
	if index.Equal(full, lo) {
		return []loop.Stmt{e.turns(f, lo, hi, settled, short, p, nil)}
	}
	if bodyCost(f) > dearPoint || hasFragments(f) {
		return []loop.Stmt{e.turns(f, lo, hi, settled, nil, p, nil)}
	}
	all := map[*loop.Axis]bool{}
	for x := range settled {
		all[x] = true
	}
	for x := range partial {
		all[x] = true
	}
	main := e.turns(f, lo, full, all, nil, p, nil)
	rest := e.turns(f, full, hi, settled, short, p, main)
	return []loop.Stmt{main, rest}
}

// spread is how far an index reaches beyond its value at 0 of the axes inside.
type spread struct {
	max   int
	loops bool // along loops inside
}

// shareEnd is the extent of a. Where it is what a worker gets of a longer axis, it is cut off at the end of that too:
// no share is shorter where all are equal, but that is not to decide which phases have one text.
func (e *edger) shareEnd(a *loop.Axis) *index.Expr {
	end := e.x.of(a.Extent)
	n, ok := end.Const()
	if !ok || a.Bind != loop.Loop {
		return end
	}
	for _, whole := range e.k.Axes {
		total, ok := whole.Extent.IntConst()
		if whole.Def == nil || !ok {
			continue
		}
		_, terms := affine(e.x.axis(whole))
		size := n * terms[a.Name]
		for _, share := range e.deps.axis(whole) {
			if size > 0 && share.Bind == loop.Par && terms[share.Name] == size && share.Max*size == int(total) {
				return index.Least(end, index.Sum(index.C(n*share.Max), index.Prod(index.V(share.Name), index.C(-n))))
			}
		}
	}
	return end
}

// along writes the index of l as rest + s*a + what is inside, a being the loop axis.
func (e *edger) along(l *limit, a *loop.Axis, p *place) (rest *index.Expr, s int, inner spread, ok bool) {
	terms := []*index.Expr{l.def}
	if l.def.Op == index.Add {
		terms = l.def.Args
	}
	rest = index.C(0)
	for _, t := range terms {
		k, x := coefficient(t)
		switch {
		case x != nil && x.Op == index.Var && x.Name == a.Name:
			s = k
			continue
		case x == nil:
			rest = index.Sum(rest, t)
			continue
		}
		bound, open := true, true
		x.Vars(func(name string) {
			v := e.x.vars[name]
			if v.Op != loop.AxisIndex {
				return
			}
			bound = bound && p.bound[v.Axis]
			open = open && v.Axis.IsOpen()
		})
		if bound {
			rest = index.Sum(rest, t)
			continue
		}
		lo, hi := e.x.rng(t)
		if lo != 0 {
			return nil, 0, inner, false
		}
		inner.max += hi
		inner.loops = inner.loops || !open
	}
	return rest, s, inner, s > 0
}

// short is what limit l comes to in the one turn of a that is partly outside, rest + s*a being the
// first point of a turn: inside < n, a condition without a. nil where a turn may begin anywhere.
func (e *edger) short(l *limit, a *loop.Axis, rest *index.Expr, s int, inner spread) *loop.Value {
	n, ok := l.extent.Const()
	if !ok || inner.max >= s {
		return nil
	}
	c, terms := affine(rest)
	for _, k := range terms {
		ok = ok && k%s == 0
	}
	if !ok || c%s != 0 {
		return nil
	}
	inside := index.Sub(l.def, index.Sum(rest, index.Prod(index.V(a.Name), index.C(s))))
	if whole := e.whole(inside, index.C(n%s)); whole != nil {
		return whole
	}
	return binary(loop.Lt, e.x.value(inside), intValue(n%s))
}

// turns is f from lo to hi with limits that hold there, or come to short there. before, if given, is the loop over
// the turns before these.
func (e *edger) turns(f *loop.For, lo, hi *index.Expr, holds map[*loop.Axis]bool, short map[*loop.Axis]*loop.Value, p *place, before *loop.For) *loop.For {
	q := p.inner()
	q.bound[f.Axis] = true
	for x := range holds {
		q.holds[x] = true
	}
	maps.Copy(q.short, short)
	n := &loop.For{Axis: f.Axis}
	whole := index.Equal(lo, index.C(0)) && index.Equal(hi, e.x.of(f.Axis.Extent))
	if !whole {
		n.Lo, n.Hi = e.x.value(lo), e.x.value(hi)
	}
	for i, c := range f.Carry {
		in := *c.In
		q.memo[c.In] = &in
		init := e.value(c.Init, p)
		if before != nil {
			init = before.Carry[i].Out
		}
		n.Carry = append(n.Carry, &loop.Carry{Name: c.Name, Init: init, In: &in})
	}
	n.Body = e.body(f.Body, q)
	for i, c := range f.Carry {
		next := e.value(c.Next, q)
		if cond := e.live(e.deps.value(c.Next), q, []*loop.Axis{f.Axis}); cond != nil {
			next = held(cond, next, n.Carry[i].In)
		}
		out := *c.Out
		n.Carry[i].Next, n.Carry[i].Out = next, &out
		p.memo[c.Out] = &out
	}
	return n
}

// held is what a turn makes of a carried value where cond, and else that value.
func held(cond, next, in *loop.Value) *loop.Value {
	red := loop.ReduceMax
	switch next.Op {
	case loop.Min:
		red = loop.ReduceMin
		fallthrough
	case loop.Max: // the carried value is compared once, as in turns without a condition
		if next.Args[0] == in {
			return binary(next.Op, in, where(cond, next.Args[1], start(&loop.Value{Op: red, Elem: in.Elem})))
		}
	}
	return where(cond, next, in)
}

// hasFragments reports whether f computes a product whose operands may wait in shared memory, which one loop fills.
func hasFragments(f *loop.For) bool {
	found, deps := false, newDepends()
	eachStmt([]loop.Stmt{f}, func(_ loop.Stmt, vs []*loop.Value) {
		walk(vs, func(v *loop.Value) {
			found = found || v.Op == loop.Dot && slices.ContainsFunc(deps.value(v), func(a *loop.Axis) bool { return a.Bind == loop.FragRow })
		})
	})
	return found
}

// bodyCost is what one point of the values in a loop costs, products aside.
func bodyCost(f *loop.For) float64 {
	var all []*loop.Value
	product := false
	eachStmt([]loop.Stmt{f}, func(_ loop.Stmt, vs []*loop.Value) {
		all = append(all, vs...)
		walk(vs, func(v *loop.Value) { product = product || v.Op == loop.Dot })
	})
	if product {
		return 0
	}
	return pointCost(all)
}
