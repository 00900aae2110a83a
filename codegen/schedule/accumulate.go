package schedule

import (
	"fmt"
	"math"
	"slices"

	"mdlc/ir/loop"
)

// acc is the accumulation of a reduction along the loops of over.
type acc struct {
	red    *loop.Value
	over   []*loop.Axis
	init   *loop.Value // final
	mem    *loop.Buffer
	idx    []*loop.Value // of mem
	passed []*loop.Axis  // loops over which mem accumulates
	part   bool          // of an accumulation around this loop
	skip   *loop.Value   // final condition under which mem is not stored
	out    *loop.Value   // final, when generated
}

// varies are the loops inside along which the result of red varies.
func (w *sweeper) varies(red *loop.Value, rest []*loop.Axis) []*loop.Axis {
	return minus(common(w.deps.value(red), rest), w.deps.over(red))
}

// accumulate decides where the accumulation n of t lives during the loop over a: in
// a carry, or, where its result varies along loops inside, in memory.
func (w *sweeper) accumulate(a *loop.Axis, rest []*loop.Axis, t *task, n *acc, f *loop.For, p *plan, before *[]loop.Stmt, s *scope) {
	varies := w.varies(n.red, rest)
	if len(varies) == 0 && !slices.Contains(w.rounds, a.Name) { // what a launch leaves for the next is in memory
		in := &loop.Value{Op: loop.CarryIn, Elem: n.red.Elem, Name: "a"}
		init := t.acc.init
		if init == nil { // a dot's accumulator starts from 0
			init = number(n.red.Elem, 0, 0)
		}
		f.Carry = append(f.Carry, &loop.Carry{Name: in.Name, Init: init, In: in})
		n.init, n.mem = in, nil
		return
	}
	if n.mem == nil {
		axes := append(w.togetherIn(a, n.red), varies...)
		axes = append(axes, openAxes(minus(w.deps.value(n.red), varies))...)
		if n.red.Op != loop.Dot { // partial results, until finalize
			axes = append(axes, openAxes(minus(w.deps.over(n.red), axes))...)
		}
		w.memory(n, axes)
		w.target(n, p)
	}
	n.passed = append(slices.Clone(n.passed), a)
	for _, x := range append(common(n.over, rest), n.passed...) {
		if _, ok := x.Extent.IntConst(); !ok { // there may be no first turn
			if len(n.passed) == 1 {
				zero := &loop.Store{Buf: n.mem, Index: n.idx, Val: start(n.red)}
				*before = append(*before, w.gen([]*task{{store: zero}}, rest, s.inner())...)
			}
			n.init = load(n.mem, n.idx, nil)
			return
		}
	}
	n.init = w.reload(n)
}

// togetherIn are the axes of red whose points go through the loop over a together: they have sums of their own.
func (w *sweeper) togetherIn(a *loop.Axis, red *loop.Value) []*loop.Axis {
	var out []*loop.Axis
	for _, x := range w.deps.value(red) {
		if slices.ContainsFunc(w.together, func(o loop.Opt) bool { return o.Axis == x.Name && o.Word == a.Name }) {
			out = append(out, x)
		}
	}
	return out
}

// target lets n accumulate where a store wants its result, if that is scratch memory.
func (w *sweeper) target(n *acc, p *plan) {
	for _, t := range p.tasks {
		if st := t.store; st != nil && st.Val == n.red && st.Buf.Mode == loop.Work && st.Guard == nil {
			w.k.Bufs = slices.DeleteFunc(w.k.Bufs, func(b *loop.Buffer) bool { return b == n.mem })
			n.mem, n.idx = st.Buf, st.Index
			p.fused[t] = true
			return
		}
	}
}

// reload is the accumulator in memory, and the unit in the first turn of all loops.
func (w *sweeper) reload(n *acc) *loop.Value {
	var later *loop.Value
	for _, a := range n.passed {
		c := binary(loop.Gt, axisValue(a), intValue(0))
		if later == nil {
			later = c
		} else {
			later = binary(loop.Or, later, c)
		}
	}
	u := start(n.red)
	if isZero(u) { // what a guarded load gives
		return load(n.mem, n.idx, later)
	}
	return where(later, load(n.mem, n.idx, later), u)
}

func isZero(v *loop.Value) bool { return v.Op == loop.Const && v.Bits == 0 }

// memory makes the panel of an accumulation over axes. Lanes are neighbours in it.
func (w *sweeper) memory(n *acc, axes []*loop.Axis) {
	n.mem = &loop.Buffer{Name: freshName(w.k, "acc"), Elem: n.red.Elem, Mode: loop.Local}
	w.k.Bufs = append(w.k.Bufs, n.mem)
	axes = inOrder(w.k, axes)
	slices.SortStableFunc(axes, func(a, b *loop.Axis) int { return slices.Index(w.lanes, a.Name) - slices.Index(w.lanes, b.Name) })
	for _, x := range axes {
		n.mem.Dims = append(n.mem.Dims, x.Max)
		n.idx = append(n.idx, axisValue(x))
	}
}

// conclude takes over the result of the inner accumulation n after the loop.
func (w *sweeper) conclude(outer, n *acc, f *loop.For, after *[]loop.Stmt, s *scope) {
	if n.mem != nil {
		outer.out = w.finalize(outer.red, load(n.mem, n.idx, nil))
		s.final[outer.red] = outer.out
		return
	}
	for _, c := range f.Carry {
		if c.In == n.init {
			c.Next = n.out
			c.Out = &loop.Value{Op: loop.CarryOut, Elem: c.In.Elem, Name: "b"}
			outer.out = c.Out
		}
	}
	if outer.mem != nil {
		*after = append(*after, w.memStore(outer))
	}
	if outer.part {
		if outer.red.Op == loop.Dot {
			s.final[outer.red] = outer.out
		}
		return
	}
	outer.out = w.finalize(outer.red, outer.out)
	s.final[outer.red] = outer.out
	if outer.red.Name != "" {
		outer.out.Name = outer.red.Name
	}
	if outer.out.Op != loop.CarryOut {
		s.known[outer.out] = true
		*after = append(*after, &loop.Let{Val: outer.out})
	}
}

func (w *sweeper) memStore(n *acc) loop.Stmt {
	st := loop.Stmt(&loop.Store{Buf: n.mem, Index: n.idx, Val: n.out})
	if n.skip == nil {
		return st
	}
	return &loop.If{Cond: &loop.Value{Op: loop.Not, Elem: loop.Bool, Args: []*loop.Value{n.skip}}, Body: []loop.Stmt{st}}
}

// finalize reduces the partials v over the open axes of red.
func (w *sweeper) finalize(red, v *loop.Value) *loop.Value {
	open := openAxes(w.deps.over(red))
	if len(open) == 0 || red.Op == loop.Dot {
		return v
	}
	return &loop.Value{Op: red.Op, Elem: red.Elem, Over: open, Args: []*loop.Value{v}}
}

func openAxes(axes []*loop.Axis) []*loop.Axis {
	var out []*loop.Axis
	for _, a := range axes {
		if a.IsOpen() {
			out = append(out, a)
		}
	}
	return out
}

// combine is one step of an accumulation.
func (w *sweeper) combine(n *acc, s *scope) *loop.Value {
	red := n.red
	if red.Op == loop.Dot {
		d := &loop.Value{Op: loop.Dot, Elem: red.Elem, Instr: red.Instr, Pos: red.Pos, Name: red.Name, Args: []*loop.Value{w.emit(red.Args[0], s), w.emit(red.Args[1], s)}}
		d.Over = openAxes(w.deps.over(red)) // the others have loops around here
		if n.init != nil {
			d.Args = append(d.Args, n.init)
		}
		return d
	}
	step, ok := steps[red.Op]
	if !ok {
		panic(fmt.Sprintf("schedule: step sweep: no loop for %s", red.Op))
	}
	return binary(step, n.init, w.emit(red.Args[0], s))
}

// steps are the two-operand forms of reductions.
var steps = map[loop.Op]loop.Op{
	loop.ReduceSum: loop.Add, loop.ReduceSeq: loop.Add, loop.ReduceProd: loop.Mul, loop.ReduceMin: loop.Min, loop.ReduceMax: loop.Max,
}

// first is start, and nothing for a dot, whose row starts from 0 by itself.
func first(red *loop.Value) *loop.Value {
	if red.Op == loop.Dot {
		return nil
	}
	return start(red)
}

// start is what an accumulation of red starts from.
func start(red *loop.Value) *loop.Value {
	switch red.Op {
	case loop.ReduceProd:
		return number(red.Elem, 1, 1)
	case loop.ReduceMin:
		return number(red.Elem, math.Inf(1), largest(red.Elem))
	case loop.ReduceMax:
		return number(red.Elem, math.Inf(-1), smallest(red.Elem))
	}
	return number(red.Elem, 0, 0)
}

func largest(e loop.Elem) int64 {
	switch e {
	case loop.U8:
		return math.MaxUint8
	case loop.U32:
		return math.MaxUint32
	}
	return 1<<(8*e.Size()-1) - 1
}

func smallest(e loop.Elem) int64 {
	if e == loop.U8 || e == loop.U32 {
		return 0
	}
	return -1 << (8*e.Size() - 1)
}
