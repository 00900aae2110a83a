package ir

import (
	"math/bits"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Sorting. Short axes count for each element those before it, in two kernels; long ones are sorted digit by digit, a kernel
// each. A few largest of many are looked for in the groups that have the largest. All order the numbers 0, 1, … of the elements, of equals
// by number, so they give the same permutation.

// countedSort is the longest axis that is sorted by counting, which is O(n²): from about here on digits take less.
const countedSort = 256

// expandSort is the numbers of the elements that come first, as many as places.
func expandSort(b *Builder, x *Node, descending bool, places Dim) *Node {
	last := x.Type.Dims[x.Type.Rank()-1]
	if last.Size <= countedSort {
		return expandRanks(b, x, descending, places)
	}
	if width := groupWidth(last.Size, places.Size); descending && width > 2 && last.Len == nil {
		return expandGroups(b, x, places.Size, width)
	}
	return expandDigits(b, x, descending, places)
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

// expandDigits sorts by each digit of the elements, from the lowest on: what is equal in one stays sorted by those before.
func expandDigits(b *Builder, x *Node, descending bool, places Dim) *Node {
	rank := x.Type.Rank()
	var at []*index.Expr
	for a := range rank {
		at = append(at, Var(a))
	}
	gathered := append(at[:rank-1:rank-1], Data(1))
	order := b.Iota(x.Type.Dims, rank-1)
	for k := range Digits(x.Type.Elem) {
		digit := b.Digit(x, k)
		if descending {
			digit = b.Not(digit)
		}
		if k > 0 {
			digit = b.Index(digit, x.Type.Dims, gathered, nil, order)
		}
		order = b.Bucket(order, digit)
	}
	zero := 0.0 // a length of a run may be less than places as far as the graph tells
	return b.Index(order, append(append([]Dim(nil), x.Type.Dims[:rank-1]...), places), at, &zero)
}
