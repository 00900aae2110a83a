package runtime

import (
	"fmt"

	"mdlc/ir/index"
)

// code is an index expression as instructions of a small stack machine over
// the slots of a block's symbols, so that evaluation allocates nothing.
type code struct {
	ops      []codeOp
	constant bool
	k        int
}

type codeOp struct {
	op index.Op
	k  int // Const: the value; Var: the slot
}

// codeDepth bounds the stack; canonical expressions are shallow.
const codeDepth = 32

func constCode(k int) code { return code{constant: true, k: k} }

// compileExpr turns e into code; a nil e is 0.
func compileExpr(e *index.Expr, slot func(name string) (int, bool)) (code, error) {
	if e == nil {
		return constCode(0), nil
	}
	if k, ok := e.Const(); ok {
		return constCode(k), nil
	}
	var c code
	depth, most := 0, 0
	var emit func(e *index.Expr) error
	emit = func(e *index.Expr) error {
		switch e.Op {
		case index.Const, index.Var:
			k := e.K
			if e.Op == index.Var {
				s, ok := slot(e.Name)
				if !ok {
					return fmt.Errorf("unknown length %s in %s", e.Name, e)
				}
				k = s
			}
			c.ops = append(c.ops, codeOp{e.Op, k})
			depth++
			most = max(most, depth)
			return nil
		}
		if err := emit(e.Args[0]); err != nil {
			return err
		}
		for _, a := range e.Args[1:] {
			if err := emit(a); err != nil {
				return err
			}
			c.ops = append(c.ops, codeOp{op: e.Op})
			depth--
		}
		return nil
	}
	if err := emit(e); err != nil {
		return code{}, err
	}
	if most > codeDepth {
		return code{}, fmt.Errorf("expression %s is too deep", e)
	}
	return c, nil
}

// eval gives the value over the symbols' values.
func (c *code) eval(slots []int) int {
	if c.constant {
		return c.k
	}
	var stack [codeDepth]int
	n := 0
	for _, o := range c.ops {
		switch o.op {
		case index.Const:
			stack[n] = o.k
			n++
			continue
		case index.Var:
			stack[n] = slots[o.k]
			n++
			continue
		}
		n--
		stack[n-1] = apply(o.op, stack[n-1], stack[n])
	}
	return stack[0]
}

func apply(op index.Op, a, b int) int {
	switch op {
	case index.Add:
		return a + b
	case index.Mul:
		return a * b
	case index.Div, index.Mod:
		q := a / b
		if a%b != 0 && (a < 0) != (b < 0) {
			q--
		}
		if op == index.Div {
			return q
		}
		return a - b*q
	case index.Min:
		return min(a, b)
	}
	return max(a, b)
}
