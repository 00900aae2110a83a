package lang

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
)

// What hangs on lengths that only a run knows, as whether `a[:N]` ends inside of a, the run looks at before it begins. The
// compiler gives it what must hold as needs of the entry.

// complaint is what to say where a need does not hold; every %v of its message is one of values.
type complaint struct {
	at      Span
	help    string // "": byLength, in a run
	message string
	values  []*index.Expr
	shape   bool // a shape hangs on it, so that a `where` whose other side is taken does not help
}

// byLength is how to do without what some lengths do not allow.
const byLength = "`if n > 3 { … }` leaves out what the length n does not allow"

// condition is what is known of an `if` or a `where` around the code that is built.
type condition struct {
	holds []*index.Expr // it is true just where none of these is negative; none: data decide
	skips bool          // an `if`: where it is false, nothing is computed
}

// need wants e not to be negative wherever the code that is built now runs: what cannot hold is a mistake, and what the compiler
// does not know is a need of the entry.
func (b *builder) need(e *index.Expr, c complaint) {
	if b.f == nil { // of file level, where there are no lengths
		return
	}
	e = trim(e)
	if b.notNegative(e) {
		return
	}
	n, data := index.Need{E: e, Text: c.message, Values: c.values}, false
	for _, g := range b.conditions {
		if g.skips || !c.shape {
			n.When = append(n.When, g.holds...)
			data = data || g.holds == nil
		}
	}
	if slices.ContainsFunc(n.When, func(w *index.Expr) bool { return b.notNegative(index.Sub(e, w)) }) {
		return // it holds wherever it counts
	}
	runs, fixed := b.inLoops(&n)
	if !runs {
		return
	}
	if _, hi := e.Range(b.bounds); hi < 0 && (n.When == nil || isConst(e)) {
		texts := make([]any, len(c.values))
		for i, v := range c.values {
			texts[i] = v
		}
		b.failHelp(c.at, c.help, c.message, texts...)
	}
	if data && !c.shape {
		return // an element outside is 0, and data tell whether it counts
	}
	if fixed {
		if text, broken := n.Broken(nil); broken {
			b.failHelp(c.at, c.help, "%s", text)
		}
		return
	}
	at, _ := b.outsideLibrary(c.at)
	need := ir.Need{Need: n, Help: cmp.Or(c.help, byLength), Pos: posOf(at)}
	same := func(o ir.Need) bool { return o.Pos == need.Pos && o.Text == need.Text && index.Equal(o.E, e) }
	if !slices.ContainsFunc(b.entry.needs, same) {
		b.entry.needs = append(b.entry.needs, need)
	}
}

// ofGraph refuses what the graph that is built does not know: how much data there are.
func (b *builder) ofGraph(e *index.Expr, at Span) {
	e.Vars(func(name string) {
		if _, known := b.f.b.Scope().Lookup(name); !known {
			b.failHelp(at, "`train for n * len(d.train) div batch`; elsewhere an entry of `config` can be the number", "how long a part of the data is, is known when it is read: only the count of a `train` may hang on it")
		}
	})
}

// notNegative reports whether e is known never to be negative.
func (b *builder) notNegative(e *index.Expr) bool {
	lo, _ := e.Range(b.bounds)
	return lo >= 0
}

// inLoops makes n one of the entry: of all turns of the loops around. runs is false where there are no turns, fixed true where the
// compiler knows all lengths.
func (b *builder) inLoops(n *index.Need) (runs, fixed bool) {
	used := map[string]bool{}
	use := func(e *index.Expr) { e.Vars(func(name string) { used[name] = true }) }
	n.Exprs(use)
	for f := b.f; f.outer != nil; f = f.outer {
		k, known := f.count.Const()
		switch {
		case known && k == 0:
			return false, false
		case used[f.turnSym]:
			n.Turns = slices.Insert(n.Turns, 0, index.Turn{Name: f.turnSym, Count: f.count})
			use(f.count)
		case !known:
			n.When = append(n.When, index.Sub(f.count, index.C(1)))
			use(f.count)
		}
	}
	fixed = true
	for _, name := range slices.Sorted(maps.Keys(used)) {
		y, _ := b.f.b.Scope().Lookup(name)
		switch {
		case strings.HasPrefix(name, ir.FlagLength("")):
			fixed = false
		case !slices.ContainsFunc(n.Turns, func(t index.Turn) bool { return t.Name == name }):
			least := b.entry.made[name] // a turn that is 0, 1, … stands for any number of turns made
			n.Subst(name, index.Sum(index.V(name), index.C(least)))
			n.Turns = slices.Insert(n.Turns, 0, index.Turn{Name: name, Count: index.C(y.Max + 1 - least)})
		}
	}
	return true, fixed
}

// under builds code that counts only where cond is true, or (not) false. skips: otherwise it does not run.
func (b *builder) under(cond Value, not, skips bool, build func()) {
	g := condition{skips: skips}
	if t, ok := cond.(Tensor); ok && b.entry != nil {
		if g.holds = b.entry.holds[t.N]; not {
			g.holds = negated(g.holds)
		}
	}
	defer func(old []condition) { b.conditions = old }(b.conditions)
	b.conditions = append(slices.Clip(b.conditions), g)
	build()
}

// negated is what is not negative where something of holds is; nil: that is no one expression.
func negated(holds []*index.Expr) []*index.Expr {
	if len(holds) != 1 {
		return nil
	}
	return []*index.Expr{index.Sub(index.C(-1), holds[0])}
}

// compared notes when a comparison of lengths is true, or `and` or `not` of some.
func (b *builder) compared(op string, l, r, result Value) {
	t, ok := result.(Tensor)
	if !ok || b.entry == nil {
		return
	}
	var holds []*index.Expr
	x, y := exprOf(l), exprOf(r)
	switch {
	case op == "and":
		l, r := b.holdsOf(l), b.holdsOf(r)
		if l != nil && r != nil {
			holds = slices.Concat(l, r)
		}
	case op == "not":
		holds = negated(b.holdsOf(l))
	case x == nil || y == nil:
	case op == "<=":
		holds = []*index.Expr{index.Sub(y, x)}
	case op == ">=":
		holds = []*index.Expr{index.Sub(x, y)}
	case op == "<":
		holds = []*index.Expr{index.Sub(index.Sub(y, x), index.C(1))}
	case op == ">":
		holds = []*index.Expr{index.Sub(index.Sub(x, y), index.C(1))}
	case op == "==":
		holds = []*index.Expr{index.Sub(x, y), index.Sub(y, x)}
	}
	if holds != nil {
		b.entry.holds[t.N] = holds
	}
}

func (b *builder) holdsOf(v Value) []*index.Expr {
	if t, ok := v.(Tensor); ok {
		return b.entry.holds[t.N]
	}
	return nil
}
