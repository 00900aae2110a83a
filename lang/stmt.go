package lang

import (
	"slices"

	"mdlc/ir"
)

// block runs statements; it gives what a `return` in them returns, or nil.
func (b *builder) block(bl *Block) Value {
	for i, s := range bl.Stmts {
		if i > 0 && b.refused(bl.Stmts[i-1]) && s.Assign != nil && s.Assign.Op == "" {
			continue // what the word before it would go on with: that is refused
		}
		var r Value
		b.guard(func() { r = b.stmt(s) }, func() {
			for _, n := range assigned(&Block{Stmts: []*Stmt{s}}) {
				b.sc.assign(n, Poison{})
			}
			if returnsIn(s) {
				r = Poison{}
			}
		})
		if r != nil {
			return r
		}
	}
	return nil
}

// bareName is a statement that is a name alone, or "".
func bareName(s *Stmt) string {
	if s.Assign == nil || s.Assign.Op != "" || len(s.Assign.Targets) != 1 {
		return ""
	}
	n, _ := s.Assign.Targets[0].term().(*NameTerm)
	if n == nil {
		return ""
	}
	return n.Name
}

// refused reports whether a statement is a word that cannot stand alone: `sample` or `train`, a misspelt one, or a function.
func (b *builder) refused(s *Stmt) bool {
	name := bareName(s)
	if runsEntry(s) || name == "" {
		return name != ""
	}
	v, _ := b.sc.find(name)
	_, function := v.(Func)
	return function || v == nil && nearWord(name) != ""
}

// runsEntry is the word of `sample x`, which is written as though it were a statement like `eval x`.
func runsEntry(s *Stmt) bool { n := bareName(s); return n == "sample" || n == "train" }

// returnsIn reports whether a `return` stands in a statement.
func returnsIn(s *Stmt) bool {
	in := func(bl *Block) bool { return bl != nil && slices.ContainsFunc(bl.Stmts, returnsIn) }
	switch {
	case s.Return != nil:
		return true
	case s.If != nil:
		return in(s.If.Then) || in(s.If.Else) || s.If.ElseIf != nil && returnsIn(&Stmt{If: s.If.ElseIf})
	case s.For != nil:
		return in(s.For.Body)
	case s.Repeat != nil:
		return in(s.Repeat.Body)
	case s.While != nil:
		return in(s.While.Body)
	}
	return false
}

func stmtSpan(s *Stmt) Span { return Span{s.Pos, s.EndPos} }

func (b *builder) stmt(s *Stmt) Value {
	at := stmtSpan(s)
	b.at(at)
	switch {
	case s.Return != nil:
		return b.returns(s.Return, at)
	case s.If != nil:
		return b.ifStmt(s.If, at)
	case s.For != nil:
		b.forStmt(s.For, at)
	case s.Repeat != nil:
		b.repeatStmt(s.Repeat, at)
	case s.While != nil:
		b.whileStmt(s.While, at)
	case s.Generate != nil:
		b.generate(s.Generate, at)
	case s.Assign != nil:
		b.assign(s.Assign, at)
	default:
		b.entryStmt(s, at)
	}
	return nil
}

// entryStmt are the statements of train, eval and sample.
func (b *builder) entryStmt(s *Stmt, at Span) {
	word := map[bool]string{s.Each != nil: "each", s.Minimize != nil: "minimize", s.Report != nil: "report", s.Show != nil: "show", s.Every != nil: "every", s.Eval != "": "eval"}[true]
	if len(b.calls) > 0 || b.entry == nil {
		b.fail(at, "`%s` stands in train, eval or sample, not in a function", word)
	}
	for f := b.f; f.outer != nil; f = f.outer {
		switch {
		case !f.branch:
			b.fail(at, "`%s` inside a loop that runs as a loop is not supported", word)
		case s.Minimize == nil && s.Report == nil:
			help := ""
			if word == "show" && b.entry.kind == ir.EntrySample {
				help = "what is shown can be chosen: `show where c then x else y`"
			} else if word == "show" || word == "eval" {
				help = "`every 10 { " + b.src.text(at) + " }` runs after steps 10, 20, …"
			}
			b.failHelp(at, help, "`%s` cannot stand in an `if` that is decided at run time", word)
		}
	}
	switch {
	case s.Each != nil:
		b.each(s.Each, at)
	case s.Minimize != nil:
		b.minimize(s.Minimize, at)
	case s.Report != nil:
		b.report(s.Report)
	case s.Show != nil:
		b.show(s.Show, at)
	case s.Every != nil:
		b.every(s.Every, at)
	default:
		b.evalHere(s, at)
	}
}

func (b *builder) returns(r *Return, at Span) Value {
	if len(b.calls) == 0 {
		b.fail(at, "`return` stands in a function")
	}
	if r.Def != nil {
		t, ok := r.Values[0].term().(*IndexTerm)
		if !ok || len(r.Values) != 1 {
			b.failHelp(at, "`return y[b, o] = e`", "`return … =` names the axes of the result")
		}
		name, _ := t.X.(*NameTerm)
		if name == nil {
			b.fail(t.X.Span(), "a name is expected before the bracket")
		}
		for _, s := range t.Indices {
			if !b.isFree(s) {
				b.hidden(s)
			}
		}
		return b.defineIndexed(t.Indices, nil, r.Def.term(), at)
	}
	if len(r.Values) == 1 {
		return b.eval(r.Values[0].term())
	}
	var items []Value
	for _, v := range r.Values {
		items = append(items, b.eval(v.term()))
	}
	return Tuple{items}
}

func (b *builder) ifStmt(s *If, at Span) Value {
	cond := s.Cond.term()
	v := b.eval(cond)
	known, ok := v.(Bool)
	if !ok {
		if t, isTensor := v.(Tensor); isTensor {
			b.ifRuntime(t, s, at)
			return nil
		}
		b.fail(cond.Span(), "`if` wants a truth value, not %s", describe(v))
	}
	switch {
	case bool(known):
		return b.block(s.Then)
	case s.ElseIf != nil:
		return b.ifStmt(s.ElseIf, at)
	case s.Else != nil:
		return b.block(s.Else)
	}
	return nil
}
