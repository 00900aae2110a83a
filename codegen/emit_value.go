package codegen

import (
	"math"
	"strconv"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/loop"
)

type phi = ir.InstPhi

const predSLT = enum.IPredSLT

func inc(v value.Value, b *ir.Block) *ir.Incoming { return ir.NewIncoming(v, b) }

// laneAxis is the lane axis of v, or nil.
func laneAxis(v *loop.Value) *loop.Axis {
	for _, a := range v.Axes {
		if a.Bind == loop.Lane {
			return a
		}
	}
	return nil
}

// lanes is the number of lanes of v's registers, 0 for scalars. Where lanes are threads each has a scalar.
func (e *emitter) lanes(v *loop.Value) int {
	if a := laneAxis(v); a != nil && !e.t.GPU {
		return a.Max
	}
	return 0
}

// flat numbers the present register of v.
func (e *emitter) flat(v *loop.Value) int {
	n := 0
	for _, a := range v.Axes {
		if !hasRegisters(a) {
			continue
		}
		b, ok := e.bind[a]
		if !ok {
			e.bug(v, "register axis %s has no coordinate here", a.Name)
		}
		c := b.n
		if b.v != nil {
			c = a.Max // in a loop over registers: no coordinate that has a number
		}
		n = n*(a.Max+1) + c
	}
	return n
}

// value is the register of v at the present coordinate of its Reg axes: a
// scalar, or a vector where v has the lane axis. A bool is i1, every float up
// to f32 is float, i64 over lanes may be i32 where its range allows.
func (e *emitter) value(v *loop.Value) value.Value {
	k := e.key(v)
	if x := e.scope.find(k); x != nil {
		return x
	}
	row := emitRows[v.Op]
	if row == nil {
		e.bug(v, "no emission for %s", v.Op)
	}
	x := row(e, v)
	e.scope.memo[k] = x
	return x
}

// key is what v is remembered by at the present coordinate: a value that reads
// memory the kernel writes, and has no Let, only within a statement.
func (e *emitter) key(v *loop.Value) memoKey {
	k := memoKey{v: v, reg: e.flat(v)}
	if !e.uses.let[v] && e.uses.readsMemory(v) {
		k.turn = e.turn
	}
	return k
}

// regType is the type of a scalar of elem in a register.
func regType(elem loop.Elem) types.Type {
	switch elem {
	case loop.Bool:
		return types.I1
	case loop.I8, loop.U8:
		return types.I8
	case loop.I32, loop.U32:
		return types.I32
	case loop.I64:
		return types.I64
	case loop.F64:
		return types.Double
	}
	return types.Float
}

func isUnsigned(elem loop.Elem) bool { return elem == loop.U8 || elem == loop.U32 || elem == loop.Bool }

// splat repeats a scalar over n lanes, once per scope.
func (e *emitter) splat(n int, x value.Value) value.Value {
	if n == 0 || llir.Lanes(x.Type()) > 0 {
		return x
	}
	if _, ok := x.(*llir.Const); ok {
		return e.b.Splat(n, x)
	}
	if y := e.scope.findVec(x); y != nil && llir.Lanes(y.Type()) == n {
		return y
	}
	y := e.b.Splat(n, x)
	e.scope.vecs[x] = y
	return y
}

// widen converts an integer register to another width, keeping its sign.
func (e *emitter) widen(x value.Value, to types.Type) value.Value {
	from, ok := llir.Scalar(x.Type()).(*types.IntType)
	want := llir.Scalar(to).(*types.IntType)
	if !ok || from.BitSize == want.BitSize {
		return x
	}
	if c, ok := x.(*llir.Const); ok && llir.Lanes(to) == 0 && llir.Lanes(x.Type()) == 0 {
		if k, err := strconv.ParseInt(c.Ident(), 10, 64); err == nil {
			return llir.Int(want, k)
		}
	}
	t := llir.Vec(llir.Lanes(x.Type()), want)
	if from.BitSize > want.BitSize {
		return e.b.Block.NewTrunc(x, t)
	}
	return e.b.Block.NewSExt(x, t)
}

// as is a's register with the type and lanes of like's.
func (e *emitter) as(a, like *loop.Value) value.Value {
	x := e.value(a)
	if a.Elem == loop.I64 {
		x = e.widen(x, types.I64)
	}
	return e.splat(e.lanes(like), x)
}

// args are the registers of v's arguments over v's lanes; i64 ones get one width.
func (e *emitter) args(v *loop.Value, list ...*loop.Value) []value.Value {
	out := make([]value.Value, len(list))
	wide := false
	for i, a := range list {
		out[i] = e.value(a)
		wide = wide || llir.Scalar(out[i].Type()).Equal(types.I64)
	}
	n := e.lanes(v)
	for i, a := range list {
		if a.Elem == loop.I64 && wide {
			out[i] = e.widen(out[i], types.I64)
		}
		out[i] = e.splat(n, out[i])
	}
	return out
}

// round rounds a float register to a type narrower than f32.
func (e *emitter) round(elem loop.Elem, x value.Value) value.Value {
	switch elem {
	case loop.BF16:
		return e.roundBF16(x)
	case loop.F16:
		half := llir.Vec(llir.Lanes(x.Type()), types.Half)
		return e.b.Block.NewFPExt(e.b.Block.NewFPTrunc(x, half), x.Type())
	case loop.F8E4M3, loop.F8E5M2:
		return e.roundByte(elem, x)
	}
	return x
}

// roundBF16 rounds to nearest even in integers: fptrunc to bfloat is a call per element on most x86.
func (e *emitter) roundBF16(x value.Value) value.Value {
	blk, n := e.b.Block, llir.Lanes(x.Type())
	t := llir.Vec(n, types.I32)
	c := func(k int64) value.Value { return llir.SplatConst(n, llir.Int(types.I32, k)) }
	bits := e.b.Bitcast(x, t)
	odd := blk.NewAnd(blk.NewLShr(bits, c(16)), c(1))
	up := blk.NewAdd(bits, blk.NewAdd(odd, c(0x7fff)))
	nan := blk.NewFCmp(enum.FPredUNO, x, x)
	kept := blk.NewSelect(nan, blk.NewOr(bits, c(0x400000)), up)
	return e.b.Bitcast(blk.NewAnd(kept, c(-0x10000)), x.Type())
}

func (e *emitter) constant(v *loop.Value) value.Value {
	t := regType(v.Elem)
	if !v.Elem.IsFloat() {
		return llir.Int(t, int64(v.Bits))
	}
	return llir.Float(t, loop.RoundTo(v.Elem, math.Float64frombits(v.Bits)))
}

// emitRow makes one register of a value.
type emitRow func(e *emitter, v *loop.Value) value.Value

// emitRows is the emission of each op; ops without a row are rewritten by earlier steps.
var emitRows [loop.NumOps]emitRow

type binary func(*ir.Block, value.Value, value.Value) value.Value

// arith is an op of two equal types: floats in f32 or f64 and rounded, integers by sign.
func arith(fl, signed, unsigned binary) emitRow {
	return func(e *emitter, v *loop.Value) value.Value {
		if v.Elem == loop.I64 {
			return e.index(v)
		}
		a := e.args(v, v.Args...)
		switch {
		case v.Elem.IsFloat():
			return e.round(v.Elem, fl(e.b.Block, a[0], a[1]))
		case isUnsigned(v.Elem):
			return unsigned(e.b.Block, a[0], a[1])
		}
		return signed(e.b.Block, a[0], a[1])
	}
}

// floatMath is a float op that LLVM has as an intrinsic.
func floatMath(name string) emitRow {
	return func(e *emitter, v *loop.Value) value.Value {
		return e.round(v.Elem, e.b.Math(name, e.args(v, v.Args...)...))
	}
}

// extreme is min or max: llvm.minimum and maximum propagate NaN and order the zeros.
func extreme(fl, signed, unsigned string) emitRow {
	return func(e *emitter, v *loop.Value) value.Value {
		if v.Elem == loop.I64 {
			return e.index(v)
		}
		return e.extremeOf(v.Elem, fl, signed, unsigned, e.args(v, v.Args...))
	}
}

func (e *emitter) extremeOf(elem loop.Elem, fl, signed, unsigned string, a []value.Value) value.Value {
	switch {
	case elem.IsFloat():
		return e.extremeFloat(fl, a[0], a[1])
	case isUnsigned(elem):
		return e.b.Math(unsigned, a...)
	}
	return e.b.Math(signed, a...)
}

// extremeFloat is llvm.minimum or maximum. For two values that vary, LLVM's code of x86 is three
// blends, an instruction and a comparison in a chain; MINPS and MAXPS, which give the second operand
// where neither is beyond the other, in both orders take less: their results differ only in zeros of
// unlike signs, of which one bit operation picks the right one, and where there is a NaN.
func (e *emitter) extremeFloat(name string, x, y value.Value) value.Value {
	_, fixedX := x.(*llir.Const)
	_, fixedY := y.(*llir.Const)
	if fixedX || fixedY || e.t.Vector > 32 { // AVX-512 has instructions of its own for this
		return e.b.Math(name, x, y)
	}
	blk, n := e.b.Block, llir.Lanes(x.Type())
	pred := enum.FPredOLT
	if name == "maximum" {
		pred = enum.FPredOGT
	}
	size := types.I32
	if llir.Scalar(x.Type()).Equal(types.Double) {
		size = types.I64
	}
	bits := llir.Vec(n, size)
	one := e.b.Bitcast(blk.NewSelect(blk.NewFCmp(pred, x, y), x, y), bits)
	other := e.b.Bitcast(blk.NewSelect(blk.NewFCmp(pred, y, x), y, x), bits)
	if name == "minimum" { // a NaN and anything is a NaN
		return e.b.Bitcast(blk.NewOr(one, other), x.Type())
	}
	nan := blk.NewSExt(blk.NewFCmp(enum.FPredUNO, x, y), bits)
	return e.b.Bitcast(blk.NewOr(blk.NewAnd(one, other), nan), x.Type())
}

// compare is a comparison; of i64 it goes through index expressions, which decide many.
func compare(fl enum.FPred, signed, unsigned enum.IPred) emitRow {
	return func(e *emitter, v *loop.Value) value.Value {
		x := v.Args[0]
		if x.Elem == loop.I64 {
			return e.compareIndex(v, signed)
		}
		a := e.args(v, v.Args...)
		switch {
		case x.Elem.IsFloat():
			return e.b.Block.NewFCmp(fl, a[0], a[1])
		case isUnsigned(x.Elem):
			return e.b.Block.NewICmp(unsigned, a[0], a[1])
		}
		return e.b.Block.NewICmp(signed, a[0], a[1])
	}
}

func bitwise(f binary) emitRow {
	return func(e *emitter, v *loop.Value) value.Value {
		a := e.args(v, v.Args...)
		return f(e.b.Block, a[0], a[1])
	}
}

func (e *emitter) neg(v *loop.Value) value.Value {
	if v.Elem == loop.I64 {
		return e.index(v)
	}
	x := e.value(v.Args[0])
	if v.Elem.IsFloat() {
		return e.b.Block.NewFNeg(x)
	}
	return e.b.Block.NewSub(llir.Zero(x.Type()), x)
}

func (e *emitter) abs(v *loop.Value) value.Value {
	x := e.value(v.Args[0])
	switch {
	case v.Elem.IsFloat():
		return e.b.Math("fabs", x)
	case isUnsigned(v.Elem):
		return x
	}
	return e.b.Intrinsic("abs", []types.Type{x.Type()}, x.Type(), x, llir.Int(types.I1, 0))
}

func (e *emitter) not(v *loop.Value) value.Value {
	x := e.value(v.Args[0])
	ones := llir.Int(llir.Scalar(x.Type()), -1)
	return e.b.Block.NewXor(x, llir.SplatConst(llir.Lanes(x.Type()), ones))
}

// shift moves bits; i64 is shifted at full width since bits may leave a narrow one.
func shift(left bool) emitRow {
	return func(e *emitter, v *loop.Value) value.Value {
		a := e.args(v, v.Args...)
		if v.Elem == loop.I64 {
			a[0], a[1] = e.widen(a[0], types.I64), e.widen(a[1], types.I64)
		}
		switch {
		case left:
			return e.b.Block.NewShl(a[0], a[1])
		case isUnsigned(v.Elem):
			return e.b.Block.NewLShr(a[0], a[1])
		}
		return e.b.Block.NewAShr(a[0], a[1])
	}
}

// mulHi is the upper half of products of u32. Vectors multiply their even and
// odd lanes as 64-bit numbers, which is what the machine's instruction does.
func (e *emitter) mulHi(v *loop.Value) value.Value {
	a := e.args(v, v.Args...)
	n, blk := e.lanes(v), e.b.Block
	if n%2 == 1 || n == 0 {
		wide := llir.Vec(n, types.I64)
		p := blk.NewMul(blk.NewZExt(a[0], wide), blk.NewZExt(a[1], wide))
		high := blk.NewLShr(p, llir.SplatConst(n, llir.Int(types.I64, 32)))
		return blk.NewTrunc(high, llir.Vec(n, types.I32))
	}
	pairs := llir.Vec(n/2, types.I64)
	c := func(k int64) value.Value { return llir.SplatConst(n/2, llir.Int(types.I64, k)) }
	x, y := e.b.Bitcast(a[0], pairs), e.b.Bitcast(a[1], pairs)
	even := blk.NewMul(blk.NewAnd(x, c(0xffffffff)), blk.NewAnd(y, c(0xffffffff)))
	odd := blk.NewMul(blk.NewLShr(x, c(32)), blk.NewLShr(y, c(32)))
	return e.b.Bitcast(blk.NewOr(blk.NewLShr(even, c(32)), blk.NewAnd(odd, c(-1<<32))), a[0].Type())
}

func (e *emitter) where(v *loop.Value) value.Value {
	cond, a := e.value(v.Args[0]), e.args(v, v.Args[1], v.Args[2])
	i := 0
	if _, ok := a[0].(constant.Constant); ok {
		i = 1
	}
	a[i] = e.fence(a[i])
	return e.b.Block.NewSelect(cond, a[0], a[1])
}

// fence hides from LLVM how bits came about, of which a choice is made. LLVM 19 makes bit operations of three operands
// and a choice between the result and one of them a masked VPTERNLOG, with a wrong truth table
// where another is in memory (issue 157929). There is a fence of floats only; it costs nothing.
func (e *emitter) fence(x value.Value) value.Value {
	_, fixed := x.(constant.Constant)
	n, like := llir.Lanes(x.Type()), llir.Scalar(x.Type())
	if !e.t.Ternary || n == 0 || fixed {
		return x
	}
	switch {
	case like.Equal(types.I32):
		like = types.Float
	case like.Equal(types.I64):
		like = types.Double
	default:
		if _, bits := x.(*ir.InstBitCast); !bits || !types.IsFloat(like) {
			return x // a float, or of a size that has no such operation under a mask
		}
	}
	return e.b.Bitcast(e.b.Math("arithmetic.fence", e.b.Bitcast(x, llir.Vec(n, like))), x.Type())
}

// at picks a coordinate of an axis: by renaming where it is a register axis.
func (e *emitter) at(v *loop.Value) value.Value {
	i, x := v.Args[0], v.Args[1]
	k, ok := e.indexOf(i).Const()
	if !ok || k < 0 || k >= v.Axis.Max {
		e.fail("at[%s = …] needs a constant coordinate inside the axis", v.Axis.Name)
	}
	if v.Axis.Bind == loop.Lane {
		return e.laneOf(e.value(x), k)
	}
	old, had := e.bind[v.Axis]
	e.bind[v.Axis] = binding{off: k, n: k}
	r := e.value(x)
	if delete(e.bind, v.Axis); had {
		e.bind[v.Axis] = old
	}
	return r
}

func missing(e *emitter, v *loop.Value) value.Value {
	e.bug(v, "used outside the loop that carries it")
	return nil
}

func init() {
	b := func(f func(*ir.Block, value.Value, value.Value) value.Value) binary { return f }
	fadd := b(func(k *ir.Block, x, y value.Value) value.Value { return k.NewFAdd(x, y) })
	fsub := b(func(k *ir.Block, x, y value.Value) value.Value { return k.NewFSub(x, y) })
	fmul := b(func(k *ir.Block, x, y value.Value) value.Value { return k.NewFMul(x, y) })
	add := b(func(k *ir.Block, x, y value.Value) value.Value { return k.NewAdd(x, y) })
	sub := b(func(k *ir.Block, x, y value.Value) value.Value { return k.NewSub(x, y) })
	mul := b(func(k *ir.Block, x, y value.Value) value.Value { return k.NewMul(x, y) })
	emitRows = [loop.NumOps]emitRow{
		loop.Const:     (*emitter).constant,
		loop.AxisIndex: (*emitter).index,
		loop.Load:      (*emitter).load,
		loop.CarryIn:   missing,
		loop.CarryOut:  missing,
		loop.Add:       arith(fadd, add, add),
		loop.Sub:       arith(fsub, sub, sub),
		loop.Mul:       arith(fmul, mul, mul),
		loop.Div:       (*emitter).div,
		loop.Mod:       (*emitter).div,
		loop.Neg:       (*emitter).neg,
		loop.Abs:       (*emitter).abs,
		loop.Min:       extreme("minimum", "smin", "umin"),
		loop.Max:       extreme("maximum", "smax", "umax"),
		loop.Floor:     floatMath("floor"),
		loop.Round:     floatMath("roundeven"),
		loop.Sqrt:      floatMath("sqrt"),
		loop.FMA:       floatMath("fma"),
		loop.Eq:        compare(enum.FPredOEQ, enum.IPredEQ, enum.IPredEQ),
		loop.Ne:        compare(enum.FPredUNE, enum.IPredNE, enum.IPredNE),
		loop.Lt:        compare(enum.FPredOLT, enum.IPredSLT, enum.IPredULT),
		loop.Le:        compare(enum.FPredOLE, enum.IPredSLE, enum.IPredULE),
		loop.Gt:        compare(enum.FPredOGT, enum.IPredSGT, enum.IPredUGT),
		loop.Ge:        compare(enum.FPredOGE, enum.IPredSGE, enum.IPredUGE),
		loop.And:       bitwise(func(k *ir.Block, x, y value.Value) value.Value { return k.NewAnd(x, y) }),
		loop.Or:        bitwise(func(k *ir.Block, x, y value.Value) value.Value { return k.NewOr(x, y) }),
		loop.Xor:       bitwise(func(k *ir.Block, x, y value.Value) value.Value { return k.NewXor(x, y) }),
		loop.Not:       (*emitter).not,
		loop.Shl:       shift(true),
		loop.Shr:       shift(false),
		loop.MulHi:     (*emitter).mulHi,
		loop.Cast:      (*emitter).cast,
		loop.Bitcast:   func(e *emitter, v *loop.Value) value.Value { return e.bitcast(v) },
		loop.Where:     (*emitter).where,
		loop.At:        (*emitter).at,

		loop.Philox: (*emitter).philox,
		loop.Pow:    (*emitter).callOf,
		loop.Sin:    (*emitter).callOf,
		loop.Cos:    (*emitter).callOf,

		loop.ReduceSum:    (*emitter).reduce64,
		loop.ReduceProd:   (*emitter).reduce64,
		loop.ReduceSeq:    (*emitter).reduceSeq,
		loop.ReduceMin:    (*emitter).reduceExtreme,
		loop.ReduceMax:    (*emitter).reduceExtreme,
		loop.ReduceArgMax: (*emitter).reduceArg,
		loop.ReduceArgMin: (*emitter).reduceArg,
		loop.Dot:          (*emitter).dot,
	}
}
