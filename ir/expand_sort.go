package ir

import (
	"math/bits"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Sorting. Short axes count for each element those before it, in two kernels; long ones go through a network of
// comparisons, a kernel a stage. Both order the numbers 0, 1, … of the elements, of equals by number, so
// they give the same permutation.

// countedSort is the longest axis that is sorted by counting, which is O(n²).
const countedSort = 1024

// expandSort is the numbers of the elements that come first, as many as places.
func expandSort(b *Builder, n *Node, descending bool, places Dim) (*Node, error) {
	x := n.Args[0]
	if last := x.Type.Dims[x.Type.Rank()-1]; last.Len == nil && last.Size > countedSort {
		return expandNetwork(b, x, descending, places), nil
	}
	return expandRanks(b, x, descending, places), nil
}

// before is whether u comes before v, and v before u, by their values alone.
func before(b *Builder, u, v *Node, descending bool) (uv, vu *Node) {
	less := func(u, v *Node) *Node {
		lt := b.Op("lt", u, v)
		if !u.Type.Elem.IsFloat() {
			return lt
		}
		return b.Or(lt, b.And(b.Op("eq", u, u), b.Op("ne", v, v)))
	}
	if descending {
		u, v = v, u
	}
	return less(u, v), less(v, u)
}

// expandRanks counts for each element how many come before it, and picks for each of the first places the element
// whose count it is:
//
//	rank[i] = sum[j] before(j, i)      before: x[j] < x[i], or equal and j < i
//	perm[r] = sum[i] where rank[i] == r then i else 0
func expandRanks(b *Builder, x *Node, descending bool, places Dim) *Node {
	rank := x.Type.Rank()
	last := x.Type.Dims[rank-1]
	pair := append(append([]Dim(nil), x.Type.Dims...), last) // [..., i, j]
	at := func(k int) *Node {
		out := make([]*index.Expr, rank)
		for a := range rank - 1 {
			out[a] = Var(a)
		}
		out[rank-1] = Var(k)
		return b.Index(x, pair, out, nil)
	}
	first, after := before(b, at(rank), at(rank-1), descending)
	earlier := b.Op("lt", b.Iota(pair, rank), b.Iota(pair, rank-1))
	tie := b.And(b.Not(b.Or(first, after)), earlier)
	ranks := b.Reduce(Sum, []int{rank}, b.Cast(b.Or(first, tie), loop.I32))

	pick := append(append(append([]Dim(nil), x.Type.Dims[:rank-1]...), places), last) // [..., r, i]
	here := b.Op("eq", b.Broadcast(ranks, pick, leading(rank-1, rank)...), b.Iota(pick, rank-1))
	i := b.Iota(pick, rank)
	return b.Reduce(Sum, []int{rank}, b.Where(here, i, b.Like(i, 0)))
}

// expandNetwork is Batcher's bitonic network over the next power of two. In each stage place i is compared with place
// i xor jump: the lower of the two gets what comes first where the bit of i that is block is not set, else what comes last.
// Elements that x does not have come last of all.
func expandNetwork(b *Builder, x *Node, descending bool, places Dim) *Node {
	rank, size := x.Type.Rank(), x.Type.Dims[x.Type.Rank()-1].Size
	width := 1 << bits.Len(uint(size-1))
	dims := append(append([]Dim(nil), x.Type.Dims[:rank-1]...), Dim{Size: width})
	var jumps, blocks []float64
	for block := 2; block <= width; block *= 2 {
		for jump := block / 2; jump > 0; jump /= 2 {
			jumps, blocks = append(jumps, float64(jump)), append(blocks, float64(block))
		}
	}
	stages := OfDims(loop.I32, []Dim{{Size: len(jumps)}})

	r := b.Region("sort")
	r.Param(ParamValue, "turn", TensorOf(loop.I32))
	order := r.Param(ParamValue, "order", OfDims(loop.I32, dims))
	jump, block := r.Param(ParamValue, "jump", TensorOf(loop.I32)), r.Param(ParamValue, "block", TensorOf(loop.I32))
	values := r.Param(ParamValue, "values", x.Type)

	zero := 0.0
	at := func(x, place *Node) *Node {
		out := make([]*index.Expr, rank)
		for a := range rank - 1 {
			out[a] = Var(a)
		}
		out[rank-1] = Data(1)
		return r.Index(x, dims, out, &zero, place)
	}
	i, none := r.Iota(dims, rank-1), r.Const(OfDims(loop.I32, dims), 0)
	unset := func(bit *Node) *Node { return r.Op("eq", r.And(i, r.Broadcast(bit, dims)), none) }
	other := at(order, r.Op("xor", i, r.Broadcast(jump, dims)))
	first, after := before(r, at(values, other), at(values, order), descending)
	there := r.And(inRange(r, other, size), inRange(r, order, size))
	first = r.Or(r.And(there, first), r.And(r.Not(r.And(there, r.Or(first, after))), r.Op("lt", other, order)))
	next := r.Where(r.Op("eq", first, r.Op("eq", unset(jump), unset(block))), other, order)

	l := b.Loop(LoopAttr{Count: index.C(len(jumps)), Carry: 1, Xs: 2}, r.FinishValues(next),
		b.Iota(dims, rank-1), b.Dense(stages, jumps), b.Dense(stages, blocks), x)
	out := make([]*index.Expr, rank)
	for a := range out {
		out[a] = Var(a)
	}
	return b.Index(b.Get(l, 0), append(append([]Dim(nil), x.Type.Dims[:rank-1]...), places), out, nil)
}

// inRange is whether numbers of elements are those of an axis of size n.
func inRange(b *Builder, number *Node, n int) *Node {
	return b.Op("lt", number, b.Like(number, float64(n)))
}
