package schedule

import (
	"mdlc/ir/loop"
)

// Summands of groups of rows, as the gradient of experts has: how many a group has is data, and where they are among those of all is an axis that follows,
//
//	axis e: 16, k: (S[e+1] - S[e]) * 128 <= 18432, p: 18432 = S[e]*128 + k      z = dot[k](X[O[p/128],p%128,i], Y[O[p/128],p%128,j])
//
// What is packed of an operand that hangs on groups and summands by their places alone is packed place by place, once for all groups, which would each have room for all:
//
//	WP[v,p,c] = Y[O[p/128],p%128,v*16+c]   phase   z = dot[k](X[..], WP[j/16,p,j%16])

// packedAxes are the axes of a copy of v, in order: its leaves, but the place for all that it hangs on through that alone. place is that, or nil.
func packedAxes(k *loop.Kernel, v *loop.Value) (axes []*loop.Axis, place *loop.Axis) {
	deps := newDepends()
	leaves := deps.value(v)
	seen := map[*loop.Axis]bool{}
	walk([]*loop.Value{v}, func(x *loop.Value) {
		if x.Op != loop.AxisIndex || x.Axis.Def == nil || seen[x.Axis] {
			return
		}
		seen[x.Axis] = true
		at := deps.axis(x.Axis)
		summed := len(minus(at, leaves)) > 0 // v is the sum of a group, not of a place
		if place == nil && readsData(x.Axis.Def) && !summed && !overlaps(newDepends().value(atZero(v, x.Axis)), at) {
			place = x.Axis
		}
	})
	if place != nil {
		leaves = append(minus(leaves, deps.axis(place)), place)
	}
	return inOrder(k, leaves), place
}

// readsData reports whether v reads memory.
func readsData(v *loop.Value) bool {
	found := false
	walk([]*loop.Value{v}, func(x *loop.Value) { found = found || x.Op == loop.Load })
	return found
}

// atZero is v where the index of a is 0.
func atZero(v *loop.Value, a *loop.Axis) *loop.Value {
	c := newCloner()
	walk([]*loop.Value{v}, func(x *loop.Value) {
		if x.Op == loop.AxisIndex && x.Axis == a {
			c.values[x] = intValue(0)
		}
	})
	return c.value(v)
}

// freePlace lets the copies of first go over all places: there an axis of its own, which follows from none.
func freePlace(k *loop.Kernel, first *cloner, place *loop.Axis) {
	if place != nil {
		a := addAxis(k, place.Name, place.Max)
		a.Extent = first.value(place.Extent)
		first.axes[place] = a
	}
}
