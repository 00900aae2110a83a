package lang

import (
	"fmt"

	"mdlc/ir/index"
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
		b.failHelp(at, wholeHelp(n), "`repeat` wants a count, not %s", describe(n))
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
				b.failHelp(at, wholeHelp(end), "a range goes from a whole number to one, not %s", describe(end))
			}
		}
	case Num, Size:
		if e := exprOf(v); e != nil {
			if k, ok := e.Const(); ok && k < 0 {
				b.fail(at, "a loop cannot run %d times", k)
			}
			return b.orNone(e)
		}
		b.failHelp(at, wholeHelp(v), "a loop runs a whole number of times, not %s", describe(v))
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
