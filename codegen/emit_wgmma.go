package codegen

import (
	"fmt"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Products of a group of four warps (Hopper's wgmma). Both operands lie in shared memory, where the tensor cores read them themselves: an
// instruction is told where a matrix begins and how its rows lie. Warp w of a group has rows 16w to 16w+15 of the results, spread over its threads
// as those of mma.m16n8k16 are, so what comes after a product is the same for both.

const (
	groupWarps = 4

	atomRows  = 8                            // rows that a swizzle goes over
	atomBytes = atomRows * loop.SwizzleBytes // they lie side by side, on a multiple of this
	swizzle   = 1 << 62                      // in a descriptor: rows of 128 bytes, swizzled
	addresses = 1<<18 - 1                    // what a descriptor can say of an address, in bytes
)

// groupProduct adds to the registers acc of v the product of what a turn's slots hold.
func (e *emitter) groupProduct(v *loop.Value, axes []*loop.Axis, acc []value.Value) []value.Value {
	var row, col, tiles *loop.Axis
	for _, a := range v.Axes {
		switch a.Bind {
		case loop.FragRow:
			row = a
		case loop.FragCol:
			col = a
		case loop.Reg:
			if a.Max > 1 && tiles != nil {
				e.fail("%s: rows and columns of more than one register axis", loop.WGMMA)
			}
			tiles = a
		}
	}
	if len(axes) > 2 || row == nil || col == nil {
		e.fail("%s over %d axes", loop.WGMMA, len(axes))
	}
	at := map[memoKey]int{} // which of acc a register is
	e.each(v.Axes, func() { at[e.key(v)] = len(at) })
	defer e.rebind(append([]*loop.Axis{row, col}, axes...)...)()
	var order []int // of acc, as the instruction has them
	n := 1
	if tiles != nil {
		defer e.rebind(tiles)()
		n = tiles.Max
	}
	for t := range n {
		if tiles != nil {
			e.bind[tiles] = coordinates(tiles)[t]
		}
		for _, r := range coordinates(row) {
			for _, c := range coordinates(col) {
				e.bind[row], e.bind[col] = r, c
				order = append(order, at[e.key(v)])
			}
		}
	}
	a := e.matrixOf(v.Args[0], axes, row, tiles)
	b := e.matrixOf(v.Args[1], axes, col, tiles)
	in := make([]value.Value, len(order))
	for i, n := range order {
		in[i] = acc[n]
	}
	cols := n * loop.FragmentExtent(loop.FragCol)
	sums := e.b.Wgmma(v.Args[0].Elem == loop.BF16, cols, a.transposed, b.transposed, in, a.steps, b.steps)
	out := make([]value.Value, len(acc))
	for i, n := range order {
		out[n] = e.b.Block.NewExtractValue(sums, uint64(i))
	}
	return out
}

// settle waits for products on their way. Those of the newest, which may still be, pass through as well, so that nothing moves them.
func (e *emitter) settle(s *loop.Settle) {
	var keys []memoKey
	var acc []value.Value
	e.each(s.Val.Axes, func() { keys, acc = append(keys, e.key(s.Val)), append(acc, e.value(s.Val)) })
	sums := e.b.SettleWgmma(s.Young, acc)
	for i, k := range keys {
		e.scope.memo[k] = e.b.Block.NewExtractValue(sums, uint64(i))
	}
}

// settledLoop is a loop over products of groups of warps that may have no turns. It waits for them where it has some: registers of products on their
// way that come from two places would make each product wait for the one before.
func (e *emitter) settledLoop(s span, init []value.Value, body func(i binding, in []value.Value) []value.Value) []value.Value {
	from := e.b.Block
	var then *ir.Block
	var out []value.Value
	e.inBranch(from.NewICmp(predSLT, s.lo, s.hi), func() {
		s.some = true
		sums := e.b.SettleWgmma(0, e.loop(s, init, body))
		then = e.b.Block
		for i := range init {
			out = append(out, then.NewExtractValue(sums, uint64(i)))
		}
	})
	for i, x := range init {
		out[i] = e.b.Block.NewPhi(inc(out[i], then), inc(x, from))
	}
	return out
}

// sharedMatrix is an operand in shared memory: a descriptor for each step of 16 summands.
type sharedMatrix struct {
	steps      []value.Value
	transposed bool // summand by summand
}

// matrixOf describes the part of operand x that a group of warps multiplies. Side are its rows, or its columns.
func (e *emitter) matrixOf(x *loop.Value, axes []*loop.Axis, side, tiles *loop.Axis) *sharedMatrix {
	blk := e.b.Block
	defer e.rebind(e.parts...)()
	for _, p := range e.parts { // the first warp of the group
		if loop.Has(x.Axes, p) {
			e.bind[p] = binding{v: blk.NewAnd(e.bind[p].v, llir.Int(types.I64, -groupWarps))}
		}
	}
	sum := axes[len(axes)-1]
	offset := func(step, row, summand int) *index.Expr {
		for _, a := range axes {
			e.bind[a] = binding{}
		}
		if len(axes) > 1 {
			e.bind[axes[0]] = binding{off: step}
		}
		if tiles != nil {
			e.bind[tiles] = binding{}
		}
		e.bind[side], e.bind[sum] = binding{off: row}, binding{off: summand}
		return e.offset(x.Buf, x.Args)
	}
	distance := func(step, row, summand int) int {
		n, ok := index.Sub(offset(step, row, summand), offset(0, 0, 0)).SimplifyIn(e.boundOf).Const()
		if !ok {
			e.fail("%s: operand %s does not step evenly", loop.WGMMA, x.Name)
		}
		return n * x.Elem.Size()
	}
	m := &sharedMatrix{transposed: distance(0, 0, 1) != x.Elem.Size()}
	leading := 1 // not looked at where summands are side by side
	if m.transposed {
		leading = x.Buf.Dims[2] * loop.SwizzleBytes >> 4 // from 64 rows to the next
	}
	fixed := swizzle | atomBytes>>4<<32 | int64(leading)<<16
	start := blk.NewPtrToInt(e.unswizzled(x.Buf, offset(0, 0, 0)), types.I32)
	start16 := blk.NewLShr(blk.NewAnd(start, llir.Int(types.I32, addresses)), llir.Int(types.I32, 4))
	first := blk.NewOr(blk.NewZExt(start16, types.I64), llir.Int(types.I64, fixed))
	count := 1
	if len(axes) > 1 {
		count = axes[0].Max
	}
	for s := range count {
		m.steps = append(m.steps, blk.NewAdd(first, llir.Int(types.I64, int64(distance(s, 0, 0)>>4))))
	}
	return m
}

// swizzled is where an element at an offset of a swizzled buffer lies.
func (e *emitter) swizzled(buf *loop.Buffer, offset *index.Expr) value.Value {
	blk, size := e.b.Block, int64(buf.Elem.Size())
	key := fmt.Sprintf("%s(%s)", buf.Name, offset)
	p := e.scope.findText(key)
	if p == nil {
		at := blk.NewMul(e.widen(e.scalarExpr(offset), types.I64), llir.Int(types.I64, size))
		row := blk.NewAnd(blk.NewLShr(at, llir.Int(types.I64, 3)), llir.Int(types.I64, (atomRows-1)<<4)) // its number mod 8, where pieces of 16 bytes are counted
		p = e.b.GEP(types.I8, e.buffer(buf), blk.NewXor(at, row))
		e.scope.text[key] = p
	}
	return p
}
