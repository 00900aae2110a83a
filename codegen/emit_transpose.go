package codegen

import (
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// transposed is the register axis of load v along which elements lie side by side while its lanes lie as far from each other as rows: far. There
// are as many registers at least as lanes, and all of them are read or none. nil where there is no such axis.
func (e *emitter) transposed(v *loop.Value, p place) (a *loop.Axis, far int) {
	n := e.lanes(v)
	far, ok := e.lanesApart(p)
	if !ok || n < 4 || n > 16 || v.Elem.Size() > 4 {
		return nil, 0
	}
	a = e.sideBySide(v.Axes, v.Buf, v.Args)
	if a == nil || a.Max < n || v.Guard != nil && loop.Has(v.Guard.Axes, a) {
		return nil, 0
	}
	return a, far
}

// transposes reports the same of a load whose registers nobody enumerates yet.
func (e *emitter) transposes(v *loop.Value) bool {
	if v.Op != loop.Load || e.t.GPU {
		return false
	}
	var axes []*loop.Axis
	for _, a := range v.Axes {
		if hasRegisters(a) && !e.fixed[a] {
			axes = append(axes, a)
		}
	}
	defer e.rebind(axes...)()
	for _, a := range axes {
		e.bind[a] = binding{}
	}
	if e.unbound(v) {
		return false
	}
	_, lane := e.splitLane(e.offset(v.Buf, v.Args))
	a, _ := e.transposed(v, place{lane: lane})
	return a != nil
}

// loadTransposed loads v, whose lanes lie as far from each other as rows, together with those of its registers that lie side
// by side in a row, and remembers these: as many rows as lanes, which are transposed in registers. A gather takes a
// cycle and more for each lane, the shuffles of a transposition half a cycle. nil where there are too few registers.
func (e *emitter) loadTransposed(v *loop.Value, p place, cond value.Value) value.Value {
	n, size := e.lanes(v), v.Elem.Size()
	a, far := e.transposed(v, p)
	if a == nil || e.bind[a].v != nil {
		return nil
	}
	at := e.bind[a].n
	from := at / n * n
	if from+n > a.Max || !e.areNeighbours(a, from, n, v.Buf, v.Args) {
		return nil
	}
	defer e.rebind(a)()
	e.bind[a] = binding{off: from, n: from}
	if cond == nil {
		e.fetchRows(v, from, n, far)
	}
	base, t := e.place(v.Buf, v.Args).base, e.memType(v.Elem)
	rows := make([]value.Value, n)
	for i := range rows {
		row := e.b.GEP(t, base, llir.Int(types.I64, int64(i*far)))
		if cond != nil && llir.Lanes(cond.Type()) > 0 {
			row = e.orZero(e.b.Extract(cond, i), row)
		} else {
			row = e.orZero(cond, row)
		}
		rows[i] = e.word(e.b.Load(llir.Vec(n, t), row, size))
	}
	columns := e.transpose(rows)
	for i, x := range columns {
		e.bind[a] = binding{off: from + i, n: from + i}
		columns[i] = e.fromMem(v.Elem, e.unword(x, t))
		e.scope.memo[e.key(v)] = columns[i]
	}
	return columns[at-from]
}

// lanesApart is how far neighbouring lanes of an access lie apart, where that is one number.
func (e *emitter) lanesApart(p place) (far int, ok bool) {
	x := p.lane
	if x.Op != index.Mul || len(x.Args) != 2 {
		return 0, false
	}
	for i, y := range x.Args {
		if far, ok := y.Const(); ok && e.contiguous(place{lane: x.Args[1-i]}) {
			return far, true
		}
	}
	return 0, false
}

// word widens what is narrower than 32 bits to that, so that transposing is the same for all.
func (e *emitter) word(x value.Value) value.Value {
	t, ok := llir.Scalar(x.Type()).(*types.IntType)
	switch wide := llir.Vec(llir.Lanes(x.Type()), types.I32); {
	case !ok && !llir.Scalar(x.Type()).Equal(types.Float):
		return e.word(e.b.Bitcast(x, llir.Vec(llir.Lanes(x.Type()), types.I16)))
	case !ok || t.BitSize == 32:
		return x
	default:
		return e.b.Block.NewSExt(x, wide)
	}
}

// unword makes a vector of words one of t again.
func (e *emitter) unword(x value.Value, t types.Type) value.Value {
	n := llir.Lanes(x.Type())
	it, ok := t.(*types.IntType)
	switch {
	case llir.Scalar(x.Type()).Equal(t):
		return x
	case ok:
		return e.b.Block.NewTrunc(x, llir.Vec(n, it))
	default:
		return e.b.Bitcast(e.b.Block.NewTrunc(x, llir.Vec(n, types.I16)), llir.Vec(n, t))
	}
}

// transpose turns n rows of n words into columns: blocks of 4 × 4 inside the quarters of registers, then the quarters. Each
// step is an instruction.
func (e *emitter) transpose(rows []value.Value) []value.Value {
	n := len(rows)
	pair := func(x, y value.Value, lane func(quarter, i int) int) value.Value { // of each quarter, 4 lanes: those of y count from 4
		at := make([]int, n)
		for i := range at {
			k := lane(i/4, i%4)
			at[i] = k%4 + i/4*4 + k/4*n
		}
		return e.b.Shuffle(x, y, at...)
	}
	pick := func(four ...int) func(int, int) int { return func(_, i int) int { return four[i] } }
	blocks := make([][]value.Value, 4) // by column of a block: of each block of rows
	for g := 0; g < n; g += 4 {
		r := rows[g : g+4]
		a, b := pair(r[0], r[1], pick(0, 4, 1, 5)), pair(r[0], r[1], pick(2, 6, 3, 7))
		c, d := pair(r[2], r[3], pick(0, 4, 1, 5)), pair(r[2], r[3], pick(2, 6, 3, 7))
		for j, x := range []value.Value{pair(a, c, pick(0, 1, 4, 5)), pair(a, c, pick(2, 3, 6, 7)), pair(b, d, pick(0, 1, 4, 5)), pair(b, d, pick(2, 3, 6, 7))} {
			blocks[j] = append(blocks[j], x)
		}
	}
	out := make([]value.Value, n)
	for j, xs := range blocks {
		for q, x := range e.transposeQuarters(xs) {
			out[4*q+j] = x
		}
	}
	return out
}

// transposeQuarters transposes as many registers as each has quarters.
func (e *emitter) transposeQuarters(xs []value.Value) []value.Value {
	n := len(xs)
	pick := func(x, y value.Value, quarters ...int) value.Value { // those of y count from n
		var at []int
		for _, q := range quarters {
			for i := range 4 {
				at = append(at, 4*q+i)
			}
		}
		return e.b.Shuffle(x, y, at...)
	}
	switch n {
	case 1:
		return xs
	case 2:
		return []value.Value{pick(xs[0], xs[1], 0, 2), pick(xs[0], xs[1], 1, 3)}
	}
	even0, odd0 := pick(xs[0], xs[1], 0, 2, 4, 6), pick(xs[0], xs[1], 1, 3, 5, 7)
	even1, odd1 := pick(xs[2], xs[3], 0, 2, 4, 6), pick(xs[2], xs[3], 1, 3, 5, 7)
	return []value.Value{pick(even0, even1, 0, 2, 4, 6), pick(odd0, odd1, 0, 2, 4, 6), pick(even0, even1, 1, 3, 5, 7), pick(odd0, odd1, 1, 3, 5, 7)}
}
