package codegen

import (
	"math"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/loop"
)

// partials is the number of partial sums of a row reduction, blockLanes the
// number that one register of the numeric contract holds.
const (
	partials   = 64
	blockLanes = 16
)

// overLeaves are the leaf axes of a reduction in order, the lane axis last, or an error.
func (e *emitter) overLeaves(v *loop.Value) (regs []*loop.Axis, lane *loop.Axis) {
	for _, a := range v.Over {
		for _, l := range a.Leaves() {
			switch {
			case lane != nil:
				e.bug(v, "axis %s after the lane axis %s", l.Name, lane.Name)
			case l.Bind == loop.Lane:
				lane = l
			case hasRegisters(l):
				regs = append(regs, l)
			default:
				e.bug(v, "reduction over axis %s, which is %s", l.Name, l.Bind)
			}
		}
	}
	return regs, lane
}

// elements are the registers of v's argument over the axes of a reduction, in order.
func (e *emitter) elements(v *loop.Value, regs []*loop.Axis, lane *loop.Axis) []value.Value {
	n := e.lanes(v)
	if lane != nil && !e.t.GPU {
		n = lane.Max
	}
	var out []value.Value
	var walk func(rest []*loop.Axis)
	walk = func(rest []*loop.Axis) {
		if len(rest) == 0 {
			x := e.value(v.Args[0])
			if v.Elem == loop.I64 {
				x = e.widen(x, types.I64)
			}
			out = append(out, e.splat(n, x))
			return
		}
		e.each(rest[:1], func() { walk(rest[1:]) })
	}
	walk(regs)
	return out
}

// addMul is one step of a sum or product.
func (e *emitter) addMul(v *loop.Value, x, y value.Value) value.Value {
	blk := e.b.Block
	switch {
	case v.Op == loop.ReduceProd && v.Elem.IsFloat():
		return e.round(v.Elem, blk.NewFMul(x, y))
	case v.Op == loop.ReduceProd:
		return blk.NewMul(x, y)
	case v.Elem.IsFloat():
		return e.round(v.Elem, blk.NewFAdd(x, y))
	}
	return blk.NewAdd(x, y)
}

func (e *emitter) unit(v *loop.Value, t types.Type) value.Value {
	n := llir.Lanes(t)
	one := v.Op == loop.ReduceProd
	switch {
	case !one:
		if n > 0 {
			return llir.SplatConst(n, llir.Zero(llir.Scalar(t)))
		}
		return llir.Zero(t)
	case v.Elem.IsFloat():
		return llir.SplatConst(n, llir.Float(llir.Scalar(t), 1))
	}
	return llir.SplatConst(n, llir.Int(llir.Scalar(t), 1))
}

// reduce64 sums in the order of the numeric contract: element j goes to partial
// j mod 64; registers of 16 partials are added in order; then halves, 8, 4, 2, 1.
func (e *emitter) reduce64(v *loop.Value) value.Value {
	regs, lane := e.overLeaves(v)
	width := 1
	if lane != nil {
		width = lane.Max
	}
	if n := len(regs); n > 0 && regs[n-1].Bind == loop.FragSum {
		return e.reduceFragments(v, e.elements(v, regs, nil))
	}
	if partials%width != 0 {
		e.fail("a sum over %d lanes is not supported", width)
	}
	xs := e.elements(v, regs, lane)
	parts := make([]value.Value, partials/width)
	for i := range parts {
		parts[i] = e.unit(v, xs[0].Type())
	}
	for i, x := range xs {
		parts[i%len(parts)] = e.addMul(v, parts[i%len(parts)], x)
	}
	made := len(xs)
	for ; width > blockLanes; width /= 2 {
		made *= 2
		var halves []value.Value
		for _, p := range parts {
			halves = append(halves, e.half(p, width, 0), e.half(p, width, 1))
		}
		parts = halves
	}
	block := blockLanes / width
	acc := parts[:block]
	for i := block; i < len(parts); i += block {
		if i < made || made > len(parts) {
			acc = e.addAll(v, acc, parts[i:i+block])
		}
	}
	for ; len(acc) > 1; acc = acc[:len(acc)/2] {
		acc = append(e.addAll(v, acc[:len(acc)/2], acc[len(acc)/2:]), acc[len(acc)/2:]...)
	}
	x := acc[0]
	if lane == nil {
		return x
	}
	for ; width > 1; width /= 2 {
		x = e.addMul(v, e.half(x, width, 0), e.half(x, width, 1))
	}
	return e.combined(x)
}

// pairHalves are how far the threads are that have the other columns of a row, half of them and then a quarter.
var pairHalves = []int64{2, 1}

// reduceFragments sums up a row of 64 columns of fragments, which four threads have, each columns 2*pair, 2*pair+1 and those 8 further of each 16. The
// order is that of reduce64.
func (e *emitter) reduceFragments(v *loop.Value, xs []value.Value) value.Value {
	const each = 4 // columns of a fragment that a thread has
	if len(xs)*blockLanes/each != partials {
		e.fail("a sum over %d columns of fragments is not supported", len(xs)*blockLanes/each)
	}
	zero := e.unit(v, xs[0].Type())
	first := func(x value.Value) value.Value { return e.addMul(v, zero, x) }
	var acc []value.Value
	for i, x := range xs {
		if i < each {
			acc = append(acc, first(x))
		} else {
			acc[i%each] = e.addMul(v, acc[i%each], first(x))
		}
	}
	acc = e.addAll(v, acc[:2], acc[2:])
	for _, far := range pairHalves {
		for i, x := range acc {
			acc[i] = e.addMul(v, x, e.shuffle("bfly", x, llir.Int(types.I32, far)))
		}
	}
	return e.addMul(v, acc[0], acc[1])
}

func (e *emitter) addAll(v *loop.Value, xs, ys []value.Value) []value.Value {
	out := make([]value.Value, len(xs))
	for i := range xs {
		out[i] = e.addMul(v, xs[i], ys[i])
	}
	return out
}

// half is the lower or upper half of a vector of some lanes.
func (e *emitter) half(x value.Value, width, upper int) value.Value {
	if e.t.GPU {
		return e.warpHalf(x, width, upper)
	}
	n := width / 2
	at := make([]int, n)
	for i := range at {
		at[i] = upper*n + i
	}
	return e.b.Shuffle(x, nil, at...)
}

// reduceSeq adds ascending, over loops and registers.
func (e *emitter) reduceSeq(v *loop.Value) value.Value {
	var axes []*loop.Axis
	for _, a := range v.Over {
		if a.Def != nil {
			axes = append(axes, a.Leaves()...)
		} else {
			axes = append(axes, a)
		}
	}
	like := &loop.Value{Op: v.Op, Elem: v.Elem, Axes: v.Axes}
	t := llir.Vec(e.lanes(v), regType(v.Elem))
	out := e.over(v, axes, 1, []value.Value{e.unit(v, t)}, func(acc []value.Value) []value.Value {
		x := e.as(v.Args[0], like)
		return []value.Value{e.addMul(v, acc[0], x)}
	})
	return out[0]
}

// over runs body over the product of axes, the last fastest, carrying acc.
// Axes in registers are unrolled, others are loops, the innermost by unroll.
func (e *emitter) over(v *loop.Value, axes []*loop.Axis, unroll int, acc []value.Value, body func([]value.Value) []value.Value) []value.Value {
	if len(axes) == 0 {
		return body(acc)
	}
	a := axes[0]
	if a.Bind == loop.Lane {
		e.bug(v, "sequential sum over the lane axis %s", a.Name)
	}
	old, had := e.bind[a]
	if hasRegisters(a) {
		for _, b := range coordinates(a) {
			e.bind[a] = b
			acc = e.over(v, axes[1:], unroll, acc, body)
		}
	} else {
		s := e.spanOf(a, nil, nil)
		if len(axes) == 1 && (!s.constant || s.to-s.from >= unroll) {
			s.step = unroll
			s.whole = s.constant && (s.to-s.from)%unroll == 0
		}
		acc = e.loop(s, acc, func(i binding, in []value.Value) []value.Value {
			e.bind[a] = i
			return e.over(v, axes[1:], unroll, in, body)
		})
	}
	if delete(e.bind, a); had {
		e.bind[a] = old
	}
	return acc
}

// reduceExtreme is the least or greatest element; any order gives the same bits.
func (e *emitter) reduceExtreme(v *loop.Value) value.Value {
	regs, lane := e.overLeaves(v)
	xs := e.elements(v, regs, lane)
	fl, si, ui := "minimum", "smin", "umin"
	if v.Op == loop.ReduceMax {
		fl, si, ui = "maximum", "smax", "umax"
	}
	var x value.Value
	if v.Elem.IsFloat() && e.t.Vector <= 32 && len(xs) > 2 {
		x = e.extremeFloats(fl, xs)
	} else {
		x = pairwise(xs, func(x, y value.Value) value.Value { return e.extremeOf(v.Elem, fl, si, ui, []value.Value{x, y}) })
	}
	if n := len(regs); n > 0 && regs[n-1].IsFragment() {
		for _, far := range pairHalves {
			x = e.extremeOf(v.Elem, fl, si, ui, []value.Value{x, e.shuffle("bfly", x, llir.Int(types.I32, far))})
		}
		return x
	}
	if lane == nil {
		return x
	}
	for width := lane.Max; width > 1; width /= 2 {
		if width%2 == 1 {
			e.fail("a reduction over %d lanes is not supported", lane.Max)
		}
		x = e.extremeOf(v.Elem, fl, si, ui, []value.Value{e.half(x, width, 0), e.half(x, width, 1)})
	}
	return e.combined(x)
}

// combined is what the halves of a register came to: its first lane. Threads have it each.
func (e *emitter) combined(x value.Value) value.Value {
	if llir.Lanes(x.Type()) == 0 {
		return x
	}
	return e.b.Extract(x, 0)
}

// pairwise combines neighbours until one is left.
func pairwise(xs []value.Value, f func(x, y value.Value) value.Value) value.Value {
	for len(xs) > 1 {
		var next []value.Value
		for i := 0; i+1 < len(xs); i += 2 {
			next = append(next, f(xs[i], xs[i+1]))
		}
		if len(xs)%2 == 1 {
			next = append(next, xs[len(xs)-1])
		}
		xs = next
	}
	return xs[0]
}

// extremeFloats has the bits of extremeFloat of many values for fewer instructions: MINPS or MAXPS,
// and what decides where these may be wrong once for all: whether there is a NaN, which a comparison
// finds in two values, and whether all have a sign (max) or one has (min), which is that of a zero.
func (e *emitter) extremeFloats(name string, xs []value.Value) value.Value {
	blk, n := e.b.Block, llir.Lanes(xs[0].Type())
	size, sign := types.I32, int64(math.MinInt32)
	if llir.Scalar(xs[0].Type()).Equal(types.Double) {
		size, sign = types.I64, math.MinInt64
	}
	bits := llir.Vec(n, size)
	and := func(x, y value.Value) value.Value { return blk.NewAnd(x, y) }
	or := func(x, y value.Value) value.Value { return blk.NewOr(x, y) }
	var all, nans []value.Value
	for i, x := range xs {
		all = append(all, e.b.Bitcast(x, bits))
		if i%2 == 1 || i == len(xs)-1 {
			nans = append(nans, blk.NewSExt(blk.NewFCmp(enum.FPredUNO, xs[i-i%2], x), bits))
		}
	}
	pred := enum.FPredOLT
	if name == "maximum" {
		pred = enum.FPredOGT
	}
	best := e.b.Bitcast(pairwise(xs, func(x, y value.Value) value.Value { return blk.NewSelect(blk.NewFCmp(pred, x, y), x, y) }), bits)
	if name == "maximum" {
		best = and(best, or(pairwise(all, and), llir.SplatConst(n, llir.Int(size, ^sign))))
	} else {
		best = or(best, and(pairwise(all, or), llir.SplatConst(n, llir.Int(size, sign))))
	}
	return e.b.Bitcast(or(best, pairwise(nans, or)), xs[0].Type())
}

// reduceArg scans the elements for the first extreme one; NaN counts as extreme.
func (e *emitter) reduceArg(v *loop.Value) value.Value {
	regs, lane := e.overLeaves(v)
	elem := v.Args[0].Elem
	like := &loop.Value{Op: v.Op, Elem: elem, Axes: v.Axes}
	var xs []value.Value
	for _, x := range e.elements(&loop.Value{Op: v.Op, Elem: elem, Axes: v.Axes, Args: v.Args}, regs, lane) {
		if lane == nil {
			xs = append(xs, x)
			continue
		}
		for i := range lane.Max {
			xs = append(xs, e.laneOf(x, i))
		}
	}
	n, blk := e.lanes(like), e.b.Block
	best, at := xs[0], value.Value(llir.SplatConst(n, llir.Int(types.I32, 0)))
	for i, x := range xs[1:] {
		var better value.Value
		greater := v.Op == loop.ReduceArgMax
		switch {
		case elem.IsFloat():
			// The new one wins if it is beyond, or is the first NaN.
			pred := enum.FPredULT
			if greater {
				pred = enum.FPredUGT
			}
			better = blk.NewAnd(blk.NewFCmp(pred, x, best), blk.NewFCmp(enum.FPredORD, best, best))
		default:
			pred := map[[2]bool]enum.IPred{{true, true}: enum.IPredUGT, {true, false}: enum.IPredSGT, {false, true}: enum.IPredULT, {false, false}: enum.IPredSLT}[[2]bool{greater, isUnsigned(elem)}]
			better = blk.NewICmp(pred, x, best)
		}
		best = blk.NewSelect(better, x, best)
		at = blk.NewSelect(better, llir.SplatConst(n, llir.Int(types.I32, int64(i+1))), at)
	}
	return at
}
