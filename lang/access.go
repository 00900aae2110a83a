package lang

import (
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// indexedAccess is x[i, j + 1, tok[b]]; false: the base is not a tensor.
func (b *builder) indexedAccess(t *IndexTerm) (indexed, bool) {
	if b.mentions(t.X) {
		b.failHelp(t.X.Span(), "name it first: `z[…] = …`", "the array that is indexed cannot itself depend on an index")
	}
	x, ok := b.base(t.X).(Tensor)
	if !ok {
		return indexed{}, false
	}
	subs := b.restSubscripts(t, x.N.Type.Rank())
	acc := &indexedMap{b: b}
	exprs := make([]*index.Expr, len(subs))
	for k, s := range subs {
		if s.rest != nil {
			exprs[k] = acc.use(s.rest)
			continue
		}
		exprs[k] = acc.expr(s.sub.At)
	}
	return acc.finish(x, exprs, subs, t), true
}

type subscriptOf struct {
	sub  Subscript
	rest *indexVar
}

// restSubscripts gives one subscript for each axis, `..` expanded.
func (b *builder) restSubscripts(t *IndexTerm, rank int) []subscriptOf {
	var out []subscriptOf
	for _, s := range t.Indices {
		switch {
		case s.Rest:
			for _, v := range b.ix.root.rest {
				out = append(out, subscriptOf{s, v})
			}
		case s.At == nil:
			b.failHelp(s.Span, "use an index", "in index notation every operand is a scalar: a slice cannot stand here")
		default:
			out = append(out, subscriptOf{s, nil})
		}
	}
	if len(out) != rank {
		help := ""
		if len(out) < rank {
			help = "here every operand is a scalar; a function of rows is applied in a loop: `for i in n { y[i] = f(x[i]) }`"
		}
		b.failHelp(t.Span(), help, "`%s` has %s, and here %s", b.src.text(t.X.Span()), axes(rank), indices(len(out)))
	}
	return out
}

// indexedMap collects the indices and data of one access.
type indexedMap struct {
	b    *builder
	vars []*indexVar
	data []indexed
}

func (m *indexedMap) use(v *indexVar) *index.Expr {
	for _, u := range m.vars {
		if u == v {
			return index.V(v.key())
		}
	}
	m.vars = append(m.vars, v)
	return index.V(v.key())
}

// expr is a subscript as an index expression; what is not affine in the indices is data.
func (m *indexedMap) expr(t Term) *index.Expr {
	b := m.b
	if n, ok := t.(*NameTerm); ok {
		if v := b.ix.find(n.Name); v != nil {
			return m.use(v)
		}
	}
	if !b.mentions(t) {
		v := b.base(t)
		if e := exprOf(v); e != nil {
			return e
		}
		return m.dataOperand(indexed{v, nil}, t)
	}
	switch t := t.(type) {
	case *BinaryTerm:
		switch t.Op {
		case "+":
			return index.Sum(m.expr(t.L), m.expr(t.R))
		case "-":
			return index.Sub(m.expr(t.L), m.expr(t.R))
		case "*":
			return index.Prod(m.expr(t.L), m.expr(t.R))
		case "div", "%":
			if b.mentions(t.R) {
				break // a number that may be 0: data
			}
			k, known := b.base(t.R).(Num)
			switch {
			case !known:
			case !k.isWhole() || k.V <= 0:
				b.fail(t.Span(), "`%s` by %s in an index", t.Op, k)
			case t.Op == "div":
				return index.Quo(m.expr(t.L), index.C(int(k.V)))
			default:
				return index.Rem(m.expr(t.L), index.C(int(k.V)))
			}
		}
	case *UnaryTerm:
		if t.Op == "-" {
			return index.Prod(m.expr(t.X), index.C(-1))
		}
	}
	return m.dataOperand(b.indexed(t), t)
}

func (m *indexedMap) dataOperand(x indexed, t Term) *index.Expr {
	v, ok := x.v.(Tensor)
	if !ok || !v.N.Type.Elem.IsInt() {
		m.b.failHelp(t.Span(), "`div` divides whole numbers, i32(x) converts", "an index is a whole number, and `%s` is %s", m.b.src.text(t.Span()), describe(x.v))
	}
	if v.N.Type.Rank() != len(x.vars) {
		m.b.fail(t.Span(), "in index notation an index is a scalar, and `%s` has %s", m.b.src.text(t.Span()), axes(v.N.Type.Rank()))
	}
	for _, u := range x.vars {
		m.use(u)
	}
	m.data = append(m.data, x)
	return ir.Data(len(m.data))
}

// dropUnused forgets the indices that no place depends on: o in `x[o div n + c]`, where o < n.
func (m *indexedMap) dropUnused(exprs []*index.Expr) {
	used := map[string]bool{}
	for _, e := range exprs {
		e.Vars(func(name string) { used[name] = true })
	}
	m.vars = slices.DeleteFunc(m.vars, func(v *indexVar) bool {
		return !used[v.key()] && !slices.ContainsFunc(m.data, func(d indexed) bool { return slices.Contains(d.vars, v) })
	})
}

// finish proves the access inside and makes the index op.
func (m *indexedMap) finish(x Tensor, exprs []*index.Expr, subs []subscriptOf, t *IndexTerm) indexed {
	b := m.b
	b.at(t.Span())
	var outside *float64
	var instead *indexed // what is read outside, where it is no number that the compiler knows
	if t.Outside != nil {
		zero := 0.0
		outside = &zero
		if x := b.indexed(t.Outside); len(x.vars) > 0 {
			instead = &x
		} else if n, ok := x.v.(Num); ok {
			outside = &n.V
		} else {
			instead = &x
		}
	}
	if outside == nil {
		for k, e := range exprs {
			b.inside(e, x.N.Type.Dims[k], subs[k], t)
		}
	}
	bound := func(name string) (int, int) {
		if v := b.ix.byKey(name); v != nil {
			return 0, max(v.dim.Size-1, 0)
		}
		return b.bounds(name)
	}
	for k, e := range exprs {
		exprs[k] = e.SimplifyIn(bound)
	}
	m.dropUnused(exprs)
	if len(m.data) == 0 && len(m.vars) == len(exprs) && outside == nil {
		plain := true
		for k, e := range exprs {
			plain = plain && index.Equal(e, index.V(m.vars[k].key()))
		}
		if plain && ir.SameDims(dimsOf(m.vars), x.N.Type.Dims) {
			return indexed{x, m.vars}
		}
	}
	place := map[string]*index.Expr{}
	for i, v := range m.vars {
		place[v.key()] = ir.Var(i)
	}
	dims := dimsOf(m.vars)
	out := make([]*index.Expr, len(exprs))
	for k, e := range exprs {
		out[k] = e.Subst(func(name string) *index.Expr { return place[name] })
	}
	args := []*ir.Node{b.node(x)}
	for _, d := range m.data {
		args = append(args, b.node(b.cast(b.align(d, m.vars, loop.I32), loop.I32)))
	}
	n, err := b.makeIndex(ir.IndexAttr{Vars: len(m.vars), Out: out, Outside: outside, Shape: dims}, args...)
	if err != nil {
		b.failHelp(t.Span(), "`"+b.outsideHelp(t)+"` reads 0 there", "`%s` can read outside: %v", b.src.text(t.Span()), err)
	}
	r := indexed{b.tensor(n), m.vars}
	if instead == nil {
		return r
	}
	// Where the map stays inside of an array of ones, the element is there.
	ones := b.f.b.Const(ir.OfDims(b.float, x.N.Type.Dims), 1)
	there := b.f.b.Make(n.Op, n.Attr, append([]*ir.Node{ones}, args[1:]...)...)
	mask := b.tensor(b.f.b.Make(ir.OpGt, nil, there, b.f.b.Like(there, 0.5)))
	return b.together(t.Span(), []indexed{{mask, m.vars}, r, *instead}, func(vs []Value) Value { return b.where(vs[0], vs[1], vs[2], t.Span()) })
}

func (b *builder) outsideHelp(t *IndexTerm) string {
	s := b.src.text(t.Span())
	return s[:max(len(s)-1, 0)] + " | 0]"
}

// inside proves an affine access of a static axis from the ranges alone.
func (b *builder) inside(e *index.Expr, d ir.Dim, s subscriptOf, t *IndexTerm) {
	data, runtime := false, d.Len != nil
	e.Vars(func(name string) {
		if name[0] == '$' {
			data = true
		} else if v := b.ix.byKey(name); v == nil || v.dim.Len != nil {
			runtime = true
		}
	})
	if data || runtime {
		return // data is checked when it runs; runtime lengths are proved when the op is made
	}
	bound := func(name string) (int, int) { return 0, b.ix.byKey(name).dim.Size - 1 }
	e = e.SimplifyIn(bound)
	empty := false
	e.Vars(func(name string) { empty = empty || b.ix.byKey(name).dim.Size == 0 })
	lo, hi := e.Range(bound)
	if lo >= 0 && hi < d.Size || empty {
		return
	}
	at := s.sub.Span
	if _, ok := e.Const(); ok {
		b.failHelp(at, "negative numbers count from the end only outside index notation, as in `x[:, -1]`", "`%s` reads outside of %s: the axis has %s", b.src.text(t.Span()), b.src.text(t.X.Span()), dimText(d))
	}
	b.failHelp(at, "`"+b.outsideHelp(t)+"` reads 0 there", "`%s` can read outside of %s: %s is in %d .. %d, the axis has %s",
		b.src.text(t.Span()), b.src.text(t.X.Span()), b.src.text(at), lo, hi, dimText(d))
}

// makeIndex makes an index op. One that data lead has the place in the user's files: a run that stops there names it.
func (b *builder) makeIndex(attr ir.IndexAttr, args ...*ir.Node) (*ir.Node, error) {
	if len(args) > 1 {
		at, _ := b.outsideLibrary(b.current)
		defer b.at(b.current)
		b.at(at)
		if attr.Outside == nil {
			b.constantsInside(attr.Out, args)
		}
	}
	return b.f.b.TryMake(ir.OpIndex, attr, args...)
}

// constantsInside refuses an index that is data and one number, which the compiler knows, outside of args[0].
func (b *builder) constantsInside(out []*index.Expr, args []*ir.Node) {
	for axis, e := range out {
		d := args[0].Type.Dims[axis]
		for k, data := range args[1:] {
			if v, ok := oneNumber(data); ok && index.Equal(e, ir.Data(k+1)) && d.Len == nil && (v < 0 || v >= float64(d.Size)) {
				b.fail(b.current, "there is no element %v: the axis has %v", itoa(int(v)), dimText(d))
			}
		}
	}
}

// oneNumber is the number that all elements of n are; false: there are none, or it is not known.
func oneNumber(n *ir.Node) (float64, bool) {
	if n.Type.Size() == 0 {
		return 0, false
	}
	for n.Op == ir.OpIndex && n.Attr.(ir.IndexAttr).Outside == nil {
		n = n.Args[0]
	}
	c, _ := n.Attr.(ir.ConstAttr)
	return c.Splat()
}
