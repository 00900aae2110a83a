package passes

import (
	"math"
	"slices"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// finite adds a check of the scalar of a grad op: training by a NaN never ends well.
func (c *checker) finite(g *ir.Graph, grad *ir.Node) {
	old := grad.Args[0]
	s, most := c.m[old], math.MaxFloat64
	if s.Type.Elem != loop.F64 {
		s, most = c.b.Cast(s, loop.F32), math.MaxFloat32
	}
	number := func(v float64) *ir.Node { return c.b.Const(ir.TensorOf(loop.U32), v) }
	finite := c.b.Op("le", c.b.Op("abs", s), c.b.Like(s, most))
	code := c.b.Where(finite, number(0), c.b.Where(c.b.Op("eq", s, s), number(1), number(2)))
	k := ir.Result{Kind: ir.ResultFinite, Name: old.Name, Value: code, Pos: grad.Pos}
	for _, r := range g.Results {
		if r.Kind == ir.ResultReport && r.Value == old {
			k.Name, k.Pos = r.Name, r.Pos
			break
		}
	}
	c.add(k)
}

// states adds a check of every state that a graph without a loss assigns, as expectation and maximization does: a NaN would
// stay. With a loss, its check tells in the next step; infinity is a sensible state, such as the best loss so far.
func (c *checker) states(g *ir.Graph) {
	if hasGrad(g) || !slices.ContainsFunc(g.Params, func(p *ir.Node) bool { return p.Op == ir.OpParam && p.Attr.(ir.ParamAttr).Kind == ir.ParamState }) {
		return
	}
	for _, r := range g.Results {
		if r.Kind != ir.ResultState || !r.Value.Type.Elem.IsFloat() || r.Value.Op == ir.OpParam {
			continue
		}
		s := c.m[r.Value]
		c.b.Pos, c.b.Gen = r.Pos, 0
		code := c.b.Where(c.b.Op("ne", s, s), c.b.Const(ir.OfDims(loop.U32, s.Type.Dims), 2), c.b.Const(ir.OfDims(loop.U32, s.Type.Dims), 0))
		if rank := s.Type.Rank(); rank > 0 {
			axes := make([]int, rank)
			for k := range axes {
				axes[k] = k
			}
			code = c.b.Reduce(ir.Max, axes, code)
		}
		c.add(ir.Result{Kind: ir.ResultFinite, Name: r.Name, Value: code, Pos: r.Pos})
	}
}

// hasGrad reports whether g or a graph in it takes a gradient.
func hasGrad(g *ir.Graph) bool {
	return slices.ContainsFunc(g.Nodes(), func(n *ir.Node) bool { return n.Op == ir.OpGrad || slices.ContainsFunc(n.Regions, hasGrad) })
}
