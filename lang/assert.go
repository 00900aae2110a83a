package lang

import (
	"math"

	"mdlc/ir"
	"mdlc/ir/index"
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

// assertTensor tells 0 where all of cond holds, else 1 and the place of the first element that does not, in flat order; then
// that place, and what was compared there.
func (b *builder) assertTensor(cond Tensor, text string, at Span) {
	g, n := b.f.b, b.node(cond)
	dims := n.Type.Dims
	flat, stride := g.Const(ir.OfDims(loop.I32, dims), 1), 1
	for k := len(dims) - 1; k >= 0; k-- {
		i := g.Iota(dims, k)
		flat = g.Add(flat, g.Mul(i, g.Like(i, float64(stride))))
		stride *= max(dims[k].Size, 1)
	}
	first := g.Where(n, g.Like(flat, math.MaxInt32), flat)
	for first.Type.Rank() > 0 {
		first = g.Reduce(ir.Min, axesFrom(0, first.Type.Rank()), first)
	}
	code := g.Where(g.Make(ir.OpEq, nil, first, g.Like(first, math.MaxInt32)), g.Like(first, 0), first)

	t := notice{what: "assert", at: at, join: firstBad, values: []*ir.Node{g.Cast(code, loop.U32)},
		results: []ir.Result{{Kind: ir.ResultAssert, Name: text}}}
	add := func(name string, v *ir.Node) {
		t.values = append(t.values, v)
		t.results = append(t.results, ir.Result{Kind: ir.ResultShow, As: "operand", Name: name})
	}
	place := make([]*index.Expr, len(dims))
	for k := range dims {
		stride /= max(dims[k].Size, 1)
		place[k] = index.Rem(index.Quo(index.Sub(ir.Data(1), index.C(1)), index.C(stride)), index.C(max(dims[k].Size, 1)))
	}
	zero := 0.0
	pick := func(v *ir.Node) *ir.Node { return g.Index(v, nil, place, &zero, code) }
	for k := range dims {
		add("place", pick(g.Iota(dims, k)))
	}
	if sign, ok := comparisons[n.Op]; ok {
		for _, v := range n.Args {
			add(sign, pick(v))
		}
	}
	b.tell(t)
}

var comparisons = map[*ir.Op]string{ir.OpEq: "==", ir.OpNe: "!=", ir.OpLt: "<", ir.OpLe: "<=", ir.OpGt: ">", ir.OpGe: ">="}

// firstBad takes of what the turns of a loop tell that of the first turn in which something does not hold.
func firstBad(b *builder, turns []*ir.Node) []*ir.Node {
	g := b.f.b
	bad := g.Make(ir.OpGt, nil, turns[0], g.Like(turns[0], 0))
	first := g.Reduce(ir.ArgMax, []int{0}, g.Cast(bad, loop.I32))
	zero := 0.0
	out := make([]*ir.Node, len(turns))
	for i, v := range turns {
		out[i] = g.Index(v, nil, []*index.Expr{ir.Data(1)}, &zero, first)
	}
	return out
}

// notice is values that the driver looks at after a step, as results. Out of a loop they come stacked, one for each turn, and
// join makes of those what is told.
type notice struct {
	what    string
	at      Span
	values  []*ir.Node
	results []ir.Result // one for each value
	join    func(b *builder, turns []*ir.Node) []*ir.Node
}

// tell adds results to the step, or to what leaves the turns of the loop around.
func (b *builder) tell(t notice) {
	if b.entry != nil && b.entry.kind != ir.EntryInit {
		if b.f.outer == nil {
			for i, r := range t.results {
				r.Value, r.Pos = t.values[i], posOf(t.at)
				b.entry.results = append(b.entry.results, r)
			}
			return
		}
		if len(b.runs) > 0 {
			if run := b.runs[len(b.runs)-1]; run.frame == b.f && run.body == b.f {
				run.notices = append(run.notices, t)
				return
			}
		}
	}
	b.failHelp(t.at, "put it behind the loop or the `if`, or into the step; in an `every 100 { … }` it runs now and then", "`%s` of what is known at run time only cannot stand in a `while`, a `generate`, an `if` of the run or a first value", t.what)
}
