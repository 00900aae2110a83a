package lang

import (
	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// indexTerm is x[…] outside index notation.
func (b *builder) indexTerm(t *IndexTerm) Value {
	x := b.eval(t.X)
	switch x := x.(type) {
	case Tensor:
		return b.slice(x, t)
	case List:
		return x.Items[b.listIndex(t, len(x.Items))]
	case StackedList:
		return x.at(b.listIndex(t, x.Level.n))
	case *UnitValue:
		if x.Decl.Kind == "distribution" {
			return Draw{Unit: x, Shape: b.shape(t), Given: true, One: writtenOnes(t), Span: t.Span()}
		}
	case Draw:
		x.Shape, x.Given, x.One = b.shape(t), true, writtenOnes(t)
		return x
	case Poison:
		panic(silent{})
	}
	b.fail(t.Span(), "%s cannot be indexed", describe(x))
	return nil
}

// writtenOnes says which axes of a shape are written as 1: they may stretch.
func writtenOnes(t *IndexTerm) []bool {
	one := make([]bool, len(t.Indices))
	for i, s := range t.Indices {
		n, ok := s.At.(*NumberTerm)
		one[i] = ok && n.Text == "1"
		if s.Rest {
			return nil // where the others stand is not known
		}
	}
	return one
}

// shape is the bracket of a draw.
func (b *builder) shape(t *IndexTerm) []ir.Dim {
	dims := []ir.Dim{}
	for _, s := range t.Indices {
		switch {
		case s.Rest:
			rest, ok := b.sc.bound("..").(Dims)
			if !ok {
				b.fail(s.Span, "`..` stands for nothing here")
			}
			dims = append(dims, rest.Dims...)
		case s.At != nil:
			dims = append(dims, b.dimOf(b.eval(s.At), s.Span))
		default:
			b.fail(s.Span, "the shape of a draw has sizes only")
		}
	}
	return dims
}

func (b *builder) listIndex(t *IndexTerm, n int) int {
	if len(t.Indices) != 1 || t.Indices[0].At == nil || t.Outside != nil {
		b.fail(t.Span(), "a list takes one index")
	}
	v := b.static(t.Indices[0].At, "the index of a list")
	k, ok := v.(Num)
	if !ok || !k.isWhole() {
		b.failHelp(t.Indices[0].Span, wholeHelp(v), "the index of a list is a whole number, not %s", describe(v))
	}
	i := int(k.V)
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		b.fail(t.Indices[0].Span, "the list has %s, there is no element %s", plural(n, "element"), k)
	}
	return i
}

// access is an index op in the making.
type access struct {
	shape   []ir.Dim
	one     []bool
	out     []*index.Expr
	data    []Tensor // with the place of their axes in shape
	first   []int
	free    bool // `| v` says what is read outside
	lengths bool // whether all is inside hangs on lengths that only a run knows: it has looked
}

// slice is x[…] on a tensor: numbers and integer tensors, slices, `none`, `..`.
func (b *builder) slice(x Tensor, t *IndexTerm) Value {
	b.at(t.Span())
	b.needGraph(t.Span())
	dims := x.N.Type.Dims
	used := 0
	for _, s := range t.Indices {
		if !s.Rest && !s.New {
			used++
		}
	}
	if used > len(dims) {
		b.fail(t.Span(), "`%s` has %s, and here %s", b.src.text(t.X.Span()), axes(len(dims)), indices(used))
	}
	a := &access{free: t.Outside != nil}
	axis := 0
	for _, s := range t.Indices {
		switch {
		case s.New:
			a.shape, a.one = append(a.shape, ir.Dim{Size: 1}), append(a.one, true)
		case s.Rest:
			for range len(dims) - used {
				a.keep(dims[axis], x.isOne(axis))
				axis++
			}
			used = len(dims)
		case s.Slice:
			b.cut(a, dims[axis], s, t)
			axis++
		default:
			b.point(a, dims[axis], s, t)
			axis++
		}
	}
	for ; axis < len(dims); axis++ {
		a.keep(dims[axis], x.isOne(axis))
	}
	var outside *float64
	if t.Outside != nil {
		v, ok := b.static(t.Outside, "the value outside").(Num)
		if !ok {
			b.fail(t.Outside.Span(), "the value outside must be a number")
		}
		outside = &v.V
	}
	return b.access(x, a, outside, t.Span())
}

func (a *access) keep(d ir.Dim, one bool) {
	a.out = append(a.out, ir.Var(len(a.shape)))
	a.shape, a.one = append(a.shape, d), append(a.one, one)
}

// access makes the index op.
func (b *builder) access(x Tensor, a *access, outside *float64, at Span) Tensor {
	n := b.node(x)
	identity := len(a.out) == len(a.shape) && ir.SameDims(a.shape, n.Type.Dims)
	for k, e := range a.out {
		identity = identity && index.Equal(e, ir.Var(k))
	}
	if identity {
		return Tensor{N: n, F: b.f, One: a.one}
	}
	var data []*ir.Node
	for k, d := range a.data {
		axes := make([]int, d.N.Type.Rank())
		for i := range axes {
			axes[i] = a.first[k] + i
		}
		data = append(data, b.f.b.Broadcast(b.node(d), a.shape, axes...))
	}
	attr := ir.IndexAttr{Vars: len(a.shape), Out: a.out, Outside: outside, Shape: a.shape}
	args := append([]*ir.Node{n}, data...)
	m, err := b.makeIndex(attr, args...)
	if err != nil && outside == nil && a.lengths {
		m, err = b.byLengths(a, args)
	}
	if err != nil {
		b.failHelp(at, "`| v` behind the indices reads v there", "`%s` can read outside: %v", b.src.text(at), err)
	}
	return Tensor{N: m, F: b.f, One: a.one}
}

// byLengths makes an index op of which the run has seen that lengths keep it inside, as far as it has to be: it is 0 outside.
// What data lead to is an op of its own, for those are looked at one by one.
func (b *builder) byLengths(a *access, args []*ir.Node) (*ir.Node, error) {
	if len(a.data) == 0 {
		return b.makeIndex(ir.IndexAttr{Vars: len(a.shape), Out: a.out, Outside: new(float64), Shape: a.shape}, args...)
	}
	first, then := ir.IndexAttr{Outside: new(float64)}, []*index.Expr{}
	keep := func(in, out *index.Expr, d ir.Dim) {
		first.Out, then = append(first.Out, in), append(then, out)
		first.Shape, first.Vars = append(first.Shape, d), first.Vars+1
	}
	for k, e := range a.out {
		used := map[string]bool{}
		e.Vars(func(name string) { used[name] = true })
		axis := ir.Var(first.Vars)
		j := len(a.shape) - 1
		for j >= 0 && !used[ir.Var(j).Name] {
			j--
		}
		switch {
		case e.Op == index.Var && e.Name[0] == '$':
			keep(axis, e, args[0].Type.Dims[k])
		case j >= 0:
			keep(e.Subst(func(name string) *index.Expr {
				if name == ir.Var(j).Name {
					return axis
				}
				return nil
			}), ir.Var(j), a.shape[j])
		default:
			first.Out = append(first.Out, e)
		}
	}
	x, err := b.makeIndex(first, args[0])
	if err != nil {
		return nil, err
	}
	return b.makeIndex(ir.IndexAttr{Vars: len(a.shape), Out: then, Shape: a.shape}, append([]*ir.Node{x}, args[1:]...)...)
}

// end is a bound of a slice: negative numbers count from the end.
func (b *builder) end(t Term, d ir.Dim, otherwise *index.Expr) *index.Expr {
	if t == nil {
		return otherwise
	}
	v := b.static(t, "the bound of a slice")
	e := exprOf(v)
	if e == nil {
		b.failHelp(t.Span(), wholeHelp(v), "the bound of a slice is a whole number, not %s", describe(v))
	}
	if _, hi := e.Range(b.bounds); hi < 0 {
		return index.Most(index.Sum(d.Length(), e), index.C(0))
	}
	return e
}

func (b *builder) bounds(name string) (int, int) { return b.f.b.Scope().Bound(name) }

// cut is a slice of an axis.
func (b *builder) cut(a *access, d ir.Dim, s Subscript, t *IndexTerm) {
	from := b.end(s.From, d, index.C(0))
	to := b.end(s.To, d, d.Length())
	n := trim(index.Sub(to, from))
	b.need(n, complaint{at: s.Span, message: "the slice ends before it starts: from %v to %v", values: []*index.Expr{from, to}, shape: true})
	_, most := n.Range(b.bounds)
	if !a.free {
		most = min(most, d.Size)
		help := "`" + b.outsideHelp(t) + "` reads 0 there"
		b.need(from, complaint{at: s.Span, help: help, message: "the slice starts at %v, which is before the axis", values: []*index.Expr{from}, shape: true})
		b.need(index.Sub(d.Length(), to), complaint{at: s.Span, help: help, message: "the slice ends at %v, the axis has %v", values: []*index.Expr{to, d.Length()}, shape: true})
	}
	a.out = append(a.out, index.Sum(from, ir.Var(len(a.shape))))
	a.shape, a.one = append(a.shape, ir.DynDim(n, max(most, 0))), append(a.one, false)
	a.lengths = a.lengths || d.Len != nil || !isConst(from) || !isConst(to)
}

func isConst(e *index.Expr) bool { return e.Op == index.Const }

// trim writes T - max(T - c, 0) as min(T, c).
func trim(n *index.Expr) *index.Expr {
	if n.Op != index.Add {
		return n
	}
	for i, part := range n.Args {
		if part.Op != index.Mul || !part.Args[1].IsConst(-1) || part.Args[0].Op != index.Max {
			continue
		}
		rest := append(append([]*index.Expr{}, n.Args[:i]...), n.Args[i+1:]...)
		m := part.Args[0]
		whole := index.Sum(rest...)
		return index.Least(index.Sub(whole, m.Args[0]), index.Sub(whole, m.Args[1]))
	}
	return n
}

// point is a number or an integer tensor in a bracket.
func (b *builder) point(a *access, d ir.Dim, s Subscript, t *IndexTerm) {
	v := b.eval(s.At)
	if e := exprOf(v); e != nil {
		a.lengths = a.lengths || d.Len != nil || !isConst(e)
		a.out = append(a.out, b.placeOn(e, d, s.Span, a.free, "`"+b.outsideHelp(t)+"` reads 0 there"))
		return
	}
	x, ok := v.(Tensor)
	if !ok {
		b.failHelp(s.Span, wholeHelp(v), "an index is a whole number, a slice or an integer tensor, not %s", describe(v))
	}
	if !x.N.Type.Elem.IsInt() {
		help := "i32(x) converts"
		if x.N.Type.Elem == loop.Bool {
			help = "how many are true is known at run time only: leave elements out by `mean[i where keep[i]] x[i]`, or weigh them: `x * keep`"
		}
		b.failHelp(s.Span, help, "an index is a whole number, not %s", typeText(x.N.Type))
	}
	x = b.cast(x, loop.I32)
	a.data = append(a.data, x)
	a.first = append(a.first, len(a.shape))
	a.out = append(a.out, ir.Data(len(a.data)))
	for i, d := range x.N.Type.Dims {
		a.shape, a.one = append(a.shape, d), append(a.one, x.isOne(i))
	}
}

// placeOn is e as a place on an axis, counted from the end where it is negative. Unless free, it has to be there, but for the last
// one of an axis whose length only the run knows, which is 0 where that is empty.
func (b *builder) placeOn(e *index.Expr, d ir.Dim, at Span, free bool, help string) *index.Expr {
	written := e
	if _, hi := e.Range(b.bounds); hi < 0 {
		e = index.Sum(d.Length(), e)
	}
	last := index.Sub(d.Length(), index.C(1))
	if free || d.Len != nil && index.Equal(e, last) {
		return e
	}
	missing := complaint{at: at, help: help, message: "there is no element %v: the axis has %v", values: []*index.Expr{written, d.Length()}}
	b.need(e, missing)
	b.need(index.Sub(last, e), missing)
	return e
}

// pick is element i of the first axis.
func (b *builder) pick(x Tensor, i int) Tensor {
	n := b.node(x)
	dims := n.Type.Dims[1:]
	out := []*index.Expr{index.C(i)}
	for k := range dims {
		out = append(out, ir.Var(k))
	}
	return b.tensor(b.f.b.Index(n, dims, out, nil))
}

// put is a copy of x that differs where the bracket points: v there.
func (b *builder) put(x Tensor, t *IndexTerm, v Value, at Span) Tensor {
	b.at(at)
	dims := x.N.Type.Dims
	subs := b.expandRest(t, len(dims), at)
	var cond Tensor
	has := false
	var kept []int
	for axis, s := range subs {
		if s.Slice && s.From == nil && s.To == nil {
			kept = append(kept, axis)
			continue
		}
		if s.Slice || s.New || s.At == nil {
			b.failHelp(s.Span, "number, loop variable, value, or `:` for the whole axis", "this cannot stand on the left")
		}
		c := b.isSlot(dims, axis, b.eval(s.At), s)
		if has {
			c = b.elementwise(ir.OpAnd, cond, c)
		}
		cond, has = c, true
	}
	part := make([]ir.Dim, len(kept))
	for i, k := range kept {
		part[i] = dims[k]
	}
	y, ok := b.tensorLike(v, x.N.Type.Elem)
	if !ok {
		b.fail(at, "%s cannot be set to %s", b.src.text(t.Span()), describe(v))
	}
	if y.N.Type.Elem != x.N.Type.Elem && !x.N.Type.Elem.IsFloat() && y.N.Type.Elem.IsFloat() {
		y = b.cast(y, x.N.Type.Elem)
	}
	y, why := b.broadcastTo(b.cast(y, x.N.Type.Elem), part)
	if why != "" {
		b.fail(at, "%s has the shape %s and cannot take %s: %s", b.src.text(t.Span()), dimsText(part), describe(v), why)
	}
	z := b.f.b.Broadcast(b.node(y), dims, kept...)
	if !has {
		return b.tensor(z)
	}
	return b.tensor(b.f.b.Where(b.node(cond), z, b.node(x)))
}

const slotHelp = "one slot at a time is set; rows that share a number are added up by `y[k, d] = sum[i where number[i] == k] x[i, d]`"

// isSlot is the condition that an element lies in the slot of an axis.
func (b *builder) isSlot(dims []ir.Dim, axis int, v Value, s Subscript) Tensor {
	ramp := b.tensor(b.f.b.Iota(dims, axis))
	var slot Tensor
	switch v := v.(type) {
	case Tensor:
		if v.N.Type.Rank() != 0 || !v.N.Type.Elem.IsInt() {
			b.failHelp(s.Span, slotHelp, "a slot is a whole number, not %s", typeText(v.N.Type))
		}
		slot = b.cast(v, loop.I32)
	default:
		e := exprOf(v)
		if e == nil {
			b.failHelp(s.Span, wholeHelp(v), "a slot is a whole number, not %s", describe(v))
		}
		e = b.placeOn(e, dims[axis], s.Span, false, "")
		if k, ok := e.Const(); ok {
			slot = b.constant(whole(k), loop.I32)
		} else {
			slot = b.length(e)
		}
	}
	return b.elementwise(ir.OpEq, ramp, b.stretch(slot, dims, make([]bool, len(dims))))
}

// expandRest writes `..` and missing indices as whole axes.
func (b *builder) expandRest(t *IndexTerm, rank int, at Span) []Subscript {
	var out []Subscript
	rest := rank - len(t.Indices)
	for _, s := range t.Indices {
		if s.Rest {
			for range rest + 1 {
				out = append(out, Subscript{Slice: true, Span: s.Span})
			}
			rest = -1
			continue
		}
		out = append(out, s)
	}
	for len(out) < rank {
		out = append(out, Subscript{Slice: true})
	}
	if len(out) > rank {
		b.fail(at, "`%s` has %s, and here %s", b.src.text(t.X.Span()), axes(rank), indices(len(out)))
	}
	return out
}
