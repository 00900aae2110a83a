package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// Step layout, before: axis j: 100 = j0*64 + j1, j1: 64
// after Vec j1 8:      axis j: 100 = j0*64 + j1*8 + j2, j1: 8 reg, j2: 8 lane

// layout makes every open axis registers or, the innermost n of one, lanes.
func layout(k *loop.Kernel, vecs []loop.Opt) (*loop.Kernel, error) {
	k = clone(k)
	lanes := map[*loop.Axis]bool{}
	for _, o := range vecs {
		a, err := axisNamed(k, o.Axis)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		if a.Max%o.Arg != 0 {
			return nil, fmt.Errorf("%s: the extent %d is no multiple", o, a.Max)
		}
		if a.Max == o.Arg {
			lanes[a] = true
			continue
		}
		if err := cut(k, a, o.Arg, false); err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		pieces := newDepends().axis(a)
		if a.Def == nil { // a kept its name for the registers
			pieces = k.Axes
		}
		lanes[pieces[len(pieces)-1]] = true
	}
	inner := dotAxes(k)
	for _, a := range k.Axes {
		switch {
		case a.Def != nil || a.Bind != loop.Open:
		case lanes[a]:
			a.Bind = loop.Lane
		case inner[a]: // stays open: the row makes the loop
		default:
			if _, ok := a.Extent.IntConst(); !ok {
				return nil, fmt.Errorf("axis %s has an extent that is data and is not bound", a.Name)
			}
			a.Bind = loop.Reg
		}
	}
	gatherExtremes(finish(k))
	return finish(k), nil
}

// dotAxes are the axes that the rows of dots enumerate.
func dotAxes(k *loop.Kernel) map[*loop.Axis]bool {
	out := map[*loop.Axis]bool{}
	deps := newDepends()
	walkBody(k.Body, func(v *loop.Value) {
		if v.Op == loop.Dot {
			for _, a := range deps.over(v) {
				out[a] = true
			}
		}
	})
	return out
}
