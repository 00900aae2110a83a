package ir

import (
	"fmt"
	"sort"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

func init() {
	OpReduce = define(&Op{
		Name: "reduce", Arity: 1, Doc: "reduces axes: sum, prod, max, min, argmax, argmin, any, all", Class: ClassReduce,
		Infer:     inferReduce,
		Grad:      reduceGrad,
		Lower:     lowerReduce,
		Cost:      reduceCost,
		Eval:      evalReduce,
		ParseAttr: parseReduce,
	})
}

func sortedInts(xs []int) []int {
	out := append([]int(nil), xs...)
	sort.Ints(out)
	return out
}

func inferReduce(_ *Scope, n *Node) (Type, error) {
	a, x := n.Attr.(ReduceAttr), n.Args[0].Type
	if x.IsTuple() {
		return x, takes("tensors", x)
	}
	for k, axis := range a.Axes {
		if axis < 0 || axis >= x.Rank() || k > 0 && a.Axes[k-1] >= axis {
			return x, fmt.Errorf("%s over axes %v of %s", a.Kind, a.Axes, x)
		}
	}
	t := OfDims(x.Elem, without(x.Dims, a.Axes))
	switch a.Kind {
	case Any, All:
		if x.Elem != loop.Bool {
			return t, takes("bools", x)
		}
	case ArgMax, ArgMin:
		if len(a.Axes) != 1 {
			return t, fmt.Errorf("%s takes one axis, not %v", a.Kind, a.Axes)
		}
		t.Elem = loop.I32
		fallthrough
	default:
		if x.Elem == loop.Bool {
			return t, takes("numbers", x)
		}
	}
	return t, nil
}

// without is dims less the given axes, which ascend.
func without(dims []Dim, axes []int) []Dim {
	var out []Dim
	for k, d := range dims {
		if len(axes) > 0 && axes[0] == k {
			axes = axes[1:]
			continue
		}
		out = append(out, d)
	}
	return out
}

// kept is the axes of a tensor of the given rank that a reduction keeps.
func kept(rank int, axes []int) []int {
	var out []int
	for k := range rank {
		if len(axes) > 0 && axes[0] == k {
			axes = axes[1:]
			continue
		}
		out = append(out, k)
	}
	return out
}

func reduceCost(n *Node) float64 {
	work := 1.0
	for _, axis := range n.Attr.(ReduceAttr).Axes {
		work *= float64(n.Args[0].Type.Dims[axis].Size)
	}
	return work
}

// reduceGrad: max and min give the cotangent to the first of equals.
func reduceGrad(b *Builder, n, dy *Node) []*Node {
	a, x := n.Attr.(ReduceAttr), n.Args[0]
	keep := kept(x.Type.Rank(), a.Axes)
	spread := func(v *Node) *Node { return b.Broadcast(v, x.Type.Dims, keep...) }
	switch a.Kind {
	case Sum:
		return []*Node{spread(dy)}
	case Max, Min:
		return []*Node{b.Where(firstExtreme(b, n, spread), spread(dy), b.Like(x, 0))}
	case Prod:
		return []*Node{b.Mul(spread(dy), others(b, x, a.Axes))}
	}
	return []*Node{nil}
}

// others is, for each element of x, the product of all other elements along axes: of those before it and of those behind it.
// There is no division, so the gradients of every order are right where elements are 0.
func others(b *Builder, x *Node, axes []int) *Node {
	last := len(axes) - 1
	axis := axes[last]
	one := 1.0
	shifted := func(y *Node, by int) *Node {
		out := make([]*index.Expr, y.Type.Rank())
		for k := range out {
			out[k] = Var(k)
		}
		out[axis] = index.Sum(Var(axis), index.C(by))
		return b.Index(y, y.Type.Dims, out, &one)
	}
	beyond := func(sign int) *Node { // after a turn, the product of the next 1, 2, 4, … elements
		y := shifted(x, sign)
		for step := 1; step < x.Type.Dims[axis].Size; step *= 2 {
			y = b.Mul(y, shifted(y, sign*step))
		}
		return y
	}
	along := b.Mul(beyond(-1), beyond(1))
	if last == 0 {
		return along
	}
	rows := b.Reduce(Prod, axes[last:], x)
	rest := others(b, rows, axes[:last])
	return b.Mul(along, b.Broadcast(rest, x.Type.Dims, kept(x.Type.Rank(), axes[last:])...))
}

// firstExtreme marks the element of x that a max or min has taken: the first of equals in flat order.
func firstExtreme(b *Builder, n *Node, spread func(*Node) *Node) *Node {
	a, x := n.Attr.(ReduceAttr), n.Args[0]
	dims := x.Type.Dims
	if len(a.Axes) == 1 {
		arg := ArgMax
		if a.Kind == Min {
			arg = ArgMin
		}
		return b.Op("eq", b.Iota(dims, a.Axes[0]), spread(b.Reduce(arg, a.Axes, x)))
	}
	flat := b.Const(OfDims(loop.I32, dims), 0)
	for _, axis := range a.Axes {
		flat = b.Add(b.Mul(flat, b.Like(flat, float64(dims[axis].Size))), b.Iota(dims, axis))
	}
	equal := b.Op("eq", x, spread(n))
	first := b.Reduce(Min, a.Axes, b.Where(equal, flat, b.Like(flat, 1<<31-1)))
	return b.Op("eq", flat, spread(first))
}

// ColumnBlock is the number of rows of a block of a sum over axes that do not
// hold the last one: part of the numeric contract.
const ColumnBlock = 64

// IsRow reports whether axes are the last ones of a tensor of the given rank,
// IsColumn whether they leave the last one out.
func IsRow(rank int, axes []int) bool {
	return len(axes) > 0 && axes[0] == rank-len(axes) && axes[len(axes)-1] == rank-1
}
func IsColumn(rank int, axes []int) bool {
	return len(axes) > 0 && axes[len(axes)-1] != rank-1
}

func lowerReduce(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
	a, x := n.Attr.(ReduceAttr), n.Args[0].Type
	if len(a.Axes) == 0 {
		return c.Args[0](idx)
	}
	work := x.Elem
	if x.Elem.IsFloat() && x.Elem.Size() < 4 {
		work = loop.F32
	} else if x.Elem == loop.Bool {
		work = loop.I32
	}
	if a.Kind == Sum && IsColumn(x.Rank(), a.Axes) {
		return convert(c, columnSum(c, n, idx, work), n.Type.Elem)
	}
	if a.Kind == Sum && !IsRow(x.Rank(), a.Axes) {
		panic(fmt.Sprintf("ir: lower: reduce sum over %v of %s holds row and column axes, a pass has to split it", a.Axes, x))
	}
	op := map[ReduceKind]loop.Op{Sum: loop.ReduceSum, Prod: loop.ReduceProd, Max: loop.ReduceMax, Min: loop.ReduceMin,
		ArgMax: loop.ReduceArgMax, ArgMin: loop.ReduceArgMin, Any: loop.ReduceMax, All: loop.ReduceMin}[a.Kind]
	over := make([]*loop.Axis, len(a.Axes))
	at := make([]*loop.Value, len(a.Axes))
	for k, axis := range a.Axes {
		over[k] = c.Axis(0, axis)
		at[k] = c.B.Index(over[k])
	}
	v := c.Args[0](weave(x.Rank(), a.Axes, at, idx))
	y := c.B.Reduce(op, over, convert(c, v, work))
	if a.Kind == Any { // over nothing the largest integer is negative
		return c.B.Op(loop.Gt, y, number(c, work, 0))
	}
	return convert(c, y, n.Type.Elem)
}

// weave puts the indices of the reduced axes between those that are kept.
func weave(rank int, axes []int, at, idx []*loop.Value) []*loop.Value {
	out := make([]*loop.Value, 0, rank)
	for k := range rank {
		if len(axes) > 0 && axes[0] == k {
			out, at, axes = append(out, at[0]), at[1:], axes[1:]
		} else {
			out, idx = append(out, idx[0]), idx[1:]
		}
	}
	return out
}

// columnSum adds rows in blocks of ColumnBlock, each ascending from 0, then the sums of the blocks.
func columnSum(c *LowerCtx, n *Node, idx []*loop.Value, work Elem) *loop.Value {
	a, x := n.Attr.(ReduceAttr), n.Args[0].Type
	rows, length := 1, index.C(1)
	for _, axis := range a.Axes {
		rows *= x.Dims[axis].Size
		length = index.Prod(length, x.Dims[axis].Length())
	}
	element := func(at []*loop.Value) *loop.Value {
		return convert(c, c.Args[0](weave(x.Rank(), a.Axes, at, idx)), work)
	}
	if rows <= ColumnBlock {
		over := make([]*loop.Axis, len(a.Axes))
		at := make([]*loop.Value, len(a.Axes))
		for k, axis := range a.Axes {
			over[k] = c.Axis(0, axis)
			at[k] = c.B.Index(over[k])
		}
		return c.B.Reduce(loop.ReduceSeq, over, element(at))
	}
	none := func(string) *loop.Value { return nil }
	block := c.B.AxisLen("p", lowerExpr(c, index.Quo(index.Sum(length, index.C(ColumnBlock-1)), index.C(ColumnBlock)), none), (rows+ColumnBlock-1)/ColumnBlock)
	row := c.B.Axis("r", ColumnBlock)
	flat := c.B.Op(loop.Add, c.B.Op(loop.Mul, c.B.Index(block), number(c, loop.I64, ColumnBlock)), c.B.Index(row))
	i := c.B.AxisDef("i", lowerExpr(c, length, none), rows, flat)
	at := make([]*loop.Value, len(a.Axes))
	rest := c.B.Index(i)
	for k := len(a.Axes) - 1; k > 0; k-- {
		size := lowerExpr(c, x.Dims[a.Axes[k]].Length(), none)
		at[k] = c.B.Op(loop.Mod, rest, size)
		rest = c.B.Op(loop.Div, rest, size)
	}
	at[0] = rest
	v := element(at)
	if !along(v, i) { // the last block must not add a whole block all the same
		v = c.B.Op(loop.Where, c.B.Op(loop.Lt, c.B.Index(i), lowerExpr(c, length, none)), v, number(c, work, 0))
	}
	return c.B.Reduce(loop.ReduceSeq, []*loop.Axis{block}, c.B.Reduce(loop.ReduceSeq, []*loop.Axis{row}, v))
}

// along reports whether v is computed from the index of axis a.
func along(v *loop.Value, a *loop.Axis) (found bool) {
	loop.Visit(v, func(x *loop.Value) { found = found || x.Op == loop.AxisIndex && x.Axis == a })
	return found
}
