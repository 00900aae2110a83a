package schedule

import (
	"fmt"
	"math"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// The constructors below make values without axes: Kernel.Refresh finds them
// at the end of each step, when the bindings are known.

func intValue(k int) *loop.Value {
	return &loop.Value{Op: loop.Const, Elem: loop.I64, Bits: uint64(int64(k))}
}

// floatOr is the constant x of a float type, or k of an integer one.
func number(e loop.Elem, x float64, k int64) *loop.Value {
	if e.IsFloat() {
		return &loop.Value{Op: loop.Const, Elem: e, Bits: math.Float64bits(x)}
	}
	return &loop.Value{Op: loop.Const, Elem: e, Bits: uint64(k)}
}

func axisValue(a *loop.Axis) *loop.Value {
	return &loop.Value{Op: loop.AxisIndex, Elem: loop.I64, Axis: a}
}

func binary(op loop.Op, a, b *loop.Value) *loop.Value {
	elem := a.Elem
	if op.Info().Class == loop.ClassCompare {
		elem = loop.Bool
	}
	return &loop.Value{Op: op, Elem: elem, Args: []*loop.Value{a, b}}
}

// times and over are a*n and a/n.
func times(a *loop.Value, n int) *loop.Value {
	if n == 1 {
		return a
	}
	return binary(loop.Mul, a, intValue(n))
}

func over(a *loop.Value, n int) *loop.Value {
	if n == 1 {
		return a
	}
	return binary(loop.Div, a, intValue(n))
}

// rest is a%n.
func rest(a *loop.Value, n int) *loop.Value {
	if n == 1 {
		return intValue(0)
	}
	return binary(loop.Mod, a, intValue(n))
}

func where(c, a, b *loop.Value) *loop.Value {
	return &loop.Value{Op: loop.Where, Elem: a.Elem, Args: []*loop.Value{c, a, b}}
}

// both is a & b; nil is true.
func both(a, b *loop.Value) *loop.Value {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return binary(loop.And, a, b)
}

func load(buf *loop.Buffer, idx []*loop.Value, guard *loop.Value) *loop.Value {
	return &loop.Value{Op: loop.Load, Elem: buf.Elem, Buf: buf, Args: idx, Guard: guard}
}

// indices is the part of a kernel's values that are integer expressions: it
// converts them to index.Expr and back. Values that are none (loaded data)
// are variables.
type indices struct {
	vars   map[string]*loop.Value // what a variable stands for
	made   map[string]*loop.Value // of the texts of expressions that are values again: equal ones are one value
	names  map[*loop.Value]string
	bounds map[string][2]int
}

func newIndices() *indices {
	return &indices{vars: map[string]*loop.Value{}, made: map[string]*loop.Value{}, names: map[*loop.Value]string{}, bounds: map[string][2]int{}}
}

func (x *indices) opaque(v *loop.Value) *index.Expr {
	name, ok := x.names[v]
	if !ok {
		name = fmt.Sprintf("$%d", len(x.names))
		x.names[v] = name
		x.vars[name] = v
		x.bounds[name] = [2]int{-1 << 40, 1 << 40}
	}
	return index.V(name)
}

// of is v as an expression over leaf axes.
func (x *indices) of(v *loop.Value) *index.Expr {
	switch v.Op {
	case loop.Const:
		return index.C(int(int64(v.Bits)))
	case loop.AxisIndex:
		return x.axis(v.Axis)
	}
	if v.Elem != loop.I64 {
		return x.opaque(v)
	}
	switch v.Op {
	case loop.Add:
		return index.Sum(x.of(v.Args[0]), x.of(v.Args[1]))
	case loop.Sub:
		return index.Sub(x.of(v.Args[0]), x.of(v.Args[1]))
	case loop.Neg:
		return index.Prod(x.of(v.Args[0]), index.C(-1))
	case loop.Mul:
		return index.Prod(x.of(v.Args[0]), x.of(v.Args[1]))
	case loop.Div:
		return index.Quo(x.of(v.Args[0]), x.of(v.Args[1]))
	case loop.Mod:
		return index.Rem(x.of(v.Args[0]), x.of(v.Args[1]))
	case loop.Min:
		return index.Least(x.of(v.Args[0]), x.of(v.Args[1]))
	case loop.Max:
		return index.Most(x.of(v.Args[0]), x.of(v.Args[1]))
	}
	return x.opaque(v)
}

// axis is a's index as an expression over leaf axes.
func (x *indices) axis(a *loop.Axis) *index.Expr {
	if a.Def != nil {
		return x.of(a.Def)
	}
	if _, ok := x.vars[a.Name]; !ok {
		x.vars[a.Name] = axisValue(a)
		x.bounds[a.Name] = [2]int{0, max(a.Max-1, 0)}
	}
	return index.V(a.Name)
}

func (x *indices) bound(name string) (lo, hi int) {
	b := x.bounds[name]
	return b[0], b[1]
}

func (x *indices) rng(e *index.Expr) (lo, hi int) { return e.Range(x.bound) }

// value is e as a value again.
func (x *indices) value(e *index.Expr) *loop.Value {
	if e.Op == index.Const {
		return intValue(e.K)
	}
	v, ok := x.made[e.String()]
	if !ok {
		v = x.build(e)
		x.made[e.String()] = v
	}
	return v
}

func (x *indices) build(e *index.Expr) *loop.Value {
	fold := func(op loop.Op) *loop.Value {
		v := x.value(e.Args[0])
		for _, a := range e.Args[1:] {
			if k, c := coefficient(a); op == loop.Add && k < 0 && c != nil {
				v = binary(loop.Sub, v, x.value(index.Prod(c, index.C(-k))))
			} else if k, ok := a.Const(); op == loop.Add && ok && k < 0 {
				v = binary(loop.Sub, v, intValue(-k))
			} else {
				v = binary(op, v, x.value(a))
			}
		}
		return v
	}
	switch e.Op {
	case index.Var:
		return x.vars[e.Name]
	case index.Add:
		return fold(loop.Add)
	case index.Mul:
		return fold(loop.Mul)
	case index.Div:
		return fold(loop.Div)
	case index.Mod:
		return fold(loop.Mod)
	case index.Min:
		return fold(loop.Min)
	}
	return fold(loop.Max)
}

// coefficient splits k*e; a constant has no e.
func coefficient(e *index.Expr) (int, *index.Expr) {
	if e.Op == index.Const {
		return e.K, nil
	}
	if e.Op == index.Mul {
		if k, ok := e.Args[1].Const(); ok {
			return k, e.Args[0]
		}
	}
	return 1, e
}

// simple is v simplified.
func (x *indices) simple(v *loop.Value) *loop.Value {
	e := x.of(v)
	return x.value(e.SimplifyIn(x.bound))
}

// affine is e as constant + Σ coef·variable, in sorted order of variables; ok is
// false where a term is none. Terms that are not linear count as variables of their own text.
func affine(e *index.Expr) (c int, terms map[string]int) {
	terms = map[string]int{}
	args := []*index.Expr{e}
	if e.Op == index.Add {
		args = e.Args
	}
	for _, a := range args {
		k, x := coefficient(a)
		if x == nil {
			c += k
		} else {
			terms[x.String()] += k
		}
	}
	return c, terms
}

// simplifyIndices simplifies the quotients and remainders of indices, which cuts have
// often made exact, j/16 is j0 where j = j0*16 + j1, or free of an axis: j%4 is j1%4 there.
func simplifyIndices(k *loop.Kernel) {
	x, deps := newIndices(), newDepends()
	eachStmt(k.Body, func(_ loop.Stmt, vs []*loop.Value) {
		walk(vs, func(v *loop.Value) {
			if v.Elem == loop.I64 && (v.Op == loop.Div || v.Op == loop.Mod) {
				if n := x.simple(v); n.Op != v.Op || len(deps.value(n)) < len(deps.value(v)) {
					name := v.Name
					*v = *n
					v.Name = name
				}
			}
		})
	})
}
