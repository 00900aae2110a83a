package codegen

import (
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/loop"
)

// bitcast reads the bits of a register as another type of the same size.
func (e *emitter) bitcast(v *loop.Value) value.Value {
	from, to := v.Args[0].Elem, v.Elem
	if from.Size() != to.Size() || from.Size() < 4 {
		e.fail("bitcast of %s to %s is not supported on this target", from, to)
	}
	x := e.value(v.Args[0])
	if from == loop.I64 {
		x = e.widen(x, types.I64)
	}
	return e.b.Bitcast(x, llir.Vec(llir.Lanes(x.Type()), regType(to)))
}

// cast converts between element types.
func (e *emitter) cast(v *loop.Value) value.Value {
	from, to := v.Args[0].Elem, v.Elem
	x := e.value(v.Args[0])
	blk := e.b.Block // a masked load in x may have started another
	n := llir.Lanes(x.Type())
	t := llir.Vec(n, regType(to))
	switch {
	case to == loop.Bool && from.IsFloat():
		return blk.NewFCmp(enum.FPredUNE, x, llir.Zero(x.Type()))
	case to == loop.Bool && from != loop.Bool:
		return blk.NewICmp(enum.IPredNE, x, llir.Zero(x.Type()))
	case from.IsFloat() && to.IsFloat():
		return e.castFloat(x, from, to)
	case from.IsFloat():
		return e.castToInt(x, to)
	case to.IsFloat():
		f := t
		if to != loop.F64 && from.Size() >= 4 && to != loop.F32 {
			f = llir.Vec(n, types.Double)
		}
		var y value.Value
		if isUnsigned(from) {
			y = blk.NewUIToFP(x, f)
		} else {
			y = blk.NewSIToFP(x, f)
		}
		if f != t {
			return e.castFloat(y, loop.F64, to)
		}
		return e.round(to, y)
	case isUnsigned(from):
		if from.Size() < to.Size() || from == loop.Bool && to != loop.Bool {
			return blk.NewZExt(x, t)
		}
	case to == loop.I64 && n > 0 && e.fits32(v):
		return e.widen(x, types.I32)
	}
	return e.widen(x, t)
}

// castFloat converts between float types. From f64 to a type narrower than f32
// the intermediate f32 is rounded to odd, so that only the last rounding counts.
func (e *emitter) castFloat(x value.Value, from, to loop.Elem) value.Value {
	blk, n := e.b.Block, llir.Lanes(x.Type())
	switch {
	case from == loop.F64 && to == loop.F64:
		return x
	case to == loop.F64:
		return blk.NewFPExt(x, llir.Vec(n, types.Double))
	case from != loop.F64:
		if from == to {
			return x
		}
		return e.round(to, x)
	}
	f, bits := llir.Vec(n, types.Float), llir.Vec(n, types.I32)
	y := blk.NewFPTrunc(x, f)
	if to == loop.F32 {
		return y
	}
	back := blk.NewFPExt(y, x.Type())
	one := func(k int64) value.Value { return llir.SplatConst(n, llir.Int(types.I32, k)) }
	raw := e.b.Bitcast(y, bits)
	above := blk.NewFCmp(enum.FPredOGT, e.b.Math("fabs", back), e.b.Math("fabs", x))
	toward := blk.NewSelect(above, blk.NewSub(raw, one(1)), raw)
	inexact := blk.NewFCmp(enum.FPredONE, back, x)
	odd := blk.NewSelect(inexact, blk.NewOr(toward, one(1)), raw)
	return e.round(to, e.b.Bitcast(odd, f))
}

// castToInt truncates and saturates; NaN is 0. LLVM's saturating conversion goes
// through scalars, so vectors are clamped first where the bounds are exact enough.
func (e *emitter) castToInt(x value.Value, to loop.Elem) value.Value {
	blk, n := e.b.Block, llir.Lanes(x.Type())
	t := llir.Vec(n, regType(to))
	if n == 0 || to == loop.I64 || to == loop.U32 {
		name := "fptosi.sat"
		if isUnsigned(to) {
			name = "fptoui.sat"
		}
		return e.b.Intrinsic(name, []types.Type{t, x.Type()}, t, x)
	}
	lo, hi := elemRange(to)
	c := func(k float64) value.Value { return llir.SplatConst(n, llir.Float(llir.Scalar(x.Type()), k)) }
	i32 := llir.Vec(n, types.I32)
	number := blk.NewSelect(blk.NewFCmp(enum.FPredORD, x, x), x, c(0))
	above := blk.NewSelect(blk.NewFCmp(enum.FPredOGT, number, c(float64(lo))), number, c(float64(lo)))
	over := blk.NewFCmp(enum.FPredOGE, above, c(float64(hi)+1))
	inside := blk.NewFPToSI(blk.NewSelect(over, c(0), above), i32)
	r := blk.NewSelect(over, llir.SplatConst(n, llir.Int(types.I32, int64(hi))), inside)
	return e.widen(r, t)
}
