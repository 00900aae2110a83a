package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// A transpose stores along one axis and loads along another: a line of memory that is loaded
// has elements of many stores. With the lane axis outside, and few of its elements at a
// time, these lines are in cache until their last element is used:
//
//	for j0 in 0..n/8 { for i { Y[i,j] = X[j,i] } }    j = j0*8 + j1, j1: 8 lane

// isTransposed reports whether a load of the stores is far apart along lane, and side by side
// along another axis of free.
func isTransposed(stores []*loop.Store, lane *loop.Axis, free []*loop.Axis) bool {
	x := newIndices()
	found := false
	walk(roots(stores), func(v *loop.Value) {
		if v.Op != loop.Load || found {
			return
		}
		_, terms := affine(address(x, v.Buf, v.Args))
		if s := terms[lane.Name]; s == 0 || s == 1 {
			return
		}
		found = slices.ContainsFunc(free, func(a *loop.Axis) bool { return a != lane && terms[a.Name] == 1 })
	})
	return found
}

// transpose puts the lane axis of a transpose first.
func (n *nest) transpose() {
	if !loop.Has(n.free, n.lane) || !isTransposed(n.stores, n.lane, n.free) {
		return
	}
	n.transposed = true
	at := slices.Index(n.free, n.lane)
	n.free = slices.Insert(slices.Delete(n.free, at, at+1), 0, n.lane)
}
