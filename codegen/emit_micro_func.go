package codegen

import (
	"github.com/llir/llvm/ir"
	"github.com/llir/llvm/ir/constant"
	"github.com/llir/llvm/ir/enum"
	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
)

// registersHanded is how many vectors x86_regcallcc hands over in registers, and hands back.
const registersHanded = 16

// handed parts the accumulators into those that come and go in registers and those that do in memory.
func (m *micro) handed() (handed, stored []int) {
	n := min(len(m.order), registersHanded)
	return m.order[:n], m.order[n:]
}

// element is the place of element i of memory.
func (e *emitter) element(t types.Type, memory value.Value, i int) value.Value {
	return e.b.GEP(t, memory, llir.Int(types.I64, int64(i)))
}

// call multiplies in all turns and adds to acc.
func (e *emitter) call(m *micro, acc []value.Value) []value.Value {
	name := m.name()
	f := e.callee(name, func() sharedFunction { return e.microFunc(m, name) })
	var args []value.Value
	for i, n := range m.turns {
		if _, ok := m.few(); !ok || i < len(m.turns)-1 {
			args = append(args, e.scalarExpr(n))
		}
	}
	for i := range m.sides {
		s := &m.sides[i]
		args = append(args, e.pointer(s.buf, s.start))
		for _, n := range s.arguments(m.lanes) {
			args = append(args, llir.Int(types.I64, int64(n)))
		}
	}
	if m.fetched != nil {
		args = append(args, e.pointer(m.sides[1].buf, m.fetched))
	}
	t := llir.Vec(m.lanes, types.Float)
	handed, stored := m.handed()
	var memory value.Value
	if len(stored) > 0 {
		memory = e.b.Alloca(t, len(stored))
		args = append(args, memory)
	}
	for at, i := range stored {
		e.b.Store(acc[i], e.element(t, memory, at), 4*m.lanes)
	}
	for _, i := range handed {
		args = append(args, acc[i])
	}
	sums := e.b.Call(f, args...)
	out := make([]value.Value, len(acc))
	for at, i := range handed {
		out[i] = e.b.Block.NewExtractValue(sums, uint64(at))
	}
	for at, i := range stored {
		out[i] = e.b.Load(t, e.element(t, memory, at), 4*m.lanes)
	}
	return out
}

// microFunc writes m.
func (e *emitter) microFunc(m *micro, name string) sharedFunction {
	in := &emitter{k: e.k, t: e.t, b: llir.NewBuilder()}
	in.push()
	var params []*ir.Param
	param := func(t types.Type) value.Value {
		p := ir.NewParam("", t)
		params = append(params, p)
		return p
	}
	turns := make([]value.Value, len(m.turns))
	for i := range turns {
		if n, ok := m.few(); ok && i == len(turns)-1 {
			turns[i] = llir.Int(types.I64, int64(n))
		} else {
			turns[i] = param(types.I64)
		}
	}
	var walks [2]*microWalk
	for i := range walks {
		s := &m.sides[i]
		w := &microWalk{microSide: s, lanes: m.lanes, base: param(llir.Ptr)}
		if _, ok := s.apart(m.lanes); ok {
			w.distance = param(types.I64)
		}
		for j, n := range s.step {
			if j < len(s.step)-1 || s.steps(m.lanes) {
				w.by = append(w.by, param(types.I64))
			} else {
				w.by = append(w.by, llir.Int(types.I64, int64(n)))
			}
		}
		walks[i] = w
	}
	var fetched, memory value.Value
	attrs := []ir.FuncAttribute{enum.FuncAttrArgMemOnly}
	if m.fetched != nil {
		fetched = param(llir.Ptr)
	}
	fetches := m.ahead || m.fetched != nil
	if fetches {
		attrs[0] = enum.FuncAttrInaccessibleMemOrArgMemOnly // a fetch is taken for an access of something else
	}
	t := llir.Vec(m.lanes, types.Float)
	handed, stored := m.handed()
	switch {
	case len(stored) > 0:
		memory = param(llir.Ptr)
	case !fetches:
		attrs = append(attrs, enum.FuncAttrReadOnly)
	}
	var acc []value.Value
	for range handed {
		acc = append(acc, param(t))
	}
	result := types.NewArray(uint64(len(handed)), t)
	f := in.b.Start(name, params...)
	hidden(f, result, attrs...)
	for i := range stored {
		acc = append(acc, in.b.Load(t, in.element(t, memory, i), 4*m.lanes))
	}
	at := []value.Value{walks[0].begin(in), walks[1].begin(in)}
	if fetched != nil {
		at = append(at, fetched)
	}
	acc = in.nest(m, walks, turns, at, acc)
	var sums value.Value = constant.NewUndef(result)
	for i := range handed {
		sums = in.b.Block.NewInsertValue(sums, acc[i], uint64(i))
	}
	for i := range stored {
		in.b.Store(acc[len(handed)+i], in.element(t, memory, i), 4*m.lanes)
	}
	in.b.Block.NewRet(sums)
	return sharedFunction{f, in.function(f)}
}

// nest emits the loops of m over turns, from where the sides are at, and what is fetched.
func (e *emitter) nest(m *micro, walks [2]*microWalk, turns []value.Value, at []value.Value, acc []value.Value) []value.Value {
	level := len(m.turns) - len(turns)
	s := span{lo: llir.Int(types.I64, 0), hi: turns[0], step: 1}
	if len(turns) == 1 {
		s.step = dotUnroll
		if n, ok := m.few(); ok {
			s.step, s.some, s.whole = n, true, true
		}
	}
	acc = e.loop(s, append(acc, at...), func(turn binding, now []value.Value) []value.Value {
		now, at := now[:len(m.pairs)], now[len(m.pairs):]
		if len(turns) > 1 {
			now = e.nest(m, walks, turns[1:], at, now)
		} else {
			now = e.multiply(m, walks, at, now)
		}
		now = append(now, walks[0].next(e, at[0], level), walks[1].next(e, at[1], level))
		if len(at) > len(walks) {
			now = append(now, e.fetchFollowing(at[len(walks)], turn.off))
		}
		return now
	})
	return acc[:len(m.pairs)]
}

// multiply is one turn of the innermost loop. Each register is loaded where it is needed first, or more of them would be alive than a machine has.
func (e *emitter) multiply(m *micro, walks [2]*microWalk, at, acc []value.Value) []value.Value {
	var regs [2][]value.Value
	for i, w := range walks {
		regs[i] = make([]value.Value, len(w.offset))
	}
	out := make([]value.Value, len(acc))
	if w := walks[0]; m.ahead {
		e.b.Prefetch(e.b.GEP(e.memType(w.buf.Elem), at[0], e.b.Block.NewMul(w.by[0], llir.Int(types.I64, aheadTurns))), llir.AllCaches)
	}
	for i, p := range m.pairs {
		for side, which := range p {
			if regs[side][which] == nil {
				regs[side][which] = walks[side].register(e, at[side], which)
			}
		}
		out[i] = e.b.Math("fma", regs[0][p[0]], regs[1][p[1]], acc[i])
	}
	return out
}

// microWalk is a side inside its micro-kernel: registers side by side are a pointer that moves, those
// that lie apart a pointer each and an index that moves.
type microWalk struct {
	*microSide
	lanes          int
	base, distance value.Value
	by             []value.Value // the steps
	rows           []value.Value // where registers lie apart
}

// begin is the pointer or index of the first turn.
func (w *microWalk) begin(e *emitter) value.Value {
	if w.distance == nil {
		return w.base
	}
	for i := range w.offset {
		w.rows = append(w.rows, e.b.GEP(e.memType(w.buf.Elem), w.base, e.b.Block.NewMul(w.distance, llir.Int(types.I64, int64(i)))))
	}
	return llir.Int(types.I64, 0)
}

// register loads the i-th of those at a place.
func (w *microWalk) register(e *emitter, at value.Value, i int) value.Value {
	t, n := e.memType(w.buf.Elem), 0
	if w.vector {
		n = w.lanes
	}
	p, offset := at, w.offset[i]
	switch {
	case offset == zeros:
		return llir.Zero(llir.Vec(w.lanes, types.Float))
	case w.rows != nil:
		p = e.b.GEP(t, w.rows[i], at)
	case offset != 0:
		p = e.element(t, at, offset)
	}
	return e.splat(w.lanes, e.fromMem(w.buf.Elem, e.b.Load(llir.Vec(n, t), p, w.buf.Elem.Size())))
}

// next is the place after a turn of a loop.
func (w *microWalk) next(e *emitter, at value.Value, level int) value.Value {
	if w.rows != nil {
		return e.b.Block.NewAdd(at, w.by[level])
	}
	return e.b.GEP(e.memType(w.buf.Elem), at, w.by[level])
}
