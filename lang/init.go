package lang

import (
	"mdlc/ir"
	"mdlc/ir/index"
)

// initEntry gives every state its first value. The instances of a stack are drawn in a loop, each with its turn.
func (b *builder) initEntry() {
	e := newEntry(ir.EntryInit, "")
	b.entry, b.f = e, e.f
	b.nth, b.turns, b.loops, b.runs = map[string]int{}, nil, nil, nil
	for _, s := range b.states {
		b.guard(func() {
			at := Span{s.decl.Pos, s.decl.EndPos}
			b.site, b.loops, b.nth = []string{"init"}, s.turns, map[string]int{}
			if s.copyOf != nil {
				b.at(at)
				n := b.firstOfCopy(s)
				e.current[s] = Tensor{N: n, F: e.f}
				e.results = append(e.results, ir.Result{Kind: ir.ResultState, Name: s.name, Value: n, Pos: posOf(at)})
				return
			}
			v := b.in(s.scope).eval(s.decl.Init.term())
			if s.decl.Op == "~" {
				at = s.decl.Init.term().Span()
			}
			b.at(at)
			n := b.firstValue(s, v, at)
			e.current[s] = Tensor{N: n, F: e.f}
			e.results = append(e.results, ir.Result{Kind: ir.ResultState, Name: s.name, Value: n, Pos: posOf(at)})
		}, func() {})
	}
	b.module.Entries = append([]*ir.Entry{{Kind: ir.EntryInit, Graph: e.f.b.Finish(e.results...)}}, b.module.Entries...)
}

func (b *builder) firstValue(s *stateDecl, v Value, at Span) *ir.Node {
	if s.decl.Op == "=" {
		x, ok := b.tensorLike(v, s.typ.Elem)
		if !ok {
			b.fail(at, "the first value of `%s` is %s, not a tensor", s.decl.Name, describe(v))
		}
		x = b.cast(x, s.typ.Elem)
		y, why := b.broadcastTo(x, s.typ.Dims)
		if why != "" {
			b.fail(at, "the first value of `%s` is %s and cannot be broadcast to %s: %s", s.decl.Name, typeText(x.N.Type), typeText(s.typ), why)
		}
		return b.node(b.stretch(Tensor{N: y.N, F: y.F}, s.full().Dims, nil))
	}
	if len(s.stack) == 0 {
		return b.node(b.drawValue(v, &s.typ, s.site, at).(Tensor))
	}
	return b.drawStack(s, s.stack, v, at)
}

// drawStack draws one instance a turn.
func (b *builder) drawStack(s *stateDecl, levels []*stackLevel, v Value, at Span) *ir.Node {
	outer, loops := b.f, b.loops
	f := outer.region("init", index.C(levels[0].n))
	b.f = f
	b.loops = append(append([]turnCount{}, loops...), turnCount{frame: f, count: levels[0].n})
	b.at(at)
	var n *ir.Node
	if len(levels) > 1 {
		n = b.drawStack(s, levels[1:], v, at)
	} else {
		n = b.node(b.drawValue(v, &s.typ, s.site, at).(Tensor))
	}
	b.f, b.loops = outer, loops
	b.at(at)
	return b.closeLoop(f, nil, nil, []*ir.Node{n})[0]
}
