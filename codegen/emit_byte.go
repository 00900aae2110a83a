package codegen

import (
	"math"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/loop"
)

// Floats of 8 bits. Registers hold them as f32; in memory they are read and written by way of f16, whose exponent has as many bits as that of
// f8e5m2, and one more than that of f8e4m3. No target has instructions that do as the evaluator does: theirs take what is too large
// for the largest number.

const (
	e4m3Scale = 256 // numbers of f8e4m3 are such of f16 with the same bits times that: exponents count from 7 and from 15
	e4m3NaN   = 0x7f
	signBit   = 0x80
	quietNaN  = 0x7fc00000
)

// fromByte makes f32 of bytes.
func (e *emitter) fromByte(elem loop.Elem, x value.Value) value.Value {
	blk, n := e.b.Block, llir.Lanes(x.Type())
	half := func(bits value.Value) value.Value {
		return blk.NewFPExt(e.b.Bitcast(bits, llir.Vec(n, types.Half)), llir.Vec(n, types.Float))
	}
	c := func(k int64) value.Value { return llir.SplatConst(n, llir.Int(types.I16, k)) }
	wide := blk.NewZExt(x, llir.Vec(n, types.I16))
	if elem == loop.F8E5M2 {
		return half(blk.NewShl(wide, c(8)))
	}
	size := blk.NewAnd(wide, c(e4m3NaN))
	sign := blk.NewShl(blk.NewAnd(wide, c(signBit)), c(8))
	f := blk.NewFMul(half(blk.NewOr(sign, blk.NewShl(size, c(7)))), llir.SplatConst(n, llir.Float(types.Float, e4m3Scale)))
	nan := e.b.Bitcast(llir.SplatConst(n, llir.Int(types.I32, quietNaN)), f.Type())
	return blk.NewSelect(blk.NewICmp(enum.IPredEQ, size, c(e4m3NaN)), nan, f)
}

// toByte makes bytes of f32 that have been rounded.
func (e *emitter) toByte(elem loop.Elem, x value.Value) value.Value {
	blk, n := e.b.Block, llir.Lanes(x.Type())
	bits := func(x value.Value) value.Value {
		return e.b.Bitcast(blk.NewFPTrunc(x, llir.Vec(n, types.Half)), llir.Vec(n, types.I16))
	}
	c := func(k int64) value.Value { return llir.SplatConst(n, llir.Int(types.I16, k)) }
	byteOf := func(x value.Value) value.Value { return blk.NewTrunc(x, llir.Vec(n, types.I8)) }
	if elem == loop.F8E5M2 {
		return byteOf(blk.NewLShr(bits(x), c(8)))
	}
	h := bits(blk.NewFMul(x, llir.SplatConst(n, llir.Float(types.Float, 1.0/e4m3Scale))))
	number := blk.NewOr(blk.NewAnd(blk.NewLShr(h, c(8)), c(signBit)), blk.NewAnd(blk.NewLShr(h, c(7)), c(e4m3NaN)))
	return byteOf(blk.NewSelect(blk.NewFCmp(enum.FPredUNO, x, x), c(e4m3NaN), number))
}

// roundByte rounds f32 to nearest, ties to even: normal numbers in integers, as bf16 is; smaller ones by adding a number whose last bit is
// worth as much as theirs.
func (e *emitter) roundByte(elem loop.Elem, x value.Value) value.Value {
	f := loop.FormatOf(elem)
	over := math.NaN()
	if f.Inf {
		over = math.Inf(1)
	}
	blk, n := e.b.Block, llir.Lanes(x.Type())
	c := func(k int64) value.Value { return llir.SplatConst(n, llir.Int(types.I32, k)) }
	number := func(k float64) value.Value { return llir.SplatConst(n, llir.Float(types.Float, k)) }
	cut := int64(24 - f.Bits)
	bits := e.b.Bitcast(x, llir.Vec(n, types.I32))
	odd := blk.NewAnd(blk.NewLShr(bits, c(cut)), c(1))
	up := blk.NewAdd(bits, blk.NewAdd(odd, c(1<<(cut-1)-1)))
	normal := e.b.Bitcast(blk.NewAnd(up, c(-1<<cut)), x.Type())
	size := e.b.Math("fabs", x)
	far := number(math.Ldexp(1, f.MinExp+int(cut)))
	small := e.b.Math("copysign", blk.NewFSub(blk.NewFAdd(size, far), far), x)
	y := blk.NewSelect(blk.NewFCmp(enum.FPredOLT, size, number(math.Ldexp(1, f.MinExp))), small, normal)
	beyond := e.b.Math("copysign", number(over), x)
	y = blk.NewSelect(blk.NewFCmp(enum.FPredOGT, e.b.Math("fabs", y), number(f.Largest)), beyond, y)
	return blk.NewSelect(blk.NewFCmp(enum.FPredUNO, x, x), x, y)
}
