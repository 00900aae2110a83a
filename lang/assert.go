package lang

import (
	"mdlc/ir"
	"mdlc/ir/loop"
)

// assertBuiltin is `assert(condition, "text")`. The compiler decides what it can; otherwise the
// step in which an element of the condition is false stops with line and text.
func assertBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "condition", "text")
	text := "this does not hold: " + b.src.text(c.spans[0])
	switch t := v[1].(type) {
	case nil:
	case Text:
		text = string(t)
	default:
		b.fail(c.span, "the second argument of `assert` is a text, not %s", describe(t))
	}
	switch cond := v[0].(type) {
	case Bool:
		if !cond {
			b.fail(c.span, "%s", text)
		}
		return Tuple{}
	case Tensor:
		if cond.N.Type.Elem == loop.Bool {
			b.assertTensor(cond, text, c.span)
			return Tuple{}
		}
	}
	b.fail(c.span, "`assert` wants a condition, not %s", describe(v[0]))
	return nil
}

func (b *builder) assertTensor(cond Tensor, text string, at Span) {
	b.needStep("assert", at)
	g, n := b.f.b, b.node(cond)
	for n.Type.Rank() > 0 {
		n = g.Reduce(ir.All, axesFrom(0, n.Type.Rank()), n)
	}
	code := g.Cast(g.Not(n), loop.U32)
	b.entry.results = append(b.entry.results, ir.Result{Kind: ir.ResultAssert, Name: text, Value: code, Pos: posOf(at)})
}

// printBuiltin is `print(x)`: what the compiler knows is told when it compiles, a tensor each time it is computed.
func printBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "x", "name")
	name := b.src.text(c.spans[0])
	if t, ok := v[1].(Text); ok {
		name = string(t)
	}
	x, ok := v[0].(Tensor)
	if !ok {
		b.warn(c.span, "", "`%s` is %s", name, describe(v[0]))
		return Tuple{}
	}
	b.needStep("print", c.span)
	b.entry.results = append(b.entry.results, ir.Result{Kind: ir.ResultShow, Name: name, As: "print", Value: b.node(x), Pos: posOf(c.span)})
	return Tuple{}
}

// needStep wants a place whose values the driver can see once a step.
func (b *builder) needStep(what string, at Span) {
	if b.entry == nil || b.entry.kind == ir.EntryInit || b.f.outer != nil {
		b.failHelp(at, "put it behind the loop, or into the step", "`%s` of what is known at run time only cannot stand in a loop, an `if` of the run or a first value", what)
	}
}
