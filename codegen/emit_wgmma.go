package codegen

import (
	"fmt"
	"slices"

	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Products of a group of four warps (Hopper's wgmma). Operands lie in shared memory, where the tensor cores read them themselves: an
// instruction is told where a matrix begins and how its rows lie. Warp w of a group has rows 16w to 16w+15 of the results, spread over its threads
// as those of mma.m16n8k16 are, so what comes after a product is the same for both. So it has those of a first operand that is computed, in registers.

const (
	groupWarps = 4

	atomRows  = 8                            // rows that a swizzle goes over
	atomBytes = atomRows * loop.SwizzleBytes // they lie side by side, on a multiple of this
	swizzle   = 1 << 62                      // in a descriptor: rows of 128 bytes, swizzled
	addresses = 1<<18 - 1                    // what a descriptor can say of an address, in bytes
)

// wgmmaElems are the names of types that wgmma multiplies.
var wgmmaElems = map[loop.Elem]string{loop.BF16: "bf16", loop.F16: "f16", loop.F8E4M3: "e4m3", loop.F8E5M2: "e5m2"}

// wgmmaBytes of a row, or of a column, are what an instruction sums up.
const wgmmaBytes = 32

// groupProduct adds to the registers acc of v the product of what a turn's slots hold.
func (e *emitter) groupProduct(v *loop.Value, axes []*loop.Axis, acc []value.Value) []value.Value {
	var row, col, tiles *loop.Axis
	for _, a := range v.Axes {
		switch a.Bind {
		case loop.FragRow:
			row = a
		case loop.FragCol, loop.FragSum: // of another product, which sums up these columns
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
	defer e.rebind(append([]*loop.Axis{row, col}, axes...)...)()
	n := 1
	if tiles != nil {
		defer e.rebind(tiles)()
		n = tiles.Max
	}
	order := e.instructionOrder(v, row, col, tiles)
	steps, a := e.operandSteps(v, axes, row, tiles)
	b := e.matrixOf(v.Args[1], axes, col, tiles)
	for i, x := range b.steps {
		steps[i].B = x
	}
	var in []value.Value
	for _, n := range order {
		if len(v.Args) == 3 { // else it adds to nothing
			in = append(in, acc[n])
		}
	}
	cols := n * loop.FragmentExtent(col.Bind)
	sums := e.b.Wgmma(wgmmaElems[v.Args[0].Elem], wgmmaBytes/v.Args[0].Elem.Size(), cols, a, b.transposed, in, steps)
	out := make([]value.Value, len(acc))
	for i, n := range order {
		out[n] = e.b.Block.NewExtractValue(sums, uint64(i))
	}
	return out
}

// instructionOrder is which of v's registers those of the instruction are: eight columns, and of these two rows with two neighbours each, come after the other.
func (e *emitter) instructionOrder(v *loop.Value, row, col, tiles *loop.Axis) []int {
	at := map[memoKey]int{}
	e.each(v.Axes, func() { at[e.key(v)] = len(at) })
	var order []int
	cols := coordinates(col)
	columns := func() {
		for i := 0; i < len(cols); i += 2 {
			for _, r := range coordinates(row) {
				for _, c := range cols[i : i+2] {
					e.bind[row], e.bind[col] = r, c
					order = append(order, at[e.key(v)])
				}
			}
		}
	}
	if tiles == nil {
		columns()
		return order
	}
	for _, t := range coordinates(tiles) {
		e.bind[tiles] = t
		columns()
	}
	return order
}

// operandSteps are the first operand of v in each step of 16 summands, and whether that lies summand by summand.
func (e *emitter) operandSteps(v *loop.Value, axes []*loop.Axis, row, tiles *loop.Axis) (steps []llir.WgmmaStep, transposed bool) {
	x := v.Args[0]
	if !x.IsMatrix() {
		defer delete(e.held, v)
		return e.held[v], false
	}
	m := e.matrixOf(x, axes, row, tiles)
	for _, d := range m.steps {
		steps = append(steps, llir.WgmmaStep{A: []value.Value{d}})
	}
	return steps, m.transposed
}

// holdAll makes the registers of what the products multiply that list begins with: while one of them is on its way no register of another may change.
func (e *emitter) holdAll(list []loop.Stmt) {
	for _, s := range list {
		l, ok := s.(*loop.Let)
		if !ok || l.Val.Instr != loop.WGMMA || l.Val.Args[0].IsMatrix() {
			return
		}
		if e.held[l.Val] == nil {
			e.hold(l.Val)
		}
	}
}

// hold makes the registers of the first operand of product v: four of each step of 16 summands, as those of a fragment are.
func (e *emitter) hold(v *loop.Value) {
	var axes []*loop.Axis
	for _, a := range v.Over {
		axes = append(axes, a.Leaves()...)
	}
	row := v.Axes[slices.IndexFunc(v.Axes, func(a *loop.Axis) bool { return a.Bind == loop.FragRow })]
	defer e.rebind(append([]*loop.Axis{row}, axes...)...)()
	f := &operandPairs{e: e, sum: axes[len(axes)-1], made: map[memoKey]value.Value{}}
	at := []binding{{}}
	if len(axes) > 1 {
		at = coordinates(axes[0])
	}
	for _, step := range at {
		if len(axes) > 1 {
			e.bind[axes[0]] = step
		}
		var fragment []value.Value
		for _, r := range f.registers(v.Args[0], row, coordinates(row)) {
			fragment = append(fragment, e.b.Bitcast(r, types.I32))
		}
		e.held[v] = append(e.held[v], llir.WgmmaStep{A: fragment})
	}
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

// sharedMatrix is an operand in shared memory: a descriptor for each instruction.
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
	count, each := 1, wgmmaBytes/x.Elem.Size()/loop.FragmentExtent(loop.FragSum) // fragments of summands that an instruction takes
	if len(axes) > 1 {
		count = axes[0].Max
	}
	if count%each > 0 || each > 1 && m.transposed {
		e.fail("%s: %d fragments of operand %s", loop.WGMMA, count, x.Name)
	}
	for s := 0; s < count; s += each {
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
