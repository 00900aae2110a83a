package passes

import "mdlc/ir"

// rowLimit bounds the elements of one row reduction over several axes. Its order
// of additions is sequential in steps of 64, so that longer rows would not share out over workers.
const rowLimit = 4096

// Decompose splits reductions into those that kernels have an order for: over
// the last axes ("row") and over others ("column").
//
//	%1 = reduce sum[0, 2] %0 : f32[C]      of f32[N, C, W]
//
// becomes
//
//	%1 = reduce sum[2] %0 : f32[N, C]
//	%2 = reduce sum[0] %1 : f32[C]
//
// A row is the longest run of reduced axes at the end that has at most rowLimit
// elements, at least the last axis. argmax and argmin have one axis, or the flat index over one row, and stay.
func Decompose(g *ir.Graph) (*ir.Graph, error) {
	return rewrite(g, func(*ir.Graph) rule {
		return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
			a, ok := n.Attr.(ir.ReduceAttr)
			if !ok || a.Kind == ir.ArgMax || a.Kind == ir.ArgMin {
				return nil, nil
			}
			return decompose(b, a.Kind, a.Axes, args[0]), nil
		}
	})
}

func decompose(b *ir.Builder, kind ir.ReduceKind, at []int, x *ir.Node) *ir.Node {
	cut := len(at) // at[cut:] is the row
	size := 1
	for k := x.Type.Rank() - 1; cut > 0 && at[cut-1] == k; k-- {
		size *= x.Type.Dims[k].Size
		if size > rowLimit && cut < len(at) {
			break
		}
		cut--
	}
	if cut == 0 || cut == len(at) {
		return b.Reduce(kind, at, x)
	}
	return decompose(b, kind, at[:cut], b.Reduce(kind, at[cut:], x))
}
