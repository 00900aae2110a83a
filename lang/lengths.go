package lang

import (
	"cmp"
	"fmt"
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
	help    string // "": to do without, in a run
	message string
	values  []*index.Expr
	shape   bool // a shape hangs on it, so that a `where` whose other side is taken does not help
}

// without is how to do without what the lengths of n do not allow.
func without(n *index.Need) string {
	of := ""
	n.Exprs(func(e *index.Expr) {
		e.Vars(func(name string) {
			if flag, ok := strings.CutPrefix(name, ir.FlagLength("")); ok && of == "" {
				of = flag
			}
		})
	})
	if of == "" {
		return "`if` leaves out what the length does not allow"
	}
	return fmt.Sprintf("`if len(%s) > 3 { … }` leaves out what the length does not allow", of)
}

// condition is what is known of an `if` or a `where` around the code that is built.
type condition struct {
	holds cases
	skips bool // an `if`: where it is false, nothing is computed
}

// cases are when a truth value is true: in one of them, in which nothing is negative, and if data decide, too, not always there.
type cases struct {
	any  [][]*index.Expr
	data bool
}

var anyLength, byData = cases{any: [][]*index.Expr{{}}}, cases{any: [][]*index.Expr{{}}, data: true}

// mostCases is how many are told apart.
const mostCases = 16

func oneCase(notNegative ...*index.Expr) cases { return cases{any: [][]*index.Expr{notNegative}} }

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
	when := anyLength
	for _, g := range b.conditions {
		if g.skips || !c.shape {
			when = b.both(when, g.holds)
		}
	}
	for _, w := range when.any {
		b.needWhere(index.Need{E: e, When: w, Text: c.message, Values: c.values}, c, when.data)
	}
}

// needWhere is a need in one case. data: they decide, too, whether it counts.
func (b *builder) needWhere(n index.Need, c complaint, data bool) {
	if slices.ContainsFunc(n.When, func(w *index.Expr) bool { return b.notNegative(index.Sub(n.E, w)) }) {
		return // it holds wherever it counts
	}
	runs, fixed := b.inLoops(&n)
	if !runs {
		return
	}
	if b.never(n.E) && (len(n.When) == 0 || isConst(n.E)) {
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
	need := ir.Need{Need: n, Help: cmp.Or(c.help, without(&n)), Pos: posOf(at)}
	if !slices.ContainsFunc(b.entry.needs, func(o ir.Need) bool { return o.Pos == need.Pos && o.Equal(&n) }) {
		b.entry.needs = append(b.entry.needs, need)
	}
}

// never reports whether e is known always to be negative.
func (b *builder) never(e *index.Expr) bool {
	_, hi := e.Range(b.bounds)
	return hi < 0
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
	g := condition{b.holdsOf(cond), skips}
	if not {
		g.holds = b.neither(g.holds)
	}
	defer func(old []condition) { b.conditions = old }(b.conditions)
	b.conditions = append(slices.Clip(b.conditions), g)
	build()
}

// both is when c and d are true.
func (b *builder) both(c, d cases) cases {
	out := cases{data: c.data || d.data}
	for _, x := range c.any {
		for _, y := range d.any {
			if both := slices.Concat(x, y); !b.contradict(both) {
				out.any = append(out.any, both)
			}
		}
	}
	if len(out.any) > mostCases {
		return cases{c.any, true}
	}
	return out
}

// contradict reports whether one of es is seen to be negative wherever the others are not.
func (b *builder) contradict(es []*index.Expr) bool {
	for i, e := range es {
		if b.never(e) || slices.ContainsFunc(es[:i], func(f *index.Expr) bool { return b.never(index.Sum(e, f)) }) {
			return true
		}
	}
	return false
}

// neither is when c is false: where in every case something is negative.
func (b *builder) neither(c cases) cases {
	if c.data {
		return byData
	}
	out := anyLength
	for _, x := range c.any {
		var broken cases
		for _, e := range x {
			broken.any = append(broken.any, []*index.Expr{index.Sub(index.C(-1), e)})
		}
		out = b.both(out, broken)
	}
	return out
}

// compared notes when a comparison of lengths is true, or what `and`, `or` and `not` make of some.
func (b *builder) compared(op string, l, r, result Value) {
	t, ok := result.(Tensor)
	if !ok || b.entry == nil {
		return
	}
	x, y := exprOf(l), exprOf(r)
	least := func(n int, x, y *index.Expr) *index.Expr { return index.Sub(index.Sub(x, y), index.C(n)) } // x - y is n at least
	holds := byData
	switch {
	case op == "and":
		holds = b.both(b.holdsOf(l), b.holdsOf(r))
	case op == "or":
		holds = b.neither(b.both(b.neither(b.holdsOf(l)), b.neither(b.holdsOf(r))))
	case op == "not":
		holds = b.neither(b.holdsOf(l))
	case x == nil || y == nil:
	case op == "<=":
		holds = oneCase(least(0, y, x))
	case op == ">=":
		holds = oneCase(least(0, x, y))
	case op == "<":
		holds = oneCase(least(1, y, x))
	case op == ">":
		holds = oneCase(least(1, x, y))
	case op == "==":
		holds = oneCase(least(0, x, y), least(0, y, x))
	case op == "!=":
		holds = b.neither(oneCase(least(0, x, y), least(0, y, x)))
	}
	b.entry.holds[t.N] = holds
}

func (b *builder) holdsOf(v Value) cases {
	if t, ok := v.(Tensor); ok && b.entry != nil {
		if c, ok := b.entry.holds[t.N]; ok {
			return c
		}
	}
	return byData
}
