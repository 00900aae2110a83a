package passes

import (
	"math"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// finite adds a check of the scalar of a grad op: training by a NaN never ends well.
func (c *checker) finite(g *ir.Graph, grad *ir.Node) {
	old := grad.Args[0]
	s := c.b.Cast(c.m[old], loop.F32)
	number := func(v float64) *ir.Node { return c.b.Const(ir.TensorOf(loop.U32), v) }
	finite := c.b.Op("le", c.b.Op("abs", s), c.b.Like(s, math.MaxFloat32))
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
