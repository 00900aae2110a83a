package lang

import (
	"maps"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// A loop of the program: one region for all turns.

// tryRolled makes one loop op, or says what must be known to the compiler turn by turn.
func (b *builder) tryRolled(names []string, over []Value, count *index.Expr, body *Block, at Span) (why *Diagnostic) {
	diags, calls, turns, loops, runs, site, f := len(b.diags), len(b.calls), b.turns, b.loops, b.runs, b.site, b.f
	nth, written := maps.Clone(b.nth), maps.Clone(b.written)
	saved := saveLocals(b.sc)
	needs := 0
	if b.entry != nil {
		needs = len(b.entry.needs)
	}
	b.unrollable++
	defer func() {
		b.unrollable--
		r := recover()
		if r == nil {
			return
		}
		reason, again := r.(notStatic)
		if !again {
			panic(r)
		}
		b.diags, b.calls, b.turns, b.loops, b.runs, b.site, b.f, b.nth, b.written = b.diags[:diags], b.calls[:calls], turns, loops, runs, site, f, nth, written
		if saved(); b.entry != nil {
			b.entry.needs = b.entry.needs[:needs]
		}
		why = &reason.d
	}()
	b.rolled(names, over, count, body, at)
	return nil
}

// saveLocals remembers the names of a function, to undo assignments.
func saveLocals(s *scope) func() {
	type kept struct {
		s    *scope
		vars map[string]Value
	}
	var all []kept
	for ; s != nil; s = s.outer {
		vars := map[string]Value{}
		for n, v := range s.vars {
			vars[n] = v
		}
		all = append(all, kept{s, vars})
		if s.kind != blockScope {
			break
		}
	}
	return func() {
		for _, k := range all {
			k.s.vars = k.vars
		}
	}
}

// carried is a name that was bound before a loop and is assigned inside.
type carried struct {
	name    string
	home    *scope
	initial *ir.Node
	param   Tensor
}

func (b *builder) carries(body *Block, f *frame, at Span) []*carried {
	var out []*carried
	for _, name := range assigned(body) {
		v, home := b.sc.local(name)
		if home == nil {
			continue
		}
		t, ok := b.tensorLike(v, b.elemFor(v))
		if !ok {
			if _, poisoned := v.(Poison); poisoned {
				panic(silent{})
			}
			d := b.diagnostic(at, "", "`%s` is %s and changes in this loop", name, describe(v))
			if b.unrollable > 0 {
				panic(notStatic{d})
			}
			panic(mistake{d})
		}
		c := &carried{name: name, home: home, initial: b.node(t)}
		c.param = f.carry(name, c.initial.Type)
		c.param.One = t.One
		out = append(out, c)
	}
	return out
}

// rolled builds a loop op.
func (b *builder) rolled(names []string, over []Value, count *index.Expr, body *Block, at Span) {
	outer := b.f
	f := outer.region("loop", count)
	carried := b.carries(body, f, at)
	for _, c := range carried {
		c.home.define(c.name, c.param)
	}
	b.f = f
	b.at(at)
	run := &loopRun{frame: f, body: f, names: names, over: over, scope: newScope(b.sc, blockScope)}
	for i, n := range names {
		run.scope.define(n, b.turnValue(over[i]))
	}
	b.enter(run, turnCount{frame: f, count: outer.b.Scope().Capacity(count)})
	r := b.in(run.scope).block(body)
	b.leave()
	if r != nil {
		b.ifPoisoned(r)
		b.fail(at, "`return` cannot stand in a loop")
	}
	var next, outputs, initial []*ir.Node
	for _, c := range carried {
		next = append(next, b.nextValue(c, at))
		initial = append(initial, c.initial)
	}
	for _, c := range run.collects {
		outputs = append(outputs, b.node(c.value))
	}
	for _, t := range run.notices {
		outputs = append(outputs, t.values...)
	}
	b.f = outer
	b.at(at)
	results := b.closeLoop(f, initial, next, outputs)
	for i, c := range carried {
		c.home.define(c.name, Tensor{N: ir.Named(results[i], c.name), F: outer, One: c.param.One})
	}
	for i, c := range run.collects {
		n := results[len(next)+i]
		order := make([]int, n.Type.Rank())
		for k := range order {
			switch {
			case k == c.axis:
				order[k] = 0
			case k < c.axis:
				order[k] = k + 1
			default:
				order[k] = k
			}
		}
		y := b.tensor(outer.b.Permute(n, order...))
		if c.down {
			y = b.backwards(y, []int{c.axis})
		}
		b.sc.define(c.name, y)
	}
	left := results[len(next)+len(run.collects):]
	for _, t := range run.notices {
		turns := left[:len(t.values)]
		left = left[len(turns):]
		t.values = t.join(b, turns)
		b.tell(t)
	}
}

// turnValue is what a loop's name stands for in a turn of a loop op.
func (b *builder) turnValue(over Value) Value {
	turn := Tensor{N: b.f.turn, F: b.f}
	switch v := over.(type) {
	case StackedList:
		return InstanceRef{v.Proto, turns{{stack: v.Level, loop: b.f}}, v.Frozen}
	case Range:
		if v.Down {
			return b.binary("-", b.foldSizes("-", exprOf(v.To), index.C(1), b.current), turn, b.current)
		}
		return b.binary("+", turn, v.From, b.current)
	}
	return turn
}

// nextValue is the value of a carried name at the end of a turn, in the type it had.
func (b *builder) nextValue(c *carried, at Span) *ir.Node {
	v := c.home.vars[c.name]
	if _, poisoned := v.(Poison); poisoned {
		panic(silent{})
	}
	want := c.param.N.Type
	t, ok := b.tensorLike(v, want.Elem)
	if ok && want.Elem.IsFloat() && t.N.Type.Elem.IsInt() {
		t = b.cast(t, want.Elem)
	}
	if ok && t.N.Type.Elem == want.Elem {
		if fit, why := b.broadcastTo(t, want.Dims); why == "" {
			return b.node(fit)
		}
	}
	have := describe(v)
	d := b.diagnostic(at, "give it its type before the loop, as in `"+c.name+": f32[…] = 0`", "`%s` is %s before this loop and %s after a turn", c.name, typeText(want), have)
	if b.unrollable > 0 {
		panic(notStatic{d})
	}
	panic(mistake{d})
}

func (b *builder) enter(run *loopRun, t turnCount) {
	b.runs = append(append([]*loopRun{}, b.runs...), run)
	b.loops = append(append([]turnCount{}, b.loops...), t)
}

func (b *builder) leave() {
	b.runs = b.runs[:len(b.runs)-1]
	b.loops = b.loops[:len(b.loops)-1]
}

// collect takes `y[:, t] = v`, where y does not exist and t is the loop's name.
func (b *builder) collect(t *IndexTerm, name string, v Value, at Span) {
	var run *loopRun
	axis := -1
	if len(b.runs) > 0 {
		run = b.runs[len(b.runs)-1]
	}
	rank, turn := 0, ""
	for i, s := range t.Indices {
		n, _ := freeName(s)
		switch {
		case run != nil && contains(run.names, n) && axis < 0:
			axis, turn = i, n
		case s.Slice && s.From == nil && s.To == nil:
			rank++
		default:
			if n != "" && !s.Rest {
				b.hidden(s)
			}
			b.failHelp(s.Span, "`"+name+": f32[…] = 0` before makes it", "`%s` does not exist, so no slot of it can be set", name)
		}
	}
	if axis < 0 {
		b.failHelp(at, "`"+name+": f32[…] = 0` before makes it", "`%s` does not exist, so no slot of it can be set", name)
	}
	over, _ := run.over[slices.Index(run.names, turn)].(Range)
	if b.f != run.body {
		b.failHelp(at, "bind a value in both branches, and set the slot behind the `if`", "an `if` that is decided at run time cannot leave elements of `%s` out", name)
	}
	x, ok := b.tensorLike(v, b.elemFor(v))
	if !ok {
		b.fail(at, "a loop collects tensors, not %s", describe(v))
	}
	if x.N.Type.Elem == loop.I32 {
		if n, isNum := v.(Num); isNum && !n.Whole {
			x = b.cast(x, b.float)
		}
	}
	if x.N.Type.Rank() < rank {
		b.fail(at, "`%s` is set to %s: that has too few axes for this bracket", b.src.text(t.Span()), describe(v))
	}
	for _, c := range run.collects {
		if c.name == name {
			if run.frame != nil || len(c.values) > run.at {
				b.fail(at, "`%s` is set twice in a turn", name)
			}
			c.values = append(c.values, x)
			return
		}
	}
	run.collects = append(run.collects, &collect{name: name, value: Tensor{N: b.node(x), F: b.f, One: x.One}, values: []Tensor{x}, axis: axis, down: over.Down, span: at})
}
