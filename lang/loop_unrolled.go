package lang

import (
	"maps"
	"slices"

	"mdlc/ir/index"
)

// A loop that is written out turn by turn.

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
