package loop

import "math"

// IntConst is the value of an integer constant.
func (v *Value) IntConst() (int64, bool) {
	if v == nil || v.Op != Const || !v.Elem.IsInt() {
		return 0, false
	}
	return int64(v.Bits), true
}

// FloatConst is the value of a float constant.
func (v *Value) FloatConst() (float64, bool) {
	if v == nil || v.Op != Const || !v.Elem.IsFloat() {
		return 0, false
	}
	return math.Float64frombits(v.Bits), true
}

// BoolConst is the value of a bool constant.
func (v *Value) BoolConst() (x, ok bool) {
	if v == nil || v.Op != Const || v.Elem != Bool {
		return false, false
	}
	return v.Bits != 0, true
}

func (v *Value) isInt(k int64) bool {
	x, ok := v.IntConst()
	return ok && x == k
}

func (v *Value) isFloat(k float64) bool {
	x, ok := v.FloatConst()
	return ok && x == k && math.Signbit(x) == math.Signbit(k)
}

// isOne and isZero hold for numbers of any type; a float zero is +0.
func (v *Value) isOne() bool  { return v.isInt(1) || v.isFloat(1) }
func (v *Value) isZero() bool { return v.isInt(0) || v.isFloat(0) }

// fold simplifies v by identities that keep every bit, NaN and sign, and interns the result.
func (b *Builder) fold(v *Value) *Value {
	if c := b.foldConst(v); c != nil {
		return c
	}
	if f := identities[v.Op]; f != nil {
		if r := f(b, v, v.Args); r != nil {
			return r
		}
	}
	return b.intern(v)
}

// foldConst evaluates integer and bool ops of constants. Float ops are left:
// their result depends on the rounding of the constants.
func (b *Builder) foldConst(v *Value) *Value {
	for _, a := range v.Args {
		if a.Op != Const || a.Elem.IsFloat() {
			return nil
		}
	}
	r := v.Op.Info()
	x := func(i int) int64 { return int64(v.Args[i].Bits) }
	var y int64
	ok := true
	switch {
	case r.i1 != nil:
		y = r.i1(x(0))
	case r.i2 != nil && r.Class != ClassReduce:
		y, ok = r.i2(x(0), x(1))
		ok = ok && shiftInRange(v.Op, v.Elem, x(1))
	case r.cmpI != nil:
		if r.cmpI(x(0), x(1)) {
			y = 1
		}
	default:
		return nil
	}
	if !ok {
		return nil
	}
	return b.intern(&Value{Op: Const, Elem: v.Elem, Bits: uint64(wrap(v.Elem, y)), Pos: v.Pos})
}

// shiftInRange: shifts by the width or more are undefined.
func shiftInRange(op Op, e Elem, count int64) bool {
	return op.Info().Prec != precShift || count >= 0 && count < int64(8*e.Size())
}

// identities are exact: -0, NaN and infinities come out as the op gives them. nil: no identity applies.
var identities map[Op]func(b *Builder, v *Value, a []*Value) *Value

func init() {
	identities = map[Op]func(b *Builder, v *Value, a []*Value) *Value{
		Add: func(b *Builder, v *Value, a []*Value) *Value {
			switch { // x + 0 is not x where x is -0
			case a[0].isInt(0) || a[0].isFloat(math.Copysign(0, -1)):
				return a[1]
			case a[1].isInt(0) || a[1].isFloat(math.Copysign(0, -1)):
				return a[0]
			}
			return nil
		},
		Sub: func(b *Builder, v *Value, a []*Value) *Value {
			switch {
			case a[1].isZero():
				return a[0]
			case a[0] == a[1] && v.Elem.IsInt():
				return b.Int(v.Elem, 0)
			}
			return nil
		},
		Mul: func(b *Builder, v *Value, a []*Value) *Value {
			switch {
			case a[0].isOne() || a[1].isInt(0):
				return a[1]
			case a[1].isOne() || a[0].isInt(0):
				return a[0]
			}
			return nil
		},
		Div: func(b *Builder, v *Value, a []*Value) *Value { return first(a[1].isOne(), a[0]) },
		Mod: func(b *Builder, v *Value, a []*Value) *Value {
			if a[1].isInt(1) {
				return b.Int(v.Elem, 0)
			}
			return nil
		},
		Neg: func(b *Builder, v *Value, a []*Value) *Value {
			if x, ok := a[0].FloatConst(); ok {
				return b.Float(v.Elem, -x)
			}
			return inverse(Neg, a[0])
		},
		Not: func(b *Builder, v *Value, a []*Value) *Value { return inverse(Not, a[0]) },
		Min: func(b *Builder, v *Value, a []*Value) *Value { return first(a[0] == a[1], a[0]) },
		Max: func(b *Builder, v *Value, a []*Value) *Value { return first(a[0] == a[1], a[0]) },
		And: func(b *Builder, v *Value, a []*Value) *Value { return logic(a, true) },
		Or:  func(b *Builder, v *Value, a []*Value) *Value { return logic(a, false) },
		Where: func(b *Builder, v *Value, a []*Value) *Value {
			c, ok := a[0].BoolConst()
			switch {
			case ok && c || a[1] == a[2]:
				return a[1]
			case ok:
				return a[2]
			}
			return nil
		},
		Cast:    foldCast,
		Bitcast: func(b *Builder, v *Value, a []*Value) *Value { return first(v.Elem == a[0].Elem, a[0]) },
	}
}

func first(holds bool, v *Value) *Value {
	if holds {
		return v
	}
	return nil
}

// inverse cancels op(op(x)).
func inverse(op Op, a *Value) *Value {
	if a.Op == op {
		return a.Args[0]
	}
	return nil
}

// logic folds bool `and` (unit true) and `or` (unit false).
func logic(a []*Value, unit bool) *Value {
	for i, x := range a {
		if c, ok := x.BoolConst(); ok {
			if c == unit {
				return a[1-i]
			}
			return x
		}
	}
	return first(a[0] == a[1], a[0])
}

// foldCast converts constants where that is exact.
func foldCast(b *Builder, v *Value, a []*Value) *Value {
	if v.Elem == a[0].Elem {
		return a[0]
	}
	if a[0].Op != Const {
		return nil
	}
	if x, ok := a[0].FloatConst(); ok {
		exact := x == x && round(a[0].Elem, x) == x && round(v.Elem, x) == x
		return first(v.Elem.IsFloat() && exact, b.Float(floatOr(v.Elem), x))
	}
	x := int64(a[0].Bits)
	switch {
	case v.Elem == Bool:
		return b.Bool(x != 0)
	case v.Elem.IsInt():
		return b.Int(v.Elem, x)
	}
	f := float64(x)
	return first(int64(f) == x && x < 1<<53 && x > -1<<53 && round(v.Elem, f) == f, b.Float(v.Elem, f))
}

func floatOr(e Elem) Elem {
	if e.IsFloat() {
		return e
	}
	return F64
}
