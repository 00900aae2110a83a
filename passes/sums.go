package passes

import (
	"mdlc/ir"
	"mdlc/ir/index"
)

// sum drops reduced axes of one element, and, for max, min, any and all, axes that
// the operand does not vary along. A sum over such an axis stays: its order of additions is its meaning.
//
//	%1 = reduce max[0, 1] %0 : f32[4]     of f32[1, 3, 4]   →  reduce max[0] (index %0 {(i0, i1) -> (0, i0, i1)} [3, 4])
func (s *simplifier) sum(n *ir.Node) *ir.Node {
	a, ok := n.Attr.(ir.ReduceAttr)
	if !ok || a.Kind == ir.ArgMax || a.Kind == ir.ArgMin {
		return nil
	}
	x := n.Args[0]
	varies := s.varying.of(x)
	idempotent := a.Kind == ir.Max || a.Kind == ir.Min || a.Kind == ir.Any || a.Kind == ir.All
	var drop axes
	var left []int
	at := 0 // where the axis is among those that stay
	var rest []int
	for k, d := range x.Type.Dims {
		reduced := holdsInt(a.Axes, k)
		whole := d.Len == nil && d.Size > 0
		if reduced && whole && (d.Size == 1 || idempotent && !varies.has(k)) {
			drop |= axesOf(k)
			continue
		}
		if reduced {
			left = append(left, at)
		}
		rest = append(rest, k)
		at++
	}
	if drop == 0 || n.Type.Elem != x.Type.Elem {
		return nil
	}
	out := make([]*index.Expr, x.Type.Rank())
	for k := range out {
		out[k] = index.C(0)
		if p := position(rest, k); p >= 0 {
			out[k] = ir.Var(p)
		}
	}
	y := s.indexOf(x, pick(x.Type.Dims, rest), out, nil)
	if len(left) == 0 {
		return y
	}
	return s.make(n.Op, ir.ReduceAttr{Kind: a.Kind, Axes: left}, y)
}

func holdsInt(list []int, k int) bool { return position(list, k) >= 0 }
