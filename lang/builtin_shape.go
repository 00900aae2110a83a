package lang

import (
	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

func (b *builder) tensorList(v Value, c *call) []Tensor {
	l, ok := v.(List)
	if !ok || len(l.Items) == 0 {
		b.failHelp(c.span, "`"+c.name+"([a, b], axis: 0)`", "`%s` takes a list of tensors", c.name)
	}
	var out []Tensor
	e := ir.Elem(loop.Bool)
	for i, x := range l.Items {
		t := b.tensorArg(x, c)
		out = append(out, t)
		if i == 0 {
			e = t.N.Type.Elem
		}
		e = b.joinElems(e, t.N.Type.Elem)
	}
	for i := range out {
		out[i] = b.cast(out[i], e)
	}
	return out
}

// concatBuiltin reads each part at its offset, 0 outside, and chooses.
func concatBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "parts", "axis")
	parts := b.tensorList(v[0], c)
	rank := parts[0].N.Type.Rank()
	axis := 0
	if v[1] != nil {
		axis = b.axesOf(v[1], rank, c)[0]
	}
	total := 0
	for _, p := range parts {
		if p.N.Type.Rank() != rank {
			b.fail(c.span, "`concat` joins tensors of equal rank, not %s and %s", typeText(parts[0].N.Type), typeText(p.N.Type))
		}
		for k, d := range p.N.Type.Dims {
			if k != axis && !d.Equal(parts[0].N.Type.Dims[k]) {
				b.fail(c.span, "these shapes do not fit: %s and %s differ in axis %d, which `concat` does not join", typeText(parts[0].N.Type), typeText(p.N.Type), k)
			}
		}
		if p.N.Type.Dims[axis].Len != nil {
			b.fail(c.span, "`concat` along an axis whose length is known at run time only")
		}
		total += p.N.Type.Dims[axis].Size
	}
	shape := append([]ir.Dim{}, parts[0].N.Type.Dims...)
	shape[axis] = ir.Dim{Size: total}
	zero := 0.0
	offset := 0
	var acc *ir.Node
	for i, p := range parts {
		out := make([]*index.Expr, rank)
		for k := range out {
			out[k] = ir.Var(k)
		}
		out[axis] = index.Sub(ir.Var(axis), index.C(offset))
		n := b.f.b.Index(b.node(p), shape, out, &zero)
		if i == 0 {
			acc = n
		} else {
			here := b.f.b.Iota(shape, axis)
			acc = b.f.b.Where(b.f.b.Make(ir.OpLt, nil, here, b.f.b.Like(here, float64(offset))), acc, n)
		}
		offset += p.N.Type.Dims[axis].Size
	}
	return b.tensor(acc)
}

func stackBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "parts", "axis")
	l, ok := v[0].(List)
	if !ok {
		b.fail(c.span, "`stack` takes a list of tensors")
	}
	var parts []Value
	axis := 0
	for i, x := range l.Items {
		t := b.tensorArg(x, c)
		if i == 0 && v[1] != nil {
			axis = b.axesOf(v[1], t.N.Type.Rank()+1, c)[0]
		}
		dims := append([]ir.Dim{}, t.N.Type.Dims...)
		dims = append(dims[:axis], append([]ir.Dim{{Size: 1}}, dims[axis:]...)...)
		var at []int
		for k := range dims {
			if k != axis {
				at = append(at, k)
			}
		}
		parts = append(parts, b.tensor(b.f.b.Broadcast(b.node(t), dims, at...)))
	}
	return concatBuiltin(b, &call{name: c.name, args: []Value{List{parts}, whole(axis)}, span: c.span})
}

func reshapeBuiltin(b *builder, c *call) Value {
	v := b.take(c, 2, "x", "shape")
	x := b.tensorArg(v[0], c)
	l, ok := v[1].(List)
	if !ok {
		b.failHelp(c.span, "`reshape(x, [a, b])`", "the shape is a list of sizes, not %s", describe(v[1]))
	}
	var dims []ir.Dim
	for _, s := range l.Items {
		if n, ok := s.(Num); ok && n.V == -1 {
			b.failHelp(c.span, "write it: sizes have names and can be computed with, as in `B * T`", "no size stands for what is left")
		}
		dims = append(dims, b.dimOf(s, c.span))
	}
	return b.reshape(x, dims, c.span)
}

func flattenBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis")
	x := b.tensorArg(v[0], c)
	first := 0
	if v[1] != nil {
		first = b.axesOf(v[1], x.N.Type.Rank(), c)[0]
	}
	n := 1
	for _, d := range x.N.Type.Dims[first:] {
		n *= d.Size
	}
	return b.reshape(x, append(append([]ir.Dim{}, x.N.Type.Dims[:first]...), ir.Dim{Size: n}), c.span)
}

// reshape maps the flat index of the result to the indices of x. Runtime lengths must lead both shapes alike.
func (b *builder) reshape(x Tensor, dims []ir.Dim, at Span) Tensor {
	have := x.N.Type.Dims
	same := 0
	for same < len(have) && same < len(dims) && have[same].Equal(dims[same]) {
		same++
	}
	a, n := 1, 1
	for _, d := range have[same:] {
		a *= d.Size
		if d.Len != nil {
			b.fail(at, "`reshape` over an axis whose length is known at run time only")
		}
	}
	for _, d := range dims[same:] {
		n *= d.Size
		if d.Len != nil {
			b.fail(at, "`reshape` over an axis whose length is known at run time only")
		}
	}
	if a != n {
		b.fail(at, "these shapes do not fit: %s cannot become %s: %d elements and %d", typeText(x.N.Type), dimsText(dims), x.N.Type.Size(), ir.OfDims(b.float, dims).Size())
	}
	flat := index.C(0)
	for k := same; k < len(dims); k++ {
		flat = index.Sum(index.Prod(flat, index.C(dims[k].Size)), ir.Var(k))
	}
	bound := func(name string) (int, int) {
		for k := range dims {
			if ir.Var(k).Name == name {
				return 0, max(dims[k].Size-1, 0)
			}
		}
		return 0, 0
	}
	out := make([]*index.Expr, len(have))
	stride := 1
	for k := len(have) - 1; k >= same; k-- {
		out[k] = index.Rem(index.Quo(flat, index.C(stride)), index.C(have[k].Size)).SimplifyIn(bound)
		stride *= have[k].Size
	}
	for k := range same {
		out[k] = ir.Var(k)
	}
	return b.tensor(b.f.b.Index(b.node(x), dims, out, nil))
}

func transposeBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axes")
	x := b.tensorArg(v[0], c)
	rank := x.N.Type.Rank()
	if rank < 2 {
		b.fail(c.span, "`transpose` wants at least 2 axes, `%s` has %d", b.src.text(c.spans[0]), rank)
	}
	order := make([]int, rank)
	for k := range order {
		order[k] = k
	}
	if v[1] == nil {
		order[rank-1], order[rank-2] = rank-2, rank-1
	} else {
		l, ok := v[1].(List)
		if !ok || len(l.Items) != rank || len(b.axesOf(l, rank, c)) != rank {
			b.fail(c.span, "`axes` lists each axis once")
		}
		for k, a := range l.Items {
			order[k] = (int(a.(Num).V) + rank) % rank
		}
	}
	n := b.f.b.Permute(b.node(x), order...)
	one := make([]bool, rank)
	for k, a := range order {
		one[k] = x.isOne(a)
	}
	return Tensor{N: n, F: b.f, One: one}
}

// lastAxis moves an axis to the end for ops that work there, and back.
func (b *builder) lastAxis(x Tensor, v Value, c *call, f func(n *ir.Node) *ir.Node) Tensor {
	rank := x.N.Type.Rank()
	if rank == 0 {
		b.fail(c.span, "`%s` wants at least one axis", c.name)
	}
	if x.N.Type.Elem == loop.Bool {
		b.failHelp(c.span, "`i32(x)` makes them 0 and 1", "`%s` takes numbers, not %s", c.name, typeText(x.N.Type))
	}
	axis := rank - 1
	if v != nil {
		axes := b.axesOf(v, rank, c)
		if len(axes) != 1 {
			b.failHelp(c.span, "`flatten(x)` makes one of all", "`%s` is along one axis, not %d", c.name, len(axes))
		}
		axis = axes[0]
	}
	if d := x.N.Type.Dims[axis]; d.Size > ir.MaxSort {
		b.failHelp(c.span, "`where` keeps what is larger than a bound without an order, and parts of the axis can be sorted", "`%s` takes an axis of at most %s, and this one has %s", c.name, plural(ir.MaxSort, "element"), dimText(d))
	}
	order := make([]int, rank)
	for k := range order {
		order[k] = k
	}
	order[axis], order[rank-1] = rank-1, axis
	return b.tensor(b.f.b.Permute(f(b.f.b.Permute(b.node(x), order...)), order...))
}

func argsortBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis")
	return b.lastAxis(b.tensorArg(v[0], c), v[1], c, func(n *ir.Node) *ir.Node { return b.f.b.ArgSort(n) })
}

func sortBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis")
	return b.lastAxis(b.tensorArg(v[0], c), v[1], c, func(n *ir.Node) *ir.Node {
		return b.gatherLast(n, b.f.b.ArgSort(n))
	})
}

func (b *builder) gatherLast(n, order *ir.Node) *ir.Node {
	out := make([]*index.Expr, n.Type.Rank())
	for k := range out {
		out[k] = ir.Var(k)
	}
	out[len(out)-1] = ir.Data(1)
	return b.f.b.Index(n, order.Type.Dims, out, nil, order)
}

func topKBuiltin(b *builder, c *call) Value {
	v := b.take(c, 2, "x", "k", "axis")
	k, ok := v[1].(Num)
	x := b.tensorArg(v[0], c)
	if !ok || !k.isWhole() || k.V < 1 {
		b.failHelp(c.span, wholeHelp(v[1]), "`k` is a whole number from 1 on that the compiler knows, not %s", describe(v[1]))
	}
	return b.lastAxis(x, v[2], c, func(n *ir.Node) *ir.Node {
		length, places := lastDim(n).Length(), index.C(int(k.V))
		b.need(index.Sub(length, places), complaint{at: c.span, message: "there are no %v largest of %v", values: []*index.Expr{places, length}})
		return b.f.b.TopK(n, int(k.V))
	})
}

func varBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "axis", "keep")
	x := b.tensorArg(v[0], c)
	x = b.cast(x, b.floatOf(x.N.Type.Elem))
	at := b.axesOf(v[1], x.N.Type.Rank(), c)
	center := b.kept(b.mean(x, at, nil), x, at)
	d := b.binary("-", x, center, c.span).(Tensor)
	r := b.mean(b.elementwise(ir.OpMul, d, d), at, nil)
	if keep, ok := v[2].(Bool); ok && bool(keep) {
		return b.kept(r, x, at)
	}
	return r
}

func stdBuiltin(b *builder, c *call) Value {
	return b.elementwise(ir.OpSqrt, varBuiltin(b, c).(Tensor))
}
