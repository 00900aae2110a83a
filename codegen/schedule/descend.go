package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Descend, before: points come in the order of an axis, and the last ones take longest, since loops end with their rows
//
//	axis t0: 64 par
//
// after Descend t0: they come first, so that none of them is begun when the others are done
//
//	axis point: 64 par, t0: 64 = 63 - point

// descend lets the points of an axis come in descending order.
func descend(k *loop.Kernel, name string) error {
	a, err := axisNamed(k, name)
	if err != nil {
		return err
	}
	if a.Bind != loop.Par || a.Def != nil || !constantExtent(a) {
		return fmt.Errorf("%s is no axis of points, or how many there are is not known", name)
	}
	point := &loop.Axis{Name: freshName(k, "point"), Extent: a.Extent, Max: a.Max, Bind: loop.Par}
	k.Axes = slices.Insert(k.Axes, slices.Index(k.Axes, a), point)
	a.Bind, a.Def = loop.Open, binary(loop.Sub, intValue(a.Max-1), axisValue(point))
	return nil
}
