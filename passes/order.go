package passes

import (
	"slices"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
)

// orderSums lets a dot sum up in the order of memory, the label whose neighbours lie farthest apart first, so that what is added
// one after the other is read so. The gradient of a convolution's input sums over channels, o, and taps:
//
//	%2 = index %dy {(n, y, x, a, b, o) -> (n, o, y - a, x - b)}
//	%4 = dot %2, %w {nyxabo,oabc->nyxc}    →  the same with a, b, o in the order o, a, b
//
// The order is that of the labels of the first operand, so that must be an index, which can give its axes any order. Where the
// operands differ, the product of both distances decides. It does not fire where an index goes through an axis unevenly.
func (s *simplifier) orderSums(n *ir.Node) *ir.Node {
	d, ok := n.Attr.(ir.DotAttr)
	if !ok || n.Args[0].Op.Class != ir.ClassMovement || len(n.Args[0].Args) > 1 {
		return nil
	}
	a, ok := n.Args[0].Attr.(ir.IndexAttr)
	summed := []rune(d.Contracted())
	if !ok || len(summed) < 2 {
		return nil
	}
	distance := map[rune]int{}
	for _, l := range summed {
		x, ok := distanceAlong(n.Args[0], strings.IndexRune(d.A, l))
		y, ok2 := distanceAlong(n.Args[1], strings.IndexRune(d.B, l))
		if !ok || !ok2 {
			return nil
		}
		distance[l] = max(x, 1) * max(y, 1)
	}
	sorted := slices.Clone(summed)
	slices.SortStableFunc(sorted, func(l, m rune) int { return distance[m] - distance[l] })
	if slices.Equal(sorted, summed) {
		return nil
	}
	labels, at := []rune(d.A), make([]int, len(d.A)) // at: where an axis of the first operand comes to lie
	for k := range at {
		at[k] = k
	}
	for k, l := range summed {
		from, to := strings.IndexRune(d.A, sorted[k]), strings.IndexRune(d.A, l)
		labels[to], at[from] = sorted[k], to
	}
	shape, out := make([]ir.Dim, len(at)), make([]*index.Expr, len(a.Out))
	for from, to := range at {
		shape[to] = a.Shape[from]
	}
	for k, e := range a.Out {
		out[k] = e.Subst(func(name string) *index.Expr {
			if v, ok := mapVar(name); ok {
				return ir.Var(at[v])
			}
			return nil
		})
	}
	d.A = string(labels)
	return s.make(n.Op, d, s.indexOf(n.Args[0].Args[0], shape, out, a.Outside), n.Args[1])
}

// distanceAlong is how far apart neighbours along an axis of x lie in what x is an index of, in elements.
func distanceAlong(x *ir.Node, axis int) (distance int, ok bool) {
	if a, ok := x.Attr.(ir.IndexAttr); ok && x.Op.Class == ir.ClassMovement {
		return distanceAt(x.Args[0].Type.Dims, a.Out, ir.Var(axis).Name)
	}
	return distanceAt(x.Type.Dims, ownPlace(x.Type.Rank()), ir.Var(axis).Name)
}

// distanceAt is how far apart neighbours along a variable lie in a value with these dims, at a place.
func distanceAt(dims []ir.Dim, place []*index.Expr, name string) (distance int, ok bool) {
	step := 1
	for k := len(dims) - 1; k >= 0; k-- {
		factor, ok := factorOf(place[k], name)
		if !ok {
			return 0, false
		}
		distance += step * factor
		step *= max(dims[k].Size, 1)
	}
	return abs(distance), true
}

// factorOf is the factor of a variable in e, where e is a sum with it in one term at most, and not in a quotient.
func factorOf(e *index.Expr, name string) (factor int, ok bool) {
	terms := []*index.Expr{e}
	if e.Op == index.Add {
		terms = e.Args
	}
	for _, t := range terms {
		k := 1
		if t.Op == index.Mul {
			if c, ok := t.Args[1].Const(); ok {
				k, t = c, t.Args[0]
			}
		}
		within := false
		t.Vars(func(v string) { within = within || v == name })
		if within && t.Op != index.Var {
			return 0, false
		} else if within {
			factor += k
		}
	}
	return factor, true
}
