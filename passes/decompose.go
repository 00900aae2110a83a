package passes

import (
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
)

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
// elements, at least the last axis; an axis whose length a run decides begins it, because the
// place of an element in the row is a matter of the lengths behind it. Axes of one element at the end do not count: they are
// left out, so that what is a row in a batch of two is one in a batch of one.
// argmax and argmin have one axis, or the flat index over one row, and stay.
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
	if len(at) == 0 {
		return b.Reduce(kind, at, x)
	}
	if short := withoutUnits(b, x, at[len(at)-1]+1); short != x {
		y := decompose(b, kind, at, short)
		left := make([]int, y.Type.Rank())
		for k := range left {
			left[k] = k
		}
		units := x.Type.Dims[short.Type.Rank():]
		return b.Broadcast(y, slices.Concat(y.Type.Dims, units), left...)
	}
	cut := len(at) // at[cut:] is the row
	size := 1
	for k := x.Type.Rank() - 1; cut > 0 && at[cut-1] == k; k-- {
		size *= x.Type.Dims[k].Size
		if cut < len(at) && (size > rowLimit || x.Type.Dims[k+1].Len != nil) {
			break
		}
		cut--
	}
	if cut == 0 || cut == len(at) {
		return b.Reduce(kind, at, x)
	}
	return decompose(b, kind, at[:cut], b.Reduce(kind, at[cut:], x))
}

// withoutUnits is x without its axes from number `from` on, if each has one element.
func withoutUnits(b *ir.Builder, x *ir.Node, from int) *ir.Node {
	dims := x.Type.Dims
	if from == len(dims) || slices.ContainsFunc(dims[from:], func(d ir.Dim) bool { return d.Size != 1 || d.Len != nil }) {
		return x
	}
	out := make([]*index.Expr, len(dims))
	for k := range out {
		out[k] = index.C(0)
		if k < from {
			out[k] = ir.Var(k)
		}
	}
	return b.Index(x, dims[:from], out, nil)
}
