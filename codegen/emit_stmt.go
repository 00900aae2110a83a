package codegen

import (
	"slices"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"

	"mdlc/codegen/llir"
	"mdlc/ir/loop"
)

func (e *emitter) stmts(list []loop.Stmt) {
	list = e.productFirst(list)
	for i := 0; i < len(list); i++ {
		if n := e.tryGroup(list, i); n > 0 {
			i += n - 1
			continue
		}
		e.turn++
		switch s := list[i].(type) {
		case *loop.Let:
			e.holdAll(list[i:])
			if s.Val.Op == loop.Dot && !e.t.GPU {
				e.fetchLater(s.Val, list[i+1:])
			}
			e.let(s.Val)
		case *loop.Store:
			if s.Async {
				e.copyAsync(s)
				continue
			}
			e.store(s)
		case *loop.Commit:
			e.b.CommitCopies()
		case *loop.Wait:
			e.b.WaitCopies(s.Young)
			if e.grouped { // tensor cores read what threads wrote
				e.b.FenceAsync()
			}
			e.meet()
		case *loop.Send:
			e.send(s)
		case *loop.Sent:
			e.inBranch(e.asks, func() { e.b.AwaitBoxes(s.Young) })
		case *loop.Role:
			e.role(s)
		case *loop.Settle:
			e.settle(s)
		case *loop.RingStep:
			e.ringStep(s)
		case *loop.For:
			e.forLoop(s)
		case *loop.If:
			e.ifThen(s)
		case *loop.Phase:
			e.fail("a phase inside a loop is not supported")
		}
	}
}

// let evaluates a Let here, unless whoever uses it may: an element-wise value
// with many registers that only this list of statements uses is pulled by its
// sinks a register at a time, or it would be spilled.
func (e *emitter) let(v *loop.Value) {
	e.exchange(v)
	if e.unbound(v) {
		return // over an axis of a dot: evaluated in the dot's loop
	}
	operandsRead := v.Op == loop.Load && e.uses.stored[v.Buf]
	operands(v, func(a *loop.Value) { operandsRead = operandsRead || !e.uses.let[a] && e.uses.readsMemory(a) })
	if !operandsRead && !e.uses.nested[v] && !e.uses.hasDot(v) {
		return
	}
	e.each(v.Axes, func() { e.value(v) })
}

// unbound reports whether v needs the index of an axis that no loop around it binds.
func (e *emitter) unbound(v *loop.Value) bool {
	for _, a := range e.uses.freeAxes(v) {
		if _, ok := e.bind[a]; !ok {
			return true
		}
	}
	return false
}

// each runs f for each register over axes, but for those that are fixed by a group, last fastest.
func (e *emitter) each(axes []*loop.Axis, f func()) {
	for i, a := range axes {
		if !hasRegisters(a) || e.fixed[a] {
			continue
		}
		old, had := e.bind[a]
		for _, b := range coordinates(a) {
			e.bind[a] = b
			e.each(axes[i+1:], f)
		}
		if delete(e.bind, a); had {
			e.bind[a] = old
		}
		return
	}
	f()
}

func (e *emitter) ifThen(s *loop.If) {
	if x, ok := s.Cond.BoolConst(); ok {
		if x {
			e.stmts(s.Body)
		}
		return
	}
	e.exchange(s.Cond)
	e.inBranch(e.value(s.Cond), func() { e.stmts(s.Body) })
}

// branch runs f in a block of its own, entered where cond holds.
func (e *emitter) branch(cond value.Value, f func()) {
	from, then := e.b.Block, e.b.NewBlock()
	e.b.Block = then
	f()
	end := e.b.NewBlock()
	e.b.Jump(end)
	from.NewCondBr(cond, then, end)
}

// inBranch is branch with a scope of its own.
func (e *emitter) inBranch(cond value.Value, f func()) {
	e.branch(cond, func() {
		e.push()
		f()
		e.pop()
	})
}

// span is the range of a loop.
type span struct {
	lo, hi   value.Value
	some     bool // lo < hi is known
	constant bool // lo and hi are the constants from, to
	from, to int
	step     int  // turns made by one turn of the machine loop
	whole    bool // step divides the number of turns
}

// loop emits a loop that carries values, and returns them after it.
func (e *emitter) loop(s span, init []value.Value, body func(i binding, in []value.Value) []value.Value) []value.Value {
	if s.step > 1 && !s.whole {
		mid := e.b.Block.NewAdd(s.lo, e.b.Block.NewAnd(e.b.Block.NewSub(s.hi, s.lo), llir.Int(types.I64, int64(-s.step))))
		out := e.loop(span{lo: s.lo, hi: mid, step: s.step, whole: true}, init, body)
		return e.loop(span{lo: mid, hi: s.hi, step: 1}, out, body)
	}
	pre, start := e.b.Block, e.b.NewBlock()
	e.b.Block = start
	i := start.NewPhi(inc(s.lo, pre))
	phis := make([]*phi, len(init))
	in := make([]value.Value, len(init))
	for j, x := range init {
		phis[j] = start.NewPhi(inc(x, pre))
		in[j] = phis[j]
	}
	for u := range s.step {
		e.push()
		in = body(binding{v: i, off: u}, in)
		e.pop()
	}
	latch := e.b.Block
	next := latch.NewAdd(i, llir.Int(types.I64, int64(s.step)))
	again := latch.NewICmp(predSLT, next, s.hi)
	end := e.b.NewBlock()
	latch.NewCondBr(again, start, end)
	i.Incs = append(i.Incs, inc(next, latch))
	for j := range phis {
		phis[j].Incs = append(phis[j].Incs, inc(in[j], latch))
	}
	e.b.Block = end
	if s.some {
		pre.NewBr(start)
		return in
	}
	pre.NewCondBr(pre.NewICmp(predSLT, s.lo, s.hi), start, end)
	out := make([]value.Value, len(init))
	for j := range init {
		out[j] = end.NewPhi(inc(init[j], pre), inc(in[j], latch))
	}
	return out
}

// spanOf is the range of a loop over an axis; nil bounds mean its extent.
func (e *emitter) spanOf(a *loop.Axis, lo, hi *loop.Value) span {
	if hi == nil {
		hi = a.Extent
	}
	from, to := zeroExpr, e.rawIndex(hi) // as step edge wrote it
	if lo != nil {
		from = e.rawIndex(lo)
	}
	s := span{step: 1}
	a0, okA := from.Const()
	b0, okB := to.Const()
	s.constant, s.from, s.to = okA && okB, a0, b0
	_, maxLo := from.Range(e.boundOf)
	minHi, _ := to.Range(e.boundOf)
	s.some = maxLo < minHi
	s.lo, s.hi = e.scalarExpr(from), e.scalarExpr(to)
	return s
}

// carried are a loop's carries as registers: one entry per carry and coordinate.
func (e *emitter) carried(f *loop.For, pick func(*loop.Carry) *loop.Value) []value.Value {
	var out []value.Value
	for _, c := range f.Carry {
		e.each(c.In.Axes, func() {
			out = append(out, e.as(pick(c), c.In))
		})
	}
	return out
}

// bindCarried makes regs the values of what pick names.
func (e *emitter) bindCarried(f *loop.For, regs []value.Value, pick func(*loop.Carry) *loop.Value) {
	for _, c := range f.Carry {
		v := pick(c)
		e.each(c.In.Axes, func() {
			e.scope.memo[memoKey{v, e.flat(v), 0}] = regs[0]
			regs = regs[1:]
		})
	}
}

func (e *emitter) forLoop(f *loop.For) {
	stmtValues(f, func(v *loop.Value) { e.exchange(v) })
	s := e.spanOf(f.Axis, f.Lo, f.Hi)
	regs := e.carried(f, func(c *loop.Carry) *loop.Value { return c.Init })
	old, had := e.bind[f.Axis]
	e.planAhead(f)
	body := func(i binding, in []value.Value) []value.Value {
		e.bind[f.Axis] = i
		if e.inRole != nil {
			e.divideOnce(f.Axis)
		}
		e.fetchAhead(f)
		e.bindCarried(f, in, func(c *loop.Carry) *loop.Value { return c.In })
		if f == e.together {
			e.points(f.Body)
		} else {
			e.stmts(f.Body)
		}
		e.turn++
		for _, c := range f.Carry {
			e.exchange(c.Next)
		}
		return e.carried(f, func(c *loop.Carry) *loop.Value { return c.Next })
	}
	if f.Axis.Bind == loop.Unroll && s.constant {
		for i := s.from; i < s.to; i++ {
			e.push()
			regs = body(binding{off: i}, regs)
			e.pop()
		}
	} else if carriesGroups(f) && !s.some {
		regs = e.settledLoop(s, regs, body)
	} else {
		regs = e.loop(s, regs, body)
	}
	if delete(e.bind, f.Axis); had {
		e.bind[f.Axis] = old
	}
	e.bindCarried(f, regs, func(c *loop.Carry) *loop.Value { return c.Out })
}

// carriesGroups reports whether what f carries are products of groups of warps.
func carriesGroups(f *loop.For) bool {
	return len(f.Carry) > 0 && !slices.ContainsFunc(f.Carry, func(c *loop.Carry) bool { return c.Next.Instr != loop.WGMMA })
}
