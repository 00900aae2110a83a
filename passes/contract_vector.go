package passes

import (
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
)

// vectorLanes is the number of neighbours from which on a matrix is read along them: those of a register of AVX-512.
const vectorLanes = 16

// streams reports whether x is a matrix and other a vector, in their free axes, whose sum is to have its results for lanes:
//
//	%2 = index %h {(i0, i1) -> (i1)} [n, k]
//	%3 = index %w {(i0, i1) -> (i1, i0)} [n, k]      neighbours lie along i0
//	%5 = reduce sum[1] (%2 * %3)
//
// The partial sums of a row are of summands, and here each of these is a row of the matrix away from the next: a reduction gathers them.
// A product adds a whole row to all results, as it lies. Where the matrix lies along the summands, or the sum is no row, a
// reduction, too, reads it as it lies.
func (c *contraction) streams(x, other *operand) bool {
	if free := other.axes &^ c.summed &^ x.axes; c.size(free) > 1 || !c.sumsRow() {
		return false
	}
	along, across := false, false
	seen := map[*ir.Node]bool{}
	var visit func(n *ir.Node, place []*index.Expr)
	visit = func(n *ir.Node, place []*index.Expr) {
		if seen[n] || n.Op.Class == ir.ClassLeaf && n.Op != ir.OpParam { // which is not in memory
			return
		}
		seen[n] = true
		if n.Op.Class == ir.ClassElementwise {
			for _, y := range n.Args {
				visit(y, place)
			}
			return
		}
		if a, ok := n.Attr.(ir.IndexAttr); ok && n.Op.Class == ir.ClassMovement {
			visit(n.Args[0], leadsTo(a.Out, place))
			return
		}
		free, run := c.neighbours(n.Type.Dims, place, c.summed|other.axes)
		along = along || free && run >= vectorLanes
		across = across || !free
	}
	place := make([]*index.Expr, 0, c.rank)
	for _, k := range x.axes.list(c.rank) {
		place = append(place, ir.Var(k))
	}
	visit(x.node, place)
	return along && !across
}

// leadsTo is what a map leads to from a place. What data say is unknown.
func leadsTo(out, place []*index.Expr) []*index.Expr {
	to := make([]*index.Expr, len(out))
	for i, e := range out {
		to[i] = e.Subst(func(name string) *index.Expr {
			if k, ok := mapVar(name); ok {
				return place[k]
			}
			return nil
		})
	}
	return to
}

// sumsRow reports whether the sum is of rows, as pass decompose tells them.
func (c *contraction) sumsRow() bool {
	for k := c.rank - 1; k >= 0; k-- {
		if d := c.dims[k]; d.Size != 1 || d.Len != nil {
			return c.summed.has(k)
		}
	}
	return false
}

// neighbours is how many elements of a value with these dims are read side by side at a place, along other axes than those of `not`;
// it is not free if there are some along these.
func (c *contraction) neighbours(dims []ir.Dim, place []*index.Expr, not axes) (free bool, run int) {
	for run = 1; ; {
		next := slices.IndexFunc(allAxes(c.rank).list(c.rank), func(k int) bool {
			distance, ok := distanceAt(dims, place, ir.Var(k).Name)
			return ok && distance == run && c.dims[k].Size > 1
		})
		if next < 0 || not.has(next) {
			return next < 0 || run > 1, run
		}
		run *= c.dims[next].Size
	}
}
