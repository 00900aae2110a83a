package schedule

import (
	"math"

	"mdlc/ir/loop"
)

// interval holds all that a number can be, both ends included, but for NaN.
type interval struct{ lo, hi float64 }

var anything = interval{math.Inf(-1), math.Inf(1)}

// bounds finds the intervals of values of equations. Rounding keeps the order of numbers, so
// what holds of exact results holds of rounded ones.
type bounds map[*loop.Value]interval

func (b bounds) of(v *loop.Value) interval {
	if r, ok := b[v]; ok {
		return r
	}
	r := anything
	if v.Elem.IsFloat() {
		r = b.compute(v)
	}
	b[v] = r
	return r
}

func (b bounds) compute(v *loop.Value) interval {
	arg := func(i int) interval { return b.of(v.Args[i]) }
	inf := math.Inf(1)
	switch v.Op {
	case loop.Const:
		if x := math.Float64frombits(v.Bits); !math.IsNaN(x) {
			return interval{x, x}
		}
	case loop.Neg:
		return interval{-arg(0).hi, -arg(0).lo}
	case loop.Abs:
		a := arg(0)
		return interval{max(0, a.lo, -a.hi), max(-a.lo, a.hi)}
	case loop.Min:
		r := interval{min(arg(0).lo, arg(1).lo), min(arg(0).hi, arg(1).hi)}
		if isNegOf(v.Args[0], v.Args[1]) || isNegOf(v.Args[1], v.Args[0]) {
			r.hi = min(r.hi, 0)
		}
		return r
	case loop.Max:
		return interval{max(arg(0).lo, arg(1).lo), max(arg(0).hi, arg(1).hi)}
	case loop.Where:
		return interval{min(arg(1).lo, arg(2).lo), max(arg(1).hi, arg(2).hi)}
	case loop.Cast:
		if v.Args[0].Elem.IsFloat() {
			return arg(0)
		}
	case loop.ReduceMax, loop.ReduceMin:
		return arg(0)
	case loop.Exp, loop.Sqrt:
		return interval{0, inf}
	case loop.Sigmoid, loop.ExpNeg:
		return interval{0, 1}
	case loop.Tanh, loop.Erf, loop.Sin, loop.Cos:
		return interval{-1, 1}
	case loop.Mul:
		if a, c := arg(0), arg(1); v.Args[0] == v.Args[1] || a.lo >= 0 && c.lo >= 0 || a.hi <= 0 && c.hi <= 0 {
			return interval{0, inf}
		} else if a.lo >= 0 && c.hi <= 0 || a.hi <= 0 && c.lo >= 0 {
			return interval{-inf, 0}
		}
	case loop.Add:
		return ordered(arg(0).lo+arg(1).lo, arg(0).hi+arg(1).hi)
	case loop.Sub:
		r := ordered(arg(0).lo-arg(1).hi, arg(0).hi-arg(1).lo)
		if isExtremeOf(v.Args[1], v.Args[0], loop.ReduceMax, loop.Max) || isExtremeOf(v.Args[0], v.Args[1], loop.ReduceMin, loop.Min) {
			r.hi = min(r.hi, 0)
		}
		return r
	}
	return anything
}

// ordered is an interval of sums of ends; infinities of unlike signs bound nothing.
func ordered(lo, hi float64) interval {
	if math.IsNaN(lo) {
		lo = math.Inf(-1)
	}
	if math.IsNaN(hi) {
		hi = math.Inf(1)
	}
	return interval{lo, hi}
}

func isNegOf(n, x *loop.Value) bool { return n.Op == loop.Neg && n.Args[0] == x }

// isExtremeOf reports whether m is the least or greatest of x over some axes, and maybe of other values: x lies on one side of it.
func isExtremeOf(m, x *loop.Value, reduce, op loop.Op) bool {
	if m.Op == op {
		return isExtremeOf(m.Args[0], x, reduce, op) || isExtremeOf(m.Args[1], x, reduce, op)
	}
	return m.Op == reduce && m.Args[0] == x
}
