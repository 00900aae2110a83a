package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Step split, the product of a convolution, of which hardware is to copy boxes (choose_slide.go). Before:
//
//	z = dot[c,r,s](W[o,c,r,s], where(x + s - 1 >= 0 & x + s - 1 < 64 & .., X[n,c,y + r - 1,x + s - 1; ..], 0.0))
//
// after Guard z_b and Last c z:
//
//	z = dot[r,s,c](W[o,c,r,s], X[n,c,y + r - 1,x + s - 1; x + s - 1 >= 0 & x + s - 1 < 64 & ..])
//
// A load whose guard does not hold is 0, and what is left out is what is outside of a tensor, where a box has zeros, too. With the channels last, those of a turn have
// one tap in common, and so are a box that the tap shifts.

// guardWindow reads v, which is 0 outside of a window, under the window's condition.
func guardWindow(v *loop.Value) error {
	if !isWindow(v) {
		return fmt.Errorf("%s is not 0 beyond what it loads", v.Name)
	}
	cond, name := v.Args[0], v.Name
	*v = *v.Args[1]
	v.Guard, v.Name = cond, name
	return nil
}

// isWindow reports whether v is what it loads where a condition holds, which all of the load's own are part of, else 0.
func isWindow(v *loop.Value) bool {
	return v.Op == loop.Where && v.Args[1].Op == loop.Load && isZero(v.Args[2]) && (v.Args[1].Guard == nil || v.Args[1].Guard == v.Args[0])
}

// sumLast lets product d sum up axis a fastest, where the contract leaves the order open: of operands that tensor cores multiply.
func sumLast(d *loop.Value, a *loop.Axis) error {
	i := slices.Index(d.Over, a)
	switch {
	case d.Op != loop.Dot || i < 0:
		return fmt.Errorf("%s does not sum up %s", d.Name, a.Name)
	case !(&product{dot: d}).reorders():
		return fmt.Errorf("the order of %s is the contract's", d.Name)
	}
	d.Over = append(slices.Delete(slices.Clone(d.Over), i, i+1), a)
	return nil
}
