package schedule

import (
	"fmt"

	"mdlc/ir/loop"
)

// Part, before: k is both a batch axis and a column of a product, since the result joins the two
//
//	z = dot[l](A[k / 64,j,l], B[k / 64,l,k % 64])   Y[j,k] = z
//
// after Part k 64:
//
//	z = dot[l](A[k0,j,l], B[k0,l,k1])   Y[j,k] = z, k = k0*64 + k1

// part makes leaf axis a blocks of n, and each block an axis of its own.
func part(k *loop.Kernel, a *loop.Axis, n int) error {
	if extent, ok := a.Extent.IntConst(); !ok || n < 1 || int(extent)%n != 0 {
		return fmt.Errorf("%s has no whole blocks of %d", a.Name, n)
	}
	if err := cut(k, a, n, false); err != nil {
		return err
	}
	simplifyIndices(k)
	return nil
}

// parts proposes to part an axis that both operands of a page's product have, one of them only its quotient.
func (c *chooser) parts(d *loop.Value) bool {
	for _, a := range shapeOf(d).batch {
		if _, constant := a.Extent.IntConst(); !constant || a.Def != nil || a.Bind != loop.Open || a.Max == 0 {
			continue
		}
		x, y := blocksOf(d.Args[0], a), blocksOf(d.Args[1], a)
		n := max(x, y)
		if (x == 0) == (y == 0) || a.Max%n != 0 || n == a.Max {
			continue
		}
		c.do(Part, a.Name, n, "")
		return true
	}
	return false
}

// blocksOf is n where all that v has of axis a is a / n, else 0.
func blocksOf(v *loop.Value, a *loop.Axis) int {
	n, only := 0, true
	seen := map[*loop.Value]bool{}
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if v == nil || seen[v] {
			return
		}
		seen[v] = true
		if v.Op == loop.Div && v.Elem == loop.I64 && v.Args[0].Op == loop.AxisIndex && v.Args[0].Axis == a {
			if by, ok := v.Args[1].IntConst(); ok && (n == 0 || n == int(by)) {
				n = int(by)
				return
			}
		}
		only = only && !(v.Op == loop.AxisIndex && (v.Axis == a || v.Axis.Def != nil && mentions(v.Axis.Def, a)))
		for _, x := range v.Args {
			visit(x)
		}
		visit(v.Guard)
	}
	if visit(v); !only {
		return 0
	}
	return n
}
