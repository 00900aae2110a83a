package ir

import (
	"fmt"
	"sort"

	"mdlc/ir/loop"
)

// MaxSort is the longest axis that is sorted.
const MaxSort = 1 << 20

func init() {
	OpArgSort = define(&Op{
		Name: "argsort", Arity: 1, Doc: "the permutation that sorts the last axis, i32, stable; NaN is the largest",
		Infer: func(_ *Scope, n *Node) (Type, error) {
			x, err := sortable(n)
			return x.WithElem(loop.I32), err
		},
		NoGrad: "a permutation is constant almost everywhere",
		Expand: func(b *Builder, n *Node) (*Node, error) {
			x := n.Args[0]
			return expandSort(b, x, false, x.Type.Dims[x.Type.Rank()-1]), nil
		},
		Cost: sortCost,
		Eval: func(e *Evaluator, n *Node, args []*Tensor) *Tensor { return evalSort(e, n, args[0], false) },
	})
	OpTopK = define(&Op{
		Name: "top_k", Arity: 1, Doc: "the indices of the k largest of the last axis, which has so many, i32, the largest first; the first of equals first; NaN is the largest",
		Infer: func(_ *Scope, n *Node) (Type, error) {
			x, err := sortable(n)
			if err != nil {
				return x, err
			}
			k, last := n.Attr.(TopKAttr).K, x.Dims[x.Rank()-1]
			if k < 0 || k > last.Size {
				return x, fmt.Errorf("%d of an axis of length %s", k, last.Length())
			}
			dims := append(append([]Dim(nil), x.Dims[:x.Rank()-1]...), Dim{Size: k})
			return OfDims(loop.I32, dims), nil
		},
		NoGrad: "indices are constant almost everywhere",
		Expand: func(b *Builder, n *Node) (*Node, error) {
			return expandSort(b, n.Args[0], true, Dim{Size: n.Attr.(TopKAttr).K}), nil
		},
		Cost:      sortCost,
		Eval:      func(e *Evaluator, n *Node, args []*Tensor) *Tensor { return evalSort(e, n, args[0], true) },
		ParseAttr: parseTopK,
	})
}

func sortable(n *Node) (Type, error) {
	x := n.Args[0].Type
	if x.IsTuple() || x.Rank() == 0 || x.Elem == loop.Bool {
		return x, takes("numbers with at least one axis", x)
	}
	if last := x.Dims[x.Rank()-1]; last.Size > MaxSort {
		return x, fmt.Errorf("sorts axes of at most %d elements, not %d", MaxSort, last.Size)
	}
	return x, nil
}

func sortCost(n *Node) float64 {
	x := n.Args[0].Type
	return 4 * float64(x.Dims[x.Rank()-1].Size)
}

func evalSort(e *Evaluator, n *Node, x *Tensor, descending bool) *Tensor {
	t := e.zeros(n.Type)
	size := x.Dims[len(x.Dims)-1]
	places := t.Dims[len(t.Dims)-1]
	if size == 0 {
		return t
	}
	if places > size {
		e.fail(n, "%d of an axis of length %d", places, size)
		return t
	}
	perm := make([]int, size)
	for row := range len(t.I) / max(places, 1) {
		for i := range perm {
			perm[i] = i
		}
		at := row * size
		sort.SliceStable(perm, func(i, j int) bool {
			u, v := at+perm[i], at+perm[j]
			if descending {
				u, v = v, u
			}
			if x.F != nil {
				return x.F[u] < x.F[v] || x.F[u] == x.F[u] && x.F[v] != x.F[v]
			}
			return x.I[u] < x.I[v]
		})
		for k := range places {
			t.I[row*places+k] = int64(perm[k])
		}
	}
	return t
}
