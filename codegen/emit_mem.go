package codegen

import (
	"fmt"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// zeroSymbol is 64 bytes of zeros that every module has: where a guard that all lanes
// share is false, loads read it instead of branching.
const zeroSymbol = "mdlc.zero"

const preamble = `target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128"

@` + zeroSymbol + ` = private unnamed_addr constant [128 x i8] zeroinitializer, align 64

`

// memType is the type of a scalar of elem in memory.
func (e *emitter) memType(elem loop.Elem) types.Type {
	switch elem {
	case loop.Bool, loop.F8E4M3, loop.F8E5M2:
		return types.I8
	case loop.BF16:
		return types.I16
	case loop.F16:
		return types.Half
	}
	return regType(elem)
}

// fromMem turns what was loaded into a register of elem, toMem is its inverse.
func (e *emitter) fromMem(elem loop.Elem, x value.Value) value.Value {
	blk, n := e.b.Block, llir.Lanes(x.Type())
	switch elem {
	case loop.Bool:
		return blk.NewICmp(enum.IPredNE, x, llir.Zero(x.Type()))
	case loop.F16:
		return blk.NewFPExt(x, llir.Vec(n, types.Float))
	case loop.BF16:
		bits := blk.NewZExt(x, llir.Vec(n, types.I32))
		up := blk.NewShl(bits, llir.SplatConst(n, llir.Int(types.I32, 16)))
		return e.b.Bitcast(up, llir.Vec(n, types.Float))
	case loop.F8E4M3, loop.F8E5M2:
		return e.fromByte(elem, x)
	}
	return x
}

func (e *emitter) toMem(elem loop.Elem, x value.Value) value.Value {
	blk, n := e.b.Block, llir.Lanes(x.Type())
	switch elem {
	case loop.Bool:
		return blk.NewZExt(x, llir.Vec(n, types.I8))
	case loop.I64:
		return e.widen(x, types.I64)
	case loop.F16:
		return blk.NewFPTrunc(x, llir.Vec(n, types.Half))
	case loop.BF16:
		bits := e.b.Bitcast(x, llir.Vec(n, types.I32))
		return blk.NewTrunc(blk.NewLShr(bits, llir.SplatConst(n, llir.Int(types.I32, 16))), llir.Vec(n, types.I16))
	case loop.F8E4M3, loop.F8E5M2:
		return e.toByte(elem, x)
	}
	return x
}

// place is where an access goes: base + lane elements, lane having the part of
// the offset that differs between lanes.
type place struct {
	base value.Value
	lane *index.Expr
}

// contiguous reports whether the lanes lie side by side.
func (e *emitter) contiguous(p place) bool {
	return p.lane.Op == index.Var && e.opaque[p.lane.Name] == nil
}

func (e *emitter) place(buf *loop.Buffer, at []*loop.Value) place {
	shared, lane := e.splitLane(e.offset(buf, at))
	return place{base: e.pointer(buf, shared), lane: lane}
}

// offset is where an access goes in its buffer, in elements.
func (e *emitter) offset(buf *loop.Buffer, at []*loop.Value) *index.Expr {
	var terms []*index.Expr
	stride := 1
	for i := len(at) - 1; i >= 0; i-- {
		if buf.Strides != nil {
			stride = buf.Strides[i]
		}
		terms = append(terms, index.Prod(e.rawIndex(at[i]), index.C(stride)))
		if buf.Strides == nil {
			stride *= buf.Dims[i]
		}
	}
	return index.Sum(append(terms, zeroExpr)...).SimplifyIn(e.boundOf)
}

// pointer is the address of an element at an offset that all lanes share. The constant is added last:
// coordinates of register axes share the rest.
func (e *emitter) pointer(buf *loop.Buffer, offset *index.Expr) value.Value {
	if buf.Swizzle {
		return e.swizzled(buf, offset)
	}
	return e.unswizzled(buf, offset)
}

func (e *emitter) unswizzled(buf *loop.Buffer, offset *index.Expr) value.Value {
	t := e.memType(buf.Elem)
	k := constTerm(offset)
	base := e.buffer(buf)
	if rest := index.Sum(offset, index.C(-k)); !rest.IsConst(0) {
		key := fmt.Sprintf("%s[%s]", buf.Name, rest)
		p := e.scope.findText(key)
		if p == nil {
			p = e.b.GEP(t, base, e.scalarExpr(rest))
			e.scope.text[key] = p
		}
		base = p
	}
	if k != 0 {
		base = e.b.GEP(t, base, llir.Int(types.I64, int64(k)))
	}
	return base
}

// pointers is a vector of n addresses.
func (e *emitter) pointers(p place, n int, t types.Type) value.Value {
	return e.b.GEP(t, p.base, e.vectorExpr(p.lane, n, e.width(p.lane)))
}

// guard emits a guard: nil where it always holds, else its condition, and
// whether it differs between lanes.
func (e *emitter) guard(g *loop.Value) (cond value.Value, perLane bool) {
	if g == nil {
		return nil, false
	}
	cond = e.value(g)
	if c, ok := cond.(*llir.Const); ok && allTrue(c) {
		return nil, false
	}
	return cond, llir.Lanes(cond.Type()) > 0
}

func allTrue(c *llir.Const) bool { return isAll(c, 1) }

func allFalse(c *llir.Const) bool { return isAll(c, 0) }

func isAll(c *llir.Const, bit int64) bool {
	return c.Ident() == llir.SplatConst(llir.Lanes(c.Type()), llir.Int(types.I1, bit)).Ident()
}

func (e *emitter) load(v *loop.Value) value.Value {
	if e.eager && e.t.GPU {
		if x := e.loadWide(v); x != nil {
			return x
		}
	}
	p := e.place(v.Buf, v.Args)
	cond, perLane := e.guard(v.Guard)
	t, align, n := e.memType(v.Elem), v.Elem.Size(), e.lanes(v)
	shared := p.lane.IsConst(0)
	wide := llir.Vec(n, t)
	var x value.Value
	switch {
	case e.t.GPU:
		x = e.loadIf(cond, t, p.base, e.alignment(v.Axes, v.Buf, v.Args))
	case shared && !perLane:
		x = e.splat(n, e.fromMem(v.Elem, e.b.Load(t, e.orZero(cond, p.base), align)))
		return x
	case e.contiguous(p) && !perLane:
		x = e.b.Load(wide, e.orZero(cond, p.base), align)
	case e.contiguous(p) && e.hasMasks(align):
		x = e.maskedLoad(wide, p.base, cond, align)
	case e.contiguous(p):
		x = e.loadLanes(wide, p.base, cond, align)
	default:
		if x := e.loadTransposed(v, p, cond); x != nil {
			return x
		}
		if k := e.apart(p); k > 0 && (cond == nil || e.hasMasks(align)) {
			x = e.loadApart(wide, p.base, cond, k, align)
		} else {
			x = e.gather(wide, p, cond, align)
		}
	}
	return e.fromMem(v.Elem, x)
}

// maskedLoad loads the lanes of mask, register by register: LLVM 19 loads all of a half whose mask is nothing where it has
// to cut a vector itself.
func (e *emitter) maskedLoad(wide types.Type, base, mask value.Value, align int) value.Value {
	t := llir.Scalar(wide)
	var parts []value.Value
	e.inRegisters(t, base, llir.Lanes(wide), align, func(base value.Value, from, to int) {
		parts = append(parts, e.b.MaskedLoad(llir.Vec(to-from, t), base, e.lanesOf(mask, from, to), align))
	})
	for len(parts) > 1 {
		parts = append(parts[2:], e.b.Shuffle(parts[0], parts[1], upTo(2*llir.Lanes(parts[0].Type()))...))
	}
	return parts[0]
}

// inRegisters cuts an access of n lanes of t, of some bytes each, into those of registers of the machine.
func (e *emitter) inRegisters(t types.Type, base value.Value, n, bytes int, do func(base value.Value, from, to int)) {
	width := min(n, e.t.Vector/bytes)
	for from := 0; from < n; from += width {
		at := base
		if from > 0 {
			at = e.b.GEP(t, base, llir.Int(types.I64, int64(from)))
		}
		do(at, from, from+width)
	}
}

// lanesOf are some lanes of x.
func (e *emitter) lanesOf(x value.Value, from, to int) value.Value {
	if to-from == llir.Lanes(x.Type()) {
		return x
	}
	at := upTo(to)[from:]
	return e.b.Shuffle(x, x, at...)
}

// upTo are the numbers below n.
func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// hasMasks reports whether the target has masked accesses of elements of some bytes.
func (e *emitter) hasMasks(bytes int) bool { return bytes >= 4 || e.t.Narrow }

// gather reads lanes from anywhere; where there is no masked gather, lanes
// outside the mask read zeros.
func (e *emitter) gather(t types.Type, p place, cond value.Value, align int) value.Value {
	n := llir.Lanes(t)
	all := llir.SplatConst(n, llir.Int(types.I1, 1))
	ptrs := e.pointers(p, n, llir.Scalar(t))
	switch {
	case cond == nil:
		return e.b.Gather(t, ptrs, all, align)
	case align < 4:
		zero := e.b.Splat(n, llir.Global(zeroSymbol))
		return e.b.Gather(t, e.b.Block.NewSelect(e.splat(n, cond), ptrs, zero), all, align)
	}
	return e.b.Gather(t, ptrs, e.splat(n, cond), align)
}

// eachLane runs whole where all lanes of mask are set, and else lane for each
// lane, carrying a vector from one to the next.
func (e *emitter) eachLane(mask, init value.Value, whole func() value.Value, lane func(i, acc value.Value) value.Value) value.Value {
	n := llir.Lanes(mask.Type())
	full := e.b.Intrinsic("vector.reduce.and", []types.Type{mask.Type()}, types.I1, mask)
	fast, slow, end := e.b.NewBlock(), e.b.NewBlock(), e.b.NewBlock()
	e.b.Block.NewCondBr(full, fast, slow)
	e.b.Block = fast
	x := whole()
	e.b.Block.NewBr(end)
	e.b.Block = slow
	s := span{lo: llir.Int(types.I64, 0), hi: llir.Int(types.I64, int64(n)), some: true, step: 1}
	y := e.loop(s, []value.Value{init}, func(i binding, in []value.Value) []value.Value {
		return []value.Value{lane(i.v, in[0])}
	})[0]
	last := e.b.Block
	last.NewBr(end)
	e.b.Block = end
	return end.NewPhi(inc(x, fast), inc(y, last))
}

// loadLanes is a masked load for targets without one.
func (e *emitter) loadLanes(t types.Type, base, mask value.Value, align int) value.Value {
	elem := llir.Scalar(t)
	return e.eachLane(mask, llir.Zero(t), func() value.Value {
		return e.b.Load(t, base, align)
	}, func(i, acc value.Value) value.Value {
		at := e.orZero(e.b.Block.NewExtractElement(mask, i), e.b.GEP(elem, base, i))
		return e.b.Block.NewInsertElement(acc, e.b.Load(elem, at, align), i)
	})
}

// storeLanes is a masked store for targets without one.
func (e *emitter) storeLanes(x, base, mask value.Value, align int) {
	none := llir.Int(types.I1, 0)
	e.eachLane(mask, none, func() value.Value {
		e.b.Store(x, base, align)
		return none
	}, func(i, acc value.Value) value.Value {
		e.branch(e.b.Block.NewExtractElement(mask, i), func() {
			e.b.Store(e.b.Block.NewExtractElement(x, i), e.b.GEP(llir.Scalar(x.Type()), base, i), align)
		})
		return acc
	})
}

// orZero is p, or the address of zeros where cond is false.
func (e *emitter) orZero(cond, p value.Value) value.Value {
	if cond == nil {
		return p
	}
	return e.b.Block.NewSelect(cond, p, llir.Global(zeroSymbol))
}

// store writes every register of a value, the last axis fastest. Runs of
// registers under one guard share a branch.
func (e *emitter) store(s *loop.Store) {
	type write struct {
		p     place
		x     value.Value
		align int
	}
	stmtValues(s, func(v *loop.Value) { e.exchange(v) })
	all := &loop.Value{Axes: e.union(append([]*loop.Value{s.Val, s.Guard}, s.Index...)...)}
	n := e.lanes(all)
	t, align := e.memType(s.Buf.Elem), s.Buf.Elem.Size()
	var run []write
	var open value.Value
	flush := func() {
		emit := func() {
			for _, w := range run {
				switch {
				case n == 0:
					e.b.Store(w.x, w.p.base, w.align)
				case e.contiguous(w.p) && e.streamed[s.Buf]:
					e.b.StoreStream(w.x, w.p.base, n*align)
				case e.contiguous(w.p):
					e.b.Store(w.x, w.p.base, align)
				default:
					e.b.Scatter(w.x, e.pointers(w.p, n, t), llir.SplatConst(n, llir.Int(types.I1, 1)), align)
				}
			}
		}
		if len(run) > 0 && e.shared[s.Buf] {
			e.warpSync() // others have read what is overwritten, in this statement too
		}
		if open == nil {
			emit()
		} else if len(run) > 0 {
			e.branch(open, func() { e.push(); emit(); e.pop() })
		}
		run = nil
	}
	if m := e.matrices(s, all.Axes); m != nil {
		m.emit()
		return
	}
	e.inStep(s.Val, all.Axes)
	e.each(all.Axes, func() {
		cond, perLane := e.guard(s.Guard)
		if c, ok := cond.(*llir.Const); ok && c.Ident() == "false" {
			return
		}
		if e.t.GPU {
			cond = e.owned(cond, all.Axes)
		}
		if cond != open || perLane {
			flush()
		}
		if e.t.GPU {
			align = e.alignment(all.Axes, s.Buf, s.Index)
		}
		w := write{p: e.place(s.Buf, s.Index), align: align, x: e.splat(n, e.toMem(s.Buf.Elem, e.value(s.Val)))}
		if n > 0 && w.p.lane.IsConst(0) {
			e.fail("store to %s: all lanes of %s write one place", s.Buf.Name, laneAxis(all).Name)
		}
		if !perLane {
			open = cond
			run = append(run, w)
			if cond == nil {
				flush()
			}
			return
		}
		open = nil
		switch {
		case e.contiguous(w.p) && e.hasMasks(align):
			e.inRegisters(t, w.p.base, n, align, func(base value.Value, from, to int) {
				e.b.MaskedStore(e.lanesOf(w.x, from, to), base, e.lanesOf(cond, from, to), align)
			})
		case e.contiguous(w.p):
			e.storeLanes(w.x, w.p.base, cond, align)
		default:
			e.b.Scatter(w.x, e.pointers(w.p, n, t), cond, align)
		}
	})
	flush()
}

// union is the set of open axes of several values, in the kernel's order.
func (e *emitter) union(vs ...*loop.Value) []*loop.Axis {
	has := map[*loop.Axis]bool{}
	for _, v := range vs {
		if v != nil {
			for _, a := range v.Axes {
				has[a] = true
			}
		}
	}
	var out []*loop.Axis
	for _, a := range e.k.Axes {
		if has[a] {
			out = append(out, a)
		}
	}
	return out
}
