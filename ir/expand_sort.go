package ir

import (
	"math/bits"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Sorting. Short axes count for each element those before it, in two kernels; long ones go through a network of
// comparisons, a kernel a stage. A few largest of many are looked for in the groups that have the largest. All order the numbers 0, 1, … of the elements, of equals
// by number, so they give the same permutation.

// countedSort is the longest axis that is sorted by counting, which is O(n²).
const countedSort = 1024

// expandSort is the numbers of the elements that come first, as many as places.
func expandSort(b *Builder, x *Node, descending bool, places Dim) *Node {
	last := x.Type.Dims[x.Type.Rank()-1]
	if last.Len != nil || last.Size <= countedSort {
		return expandRanks(b, x, descending, places)
	}
	if width := groupWidth(last.Size, places.Size); descending && width > 2 {
		return expandGroups(b, x, places.Size, width)
	}
	return expandNetwork(b, x, descending, places)
}

// groupWidth is how many of size elements are a group where the k largest are looked for: there are about as many groups as elements in k groups.
func groupWidth(size, k int) int { return 1 << (bits.Len(uint(size/max(k, 1))) / 2) }

// expandGroups finds the k largest of many among the elements of the k groups that have the largest: any other comes after
// k of those. There are k groups at least. Groups keep their order, so that the first of equals comes first. What a last group lacks comes last of all.
func expandGroups(b *Builder, x *Node, k, width int) *Node {
	rank := x.Type.Rank()
	rows, size := x.Type.Dims[:rank-1], x.Type.Dims[rank-1].Size
	shape := func(dims ...int) []Dim {
		out := append([]Dim(nil), rows...)
		for _, n := range dims {
			out = append(out, Dim{Size: n})
		}
		return out
	}
	at := func(places ...*index.Expr) []*index.Expr {
		var out []*index.Expr
		for a := range rank - 1 {
			out = append(out, Var(a))
		}
		return append(out, places...)
	}
	least := loop.Lowest(x.Type.Elem)
	group, member := Var(rank-1), Var(rank)
	grouped := b.Index(x, shape((size+width-1)/width, width), at(index.Sum(index.Prod(group, index.C(width)), member)), &least)
	groups := expandSort(b, b.Reduce(Max, []int{rank}, grouped), true, Dim{Size: k})
	groups = b.Index(groups, shape(k), at(Data(1)), nil, expandSort(b, groups, false, Dim{Size: k}))

	members := shape(k, width)
	number := b.Broadcast(groups, members, leading(rank)...)
	number = b.Add(b.Mul(number, b.Like(number, float64(width))), b.Iota(members, rank))
	value := b.Index(x, members, at(Data(1)), &least, number)
	flat := func(x *Node) *Node {
		place := Var(rank - 1)
		return b.Index(x, shape(k*width), at(index.Quo(place, index.C(width)), index.Rem(place, index.C(width))), nil)
	}
	return b.Index(flat(number), shape(k), at(Data(1)), nil, expandSort(b, flat(value), true, Dim{Size: k}))
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
