package passes

import (
	"math"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// probe is the value of an element-wise op if it does not depend on the arguments that are not known: numbers of both signs, large,
// small, zero, infinite and NaN. Where the result is NaN it says nothing. Only what absorbs others can decide alone: a truth value,
// zero, or infinity. Any other number would have to be tried beside all that it may meet: 200 is more than each of a few samples.
func probe(n *ir.Node, args []constant) constant {
	absorbs, all, exact := false, true, true
	for i, a := range args {
		absorbs = absorbs || a.ok && (a.v == 0 || math.IsInf(a.v, 0) || n.Args[i].Type.Elem == loop.Bool)
		all, exact = all && a.ok, exact && (a.exact || !a.ok)
	}
	if !absorbs && !all {
		return constant{}
	}
	var results []float64
	vs := make([]float64, len(args))
	var try func(i int) bool
	try = func(i int) bool {
		if i == len(args) {
			v, ok := scalar(n, vs)
			results = append(results, v)
			return ok
		}
		for _, v := range samples(n.Args[i].Type.Elem, args[i]) {
			if vs[i] = v; !try(i + 1) {
				return false
			}
		}
		return true
	}
	if !try(0) {
		return constant{}
	}
	var result constant
	for _, v := range results {
		exact = exact && math.Float64bits(v) == math.Float64bits(results[0])
		switch {
		case math.IsNaN(v):
		case result.ok && v != result.v:
			return constant{}
		default:
			result.v, result.ok = v, true
		}
	}
	result.exact = result.ok && exact
	return result
}

// samples are numbers to try for an argument.
func samples(e loop.Elem, a constant) []float64 {
	switch {
	case a.ok && a.v == 0 && !a.exact && e.IsFloat():
		return []float64{0, math.Copysign(0, -1)}
	case a.ok:
		return []float64{a.v}
	case e == loop.Bool:
		return []float64{0, 1}
	case e.IsFloat():
		return []float64{math.Inf(-1), -1e30, -2.5, -1, -1e-3, math.Copysign(0, -1), 0, 1e-3, 1, 2.5, 1e30, math.Inf(1), math.NaN()}
	}
	return []float64{-100, -2, -1, 0, 1, 2, 100}
}

// scalar is an element-wise op of numbers.
func scalar(n *ir.Node, args []float64) (float64, bool) {
	values := make([]ir.ConstAttr, len(args))
	for i, v := range args {
		e := n.Args[i].Type.Elem
		values[i] = ir.ConstAttr{Type: ir.TensorOf(e), Bits: []uint64{ir.NumberBits(e, v)}}
	}
	t := ofScalars(n, values)
	switch {
	case t == nil:
		return 0, false
	case t.F != nil:
		return t.F[0], true
	}
	return float64(t.I[0]), true
}
