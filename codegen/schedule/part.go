package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Part, before: k is both a batch axis and a column of a product, since the result joins the two
//
//	z = dot[l](A[k / 64,j,l], B[k / 64,l,k % 64])   Y[j,k] = z
//
// after Part k 64:
//
//	z = dot[l](A[k0,j,l], B[k0,l,k1])   Y[j,k] = z, k = k0*64 + k1

// part makes leaf axis a blocks of n, of which the last may have less, and each block an axis of its own.
func part(k *loop.Kernel, a *loop.Axis, n int) error {
	if !constantExtent(a) || n < 1 {
		return fmt.Errorf("%s has no blocks of %d", a.Name, n)
	}
	if err := cut(k, a, n, false); err != nil {
		return err
	}
	simplifyIndices(k)
	return nil
}

// parts proposes to part an axis that both operands of a page's product have, one of them only its quotient; and one
// of an image whose rows and columns the result joins, for its window slides along each.
func (c *chooser) parts(d *loop.Value) bool {
	shape := shapeOf(d)
	for _, a := range slices.Concat(shape.batch, shape.rows, shape.cols) {
		if _, constant := a.Extent.IntConst(); !constant || a.Def != nil || a.Bind != loop.Open || a.Max == 0 {
			continue
		}
		n := 0
		if loop.Has(shape.batch, a) {
			x, y := blocksOf(d.Args[0], a), blocksOf(d.Args[1], a)
			if (x == 0) != (y == 0) {
				n = max(x, y)
			} else if x, y := blocksOf(d.Args[0], a, loop.Mod), blocksOf(d.Args[1], a, loop.Mod); x == y {
				n = x
			}
		}
		for _, v := range d.Args[:2] {
			if n == 0 && v.Op == loop.Where {
				n = blocksOf(v, a, loop.Mod)
			}
		}
		if n == 0 || a.Max%n != 0 || n == a.Max {
			continue
		}
		c.do(Part, a.Name, n, "")
		return true
	}
	return false
}

// blocksOf is n where all that v has of axis a is (a + c) / n, or others of these operations with n, else 0.
func blocksOf(v *loop.Value, a *loop.Axis, others ...loop.Op) int {
	n, only := 0, true
	seen := map[*loop.Value]bool{}
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if v == nil || seen[v] {
			return
		}
		seen[v] = true
		if (v.Op == loop.Div || slices.Contains(others, v.Op)) && v.Elem == loop.I64 && isShifted(v.Args[0], a) {
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

// isShifted reports whether v is a + c for a constant c.
func isShifted(v *loop.Value, a *loop.Axis) bool {
	_, terms := affine(newIndices().of(v))
	return len(terms) == 1 && terms[a.Name] == 1
}
