package lang

import (
	"math"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Reducers that give, at each place of an axis, what they make of all up to it. With s = 1, 2, 4, … each element takes in what
// stands s before it: then it covers 2s elements (Hillis and Steele, Data parallel algorithms, 1986). That is n log n work in
// whole arrays, and the gradient is that of what is written here, of any order.

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
	g, c := b.f.b, cumulatives[name]
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
	y := b.node(b.masked(x, mask, otherwise))
	dims := y.Type.Dims
	out := make([]*index.Expr, len(dims))
	for k := range out {
		out[k] = ir.Var(k)
	}
	place := g.Iota(dims, axis)
	for step := 1; step < dims[axis].Size; step *= 2 {
		out[axis] = index.Sub(ir.Var(axis), index.C(step))
		before := g.Index(y, dims, slices.Clone(out), &otherwise)
		y = c.combine(g, g.Make(ir.OpGe, nil, place, g.Like(place, float64(step))), before, y)
	}
	return Tensor{N: y, F: b.f, One: x.One}
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
