package codegen

import (
	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/loop"
)

// div is the quotient or remainder of types other than i64, integers floored.
func (e *emitter) div(v *loop.Value) value.Value {
	if v.Elem == loop.I64 {
		return e.index(v)
	}
	a := e.args(v, v.Args...)
	blk, quotient := e.b.Block, v.Op == loop.Div
	switch {
	case v.Elem.IsFloat() && quotient:
		return e.round(v.Elem, blk.NewFDiv(a[0], a[1]))
	case v.Elem.IsFloat():
		e.fail("%s of floats is not supported on this target", v.Op)
	case isUnsigned(v.Elem) && quotient:
		return blk.NewUDiv(a[0], divisor(blk, a[1]))
	case isUnsigned(v.Elem):
		return blk.NewURem(a[0], divisor(blk, a[1]))
	}
	lo, _ := e.rangeOf(v.Args[0])
	d, ok := v.Args[1].IntConst()
	if !ok {
		d = 0
	}
	return e.floored(quotient, a[0], a[1], int(d), lo >= 0)
}

// floored divides rounding down. d is the divisor where it is a
// constant, else 0; natural says that the dividend is not negative.
func (e *emitter) floored(quotient bool, x, y value.Value, d int, natural bool) value.Value {
	blk, n := e.b.Block, llir.Lanes(x.Type())
	t := llir.Scalar(x.Type())
	c := func(k int) value.Value { return llir.SplatConst(n, llir.Int(t, int64(k))) }
	switch {
	case d > 0 && d&(d-1) == 0 && quotient:
		return blk.NewAShr(x, c(log2(d)))
	case d > 0 && d&(d-1) == 0:
		return blk.NewAnd(x, c(d-1))
	case d > 0 && natural && quotient:
		return blk.NewUDiv(x, y)
	case d > 0 && natural:
		return blk.NewURem(x, y)
	}
	// The smallest number divided by -1 would trap: -1 divides as 1 does, and then the quotient changes its sign.
	var minus value.Value
	if d == 0 || d == -1 {
		minus = blk.NewICmp(enum.IPredEQ, y, c(-1))
		y = blk.NewSelect(minus, c(1), y)
	}
	y = divisor(blk, y)
	r := blk.NewSRem(x, y)
	adjust := blk.NewAnd(blk.NewICmp(enum.IPredNE, r, c(0)), blk.NewICmp(enum.IPredSLT, blk.NewXor(r, y), c(0)))
	if quotient {
		q := value.Value(blk.NewAdd(blk.NewSDiv(x, y), blk.NewSExt(adjust, x.Type())))
		if minus != nil {
			q = blk.NewSelect(minus, blk.NewSub(c(0), q), q)
		}
		return q
	}
	return blk.NewAdd(r, blk.NewSelect(adjust, y, c(0)))
}

// divisor freezes what is divided by. LLVM 19 takes the lanes that a masked store
// drops for poison, also in a divisor, where poison makes every lane undefined.
func divisor(blk *ir.Block, y value.Value) value.Value {
	if _, ok := y.(constant.Constant); ok || llir.Lanes(y.Type()) == 0 {
		return y
	}
	f := ir.NewInstFreeze(y)
	blk.Insts = append(blk.Insts, f)
	return f
}

func log2(d int) int {
	n := 0
	for d > 1 {
		d >>= 1
		n++
	}
	return n
}
