package codegen

import (
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// counterWords are the words of a counter of Philox. Element e of a draw is word e%4 of counter e/4.
const counterWords = 4

// philox is a register of random bits. Of one counter LLVM makes one call, whichever words are drawn.
func (e *emitter) philox(v *loop.Value) value.Value {
	if !e.t.GPU && e.dealWords(v) {
		return e.scope.find(e.key(v))
	}
	regs := e.args(v, v.Args...)
	all := e.wordsOf(v, regs[:6])
	if k, ok := v.Args[6].IntConst(); ok && k >= 0 && k < counterWords {
		return all[k]
	}
	out := all[counterWords-1]
	for k := counterWords - 2; k >= 0; k-- {
		is := e.b.Block.NewICmp(enum.IPredEQ, regs[6], e.splat(e.lanes(v), llir.Int(types.I32, int64(k))))
		out = e.b.Block.NewSelect(is, all[k], out)
	}
	return out
}

// wordsOf are all words of a register of counters.
func (e *emitter) wordsOf(v *loop.Value, regs []value.Value) (out [counterWords]value.Value) {
	all := e.callAll(v, regs, ", u32(0)", ", u32(1)", ", u32(2)", ", u32(3)")
	for k := range out {
		out[k] = e.b.Block.NewExtractValue(all, uint64(k))
	}
	return out
}

// dealWords makes four registers of v, if they are neighbours in a draw, from one call: the n lanes of its counters have the words
// of 4n elements. One register alone has n/4 counters, each of which four lanes would compute.
func (e *emitter) dealWords(v *loop.Value) bool {
	lane, axis := laneAxis(v), e.dealAxis(v)
	if axis == nil {
		return false
	}
	n := lane.Max
	at := e.bind[axis]
	first := at.n - at.n%counterWords
	defer func() { e.bind[axis] = at }()
	bind := func(i int) { e.bind[axis] = coordinates(axis)[first+i] }
	bind(0)
	counter := index.Sub(e.indexOf(v.Args[2].Args[0]), index.Quo(index.V(lane.Name), index.C(counterWords))).SimplifyIn(e.boundOf)
	regs := e.args(v, v.Args[:6]...)
	from := e.b.Block.NewTrunc(e.widen(e.scalarExpr(counter), types.I64), types.I32)
	regs[2] = e.b.Block.NewAdd(e.b.Splat(n, from), llir.Ints(n, types.I32, func(i int) int64 { return int64(i) }))
	all := e.wordsOf(v, regs)
	for i := range counterWords {
		bind(i)
		e.scope.memo[e.key(v)] = e.dealt(all, i*n/counterWords, n)
	}
	return true
}

// dealt is the words of n/4 counters from the from-th on, one counter after the other.
func (e *emitter) dealt(all [counterWords]value.Value, from, n int) value.Value {
	half := func(x, y value.Value, second bool) value.Value {
		at := make([]int, n)
		for l := range at {
			if at[l] = l; l%counterWords/2 == 1 == second {
				at[l] = l%2*n + from + l/counterWords
			}
		}
		return e.b.Shuffle(x, y, at...)
	}
	both := make([]int, n)
	for l := range both {
		both[l] = l + l%counterWords/2*n
	}
	return e.b.Shuffle(half(all[0], all[1], false), half(all[2], all[3], true), both...)
}

// dealAxis is the axis over whose registers neighbours of a draw lie, unrolled here; nil: there is none.
func (e *emitter) dealAxis(v *loop.Value) *loop.Axis {
	lane := laneAxis(v)
	c, w := v.Args[2], v.Args[6]
	if lane == nil || lane.Max%counterWords != 0 || c.Op != loop.Cast || w.Op != loop.Cast || c.Args[0].Elem != loop.I64 || w.Args[0].Elem != loop.I64 {
		return nil
	}
	if !index.Equal(e.indexOf(w.Args[0]), index.Rem(index.V(lane.Name), index.C(counterWords))) {
		return nil
	}
	for _, a := range v.Axes {
		if a.Bind != loop.Reg || a.Max%counterWords != 0 || e.bind[a].v != nil || e.dependsOn(v.Args[:2], a, lane) || e.dependsOn(v.Args[3:6], a, lane) {
			continue
		}
		if e.stepsBy(c.Args[0], a, lane) {
			return a
		}
	}
	return nil
}

func (e *emitter) dependsOn(vs []*loop.Value, axes ...*loop.Axis) bool {
	for _, v := range vs {
		if intersects(v.Axes, axes) {
			return true
		}
	}
	return false
}

// stepsBy reports whether index v is lane/4 and what is the same in all lanes, and from one register over a to the next as much
// more as a register has counters.
func (e *emitter) stepsBy(v *loop.Value, a, lane *loop.Axis) bool {
	old := e.bind[a]
	defer func() { e.bind[a] = old }()
	at := coordinates(a)
	first := old.n - old.n%counterWords
	e.bind[a] = at[first]
	from := e.indexOf(v)
	rest := index.Sub(from, index.Quo(index.V(lane.Name), index.C(counterWords))).SimplifyIn(e.boundOf)
	even := true
	rest.Vars(func(name string) { even = even && name != lane.Name && e.opaque[name] == nil })
	for i := 1; i < counterWords; i++ {
		e.bind[a] = at[first+i]
		even = even && index.Sub(e.indexOf(v), from).SimplifyIn(e.boundOf).IsConst(i*lane.Max/counterWords)
	}
	return even
}
