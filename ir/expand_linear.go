package ir

import (
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Matrices in the turns of a loop: turn k takes column k of what it carries. Each turn is one or two kernels that
// update the whole batch.

// columns is the loop that turn writes: state is carried, stacked (nil: none) is sliced along its first axis.
// turn gives the next state and what each turn puts out.
func columns(b *Builder, n int, state, stacked *Node, turn func(r *Builder, k *index.Expr, turn, state, slice *Node) []*Node) *Node {
	r := b.Region("columns")
	attr := LoopAttr{Count: index.C(n), Carry: 1, Sym: turnSymbol(b)}
	k := r.Sym(attr.Sym, max(n-1, 0), nil)
	t := r.Param(ParamValue, "turn", TensorOf(loop.I32))
	s := r.Param(ParamValue, "state", state.Type)
	args := []*Node{state}
	var slice *Node
	if stacked != nil {
		attr.Xs, args = 1, append(args, stacked)
		slice = r.Param(ParamValue, "slice", OfDims(stacked.Type.Elem, stacked.Type.Dims[1:]))
	}
	return b.Loop(attr, r.FinishValues(turn(r, k, t, s, slice)...), args...)
}

// fromFirst moves the first axis, the turns, to the given place.
func fromFirst(b *Builder, x *Node, axis int) *Node {
	var order []int
	for k := 1; k < x.Type.Rank(); k++ {
		if k-1 == axis {
			order = append(order, 0)
		}
		order = append(order, k)
	}
	if axis == x.Type.Rank()-1 {
		order = append(order, 0)
	}
	return b.Permute(x, order...)
}

// toFirst moves an axis to the front.
func toFirst(b *Builder, x *Node, axis int) *Node {
	order := []int{axis}
	for k := range x.Type.Rank() {
		if k != axis {
			order = append(order, k)
		}
	}
	return b.Permute(x, order...)
}

// leading is 0, 1, …, n-1 and then the axes more.
func leading(n int, more ...int) []int {
	var out []int
	for k := range n {
		out = append(out, k)
	}
	return append(out, more...)
}

// expandSolve of a lower triangle: in turn k row k of the rest of the right side is divided by the diagonal, and
// column k times that is taken off the rest. An upper triangle is a lower one read backwards.
func expandSolve(b *Builder, node *Node) (*Node, error) {
	a, y := node.Args[0], node.Args[1]
	rank, n := y.Type.Rank(), a.Type.Dims[a.Type.Rank()-1].Size
	switch node.Attr.(SolveAttr).Kind {
	case General:
		return expandGeneral(b, a, y), nil
	case Upper:
		lower := b.Solve(Lower, backwards(b, a, rank-2, rank-1), backwards(b, y, rank-2))
		x, err := expandSolve(b, lower)
		if err != nil {
			return nil, err
		}
		return backwards(b, x, rank-2), nil
	}
	l := columns(b, n, y, toFirst(b, a, rank-1), func(r *Builder, k *index.Expr, _, rest, column *Node) []*Node {
		row := at(r, rest, rank-2, k)
		pivot := at(r, column, rank-2, k)
		x := r.Div(row, r.Broadcast(pivot, row.Type.Dims, leading(rank-2)...))
		off := r.Mul(r.Broadcast(column, rest.Type.Dims, leading(rank-1)...), r.Broadcast(x, rest.Type.Dims, leading(rank-2, rank-1)...))
		return []*Node{r.Sub(rest, off), x}
	})
	return fromFirst(b, b.Get(l, 1), rank-2), nil
}

// backwards reverses axes.
func backwards(b *Builder, x *Node, axes ...int) *Node {
	out := make([]*index.Expr, x.Type.Rank())
	for k := range out {
		out[k] = Var(k)
	}
	for _, k := range axes {
		out[k] = index.Sub(index.C(x.Type.Dims[k].Size-1), Var(k))
	}
	return b.Index(x, x.Type.Dims, out, nil)
}

// expandCholesky takes in turn k the outer product of column k off what is left.
func expandCholesky(b *Builder, node *Node) (*Node, error) {
	a := node.Args[0]
	rank, n := a.Type.Rank(), a.Type.Dims[a.Type.Rank()-1].Size
	l := columns(b, n, a, nil, func(r *Builder, k *index.Expr, turn, rest, _ *Node) []*Node {
		c := at(r, rest, rank-1, k)
		root := r.Op("sqrt", at(r, c, rank-2, k))
		dims, i, here := c.Type.Dims, r.Iota(c.Type.Dims, rank-2), r.Broadcast(turn, c.Type.Dims)
		wide := r.Broadcast(root, dims, leading(rank-2)...)
		c = r.Where(r.Op("gt", i, here), r.Div(c, wide), r.Where(r.Op("eq", i, here), wide, r.Like(c, 0)))
		off := r.Mul(r.Broadcast(c, rest.Type.Dims, leading(rank-1)...), r.Broadcast(c, rest.Type.Dims, leading(rank-2, rank-1)...))
		return []*Node{r.Sub(rest, off), c}
	})
	return fromFirst(b, b.Get(l, 1), rank-1), nil
}

// elimination is Gauss and Jordan's: in turn k the row with the largest element of column k, from row k on (the pivot),
// changes places with row k, and what makes column k 0 is taken off all others; nothing where the pivot is 0. The loop gives what is left
// of m, and in each turn the pivot and -1 where two rows changed places, else 1.
func elimination(b *Builder, m *Node, n int) *Node {
	rank := m.Type.Rank()
	return columns(b, n, m, nil, func(r *Builder, k *index.Expr, turn, m, _ *Node) []*Node {
		dims := m.Type.Dims
		column := at(r, m, rank-1, k)
		below := r.Op("ge", r.Iota(column.Type.Dims, rank-2), r.Broadcast(turn, column.Type.Dims))
		size := r.Where(below, r.Op("abs", column), r.Like(column, -1))
		largest := r.Reduce(ArgMax, []int{rank - 2}, size)

		rowDims := without(dims, []int{rank - 2})
		row := at(r, m, rank-2, Data(1), r.Broadcast(largest, rowDims, leading(rank-2)...))
		pivot := at(r, row, rank-2, k)
		divisor := r.Where(r.Op("eq", pivot, r.Like(pivot, 0)), r.Like(pivot, 1), pivot)

		i, here, p := r.Iota(dims, rank-2), r.Broadcast(turn, dims), r.Broadcast(largest, dims, leading(rank-2)...)
		from := r.Where(r.Op("eq", i, here), p, r.Where(r.Op("eq", i, p), here, i))
		out := make([]*index.Expr, rank)
		for axis := range out {
			out[axis] = Var(axis)
		}
		out[rank-2] = Data(1)
		m = r.Index(m, dims, out, nil, from)
		factor := at(r, m, rank-1, k)
		factor = r.Broadcast(r.Div(factor, r.Broadcast(divisor, factor.Type.Dims, leading(rank-2)...)), dims, leading(rank-1)...)
		whole := r.Broadcast(row, dims, leading(rank-2, rank-1)...)
		moved := r.Op("ne", largest, r.Broadcast(turn, largest.Type.Dims))
		sign := r.Where(moved, r.Like(pivot, -1), r.Like(pivot, 1))
		return []*Node{r.Where(r.Op("eq", i, here), whole, r.Sub(m, r.Mul(factor, whole))), pivot, sign}
	})
}

// expandGeneral eliminates a in [a, y] put side by side: that leaves a diagonal of pivots, and its product with x.
func expandGeneral(b *Builder, a, y *Node) *Node {
	rank, n := a.Type.Rank(), a.Type.Dims[a.Type.Rank()-1].Size
	width := n + y.Type.Dims[rank-1].Size
	dims := append(append([]Dim(nil), a.Type.Dims[:rank-1]...), Dim{Size: width})
	shifted := func(by int, x *Node, dims []Dim, outside *float64) *Node {
		out := make([]*index.Expr, rank)
		for k := range out {
			out[k] = Var(k)
		}
		out[rank-1] = index.Sum(Var(rank-1), index.C(by))
		return b.Index(x, dims, out, outside)
	}
	zero := 0.0
	left := b.Op("lt", b.Iota(dims, rank-1), b.Const(OfDims(loop.I32, dims), float64(n)))
	both := b.Where(left, shifted(0, a, dims, &zero), shifted(-n, y, dims, &zero))
	l := elimination(b, both, n)
	right := shifted(n, b.Get(l, 0), y.Type.Dims, nil)
	return b.Div(right, b.Broadcast(fromFirst(b, b.Get(l, 1), rank-2), y.Type.Dims, leading(rank-1)...))
}

// The determinant is the product of the pivots and of the signs of the exchanges.

func expandLogAbsDet(b *Builder, node *Node) (*Node, error) {
	a := node.Args[0]
	pivots := b.Get(elimination(b, a, int(rows(a))), 1)
	return b.Reduce(Sum, []int{0}, b.Op("log", b.Op("abs", pivots))), nil
}

func expandDetSign(b *Builder, node *Node) (*Node, error) {
	a := node.Args[0]
	l := elimination(b, a, int(rows(a)))
	return b.Reduce(Prod, []int{0}, b.Mul(b.Op("sign", b.Get(l, 1)), b.Get(l, 2))), nil
}
