package schedule

import (
	"fmt"
	"slices"
	"strings"

	"mdlc/ir/loop"
)

// Step axes, before: axis i: 768
// after Cut i 168, Cut i1 6, Bind i0 par, Bind i1 loop: axis i0: 5 par, i1: 28 loop, i2: 6, i: 768 = i0*168 + i1*6 + i2

// cut splits leaf axis a in blocks of n. A leaf that values use becomes a function of two
// pieces; a piece that only definitions use keeps its name for the block index, unless it
// has no whole blocks and others go around it. Where one
// block holds all, there is no axis of blocks. tight gives the inner piece the extent
// that is left in the last block.
func cut(k *loop.Kernel, a *loop.Axis, n int, tight bool) error {
	switch {
	case a.Def != nil:
		return fmt.Errorf("the axis is a function of others; cut one of those")
	case a.Bind != loop.Open:
		return fmt.Errorf("the axis is bound")
	case n < 1:
		return fmt.Errorf("blocks of %d", n)
	}
	parents := piecesOf(k, a)
	extent := a.Extent
	total, constant := extent.IntConst()
	if !tight && !(constant && int(total)%n == 0) && isInner(a, parents) {
		parents = nil // else the last block would reach into the next piece
	}
	inner := &loop.Axis{Extent: intValue(n), Max: n}
	if len(parents) == 0 && constant && int(total) <= n && !tight {
		inner.Name = numbered(k, a.Name)
		k.Axes = append(k.Axes, inner)
		a.Def = axisValue(inner)
		return nil
	}
	outer, stem := a, a.Name
	if len(parents) > 0 {
		stem = strings.TrimRight(a.Name, "0123456789")
	} else {
		outer = &loop.Axis{Name: numbered(k, stem)}
		k.Axes = append(k.Axes, outer)
	}
	inner.Name = numbered(k, stem)
	k.Axes = append(k.Axes, inner)
	outer.Max = (a.Max + n - 1) / n
	outer.Extent = intValue(outer.Max)
	if !constant {
		outer.Extent = binary(loop.Div, binary(loop.Add, extent, intValue(n-1)), intValue(n))
	}
	start := times(axisValue(outer), n)
	if tight && (!constant || int(total)%n != 0) {
		inner.Extent = binary(loop.Min, intValue(n), binary(loop.Sub, extent, start))
	}
	def := binary(loop.Add, start, axisValue(inner))
	if len(parents) == 0 {
		a.Def = def
	}
	for _, p := range parents {
		p.Def = substitute(p.Def, a, def)
	}
	return nil
}

// isInner reports whether a is another than the outermost piece of an axis.
func isInner(a *loop.Axis, parents []*loop.Axis) bool {
	for _, p := range parents {
		x := newIndices()
		_, terms := affine(x.of(p.Def))
		for name, step := range terms {
			if name != a.Name && step > terms[a.Name] {
				return true
			}
		}
	}
	return false
}

// substitute puts def in the place of a in the definition v of another axis.
func substitute(v *loop.Value, a *loop.Axis, def *loop.Value) *loop.Value {
	c := newCloner()
	leaves := true
	walk([]*loop.Value{v}, func(x *loop.Value) {
		if x.Op == loop.AxisIndex && x.Axis == a {
			c.values[x] = def
		}
		leaves = leaves && (x.Axis == nil || x.Axis.Def == nil)
	})
	out := c.value(v)
	if !leaves {
		return out
	}
	x := newIndices()
	return x.value(x.of(out))
}

// mentions reports whether v names a itself.
func mentions(v *loop.Value, a *loop.Axis) bool {
	found := false
	walk([]*loop.Value{v}, func(x *loop.Value) { found = found || x.Axis == a })
	return found
}

// piecesOf are the axes that a is a piece of, if only their definitions use a.
func piecesOf(k *loop.Kernel, a *loop.Axis) []*loop.Axis {
	used := false
	loop.Walk(k.Body, func(s loop.Stmt) {
		f, ok := s.(*loop.For)
		used = used || ok && f.Axis == a
	})
	walkBody(k.Body, func(v *loop.Value) { used = used || v.Axis == a || loop.Has(v.Over, a) })
	if used {
		return nil
	}
	var out []*loop.Axis
	for _, p := range k.Axes {
		if p.Def != nil && !isFusedPart(p) && mentions(p.Def, a) {
			out = append(out, p)
		}
	}
	return out
}

// numbered is stem with the first free number.
func numbered(k *loop.Kernel, stem string) string {
	used := usedNames(k)
	if last := stem[len(stem)-1]; last >= '0' && last <= '9' {
		stem += "_"
	}
	for i := 0; ; i++ {
		if n := fmt.Sprintf("%s%d", stem, i); !used[n] {
			return n
		}
	}
}

// fuse makes one axis of a and b, the faster one: a = f/|b|, b = f%|b|, where |b| is a multiple of block. Points beyond b's extent are dead.
func fuse(k *loop.Kernel, a, b *loop.Axis, block int) error {
	extent, ok := b.Extent.IntConst()
	n := multiple(int(extent), block)
	switch {
	case a.Def != nil || b.Def != nil || a.Bind != loop.Open || b.Bind != loop.Open:
		return fmt.Errorf("%s and %s are not both free", a.Name, b.Name)
	case !ok:
		return fmt.Errorf("the extent of %s is data", b.Name)
	}
	f := &loop.Axis{Name: freshName(k, a.Name+b.Name), Max: a.Max * n}
	f.Extent = intValue(f.Max)
	if _, ok := a.Extent.IntConst(); !ok {
		f.Extent = binary(loop.Mul, a.Extent, intValue(n))
	}
	k.Axes = append(k.Axes, f)
	a.Def = over(axisValue(f), n)
	b.Def = rest(axisValue(f), n)
	// They are inside their extents where f is, but for b in a block that it does not fill.
	return nil
}

// bindAxis says who enumerates leaf a.
func bindAxis(a *loop.Axis, word string) error {
	var bind loop.Bind
	for _, b := range []loop.Bind{loop.Par, loop.Loop, loop.Unroll, loop.Reg, loop.Warp, loop.FragRow, loop.FragCol, loop.FragSum} {
		if b.String() == word {
			bind = b
		}
	}
	n := loop.FragmentExtent(bind)
	switch {
	case bind == loop.Open:
		return fmt.Errorf("no binding %q: there are par, loop, unroll, reg, warp and those of fragments", word)
	case n > 0 && a.Max != n:
		return fmt.Errorf("a %s has %d indices, not %d", bind, n, a.Max)
	case a.Def != nil:
		return fmt.Errorf("the axis is a function of others")
	}
	a.Bind = bind
	return nil
}

// finish puts a kernel in order after a step: Over lists leaves, an axis follows those
// that define it, unused axes and buffers' names are gone, axes of values are right.
func finish(k *loop.Kernel) *loop.Kernel {
	deps := newDepends()
	used := map[*loop.Axis]bool{}
	use := func(axes []*loop.Axis) {
		for _, a := range axes {
			used[a] = true
		}
	}
	loop.Walk(k.Body, func(s loop.Stmt) {
		if f, ok := s.(*loop.For); ok {
			used[f.Axis] = true
		}
	})
	walkBody(k.Body, func(v *loop.Value) {
		v.Over = deps.over(v)
		use(v.Over)
		if v.Axis != nil {
			used[v.Axis] = true
		}
	})
	var out []*loop.Axis
	done := map[*loop.Axis]bool{}
	var add func(a *loop.Axis)
	addOf := func(v *loop.Value) {
		walk([]*loop.Value{v}, func(v *loop.Value) {
			if v.Axis != nil {
				add(v.Axis)
			}
		})
	}
	add = func(a *loop.Axis) {
		if done[a] {
			return
		}
		done[a] = true
		addOf(a.Extent)
		addOf(a.Def)
		out = append(out, a)
	}
	for _, a := range k.Axes {
		if used[a] || isLivePart(deps, a, used) {
			add(a)
		}
	}
	k.Axes = out
	k.Refresh()
	return k
}

// isLivePart reports whether a, unused itself, limits points of used axes. A place that data say, of summands that no
// product sums up any more, does not.
func isLivePart(deps *depends, a *loop.Axis, used map[*loop.Axis]bool) bool {
	if a.Def == nil {
		return false
	}
	if readsData(a.Def) {
		return !slices.ContainsFunc(deps.axis(a), func(l *loop.Axis) bool { return !used[l] })
	}
	for _, l := range deps.axis(a) {
		if used[l] {
			return true
		}
	}
	return false
}

// walkBody calls f once with each value below the statements of body, arguments first.
func walkBody(body []loop.Stmt, f func(v *loop.Value)) {
	var all []*loop.Value
	eachStmt(body, func(_ loop.Stmt, vs []*loop.Value) { all = append(all, vs...) })
	walk(all, f)
}

// eachStmt calls f for all statements in order with the values that they name themselves.
func eachStmt(body []loop.Stmt, f func(s loop.Stmt, vs []*loop.Value)) {
	for _, s := range body {
		switch s := s.(type) {
		case *loop.For:
			vs := []*loop.Value{s.Lo, s.Hi}
			for _, c := range s.Carry {
				vs = append(vs, c.Init)
			}
			f(s, vs)
			eachStmt(s.Body, f)
			var next []*loop.Value
			for _, c := range s.Carry {
				next = append(next, c.Next)
			}
			f(s, next)
		case *loop.If:
			f(s, []*loop.Value{s.Cond})
			eachStmt(s.Body, f)
		case *loop.RingStep:
			f(s, []*loop.Value{s.Turn})
			eachStmt(s.Body, f)
		case *loop.Role:
			f(s, nil)
			eachStmt(s.Body, f)
		case *loop.Send:
			f(s, nil)
			eachStmt(s.Body, f)
		case *loop.Phase, *loop.Commit, *loop.Wait, *loop.Sent:
			f(s, nil)
		default:
			f(s, stmtValues(s))
		}
	}
}
