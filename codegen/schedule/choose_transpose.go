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
//
// On a CPU a block has as many elements along the other axis too, if there are: they are registers, and the emitter loads
// such a square by its rows and turns it (i = i0*8 + i1, i1: 8 reg). So they are where the other axis is one that a maximum or minimum is taken
// over, whose order makes no difference: there is one for each register, and at the end one of these.

// alongTransposed is the axis of free along which loads of the stores are side by side that are far apart along lane; nil
// where there is none. square reports whether all of them are of elements of four bytes at most.
func alongTransposed(stores []*loop.Store, lane *loop.Axis, free []*loop.Axis) (along *loop.Axis, square bool) {
	x := newIndices()
	square = true
	walk(roots(stores), func(v *loop.Value) {
		if v.Op != loop.Load {
			return
		}
		_, terms := affine(address(x, v.Buf, v.Args))
		if s := terms[lane.Name]; s == 0 || s == 1 {
			return
		}
		for _, a := range free {
			if a != lane && terms[a.Name] == 1 {
				square = square && v.Elem.Size() <= 4 && (along == nil || along == a)
				along = a
				return
			}
		}
	})
	return along, square
}

// transpose puts the lane axis of a transpose first, and leaves squares open where there are some.
func (c *chooser) transpose(n *nest) {
	if !loop.Has(n.free, n.lane) {
		return
	}
	along, square := alongTransposed(n.stores, n.lane, slices.Concat(n.free, n.reduced))
	square = square && c.m.Processors == 0 && min(maxOf(along), n.lane.Max) >= c.m.Lanes && along.Bind == loop.Open
	if along == nil || !square && n.lane.Max <= 4*c.m.Lanes { // fewer are one block
		return
	}
	reduced := loop.Has(n.reduced, along)
	if reduced != (len(n.reduced) > 0) || reduced && (!square || along.Max%c.m.Lanes > 0 || !constantExtent(along) || hasOrder(n.stores, along)) {
		return
	}
	n.transposed = true
	at := slices.Index(n.free, n.lane)
	n.free = slices.Insert(slices.Delete(n.free, at, at+1), 0, n.lane)
	if !square {
		return
	}
	list := &n.free
	if reduced {
		list = &n.reduced
	}
	at = slices.Index(*list, along)
	if *list = slices.Delete(*list, at, at+1); along.Max > c.m.Lanes {
		c.do(Cut, along.Name, c.m.Lanes, "")
		outer, _ := piecesNamed(c.k, along)
		*list = slices.Insert(*list, at, outer)
	}
}

// hasOrder reports whether it matters in which order something is reduced over a.
func hasOrder(stores []*loop.Store, a *loop.Axis) bool {
	found, deps := false, newDepends()
	walk(roots(stores), func(v *loop.Value) {
		found = found || isReduction(v) && v.Op != loop.ReduceMax && v.Op != loop.ReduceMin && loop.Has(deps.over(v), a)
	})
	return found
}
