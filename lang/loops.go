package lang

import (
	"fmt"
	"maps"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// A loopRun is a `for` or `repeat` being built: as one loop op, or turn by turn.
type loopRun struct {
	frame    *frame // nil: unrolled
	body     *frame // where the body is built
	names    []string
	over     []Value // what the names run over
	scope    *scope  // of the body
	at       int     // the turn, unrolled
	count    int
	collects []*collect
	notices  []notice // frame is not nil: what leaves each turn to be told behind the loop
}

const maxUnroll = 1024

const eachHelp = "a step takes the next batch by `each x: f32[32, n], y: i32[32] from d.train`; `train for n` repeats it"

func (b *builder) forStmt(s *For, at Span) {
	if len(s.Names) != len(s.In) {
		help := ""
		if e, ok := s.In[0].term().(*FieldTerm); ok {
			if _, ok := b.eval(e).(Split); ok {
				help = eachHelp
			}
		}
		b.failHelp(at, help, "%s and %s: each name runs over one", plural(len(s.Names), "name"), plural(len(s.In), "thing to run over"))
	}
	var over []Value
	for _, e := range s.In {
		v := b.eval(e.term())
		if _, ok := v.(Poison); ok {
			panic(silent{})
		}
		over = append(over, v)
	}
	b.runLoop(s.Names, over, s.Body, at)
}

func (b *builder) repeatStmt(s *Repeat, at Span) {
	n := b.static(s.Count.term(), "the count of `repeat`")
	if exprOf(n) == nil {
		b.fail(at, "`repeat` wants a count, not %s", describe(n))
	}
	b.runLoop(nil, []Value{n}, s.Body, at)
}

// turnsOf is how often a loop over v runs.
func (b *builder) turnsOf(v Value, at Span) *index.Expr {
	switch v := v.(type) {
	case List:
		return index.C(len(v.Items))
	case StackedList:
		return index.C(v.Level.n)
	case Range:
		from, to := exprOf(v.From), exprOf(v.To)
		if from != nil && to != nil {
			return b.orNone(index.Sub(to, from))
		}
		for _, end := range []Value{v.From, v.To} {
			if t, ok := end.(Tensor); ok {
				b.needStatic(at, t, "the count of a loop")
			}
			if exprOf(end) == nil {
				b.fail(at, "a range goes from a whole number to one, not %s", describe(end))
			}
		}
	case Num, Size:
		if e := exprOf(v); e != nil {
			if k, ok := e.Const(); ok && k < 0 {
				b.fail(at, "a loop cannot run %d times", k)
			}
			return b.orNone(e)
		}
		b.fail(at, "a loop runs a whole number of times, not %s", describe(v))
	case Tensor:
		b.needStatic(at, v, "the count of a loop")
	}
	if _, ok := v.(Split); ok {
		b.failHelp(at, eachHelp, "`for` cannot run over %s", describe(v))
	}
	b.failHelp(at, "a count, `range(a, b)`, `reverse(…)` or a list", "`for` cannot run over %s", describe(v))
	return nil
}

// orNone is a count, 0 where it would be negative: N - 1 where N is 0.
func (b *builder) orNone(n *index.Expr) *index.Expr {
	if n.Op == index.Var { // a length
		return n
	}
	n = index.Most(n, index.C(0))
	if b.f == nil {
		return n
	}
	return n.SimplifyIn(b.bounds)
}

func (b *builder) runLoop(names []string, over []Value, body *Block, at Span) {
	var count *index.Expr
	rolled := !effects(body)
	for i, v := range over {
		n := b.turnsOf(v, at)
		if i > 0 && !index.Equal(n, count) {
			b.fail(at, "these run %s and %s times", count, n)
		}
		count = n
		if _, ok := v.(List); ok {
			rolled = false
		}
	}
	k, known := count.Const()
	if known && k == 0 {
		return
	}
	if b.f == nil && known && k <= maxUnroll {
		b.unrolled(names, over, k, body) // settings are computed
		return
	}
	b.needGraph(at)
	if known && k == 1 {
		rolled = false
	}
	defer b.poisonCollected(len(b.diags), body)
	b.noteInner(body, at)
	var why *Diagnostic
	if rolled {
		if !known {
			b.rolled(names, over, count, body, at)
			return
		}
		if why = b.tryRolled(names, over, count, body, at); why == nil {
			return
		}
	}
	if !known {
		b.fail(at, "the count %s is known at run time only, and this loop must be unrolled", count)
	}
	if k > maxUnroll && why != nil {
		panic(mistake{b.withNotes(*why, fmt.Sprintf("so the loop of line %d would be unrolled %d times, more than %d", at.Pos.Line, k, maxUnroll))})
	}
	if k > maxUnroll {
		b.fail(at, "`each`, `minimize`, `report`, `show` and `<-` run turn by turn: this loop would be unrolled %d times, more than %d", k, maxUnroll)
	}
	if why != nil {
		b.noteTurns(at, k, *why)
	}
	b.unrolled(names, over, k, body)
}

// poisonCollected keeps arrays that a loop with a mistake would have collected from being unknown names.
func (b *builder) poisonCollected(wrong int, body *Block) {
	if len(b.diags) == wrong {
		return
	}
	for _, n := range assigned(body) {
		if v, _ := b.sc.find(n); v == nil {
			b.sc.define(n, Poison{})
		}
	}
}

// noteInner remembers the names that only a block binds, to say so where one is used behind it, or before it is bound.
func (b *builder) noteInner(body *Block, at Span) {
	for _, n := range assigned(body) {
		if v, _ := b.sc.find(n); v == nil {
			b.inner[n] = innerName{at, len(b.calls)}
		}
	}
}

// innerName is where the block stands that binds a name, and in how many calls.
type innerName struct {
	at    Span
	calls int
}

// effects: batches and updates happen turn by turn.
func effects(bl *Block) bool {
	for _, s := range bl.Stmts {
		switch {
		case s.Each != nil || s.Minimize != nil || s.Report != nil || s.Show != nil || s.Assign != nil && s.Assign.Op == "<-":
			return true
		case s.If != nil && (effects(s.If.Then) || s.If.Else != nil && effects(s.If.Else)):
			return true
		case s.For != nil && effects(s.For.Body), s.Repeat != nil && effects(s.Repeat.Body):
			return true
		}
	}
	return false
}

// tryRolled makes one loop op, or says what must be known to the compiler turn by turn.
func (b *builder) tryRolled(names []string, over []Value, count *index.Expr, body *Block, at Span) (why *Diagnostic) {
	diags, calls, turns, loops, runs, site, f := len(b.diags), len(b.calls), b.turns, b.loops, b.runs, b.site, b.f
	nth, written := maps.Clone(b.nth), maps.Clone(b.written)
	saved := saveLocals(b.sc)
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
		saved()
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
	top, _ := count.Const()
	b.enter(run, turnCount{frame: f, count: top})
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

// unrolled runs the body turn by turn.
func (b *builder) unrolled(names []string, over []Value, count int, body *Block) {
	run := &loopRun{body: b.f, names: names, over: over, count: count}
	before, after := b.nth, maps.Clone(b.nth)
	for i := range count {
		b.nth = maps.Clone(before) // a draw in a loop is the same draw in each turn
		run.at, run.scope = i, newScope(b.sc, blockScope)
		for k, n := range names {
			run.scope.define(n, b.item(over[k], i))
		}
		b.enter(run, turnCount{at: i, count: count})
		r := b.in(run.scope).block(body)
		b.leave()
		if r != nil {
			b.ifPoisoned(r)
			b.fail(b.current, "`return` cannot stand in a loop")
		}
		for path, n := range b.nth {
			after[path] = max(after[path], n)
		}
	}
	b.nth = after
	for _, c := range run.collects {
		if len(c.values) != count {
			b.fail(c.span, "the loop sets %d of %d elements of `%s`", len(c.values), count, c.name)
		}
		var items []Value
		for _, v := range c.values {
			items = append(items, v)
		}
		if c.down {
			slices.Reverse(items)
		}
		b.sc.define(c.name, stackBuiltin(b, &call{name: "stack", args: []Value{List{items}, whole(c.axis)}, span: c.span}))
	}
}

func (b *builder) item(over Value, i int) Value {
	switch v := over.(type) {
	case List:
		return v.Items[i]
	case StackedList:
		return v.at(i)
	case Range:
		if v.Down {
			return b.foldSizes("-", exprOf(v.To), index.C(i+1), b.current)
		}
		return b.foldSizes("+", exprOf(v.From), index.C(i), b.current)
	}
	return whole(i)
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
			x = b.cast(x, loop.F32)
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
