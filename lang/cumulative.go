package lang

import (
	"math"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Reducers that give, at each place of an axis, what they make of all up to it. Short axes take steps s = 1, 2, 4, …, in which each
// element takes in what stands s before it: then it covers 2s elements (Hillis and Steele, Data parallel algorithms, 1986). Long
// ones do so in blocks, run along what blocks make, and let each element take in what the blocks before its own make: that is a few
// passes over the axis. The gradient is that of what is written here, of any order.

const (
	runBlock   = 32  // elements of a block
	runInSteps = 512 // the longest axis without blocks
)

// A cumulative reducer: otherwise stands for what a mask leaves out and before the first place; combine takes in what
// stands before (there: whether it is on the axis).
type cumulative struct {
	otherwise func(e ir.Elem) float64
	combine   func(g *ir.Builder, there, before, here *ir.Node) *ir.Node
}

var cumulatives = map[string]cumulative{
	"cumsum":  {always(0), func(g *ir.Builder, _, before, here *ir.Node) *ir.Node { return g.Add(before, here) }},
	"cumprod": {always(1), func(g *ir.Builder, _, before, here *ir.Node) *ir.Node { return g.Mul(before, here) }},
	"cummax":  {func(e ir.Elem) float64 { return leastOf(e, false) }, firstBy(ir.OpGe)},
	"cummin":  {func(e ir.Elem) float64 { return leastOf(e, true) }, firstBy(ir.OpLe)},
	"cumlogsumexp": {always(math.Inf(-1)), func(g *ir.Builder, _, before, here *ir.Node) *ir.Node {
		top := finite(g, g.Stop(g.Make(ir.OpMax, nil, before, here)))
		return logOf(g, top, g.Add(g.Op("exp", g.Sub(before, top)), g.Op("exp", g.Sub(here, top))))
	}},
}

func isCumulative(name string) bool { return cumulatives[name].combine != nil }

func always(v float64) func(ir.Elem) float64 { return func(ir.Elem) float64 { return v } }

// firstBy takes what stands before where it is as good, so that a gradient goes to the first of equals; NaN wins.
func firstBy(asGood *ir.Op) func(g *ir.Builder, there, before, here *ir.Node) *ir.Node {
	return func(g *ir.Builder, there, before, here *ir.Node) *ir.Node {
		better := g.Make(asGood, nil, before, here)
		if before.Type.Elem.IsFloat() {
			better = g.Or(better, g.Make(ir.OpNe, nil, before, before))
		}
		return g.Where(g.And(there, better), before, here)
	}
}

// cumulative runs the reducer along an axis of x.
func (b *builder) cumulative(name string, x Tensor, axis int, mask *Tensor, at Span) Tensor {
	c := cumulatives[name]
	switch e := x.N.Type.Elem; {
	case e == loop.Bool && (name == "cummax" || name == "cummin"):
		b.failHelp(at, "`cumsum` counts", "`%s` wants numbers", name)
	case e == loop.Bool:
		x = b.cast(x, loop.I32)
	}
	if name == "cumlogsumexp" {
		x = b.cast(x, b.floatOf(x.N.Type.Elem))
	}
	otherwise := c.otherwise(x.N.Type.Elem)
	y := accumulation{b.f.b, c, otherwise}.along(axis, b.node(b.masked(x, mask, otherwise)))
	return Tensor{N: y, F: b.f, One: x.One}
}

// accumulation is a cumulative reducer of some elements.
type accumulation struct {
	*ir.Builder
	cumulative
	none float64
}

// along lets each element of y take in all before it.
func (a accumulation) along(axis int, y *ir.Node) *ir.Node {
	dims, size := y.Type.Dims, y.Type.Dims[axis]
	if size.Size <= runInSteps {
		return a.steps(axis, y)
	}
	place, block := ir.Var(axis), index.C(runBlock)
	count := ir.Dim{Size: (size.Size + runBlock - 1) / runBlock}
	if size.Len != nil {
		count.Len = index.Quo(index.Sum(size.Len, index.C(runBlock-1)), block)
	}
	blocks := slices.Concat(dims[:axis], []ir.Dim{count, {Size: runBlock}}, dims[axis+1:])
	y = a.steps(axis+1, a.at(y, blocks, axis, axis+2, index.Sum(index.Prod(place, block), ir.Var(axis+1))))
	ends := a.at(y, slices.Concat(dims[:axis], []ir.Dim{count}, dims[axis+1:]), axis, axis+1, place, index.C(runBlock-1))
	before := a.at(a.along(axis, ends), blocks, axis, axis+2, index.Sub(place, index.C(1)))
	return a.at(a.take(axis, 1, before, y), dims, axis, axis+1, index.Quo(place, block), index.Rem(place, block))
}

// steps is along in steps of 1, 2, 4, ….
func (a accumulation) steps(axis int, y *ir.Node) *ir.Node {
	for step := 1; step < y.Type.Dims[axis].Size; step *= 2 {
		y = a.take(axis, step, a.at(y, y.Type.Dims, axis, axis+1, index.Sub(ir.Var(axis), index.C(step))), y)
	}
	return y
}

// take lets elements of y take in what stands before them: it is on the axis from a place on.
func (a accumulation) take(axis, from int, before, y *ir.Node) *ir.Node {
	place := a.Iota(y.Type.Dims, axis)
	return a.combine(a.Builder, a.Make(ir.OpGe, nil, place, a.Like(place, float64(from))), before, y)
}

// at is y, of new dims, at some places of the axis, behind which are the dims from rest on.
func (a accumulation) at(y *ir.Node, dims []ir.Dim, axis, rest int, places ...*index.Expr) *ir.Node {
	var out []*index.Expr
	for k := range axis {
		out = append(out, ir.Var(k))
	}
	out = append(out, places...)
	for k := rest; len(out) < y.Type.Rank(); k++ {
		out = append(out, ir.Var(k))
	}
	return a.Index(y, dims, out, &a.none)
}

// finite is x within what f32 holds.
func finite(g *ir.Builder, x *ir.Node) *ir.Node {
	return g.Make(ir.OpMin, nil, g.Make(ir.OpMax, nil, x, g.Like(x, -math.MaxFloat32)), g.Like(x, math.MaxFloat32))
}

// logOf is top + log(sum), -inf where the sum is 0, with gradient 0 there.
func logOf(g *ir.Builder, top, sum *ir.Node) *ir.Node {
	none := g.Make(ir.OpEq, nil, sum, g.Like(sum, 0))
	return g.Where(none, g.Like(sum, math.Inf(-1)), g.Add(top, g.Op("log", g.Where(none, g.Like(sum, 1), sum))))
}
