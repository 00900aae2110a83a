package ir

import (
	"fmt"

	"mdlc/ir/loop"
)

// sameTypes wants equal element types and shapes: there is no implicit broadcasting.
func sameTypes(args []*Node) error {
	for _, a := range args[1:] {
		if !a.Type.Equal(args[0].Type) {
			return shapesDiffer(args[0].Type, a.Type)
		}
	}
	return nil
}

func shapesDiffer(a, b Type) error { return fmt.Errorf("operands differ: %s and %s", a, b) }

func takes(what string, t Type) error { return fmt.Errorf("takes %s, not %s", what, t) }

// number is a constant in a kernel.
func number(c *LowerCtx, e Elem, v float64) *loop.Value {
	if e == loop.Bool {
		return c.B.Bool(v != 0)
	}
	return c.B.Number(e, v)
}

// convert is v as an e.
func convert(c *LowerCtx, v *loop.Value, e Elem) *loop.Value {
	if v.Elem == e {
		return v
	}
	return c.B.Cast(e, v)
}
