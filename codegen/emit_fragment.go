package codegen

import (
	"maps"
	"slices"

	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Products on tensor cores. A warp multiplies fragments, which its threads hold in registers (PTX ISA, "Matrix
// fragments for mma.m16n8k16"). With quad = lane/4 and pair = lane%4, a thread has of the results rows quad and
// quad+8 and columns 2*pair and 2*pair+1; of the first operand these rows, of the second column quad, and
// of both the summands 2*pair, 2*pair+1 and those 8 further. So a fragment axis is a few registers, each with an index
// that differs between threads, and whatever is computed of or with a product needs no more than that.

// threadPart is a variable of index expressions that differs between threads.
type threadPart struct {
	of   value.Value
	most int
}

const (
	threadName = "%thread" // of the block
	quadName   = "%quad"   // lane/4
	pairName   = "%pair"   // lane%4
	rowName    = "%row"    // lane%8: of ldmatrix, the row that a thread points to
	firstName  = "%first"  // lane/8%2: whether it is in the second or fourth matrix
	secondName = "%second" // lane/16: whether it is in the third or fourth matrix
)

var (
	quadIndex = index.V(quadName)
	pairIndex = index.Prod(index.V(pairName), index.C(2))
)

// bindThreads defines the variables that differ between threads.
func (e *emitter) bindThreads(thread value.Value, b *block) {
	blk := e.b.Block
	define := func(name string, from value.Value, shift, most int64) {
		if shift > 0 {
			from = blk.NewLShr(from, llir.Int(types.I32, shift))
		}
		if name != threadName {
			from = blk.NewAnd(from, llir.Int(types.I32, most))
		}
		e.threads[name] = threadPart{blk.NewZExt(from, types.I64), int(most)}
	}
	e.threads = map[string]threadPart{}
	define(threadName, thread, 0, int64(b.warps*warpThreads-1))
	define(quadName, e.lane, 2, 7)
	define(pairName, e.lane, 0, 3)
	define(rowName, e.lane, 0, 7)
	define(firstName, e.lane, 3, 1)
	define(secondName, e.lane, 4, 1)
	for _, a := range b.threaded {
		e.bind[a] = binding{thread: index.V(threadName)}
	}
}

// hasRegisters reports whether the indices of a are in registers.
func hasRegisters(a *loop.Axis) bool { return a.Bind == loop.Reg || a.IsFragment() }

// coordinates are where an axis stands in each of its registers, as results of products have it.
func coordinates(a *loop.Axis) []binding {
	spread := func(thread *index.Expr, offs ...int) []binding {
		var out []binding
		for n, off := range offs {
			out = append(out, binding{thread: thread, off: off, n: n})
		}
		return out
	}
	switch a.Bind {
	case loop.FragRow:
		return spread(quadIndex, 0, 8)
	case loop.FragCol:
		return spread(pairIndex, 0, 1)
	case loop.FragSum:
		return spread(pairIndex, 0, 1, 8, 9)
	}
	out := make([]binding, a.Max)
	for c := range out {
		out[c] = binding{off: c, n: c}
	}
	return out
}

// operandColumns are where the columns of the second operand stand: a thread has one of each eight. The registers are none of
// those that a value with such an axis has otherwise.
func operandColumns(a *loop.Axis) []binding {
	var out []binding
	for off := 0; off < a.Max; off += 8 {
		out = append(out, binding{thread: quadIndex, off: off, n: a.Max/4 + len(out)})
	}
	return out
}

// threadsOf tells which parts of a thread's number the indices of axes have: all, its quad, its pair.
func threadsOf(axes []*loop.Axis) (all, quad, pair bool) {
	for _, a := range axes {
		all = all || a.Bind == loop.Lane || a.Bind == loop.Thread
		quad, pair = quad || a.Bind == loop.FragRow, pair || a.Bind == loop.FragCol || a.Bind == loop.FragSum
	}
	return all || quad && pair, quad, pair
}

// ownedByAll reports whether what has these axes is another in each thread of a warp.
func ownedByAll(axes []*loop.Axis) bool {
	all, _, _ := threadsOf(axes)
	return all
}

// owner is the condition under which a thread stores what has these axes: nil where each has something of its own.
func (e *emitter) owner(axes []*loop.Axis) value.Value {
	key := "owner"
	var zero []value.Value // what is 0 in the threads that store
	for _, a := range e.parts {
		if !loop.Has(axes, a) && !slices.ContainsFunc(axes, func(a *loop.Axis) bool { return a.Bind == loop.Thread }) {
			key += " " + a.Name
			zero = append(zero, e.bind[a].v)
		}
	}
	switch all, quad, pair := threadsOf(axes); {
	case all:
	case quad:
		key += pairName
		zero = append(zero, e.threads[pairName].of)
	case pair:
		key += quadName
		zero = append(zero, e.threads[quadName].of)
	case zero == nil:
		return e.isFirst
	default:
		key += quadName + pairName
		zero = append(zero, e.threads[quadName].of, e.threads[pairName].of)
	}
	if zero == nil {
		return nil
	}
	c := e.scope.findText(key) // once a scope, so that stores share a branch
	if c == nil {
		x := zero[0]
		for _, y := range zero[1:] {
			x = e.b.Block.NewOr(x, y)
		}
		c = e.b.Block.NewICmp(enum.IPredEQ, x, llir.Int(types.I64, 0))
		e.scope.text[key] = c
	}
	return c
}

const (
	fragmentUnroll = 2 // fragments that one turn of the innermost loop over summands multiplies
	fragmentTurns  = 4 // fragments of summands that need no loop
)

// contractFragments adds to the registers acc of v the products over axes and the fragments' summands.
func (e *emitter) contractFragments(v *loop.Value, axes []*loop.Axis, acc []value.Value) []value.Value {
	if len(axes) == 0 {
		e.push()
		defer e.pop()
		return e.fragments(v, acc)
	}
	if n, ok := axes[0].Extent.IntConst(); ok && n <= fragmentTurns {
		defer e.rebind(axes[0])()
		for i := range int(n) {
			e.bind[axes[0]] = binding{off: i, n: i}
			acc = e.contractFragments(v, axes[1:], acc)
		}
		return acc
	}
	unroll := 1
	if len(axes) == 1 {
		unroll = fragmentUnroll
	}
	return e.over(v, axes[:1], unroll, acc, func(in []value.Value) []value.Value { return e.contractFragments(v, axes[1:], in) })
}

// fragments adds to the registers acc of product v the products over its innermost axis.
func (e *emitter) fragments(v *loop.Value, acc []value.Value) []value.Value {
	var row, col *loop.Axis
	var rest []*loop.Axis
	for _, a := range v.Axes {
		switch a.Bind {
		case loop.FragRow:
			row = a
		case loop.FragCol, loop.FragSum: // of another product, which sums up these columns
			col = a
		default:
			rest = append(rest, a)
		}
	}
	leaves := v.Over[len(v.Over)-1].Leaves()
	sum := leaves[len(leaves)-1]
	at := map[memoKey]int{} // which of acc a register is
	e.each(v.Axes, func() { at[e.key(v)] = len(at) })
	out := make([]value.Value, len(acc))
	f := &operandPairs{e: e, sum: sum, made: map[memoKey]value.Value{}, loaded: map[memoKey][]value.Value{}}
	defer e.rebind(row, col, sum)()
	rows, cols := coordinates(row), coordinates(col)
	e.each(rest, func() {
		a := f.registers(v.Args[0], row, rows)
		for n, column := range operandColumns(col) {
			var places []int
			for _, r := range rows {
				for _, c := range cols[2*n : 2*n+2] {
					e.bind[row], e.bind[col] = r, c
					places = append(places, at[e.key(v)])
				}
			}
			args := append(slices.Clone(a), f.registers(v.Args[1], col, []binding{column})...)
			for _, i := range places {
				args = append(args, acc[i])
			}
			sums := e.b.Mma(v.Args[0].Elem == loop.BF16, args)
			for n, i := range places {
				out[i] = e.b.Block.NewExtractValue(sums, uint64(n))
			}
		}
	})
	return out
}

// rebind returns what puts axes back to where they stand now.
func (e *emitter) rebind(axes ...*loop.Axis) func() {
	old := map[*loop.Axis]binding{}
	for _, a := range axes {
		if b, ok := e.bind[a]; ok {
			old[a] = b
		}
	}
	return func() {
		for _, a := range axes {
			delete(e.bind, a)
		}
		maps.Copy(e.bind, old)
	}
}

// operandPairs makes the registers of operands, in each of which two summands lie.
type operandPairs struct {
	e      *emitter
	sum    *loop.Axis
	made   map[memoKey]value.Value
	loaded map[memoKey][]value.Value // all registers at once
}

// registers are those of operand x over axis a: its places in the first eight summands, then those in the others.
func (f *operandPairs) registers(x *loop.Value, a *loop.Axis, places []binding) []value.Value {
	if x.Op == loop.Load && x.Buf.Mode == loop.Local && x.Guard == nil {
		rs := f.matrices(x, a)
		if a.Bind == loop.FragSum { // those of eight columns
			at := places[0].off / 4
			return rs[at : at+2]
		}
		return rs
	}
	var out []value.Value
	pairs := coordinates(f.sum)
	for i := 0; i < len(pairs); i += 2 {
		for _, p := range places {
			f.e.bind[a], f.e.bind[f.sum] = p, pairs[i]
			k := f.e.key(x)
			if f.made[k] == nil {
				f.made[k] = f.pair(x, pairs[i], pairs[i+1])
			}
			out = append(out, f.made[k])
		}
	}
	return out
}

// pairType is a register of two elements, as LLVM wants it.
func pairType(elem loop.Elem) types.Type {
	if elem == loop.F16 {
		return llir.Vec(2, types.Half)
	}
	return types.I32
}

// pair is a register with x at two places of the summed axis: one load where they lie side by side.
func (f *operandPairs) pair(x *loop.Value, low, high binding) value.Value {
	e, t := f.e, pairType(x.Elem)
	const bytes = 4
	if x.Op == loop.Load && bufferBytes(x.Buf)%bytes == 0 && (x.Guard == nil || !loop.Has(e.uses.freeAxes(x.Guard), f.sum)) {
		first := e.offset(x.Buf, x.Args)
		e.bind[f.sum] = high
		second := e.offset(x.Buf, x.Args)
		e.bind[f.sum] = low
		even := index.Rem(first, index.C(2)).SimplifyIn(e.boundOf)
		if index.Sub(second, first).SimplifyIn(e.boundOf).IsConst(1) && even.IsConst(0) {
			cond, _ := e.guard(x.Guard)
			return e.loadIf(cond, t, e.pointer(x.Buf, first), bytes)
		}
	}
	of, rounds := e.value, roundsOf(x)
	if rounds {
		of = e.unrounded
	}
	a := of(x)
	e.bind[f.sum] = high
	b := of(x)
	e.bind[f.sum] = low
	if rounds {
		return e.b.RoundPair(a, b)
	}
	return e.packed(x.Elem, a, b)
}

// roundsOf reports whether operand x is rounded to bf16 where it is made, and where a condition chooses it, else 0: one instruction rounds two.
func roundsOf(x *loop.Value) bool {
	if x.Op == loop.Where {
		other := x.Args[2]
		return other.Op == loop.Const && other.Bits == 0 && roundsOf(x.Args[1])
	}
	return x.Op == loop.Cast && x.Elem == loop.BF16 && x.Args[0].Elem == loop.F32
}

// unrounded is what roundsOf says that x rounds.
func (e *emitter) unrounded(x *loop.Value) value.Value {
	if x.Op == loop.Where {
		cond := e.value(x.Args[0])
		return e.b.Block.NewSelect(cond, e.unrounded(x.Args[1]), llir.Float(types.Float, 0))
	}
	return e.value(x.Args[0])
}

// packed are two elements of 16 bits in a register.
func (e *emitter) packed(elem loop.Elem, low, high value.Value) value.Value {
	t := pairType(elem)
	if elem == loop.F16 {
		half := func(x value.Value) value.Value { return e.b.Block.NewFPTrunc(x, types.Half) }
		v := e.b.Block.NewInsertElement(llir.Zero(t), half(low), llir.Int(types.I32, 0))
		return e.b.Block.NewInsertElement(v, half(high), llir.Int(types.I32, 1))
	}
	lower := e.b.Block.NewLShr(e.b.Bitcast(low, t), llir.Int(types.I32, 16))
	upper := e.b.Block.NewAnd(e.b.Bitcast(high, t), llir.Int(types.I32, -1<<16))
	return e.b.Block.NewOr(lower, upper)
}

// matrices are the registers of an operand that lies in shared memory, row by row or summand by summand: four
// matrices of 8×8 of the first operand, two of the second, or four where it has 16 columns.
func (f *operandPairs) matrices(x *loop.Value, a *loop.Axis) []value.Value {
	e := f.e
	offset := func(row, sum binding) *index.Expr {
		e.bind[a], e.bind[f.sum] = row, sum
		return e.offset(x.Buf, x.Args)
	}
	along := func(parts ...*index.Expr) binding { return binding{thread: index.Sum(append(parts, zeroExpr)...)} }
	eight := func(name string) *index.Expr { return index.Prod(index.V(name), index.C(8)) }
	start := offset(binding{}, binding{})
	key := e.key(x)
	if f.loaded[key] != nil {
		return f.loaded[key]
	}
	transposed := !index.Sub(offset(binding{}, binding{off: 1}), start).SimplifyIn(e.boundOf).IsConst(1)
	n, row, sum := 4, []*index.Expr{eight(firstName)}, []*index.Expr{eight(secondName)}
	switch a.Bind {
	case loop.FragCol:
		n, row, sum = 2, nil, []*index.Expr{eight(firstName)}
	case loop.FragSum:
		row, sum = sum, row
	}
	if transposed {
		sum = append(sum, index.V(rowName))
	} else {
		row = append(row, index.V(rowName))
	}
	at := offset(along(row...), along(sum...))
	var beside memoKey // the next fragment of columns, which comes along where it lies at a fixed distance
	if n == 2 {
		if d, k, ok := f.beside(x, at, func() memoKey {
			e.bind[a], e.bind[f.sum] = binding{}, binding{}
			return e.key(x)
		}, func() *index.Expr { return offset(along(row...), along(sum...)) }); ok {
			n, beside = 4, k
			at = index.Sum(at, index.Prod(index.V(secondName), index.C(d)))
		}
	}
	for i, r := range e.b.LoadMatrices(n, transposed, e.pointer(x.Buf, at.SimplifyIn(e.boundOf))) {
		k := key
		if i >= 2 && a.Bind == loop.FragCol {
			k = beside
		}
		f.loaded[k] = append(f.loaded[k], e.b.Bitcast(r, pairType(x.Elem)))
	}
	return f.loaded[key]
}

// beside is how far from at the next fragment along a register axis of x lies, and its key.
func (f *operandPairs) beside(x *loop.Value, at *index.Expr, key func() memoKey, offset func() *index.Expr) (distance int, k memoKey, ok bool) {
	e := f.e
	for _, r := range x.Axes {
		n := e.bind[r].n
		if r.Bind != loop.Reg || n%2 > 0 || n+1 >= r.Max {
			continue
		}
		defer e.rebind(r)()
		e.bind[r] = coordinates(r)[n+1]
		distance, ok = index.Sub(offset(), at).SimplifyIn(e.boundOf).Const()
		return distance, key(), ok
	}
	return 0, memoKey{}, false
}
