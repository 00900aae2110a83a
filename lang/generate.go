package lang

import (
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// generation is a running `generate`.
type generation struct {
	name   string
	buffer Tensor // i32[B, capacity]
	length *index.Expr
	set    bool
}

// generate binds a name to the prompt and appends n elements. Each turn computes from the whole prefix.
func (b *builder) generate(g *Generate, at Span) {
	if b.entry == nil || b.entry.kind == ir.EntryTrain {
		b.fail(at, "`generate` stands in a sample")
	}
	from := b.eval(g.From.term())
	if text, ok := from.(Text); ok {
		from = b.textTensor(string(text))
	}
	b.needGraph(at)
	prompt, ok := b.tensorLike(from, loop.I32)
	if !ok || prompt.N.Type.Rank() != 2 || prompt.N.Type.Elem != loop.I32 {
		b.fail(g.From.term().Span(), "a prompt is a text or i32[B, n], not %s", describe(from))
	}
	v := b.static(g.Count.term(), "the count of `generate`")
	count := exprOf(v)
	if count == nil {
		b.failHelp(g.Count.term().Span(), wholeHelp(v), "`generate` wants a whole number of elements, not %s", describe(v))
	}
	b.need(count, complaint{at: g.Count.term().Span(), message: "`generate` cannot add %v elements", values: []*index.Expr{count}, shape: true})
	count = b.orNone(count)
	if len(g.Var.Type.Dims) != 2 {
		b.failHelp(typeSpan(g.Var.Type), "`generate tok: i32[1, T] from …`", "what is generated has two axes, the batch and the length")
	}
	total := index.Sum(prompt.N.Type.Dims[1].Length(), count)
	capacity := b.capacity(total)
	zero := 0.0
	shape := []ir.Dim{prompt.N.Type.Dims[0], {Size: capacity}}
	buffer := b.f.b.Index(b.node(prompt), shape, []*index.Expr{ir.Var(0), ir.Var(1)}, &zero)
	made := count
	if g.Until != nil {
		made = b.turnsMade(b.capacity(count))
		least, _ := count.Range(b.bounds)
		b.entry.made[made.Name] = min(least, 1) // the condition is looked at behind a turn
	}
	final := b.generateLoop(g, count, made, prompt, buffer, at)
	b.sc.assign(g.Var.Name, b.prefix(final, index.Sum(prompt.N.Type.Dims[1].Length(), made)))
}

// turnsMade is a new symbol of this graph, which a loop of it sets; it is at most top.
func (b *builder) turnsMade(top int) *index.Expr {
	for k := 1; ; k++ {
		name := "made" + itoa(k)
		if _, taken := b.f.b.Scope().Lookup(name); !taken {
			return b.f.b.Sym(name, top, nil)
		}
	}
}

// prefix is the first elements of each row of a buffer.
func (b *builder) prefix(buffer *ir.Node, length *index.Expr) Tensor {
	dims := []ir.Dim{buffer.Type.Dims[0], ir.DynDim(length, b.capacity(length))}
	return b.tensor(b.f.b.Index(buffer, dims, []*index.Expr{ir.Var(0), ir.Var(1)}, nil))
}

// generateLoop runs the body count times, or until the condition holds, and gives the buffer;
// made is the number of turns as the graph around knows it.
func (b *builder) generateLoop(g *Generate, count, made *index.Expr, prompt Tensor, buffer *ir.Node, at Span) *ir.Node {
	outer, oldGen := b.f, b.gen
	f := outer.region("generate", count)
	var initial, next []*ir.Node
	if g.Until != nil {
		f.while, f.made = true, made.Name
		f.carry("while", ir.TensorOf(loop.Bool))
		initial = append(initial, outer.b.Const(ir.TensorOf(loop.Bool), 1))
	}
	turn := f.symbol()
	carry := f.carry(g.Var.Name, buffer.Type)
	others := slices.DeleteFunc(assigned(g.Body), func(name string) bool { return name == g.Var.Name })
	carried := b.carries(assignedOnly(g.Body, others), f, at)
	for _, c := range carried {
		c.home.define(c.name, c.param)
	}
	b.f = f
	b.at(at)
	length := index.Sum(prompt.N.Type.Dims[1].Length(), turn)
	b.gen = &generation{name: g.Var.Name, buffer: carry, length: length}
	run := &loopRun{frame: f, scope: newScope(b.sc, blockScope)}
	in := b.in(run.scope)
	in.sc.define(g.Var.Name, in.accept(g.Var.Type, b.prefix(carry.N, length), g.Var.Name, Span{g.Var.Pos, g.Var.EndPos}))
	max, _ := count.Const()
	b.enter(run, turnCount{frame: f, count: max})
	in.block(g.Body)
	if g.Until != nil && b.gen.set {
		in.sc.define(g.Var.Name, b.prefix(b.node(b.gen.buffer), index.Sum(length, index.C(1))))
		next = append(next, in.more(g.Until.term()))
	}
	b.leave()
	if !b.gen.set && HasErrors(b.diags) {
		panic(silent{})
	}
	if !b.gen.set {
		b.failHelp(at, "`"+g.Var.Name+"[:, T] ~ …`", "the body of `generate` must set the element past the end")
	}
	tok := len(next)
	next, initial = append(next, b.node(b.gen.buffer)), append(initial, buffer)
	for _, c := range carried {
		next, initial = append(next, b.nextValue(c, at)), append(initial, c.initial)
	}
	b.f, b.gen = outer, oldGen
	b.at(at)
	results := b.closeLoop(f, initial, next, nil)
	for i, c := range carried {
		c.home.define(c.name, Tensor{N: ir.Named(results[tok+1+i], c.name), F: outer, One: c.param.One})
	}
	return results[tok]
}

// more is whether to go on: the negation of the condition after `until`.
func (b *builder) more(term Term) *ir.Node {
	v := b.eval(term)
	if known, ok := v.(Bool); ok {
		b.fail(term.Span(), "this condition is %v always", bool(known))
	}
	t, ok := v.(Tensor)
	if !ok || t.N.Type.Rank() != 0 || t.N.Type.Elem != loop.Bool {
		b.failHelp(term.Span(), "`any(…)` or `all(…)` makes one of several", "`until` wants one truth value, not %s", describe(v))
	}
	return b.f.b.Not(b.node(t))
}

// appendGenerated is `tok[:, T] = v`, the element past the end.
func (b *builder) appendGenerated(t *IndexTerm, v Value, at Span) {
	if len(t.Indices) != 2 || t.Indices[1].At == nil || !t.Indices[0].Slice {
		b.failHelp(t.Span(), "`"+b.gen.name+"[:, T]`", "`generate` sets the element past the end")
	}
	e := exprOf(b.eval(t.Indices[1].At))
	if e == nil || !index.Equal(e, b.gen.length) {
		b.failHelp(t.Indices[1].Span, "`"+b.gen.name+"[:, T]`", "`generate` sets the element past the end, and no other")
	}
	b.gen.buffer, b.gen.set = b.put(b.gen.buffer, t, v, at), true
}
