package lang

import (
	"math"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// keepsAxis reports whether a reducer has a value for each place of its axis.
func keepsAxis(name string) bool {
	return name == "softmax" || name == "log_softmax" || isCumulative(name)
}

// reduceAlone is a reducer outside of an index statement, as in `mean[i] x[i]`.
func (b *builder) reduceAlone(t *ReduceTerm) Value {
	b.at(t.Span())
	b.needGraph(t.Span())
	if keepsAxis(t.Name) {
		b.failHelp(t.Span(), "`y[i] = "+t.Name+"[i] x[i]`, or `"+t.Name+"(x, axis: -1)`", "`%s` keeps its axis, so its index must stand on the left", t.Name)
	}
	in := b.withIndices(&indexScope{root: &statement{bases: map[Term]Value{}}})
	in.sizeRest(t)
	r := in.reduce(t)
	if len(r.vars) > 0 {
		b.failHelp(t.Span(), "`y[..] = "+t.Name+"[…] …`, or `..` in the bracket of `"+t.Name+"`", "`..` is left over: it stands neither on the left nor in the bracket of `%s`", t.Name)
	}
	return r.v
}

// reduce evaluates a reducer in index notation.
func (b *builder) reduce(t *ReduceTerm) indexed {
	inner := &indexScope{outer: b.ix, root: b.ix.root}
	var over, fresh []*indexVar
	for _, x := range t.Bounds {
		switch {
		case x.Rest:
			if !b.ix.root.sized {
				b.fail(x.Span, "`..` stands for nothing: no operand has it")
			}
			over = append(over, b.ix.root.rest...)
		case keepsAxis(t.Name):
			v := b.ix.find(x.Name)
			if v == nil {
				b.failHelp(x.Span, "put it on the left", "`%s` keeps its axis: the index `%s` must stand on the left", t.Name, x.Name)
			}
			over = append(over, v)
		default:
			v := b.boundIndex(x, t.Name)
			v.id = b.ix.root.id()
			fresh, over = append(fresh, v), append(over, v)
		}
	}
	inner.vars = fresh
	in := b.withIndices(inner)
	in.ranges(fresh, t.parts(), true)
	b.at(t.Span())
	var mask *indexed
	if t.Where != nil {
		m := in.indexed(t.Where)
		switch v := m.v.(type) {
		case Bool, Tensor:
			if x, ok := v.(Tensor); ok && x.N.Type.Elem != loop.Bool {
				b.fail(t.Where.Span(), "`where` wants a condition, not %s", typeText(x.N.Type))
			}
		default:
			b.fail(t.Where.Span(), "`where` wants a condition, not %s", describe(v))
		}
		mask = &m
	}
	if t.Name == "sum" || t.Name == "mean" {
		return in.sumProduct(t, over, mask)
	}
	body := in.indexed(t.Body)
	return in.reduceBody(t, body, over, mask)
}

// boundIndex makes the index of a reducer; it must hide nothing.
func (b *builder) boundIndex(x BoundTerm, reducer string) *indexVar {
	if b.ix.find(x.Name) != nil {
		b.failHelp(x.Span, "rename it", "the index `%s` of %s is an index around it already", x.Name, reducer)
	}
	if v, home := b.sc.find(x.Name); v != nil && home.kind != libraryScope {
		b.failHelp(x.Span, "rename it", "the index `%s` of %s hides %s of the same name", x.Name, reducer, describe(v))
	}
	v := &indexVar{name: x.Name, span: x.Span}
	if x.Below != nil {
		v.dim, v.set = b.dimOf((&builder{b.core, b.sc, b.ix}).eval(x.Below), x.Below.Span()), true
	}
	return v
}

// reduceBody reduces one value over indices, with what the mask leaves.
func (b *builder) reduceBody(t *ReduceTerm, body indexed, over []*indexVar, mask *indexed) indexed {
	all := []indexed{body, {vars: over}}
	if mask != nil {
		all = append(all, *mask)
	}
	vars := union(all)
	e := b.elemFor(body.v)
	x := b.align(body, vars, e)
	var m *Tensor
	if mask != nil {
		mt := b.align(*mask, vars, loop.Bool)
		m = &mt
	}
	var at []int
	var left []*indexVar
	for i, v := range vars {
		if has(over, v) {
			at = append(at, i)
		} else {
			left = append(left, v)
		}
	}
	if keepsAxis(t.Name) {
		left = vars
	}
	return indexed{b.reduceTensor(t.Name, x, at, m, t.Span()), left}
}

func has(vars []*indexVar, v *indexVar) bool {
	for _, u := range vars {
		if u == v {
			return true
		}
	}
	return false
}

// A factor of the product under a sum.
type factor struct {
	x       indexed
	divisor bool
	at      Span
}

func (b *builder) factors(t Term, divisor bool, out []factor) []factor {
	if m, ok := t.(*BinaryTerm); ok && (m.Op == "*" || m.Op == "/") && !divisor {
		out = b.factors(m.L, false, out)
		return b.factors(m.R, m.Op == "/", out)
	}
	return append(out, factor{b.indexed(t), divisor, t.Span()})
}

func dependsOn(x indexed, over []*indexVar) bool {
	for _, v := range x.vars {
		if has(over, v) {
			return true
		}
	}
	return false
}

// sumProduct is sum and mean of a product: factors that do not depend on the
// summed indices multiply the sum, and a mask is put on the factor that has all its indices.
func (b *builder) sumProduct(t *ReduceTerm, over []*indexVar, mask *indexed) indexed {
	var inside, outside []factor
	for _, f := range b.factors(t.Body, false, nil) {
		if dependsOn(f.x, over) {
			inside = append(inside, f)
		} else {
			outside = append(outside, f)
		}
	}
	r, ok := indexed{}, false
	if t.Where != nil {
		r, ok = b.scattered(t, b.productOf(inside, outside, t.Span()), over)
	}
	if !ok {
		rest := mask
		if mask != nil && dependsOn(*mask, over) {
			rest = b.maskFactor(t, inside, mask)
		}
		r = b.reduceBody(t, b.productOf(inside, outside, t.Span()), over, rest)
	}
	for _, f := range outside {
		r = b.combine(r, f, t.Span())
	}
	return r
}

// maskFactor puts the mask of a sum on the factors that have all its indices, on each, since what is left out may be no number, but on
// windows only where no other factor has them. It gives the mask that is left to put on the product.
func (b *builder) maskFactor(t *ReduceTerm, inside []factor, mask *indexed) *indexed {
	if mask == nil || t.Name != "sum" || len(inside) < 2 {
		return mask
	}
	has := func(f factor) bool { return len(union([]indexed{f.x, *mask})) == len(f.x.vars) }
	slides := func(f factor) bool {
		x, ok := f.x.v.(Tensor)
		return ok && ir.Slides(x.N)
	}
	if slices.ContainsFunc(inside, func(f factor) bool { return f.divisor && !has(f) }) || !slices.ContainsFunc(inside, func(f factor) bool { return !f.divisor && has(f) }) {
		return mask
	}
	windows := !slices.ContainsFunc(inside, func(f factor) bool { return !f.divisor && has(f) && !slides(f) })
	for i, f := range inside {
		if !has(f) || slides(f) && !windows && !f.divisor {
			continue
		}
		otherwise := 0
		if f.divisor {
			otherwise = 1
		}
		inside[i].x = b.together(f.at, []indexed{*mask, f.x}, func(vs []Value) Value { return b.where(vs[0], vs[1], whole(otherwise), f.at) })
	}
	return nil
}

// productOf is the product of the factors inside of a sum; of none it is 1, whole where all factors are.
func (b *builder) productOf(inside, outside []factor, at Span) indexed {
	body := indexed{Num{1, true}, nil}
	switch {
	case len(inside) == 0:
		if len(outside) > 0 && (outside[0].divisor || !isNumber1(outside)) {
			body = indexed{Num{1, false}, nil}
		}
	case inside[0].divisor:
		for _, f := range inside {
			body = b.combine(body, f, at)
		}
	default:
		body = inside[0].x
		for _, f := range inside[1:] {
			body = b.combine(body, f, at)
		}
	}
	return body
}

// isNumber1 reports whether the factors are whole numbers only: a count.
func isNumber1(fs []factor) bool {
	for _, f := range fs {
		n, ok := f.x.v.(Num)
		if !ok || !n.Whole || f.divisor {
			return false
		}
	}
	return true
}

func (b *builder) combine(x indexed, f factor, at Span) indexed {
	op := "*"
	if f.divisor {
		op = "/"
	}
	return b.together(at, []indexed{x, f.x}, func(vs []Value) Value { return b.binary(op, vs[0], vs[1], at) })
}

// reduceTensor reduces axes of x; mask leaves elements out. Over nothing a sum is 0, a max
// -inf, a softmax 0, a mean NaN.
func (b *builder) reduceTensor(name string, x Tensor, axes []int, mask *Tensor, at Span) Tensor {
	b.at(at)
	e := x.N.Type.Elem
	switch name {
	case "sum", "mean", "prod":
		if e == loop.Bool {
			x, e = b.cast(x, loop.I32), loop.I32
		}
		if name == "mean" {
			return b.mean(b.cast(x, b.floatOf(e)), axes, mask)
		}
		kind, empty := ir.Sum, 0.0
		if name == "prod" {
			kind, empty = ir.Prod, 1
		}
		return b.fold1(kind, b.masked(x, mask, empty), axes)
	case "any", "all":
		if e != loop.Bool {
			b.fail(at, "`%s` wants truth values, not %s", name, typeText(x.N.Type))
		}
		if name == "any" {
			return b.fold1(ir.Any, b.masked(x, mask, 0), axes)
		}
		return b.fold1(ir.All, b.masked(x, mask, 1), axes)
	case "max", "min", "argmax", "argmin":
		return b.extreme(name, x, axes, mask, at)
	}
	if e.IsFloat() && e.Size() < b.float.Size() { // sums of these are made in f32, and f32's largest is infinite in f16
		return b.cast(b.reduceTensor(name, b.cast(x, b.float), axes, mask, at), e)
	}
	if isCumulative(name) {
		if len(axes) != 1 {
			b.fail(at, "`%s` runs along one axis", name)
		}
		return b.cumulative(name, x, axes[0], mask, at)
	}
	if e == loop.Bool || e.IsInt() {
		x = b.cast(x, b.float)
	}
	return b.soft(name, x, axes, mask)
}

func (b *builder) floatOf(e ir.Elem) ir.Elem {
	if e.IsFloat() {
		return e
	}
	return b.float
}

func (b *builder) fold1(kind ir.ReduceKind, x Tensor, axes []int) Tensor {
	if len(axes) == 0 {
		return x
	}
	t := b.tensor(b.f.b.Reduce(kind, axes, b.node(x)))
	k := 0
	for i := range x.N.Type.Dims {
		if !hasAxis(axes, i) {
			t.One[k] = x.isOne(i)
			k++
		}
	}
	return t
}

func hasAxis(axes []int, a int) bool {
	for _, x := range axes {
		if x == a {
			return true
		}
	}
	return false
}

func (b *builder) masked(x Tensor, mask *Tensor, otherwise float64) Tensor {
	if mask == nil {
		return x
	}
	n := b.node(x)
	return Tensor{N: b.f.b.Where(b.node(*mask), n, b.f.b.Like(n, otherwise)), F: b.f, One: x.One}
}

func (b *builder) mean(x Tensor, axes []int, mask *Tensor) Tensor {
	total := b.fold1(ir.Sum, b.masked(x, mask, 0), axes)
	n := b.node(total)
	var count *ir.Node
	if mask != nil {
		count = b.node(b.fold1(ir.Sum, b.cast(*mask, x.N.Type.Elem), axes))
	} else {
		size, known := index.C(1), true
		for _, a := range axes {
			size = index.Prod(size, x.N.Type.Dims[a].Length())
		}
		k, known := size.Const()
		if known {
			count = b.f.b.Like(n, float64(k))
		} else {
			c := b.cast(b.length(size), n.Type.Elem)
			count = b.node(b.stretch(c, n.Type.Dims, total.One))
		}
	}
	return Tensor{N: b.f.b.Div(n, count), F: b.f, One: total.One}
}

func (b *builder) extreme(name string, x Tensor, axes []int, mask *Tensor, at Span) Tensor {
	e := x.N.Type.Elem
	if e == loop.Bool {
		b.failHelp(at, "`any` and `all` reduce truth values", "`%s` wants numbers", name)
	}
	kind := map[string]ir.ReduceKind{"max": ir.Max, "min": ir.Min, "argmax": ir.ArgMax, "argmin": ir.ArgMin}[name]
	if (kind == ir.ArgMax || kind == ir.ArgMin) && len(axes) != 1 {
		b.fail(at, "`%s` looks along one axis, not along %d", name, len(axes))
	}
	return b.fold1(kind, b.masked(x, mask, leastOf(e, kind == ir.Min || kind == ir.ArgMin)), axes)
}

// leastOf is the smallest value of a type, or the largest: what a max or min of nothing is.
func leastOf(e ir.Elem, largest bool) float64 {
	low, high := math.Inf(-1), math.Inf(1)
	switch e {
	case loop.I32:
		low, high = math.MinInt32, math.MaxInt32
	case loop.U32:
		low, high = 0, math.MaxUint32
	case loop.U8:
		low, high = 0, math.MaxUint8
	}
	if largest {
		return high
	}
	return low
}

// again repeats n along axes that it lacks: it has the others of like.
func (b *builder) again(n *ir.Node, like *ir.Node, axes []int) *ir.Node {
	var left []int
	for i := range like.Type.Dims {
		if !hasAxis(axes, i) {
			left = append(left, i)
		}
	}
	return b.f.b.Broadcast(n, like.Type.Dims, left...)
}

// soft is softmax, log_softmax and logsumexp. The largest element is taken off
// first. It is kept finite where a mask may leave nothing, and for logsumexp, which
// is -inf where all elements are.
func (b *builder) soft(name string, x Tensor, axes []int, mask *Tensor) Tensor {
	g := b.f.b
	x = b.masked(x, mask, math.Inf(-1))
	n := b.node(x)
	top := g.Stop(b.node(b.fold1(ir.Max, x, axes)))
	switch {
	case name == "logsumexp":
		top = finite(g, top)
	case mask != nil:
		top = g.Make(ir.OpMax, nil, top, g.Like(top, -math.MaxFloat32))
	}
	shifted := g.Sub(n, b.again(top, n, axes))
	e := g.Op("exp", shifted)
	sum := g.Reduce(ir.Sum, axes, e)
	switch name {
	case "logsumexp":
		return b.tensor(logOf(g, top, sum))
	case "log_softmax":
		return Tensor{N: g.Sub(shifted, b.again(g.Op("log", sum), n, axes)), F: b.f, One: x.One}
	}
	if mask != nil { // an empty row has sum 0; all others at least 1
		sum = g.Make(ir.OpMax, nil, sum, g.Like(sum, 0.5))
	}
	// What is left out is 0 in a row with a NaN, too.
	return b.masked(Tensor{N: g.Div(e, b.again(sum, n, axes)), F: b.f, One: x.One}, mask, 0)
}
