package passes

import (
	"math"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// splat gives the number that is in every element of n, if it is a constant.
func splat(n *ir.Node) (float64, bool) {
	a, ok := n.Attr.(ir.ConstAttr)
	if !ok {
		return 0, false
	}
	return a.Splat()
}

func isSplat(n *ir.Node, v float64) bool {
	x, ok := splat(n)
	return ok && x == v && math.Signbit(x) == math.Signbit(v)
}

// arithmetic has identities that hold for every IEEE value, NaN and -0 included:
//
//	x*1  x/1  x-0  x + -0  → x        x*-1 → -x          --x → x
//	x + -y → x-y                      x - -y → x+y       -x * -y → x*y
//	x/c → x*(1/c) for powers of two   pow(x, 1) → x      pow(x, 2) → x*x
//
// and x+0, x*0 for integers.
func (s *simplifier) arithmetic(n *ir.Node) *ir.Node {
	if len(n.Args) == 0 || len(n.Args) > 2 || n.Op.Class != ir.ClassElementwise {
		return nil
	}
	x, y := n.Args[0], n.Args[len(n.Args)-1]
	integer := n.Type.Elem.IsInt()
	negated := func(n *ir.Node) bool { return n.Op == ir.OpNeg }
	switch n.Op {
	case ir.OpAdd:
		switch {
		case isSplat(y, math.Copysign(0, -1)) || integer && isSplat(y, 0):
			return x
		case isSplat(x, math.Copysign(0, -1)) || integer && isSplat(x, 0):
			return y
		case negated(y):
			return s.make(ir.OpSub, nil, x, y.Args[0])
		case negated(x):
			return s.make(ir.OpSub, nil, y, x.Args[0])
		}
	case ir.OpSub:
		switch {
		case isSplat(y, 0):
			return x
		case negated(y):
			return s.make(ir.OpAdd, nil, x, y.Args[0])
		}
	case ir.OpMul:
		return s.product(n, x, y, integer)
	case ir.OpDiv:
		if c, ok := splat(y); ok && c == 1 {
			return x
		} else if f, e := math.Frexp(c); ok && math.Abs(f) == 0.5 && e > -100 && e < 100 {
			return s.make(ir.OpMul, nil, x, s.b.Like(y, 1/c))
		}
	case ir.OpNeg:
		if negated(x) {
			return x.Args[0]
		}
	case ir.OpPow:
		if isSplat(y, 1) {
			return x
		} else if isSplat(y, 2) {
			return s.make(ir.OpMul, nil, x, x)
		}
	case ir.OpMax, ir.OpMin:
		if x == y {
			return x
		}
	}
	return nil
}

func (s *simplifier) product(n, x, y *ir.Node, integer bool) *ir.Node {
	for _, p := range [][2]*ir.Node{{x, y}, {y, x}} {
		switch {
		case isSplat(p[1], 1):
			return p[0]
		case isSplat(p[1], -1):
			return s.make(ir.OpNeg, nil, p[0])
		case integer && isSplat(p[1], 0):
			return p[1]
		}
	}
	if x.Op == ir.OpNeg && y.Op == ir.OpNeg {
		return s.make(ir.OpMul, nil, x.Args[0], y.Args[0])
	}
	return nil
}

// logic: where with a known condition or equal branches, and, or, not with constants.
func (s *simplifier) logic(n *ir.Node) *ir.Node {
	switch n.Op {
	case ir.OpWhere:
		c, x, y := n.Args[0], n.Args[1], n.Args[2]
		v, known := splat(c)
		switch {
		case known && v != 0 || x == y:
			return x
		case known:
			return y
		case c.Op == ir.OpNot && c.Type.Elem == loop.Bool:
			return s.make(ir.OpWhere, nil, c.Args[0], y, x)
		}
	case ir.OpNot:
		if x := n.Args[0]; x.Op == ir.OpNot {
			return x.Args[0]
		}
	case ir.OpAnd, ir.OpOr:
		x, y := n.Args[0], n.Args[1]
		if x == y {
			return x
		}
		if n.Type.Elem != loop.Bool {
			return nil
		}
		for _, p := range [][2]*ir.Node{{x, y}, {y, x}} {
			if v, ok := splat(p[1]); ok {
				if (v != 0) == (n.Op == ir.OpAnd) {
					return p[0]
				}
				return p[1]
			}
		}
	}
	return nil
}

// casts: cast(cast(x, A), B) → cast(x, B) where A holds every value of x.
func (s *simplifier) casts(n *ir.Node) *ir.Node {
	if n.Op != ir.OpCast {
		return nil
	}
	x := n.Args[0]
	if x.Type.Elem == n.Type.Elem {
		return x
	}
	if x.Op != ir.OpCast || !exact(x.Args[0].Type.Elem, x.Type.Elem) {
		return nil
	}
	if y := x.Args[0]; y.Type.Elem == n.Type.Elem {
		return y
	} else if n.Type.Elem != loop.Bool {
		return s.make(ir.OpCast, n.Attr, y)
	}
	return nil
}

// bitsOf is the range of integers that an element type holds exactly: bits of magnitude, and a sign.
func bitsOf(e ir.Elem) (bits int, signed bool) {
	switch e {
	case loop.Bool:
		return 1, false
	case loop.I8:
		return 7, true
	case loop.U8:
		return 8, false
	case loop.I32:
		return 31, true
	case loop.U32:
		return 32, false
	case loop.I64:
		return 63, true
	case loop.F8E4M3:
		return 4, true
	case loop.F8E5M2:
		return 3, true
	case loop.F16:
		return 11, true
	case loop.BF16:
		return 8, true
	case loop.F32:
		return 24, true
	}
	return 53, true
}

// exact reports whether `to` holds every value of `from`.
func exact(from, to ir.Elem) bool {
	fb, fs := bitsOf(from)
	tb, ts := bitsOf(to)
	switch {
	case from == to:
		return true
	case from.IsFloat():
		return to == loop.F64 || to == loop.F32 && from != loop.F64
	}
	return fb <= tb && (ts || !fs) && !(to == loop.F8E4M3 || to == loop.F8E5M2)
}
