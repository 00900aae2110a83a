package loop

import (
	"mdlc/ir/index"
)

// ToIndex is v as an index expression over the names of axes, where v is made of
// integer constants, axis indices and + - * / % min max by the rules of ir/index.
func ToIndex(v *Value) (*index.Expr, bool) { return toIndex(v, false) }

// LeafIndex is ToIndex over leaf axes: defined axes are written out.
func LeafIndex(v *Value) (*index.Expr, bool) { return toIndex(v, true) }

// asIndex builds the index expression of an op; false: it has none.
var asIndex = map[Op]func(a, b *index.Expr) (*index.Expr, bool){
	Add: func(a, b *index.Expr) (*index.Expr, bool) { return index.Sum(a, b), true },
	Sub: func(a, b *index.Expr) (*index.Expr, bool) { return index.Sub(a, b), true },
	Mul: func(a, b *index.Expr) (*index.Expr, bool) { return index.Prod(a, b), true },
	Div: func(a, b *index.Expr) (*index.Expr, bool) { return positive(index.Quo, a, b) },
	Mod: func(a, b *index.Expr) (*index.Expr, bool) { return positive(index.Rem, a, b) },
	Min: func(a, b *index.Expr) (*index.Expr, bool) { return index.Least(a, b), true },
	Max: func(a, b *index.Expr) (*index.Expr, bool) { return index.Most(a, b), true },
}

// positive divides by constants above 0 only: other divisors may be 0.
func positive(f func(a, b *index.Expr) *index.Expr, a, b *index.Expr) (*index.Expr, bool) {
	if d, ok := b.Const(); !ok || d <= 0 {
		return nil, false
	}
	return f(a, b), true
}

func toIndex(v *Value, leaves bool) (*index.Expr, bool) {
	if n, ok := v.IntConst(); ok {
		return index.C(int(n)), true
	}
	switch {
	case v.Elem != I64:
		return nil, false
	case v.Op == AxisIndex && leaves && v.Axis.Def != nil:
		return toIndex(v.Axis.Def, leaves)
	case v.Op == AxisIndex:
		return index.V(v.Axis.Name), true
	case v.Op == Neg:
		a, ok := toIndex(v.Args[0], leaves)
		if !ok {
			return nil, false
		}
		return index.Prod(a, index.C(-1)), true
	}
	f := asIndex[v.Op]
	if f == nil {
		return nil, false
	}
	a, ok := toIndex(v.Args[0], leaves)
	if !ok {
		return nil, false
	}
	b, ok := toIndex(v.Args[1], leaves)
	if !ok {
		return nil, false
	}
	return f(a, b)
}

// FromIndex is e as an i64 value; val gives the variables.
func (b *Builder) FromIndex(e *index.Expr, val func(name string) *Value) *Value {
	if n, ok := e.Const(); ok {
		return b.Int(I64, int64(n))
	}
	if e.Op == index.Var {
		return val(e.Name)
	}
	op := map[index.Op]Op{index.Add: Add, index.Mul: Mul, index.Div: Div, index.Mod: Mod, index.Min: Min, index.Max: Max}[e.Op]
	v := b.FromIndex(e.Args[0], val)
	for _, a := range e.Args[1:] {
		// a + -5 reads better, and is equal, as a - 5
		if n, ok := a.Const(); ok && op == Add && n < 0 {
			v = b.Op(Sub, v, b.Int(I64, int64(-n)))
			continue
		}
		v = b.Op(op, v, b.FromIndex(a, val))
	}
	return v
}

// AxisNamed finds an axis, nil where k has none of that name.
func (k *Kernel) AxisNamed(name string) *Axis {
	for _, a := range k.Axes {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// BufNamed finds a buffer.
func (k *Kernel) BufNamed(name string) *Buffer {
	for _, b := range k.Bufs {
		if b.Name == name {
			return b
		}
	}
	return nil
}

// Range bounds an integer value at all points of its leaf axes (both ends
// included); dead points count. ok is false where no bound is known.
func Range(v *Value) (lo, hi int, ok bool) {
	r := bound(v, false)
	return r.lo, r.hi, r.lo > -unbounded && r.hi < unbounded
}

// LiveRange is Range at live points, where a defined axis is inside its extent.
func LiveRange(v *Value) (lo, hi int, ok bool) {
	r := bound(v, true)
	return r.lo, r.hi, r.lo > -unbounded && r.hi < unbounded
}
