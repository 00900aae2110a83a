package lang

import (
	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// An `if` that is decided at run time is two loops of at most one turn, one for each branch: what a
// branch assigns is carried, so that what the branch that does not run would have assigned stays as it was.

// A branching is such an `if` being built.
type branching struct {
	names []string // that live on: bound in both branches, or before and assigned in one
	new   []string // of these, those that no one bound before
	first []Tensor // of new, after the first branch
}

func (b *builder) ifRuntime(cond Tensor, s *If, at Span) {
	if cond.N.Type.Rank() != 0 || cond.N.Type.Elem != loop.Bool {
		b.failHelp(s.Cond.term().Span(), "`where c then a else b` chooses element by element", "`if` wants one truth value, not %s", typeText(cond.N.Type))
	}
	otherwise := s.Else
	if s.ElseIf != nil {
		otherwise = &Block{Pos: s.ElseIf.Cond.Pos, EndPos: s.ElseIf.Then.EndPos, Stmts: []*Stmt{{Pos: s.ElseIf.Cond.Pos, EndPos: s.ElseIf.Then.EndPos, If: s.ElseIf}}}
	}
	x := &branching{}
	then, other := assigned(s.Then), []string{}
	if otherwise != nil {
		other = assigned(otherwise)
	}
	for _, n := range append(append([]string{}, then...), other...) {
		if contains(x.names, n) {
			continue
		}
		_, home := b.sc.local(n)
		switch {
		case home != nil:
			x.names = append(x.names, n)
		case contains(then, n) && contains(other, n):
			x.names, x.new = append(x.names, n), append(x.new, n)
		}
	}
	b.under(cond, false, true, func() { b.branch(x, cond, s.Then, at) })
	if otherwise != nil {
		b.at(at)
		b.under(cond, true, true, func() { b.branch(x, b.elementwise(ir.OpNot, cond), otherwise, at) })
	}
}

// branch builds one branch.
func (b *builder) branch(x *branching, cond Tensor, body *Block, at Span) {
	outer := b.f
	b.at(at)
	f := outer.region("if", index.C(1))
	f.while, f.branch = true, true
	go1 := f.carry("if", cond.N.Type)
	initial := []*ir.Node{b.node(cond)}
	var carried []*carried
	for _, c := range b.carries(assignedOnly(body, x.names), f, at) {
		c.home.define(c.name, c.param)
		carried = append(carried, c)
		initial = append(initial, c.initial)
	}
	b.f = f
	in := b.in(newScope(b.sc, blockScope))
	if r := in.block(body); r != nil {
		b.ifPoisoned(r)
		b.fail(at, "`return` can stand only in an `if` that the compiler decides")
	}
	next := []*ir.Node{go1.N}
	for _, c := range carried {
		next = append(next, b.nextValue(c, at))
	}
	news := b.newNames(x, in.sc, f, &initial, &next, at)
	reports := b.reportsOf(f, &initial, &next, outer)
	b.f = outer
	b.at(at)
	results := b.closeLoop(f, initial, next, nil)
	k := 1
	for _, c := range carried {
		c.home.define(c.name, Tensor{N: ir.Named(results[k], c.name), F: outer, One: c.param.One})
		k++
	}
	second := len(x.first) > 0
	for i, n := range news {
		v := Tensor{N: ir.Named(results[k], x.new[i]), F: outer, One: n.One}
		if second {
			b.sc.define(x.new[i], v)
		} else {
			x.first = append(x.first, v)
		}
		k++
	}
	for _, r := range reports {
		b.addReport(r.name, results[k], r.at)
		k++
	}
}

// ifPoisoned ends the evaluation of what uses a failed value.
func (b *builder) ifPoisoned(v Value) {
	if _, poisoned := v.(Poison); poisoned {
		panic(silent{})
	}
}

// assignedOnly is a block that assigns those of the names that bl assigns and that live on.
func assignedOnly(bl *Block, names []string) *Block {
	out := &Block{}
	for _, n := range assigned(bl) {
		if contains(names, n) {
			out.Stmts = append(out.Stmts, &Stmt{Assign: &Assign{Op: "=", Targets: []*Postfix{{Base: &Primary{Name: n}}}}})
		}
	}
	return out
}

// newNames hands on what this branch binds and the other one, too: from zeros in the first branch
// built, from the first one's value in the second.
func (b *builder) newNames(x *branching, sc *scope, f *frame, initial, next *[]*ir.Node, at Span) []Tensor {
	var out []Tensor
	for i, n := range x.new {
		v, ok := sc.vars[n]
		if _, poisoned := v.(Poison); !ok || poisoned {
			panic(silent{})
		}
		t, ok := b.tensorLike(v, b.elemFor(v))
		if !ok {
			b.fail(at, "`%s` is %s: what an `if` decides at run time are tensors", n, describe(v))
		}
		start := f.outer.b.Const(t.N.Type, 0)
		if len(x.first) == len(x.new) {
			have := x.first[i]
			t = b.cast(t, have.N.Type.Elem)
			if !ir.SameDims(have.N.Type.Dims, t.N.Type.Dims) {
				b.fail(at, "`%s` is %s in one branch and %s in the other", n, typeText(have.N.Type), typeText(t.N.Type))
			}
			start = f.outer.use(have)
		}
		f.carry(n, t.N.Type)
		*initial, *next = append(*initial, start), append(*next, b.node(t))
		out = append(out, t)
	}
	return out
}

// branchReport is a `report` in a branch.
type branchReport struct {
	name  string
	value Tensor
	at    Span
}

// reportsOf hands on what a branch reports: not a number where it did not run.
func (b *builder) reportsOf(f *frame, initial, next *[]*ir.Node, outer *frame) []branchReport {
	for _, r := range f.reports {
		t := r.value.N.Type
		start := b.reported(outer, r.name, t)
		f.carry(r.name, t)
		*initial, *next = append(*initial, start), append(*next, f.use(r.value))
	}
	return f.reports
}

// whileStmt builds a loop that runs as long as a condition holds.
func (b *builder) whileStmt(s *While, at Span) {
	term := s.Cond.term()
	first := b.eval(term)
	known, isKnown := first.(Bool)
	if isKnown && !bool(known) {
		return
	}
	if effects(s.Body) {
		b.failHelp(at, "`repeat n { … }` runs a known number of times; or let the `while` compute a value, and assign it behind", "`each`, `minimize`, `report`, `show` and `<-` cannot stand in a `while`")
	}
	b.needGraph(at)
	outer := b.f
	f := outer.region("while", index.C(maxTurns))
	f.while = true
	f.carry("while", ir.TensorOf(loop.Bool))
	initial := []*ir.Node{outer.b.Const(ir.TensorOf(loop.Bool), 1)}
	if !isKnown {
		initial[0] = b.condition(first, term)
	}
	carried := b.carries(s.Body, f, at)
	for _, c := range carried {
		c.home.define(c.name, c.param)
		initial = append(initial, c.initial)
	}
	b.f = f
	b.at(at)
	run := &loopRun{frame: f, scope: newScope(b.sc, blockScope)}
	b.enter(run, turnCount{frame: f, count: maxTurns})
	in := b.in(run.scope)
	if r := in.block(s.Body); r != nil {
		b.ifPoisoned(r)
		b.fail(at, "`return` cannot stand in a loop")
	}
	var next []*ir.Node
	for _, c := range carried {
		next = append(next, b.nextValue(c, at))
	}
	next = append([]*ir.Node{b.condition(b.eval(term), term)}, next...)
	b.leave()
	b.f = outer
	b.at(at)
	results := b.closeLoop(f, initial, next, nil)
	for i, c := range carried {
		c.home.define(c.name, Tensor{N: ir.Named(results[1+i], c.name), F: outer, One: c.param.One})
	}
}

// maxTurns bounds a `while`.
const maxTurns = 1<<31 - 2

// condition is the condition of a `while`, before it or after a turn, which may make it false for certain.
func (b *builder) condition(v Value, term Term) *ir.Node {
	switch v := v.(type) {
	case Bool:
		if !v {
			return b.f.b.Const(ir.TensorOf(loop.Bool), 0)
		}
		b.failHelp(term.Span(), "a value that the loop assigns belongs in the condition", "this condition is true for ever: the loop would never end")
	case Tensor:
		if v.N.Type.Rank() == 0 && v.N.Type.Elem == loop.Bool {
			return b.node(v)
		}
	}
	b.fail(term.Span(), "`while` wants one truth value, not %s", describe(v))
	return nil
}
