package codegen

import (
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// wideBytes are those of the widest access of a thread.
const wideBytes = 16

// sideBySide is the register axis along which an access starts to go from element to element, or nil: areNeighbours tells
// how far.
func (e *emitter) sideBySide(axes []*loop.Axis, buf *loop.Buffer, at []*loop.Value) *loop.Axis {
	for _, a := range axes {
		if a.Bind != loop.Reg || a.Max < 2 {
			continue
		}
		restore := e.rebind(a)
		e.bind[a] = binding{}
		first := e.offset(buf, at)
		e.bind[a] = binding{off: 1, n: 1}
		second := e.offset(buf, at)
		restore()
		if index.Sub(second, first).SimplifyIn(e.boundOf).IsConst(1) {
			return a
		}
	}
	return nil
}

// areNeighbours reports whether an access goes from element to element at n registers of axis a: it may wrap among them, as
// k%4 does.
func (e *emitter) areNeighbours(a *loop.Axis, from, n int, buf *loop.Buffer, at []*loop.Value) bool {
	defer e.rebind(a)()
	offset := func(i int) *index.Expr {
		e.bind[a] = binding{off: from + i, n: from + i}
		return e.offset(buf, at)
	}
	first := offset(0)
	for i := 1; i < n; i++ {
		if !index.Sub(offset(i), first).SimplifyIn(e.boundOf).IsConst(i) {
			return false
		}
	}
	return true
}

// loadWide loads v for a GPU together with those of its registers that lie beside it and on a multiple of their size, and
// remembers these; nil where there are none.
func (e *emitter) loadWide(v *loop.Value) value.Value {
	a := e.sideBySide(v.Axes, v.Buf, v.Args)
	if a == nil || v.Guard != nil && loop.Has(e.uses.freeAxes(v.Guard), a) {
		return nil
	}
	size, at := v.Elem.Size(), e.bind[a].n
	defer e.rebind(a)()
	for n := wideBytes / size; n > 1; n /= 2 {
		from := at / n * n
		e.bind[a] = binding{off: from, n: from}
		if from+n > a.Max || bufferBytes(v.Buf)%(n*size) != 0 || !index.Rem(e.offset(v.Buf, v.Args), index.C(n)).SimplifyIn(e.boundOf).IsConst(0) ||
			!e.areNeighbours(a, from, n, v.Buf, v.Args) {
			continue
		}
		cond, _ := e.guard(v.Guard)
		t := types.Type(types.I32) // of which LLVM knows wide accesses
		if n*size < 4 {
			t = types.I16
		}
		words := n * size / int(t.(*types.IntType).BitSize/8)
		x := e.loadIf(cond, llir.Vec(words, t), e.place(v.Buf, v.Args).base, n*size)
		var own value.Value
		for i := range n {
			e.bind[a] = binding{off: from + i, n: from + i}
			y := e.fromMem(v.Elem, e.part(x, i, size, e.memType(v.Elem)))
			e.scope.memo[e.key(v)] = y
			if from+i == at {
				own = y
			}
		}
		return own
	}
	return nil
}

// part is element i of some bytes and of type t in a register or vector of words.
func (e *emitter) part(x value.Value, i, size int, t types.Type) value.Value {
	word := func(n int) value.Value { return e.b.Extract(x, n) }
	if llir.Lanes(x.Type()) == 0 {
		word = func(int) value.Value { return x }
	}
	blk := e.b.Block
	bits := int(llir.Scalar(x.Type()).(*types.IntType).BitSize)
	switch per := bits / (8 * size); {
	case per == 0: // two words
		low, high := blk.NewZExt(word(2*i), types.I64), blk.NewZExt(word(2*i+1), types.I64)
		return e.b.Bitcast(blk.NewOr(low, blk.NewShl(high, llir.Int(types.I64, 32))), t)
	case per == 1:
		return e.b.Bitcast(word(i), t)
	default:
		y := word(i / per)
		if shift := i % per * 8 * size; shift > 0 {
			y = blk.NewLShr(y, llir.Int(y.Type().(*types.IntType), int64(shift)))
		}
		return e.b.Bitcast(blk.NewTrunc(y, types.NewInt(uint64(8*size))), t)
	}
}
