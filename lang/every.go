package lang

import (
	"fmt"
	"strconv"

	"mdlc/ir"
)

// every builds what runs at the end of every nth step: evals, and a graph of its own for the rest.
func (b *builder) every(s *Every, at Span) {
	if b.entry.kind != ir.EntryTrain || b.entry.stepped {
		b.fail(at, "`every` stands in a train")
	}
	count := b.static(s.Count.term(), "the count of `every`")
	n, ok := count.(Num)
	if !ok || !n.isWhole() || n.V < 1 {
		b.failHelp(s.Count.term().Span(), wholeHelp(count), "`every` wants a whole number of steps from 1 on, not %s", describe(count))
	}
	out := &ir.Every{N: int(n.V)}
	var rest, evals []*Stmt
	for _, x := range s.Body.Stmts {
		if x.Eval == "" {
			rest = append(rest, x)
			continue
		}
		b.needEval(x)
		evals = append(evals, x)
		out.Evals = append(out.Evals, x.Eval)
	}
	train := b.entry
	train.every = append(train.every, out)
	var writes []Span
	if len(rest) > 0 {
		writes = b.everyBlock(out, rest)
	}
	for _, x := range evals {
		before := len(train.writes)
		for _, w := range writes {
			if w.Pos.Offset < x.Pos.Offset {
				before++
			}
		}
		train.evals = append(train.evals, evalPlace{x.Eval, stmtSpan(x), before})
	}
	train.writes = append(train.writes, writes...)
}

// everyBlock builds the statements of an `every` as a graph of their own. It gives the places where they assign states.
func (b *builder) everyBlock(out *ir.Every, rest []*Stmt) []Span {
	train, f := b.entry, b.f
	inner := newEntry(ir.EntryTrain, fmt.Sprintf("%s every %d", train.name, out.N))
	inner.stepped, inner.f.step = true, train
	b.entry, b.f = inner, inner.f
	site := b.site
	b.site = append(append([]string{}, site...), "every "+strconv.Itoa(out.N))
	b.in(newScope(b.sc, blockScope)).block(&Block{Stmts: rest})
	inner.finishStates(b)
	out.Graph, out.Feeds = inner.f.b.Finish(inner.results...), inner.feeds
	b.entry, b.f, b.site = train, f, site
	return inner.writes
}

func (b *builder) needEval(s *Stmt) {
	if !contains(b.evals, s.Eval) {
		help := DidYouMean(s.Eval, b.evals)
		if help == "" && len(b.evals) > 0 {
			help = "the evals are " + list(b.evals)
		} else if help == "" {
			help = "`eval " + s.Eval + " { … }` at file level declares one"
		}
		b.failHelp(stmtSpan(s), help, "there is no `eval %s`", s.Eval)
	}
}

// evalHere is `eval name` in the body of a train: it runs at the end of each step, so nothing may
// change behind it.
func (b *builder) evalHere(s *Stmt, at Span) {
	if b.entry.kind != ir.EntryTrain || b.entry.stepped {
		b.fail(at, "`eval %s` stands in a train", s.Eval)
	}
	b.needEval(s)
	if len(b.loops) > 0 {
		b.failHelp(at, "put it behind the loop", "`eval %s` runs once a step, and this is a loop", s.Eval)
	}
	b.entry.every = append(b.entry.every, &ir.Every{N: 1, Evals: []string{s.Eval}})
	b.entry.evals = append(b.entry.evals, evalPlace{s.Eval, at, len(b.entry.writes)})
}

// evalPlace is an `eval` in the body of a train, and how many states had been assigned before it.
type evalPlace struct {
	name  string
	at    Span
	after int
}

// checkEvals refuses an `eval` that would see states as they are later in the step.
func (b *builder) checkEvals(e *entry) {
	for _, v := range e.evals {
		if v.after < len(e.writes) {
			w := e.writes[v.after]
			b.diags = append(b.diags, b.diagnostic(v.at, "put it at the end of the body", "`eval %s` runs at the end of the step, and line %d changes a state behind it", v.name, w.Pos.Line))
		}
	}
}
