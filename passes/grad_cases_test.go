package passes

import (
	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// gradCompositions are loops and nestings.
func gradCompositions() []gradCase {
	return []gradCase{
		{op: "pin", types: []ir.Type{f32(3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Op("sin", b.Make(ir.OpPin, nil, x[0]))
		}},
		{name: "softmax", types: []ir.Type{f32(3, 5)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			m := b.Stop(b.Reduce(ir.Max, []int{1}, x[0]))
			e := b.Op("exp", b.Sub(x[0], b.Broadcast(m, x[0].Type.Dims, 0)))
			return b.Div(e, b.Broadcast(b.Reduce(ir.Sum, []int{1}, e), x[0].Type.Dims, 0))
		}},
		{name: "gradient penalty", types: []ir.Type{f32(2, 3), f32(3, 2)}, once: true, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			h := b.Op("tanh", b.Dot("ik,kj->ij", x[0], x[1]))
			g := b.Get(b.Grad(b.Reduce(ir.Sum, []int{0, 1}, b.Mul(h, h)), x[0]), 0)
			n := b.Op("sqrt", b.Reduce(ir.Sum, []int{1}, b.Mul(g, g)))
			d := b.Sub(n, b.Like(n, 1))
			return b.Mul(d, d)
		}},
		{name: "recurrence", types: []ir.Type{f32(3), f32(4, 3), f32(3, 3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return recurrence(b, x, false)
		}},
		{name: "recurrence in reverse", types: []ir.Type{f32(3), f32(4, 3), f32(3, 3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return recurrence(b, x, true)
		}},
		{name: "runtime lengths", lens: map[string]int{"T": 3},
			types: []ir.Type{ir.OfDims(loop.F32, []ir.Dim{ir.DynDim(index.V("T"), 16), {Size: 2}}), f32(2)},
			build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
				r := b.Region("body")
				r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
				c, s, w := r.Param(ir.ParamValue, "c", f32(2)), r.Param(ir.ParamValue, "s", f32(2)), r.Param(ir.ParamValue, "w", f32(2))
				next := r.Op("tanh", r.Add(r.Mul(c, w), s))
				l := b.Loop(ir.LoopAttr{Count: index.V("T"), Carry: 1, Xs: 1}, r.FinishValues(next, r.Mul(next, s)), x[1], x[0], x[1])
				return b.Index(b.Get(l, 1), []ir.Dim{ir.DynDim(index.V("T"), 16), {Size: 2}}, parsed("T - 1 - i0", "i1"), nil)
			}},
		{name: "loop in loop", types: []ir.Type{f32(2), f32(3, 2)}, build: loopInLoop},
		{name: "turn and overwritten carry", types: []ir.Type{f32(), f32(3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			r := b.Region("body")
			turn := r.Sym("t", 2, nil)
			k := r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
			a, c := r.Param(ir.ParamValue, "a", f32()), r.Param(ir.ParamValue, "c", f32())
			v := r.Param(ir.ParamValue, "v", f32(3))
			here := r.Index(v, nil, []*index.Expr{turn}, nil)
			next := r.Mul(r.Op("exp", here), r.Cast(k, loop.F32))
			l := b.Loop(ir.LoopAttr{Count: index.C(3), Carry: 2, Sym: "t"}, r.FinishValues(r.Add(a, r.Mul(c, here)), next), x[0], x[0], x[1])
			return b.Mul(b.Get(l, 0), b.Get(l, 1))
		}},
		{name: "invariants at the turn", types: []ir.Type{f32(2), f32(2, 3), f32(3, 3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			r := b.Region("body")
			turn := r.Sym("t", 2, nil)
			k := r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
			c, v, w := r.Param(ir.ParamValue, "c", f32(2)), r.Param(ir.ParamValue, "v", f32(2, 3)), r.Param(ir.ParamValue, "w", f32(3, 3))
			column := r.Index(v, dimsOf(2), parsed("i0", "$1"), nil, r.Broadcast(k, dimsOf(2)))
			row := r.Index(w, dimsOf(2), []*index.Expr{turn, ir.Var(0)}, nil)
			d := r.Dense(ir.TensorOf(loop.I32, 2), []float64{2, 0})
			twice := r.Index(w, dimsOf(2), parsed("$1", "$2"), nil, r.Broadcast(k, dimsOf(2)), d)
			whole := r.Reduce(ir.Sum, []int{0, 1}, r.Mul(w, w))
			next := r.Op("tanh", r.Add(r.Mul(c, column), r.Mul(row, r.Mul(twice, r.Broadcast(whole, dimsOf(2))))))
			return b.Get(b.Loop(ir.LoopAttr{Count: index.C(3), Carry: 1, Sym: "t"}, r.FinishValues(next), x...), 0)
		}},
		{name: "gradient in a loop", types: []ir.Type{f32(3)}, once: true, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			r := b.Region("descent")
			r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
			w := r.Param(ir.ParamValue, "w", f32(3))
			loss := r.Reduce(ir.Sum, []int{0}, r.Op("cos", r.Mul(w, w)))
			step := r.Get(r.Grad(loss, w), 0)
			l := b.Loop(ir.LoopAttr{Count: index.C(3), Carry: 1}, r.FinishValues(r.Sub(w, r.Mul(step, r.Like(step, 0.1)))), x[0])
			return b.Get(l, 0)
		}},
		{name: "zero turns", types: []ir.Type{f32(2)}, once: true, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			r := b.Region("body")
			r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
			c := r.Param(ir.ParamValue, "c", f32(2))
			return b.Get(b.Loop(ir.LoopAttr{Count: index.C(0), Carry: 1}, r.FinishValues(r.Op("exp", c)), x[0]), 0)
		}},
	}
}

// linearCases are the ops on matrices, each on well-conditioned ones.
func linearCases() []gradCase {
	strong := func(b *ir.Builder, x *ir.Node) *ir.Node { // x + 4
		d := x.Type.Dims
		eye := b.Cast(b.Op("eq", b.Iota(d, len(d)-2), b.Iota(d, len(d)-1)), loop.F32)
		return b.Add(x, b.Mul(eye, b.Like(eye, 4)))
	}
	definite := func(b *ir.Builder, x *ir.Node) *ir.Node { return strong(b, b.Dot("bik,bjk->bij", x, x)) }
	cases := []gradCase{
		{op: "cholesky", types: []ir.Type{f32(2, 3, 3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Make(ir.OpCholesky, nil, definite(b, x[0]))
		}},
		{op: "cholesky", name: "of what is not symmetric", types: []ir.Type{f32(3, 3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Make(ir.OpCholesky, nil, strong(b, x[0]))
		}},
		{op: "cholesky", name: "of one", types: []ir.Type{f32(1, 1)}, low: 1, high: 2, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Make(ir.OpCholesky, nil, x[0])
		}},
		{op: "log_abs_det", types: []ir.Type{f32(2, 3, 3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Make(ir.OpLogAbsDet, nil, strong(b, x[0]))
		}},
		{op: "log_abs_det", name: "of exchanged rows", types: []ir.Type{f32(2, 2)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Make(ir.OpLogAbsDet, nil, b.Index(strong(b, x[0]), dimsOf(2, 2), parsed("1 - i0", "i1"), nil))
		}},
	}
	for _, kind := range []ir.SolveKind{ir.General, ir.Lower, ir.Upper} {
		cases = append(cases,
			gradCase{op: "solve", name: ir.SolveAttr{Kind: kind}.Text(), types: []ir.Type{f32(2, 3, 3), f32(2, 3, 2)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
				return b.Solve(kind, strong(b, x[0]), x[1])
			}},
			gradCase{op: "solve", name: "one by one " + ir.SolveAttr{Kind: kind}.Text(), types: []ir.Type{f32(1, 1), f32(1, 1)}, low: 1, high: 2, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
				return b.Solve(kind, x[0], x[1])
			}})
	}
	return cases
}

// recurrence is h = tanh(h @ w + x[t]), all h.
func recurrence(b *ir.Builder, x []*ir.Node, reverse bool) *ir.Node {
	r := b.Region("body")
	r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
	h, s, w := r.Param(ir.ParamValue, "h", f32(3)), r.Param(ir.ParamValue, "s", f32(3)), r.Param(ir.ParamValue, "w", f32(3, 3))
	next := r.Op("tanh", r.Add(r.Dot("k,kj->j", h, w), s))
	l := b.Loop(ir.LoopAttr{Count: index.C(4), Carry: 1, Xs: 1, Reverse: reverse}, r.FinishValues(next, next), x...)
	return b.Add(b.Get(l, 0), b.Reduce(ir.Sum, []int{0}, b.Get(l, 1)))
}

// loopInLoop scans the rows of x1 twice in each of two outer turns.
func loopInLoop(b *ir.Builder, x []*ir.Node) *ir.Node {
	outer := b.Region("outer")
	outer.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
	c, rows := outer.Param(ir.ParamValue, "c", f32(2)), outer.Param(ir.ParamValue, "rows", f32(3, 2))
	inner := outer.Region("inner")
	inner.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
	d, s, scale := inner.Param(ir.ParamValue, "d", f32(2)), inner.Param(ir.ParamValue, "s", f32(2)), inner.Param(ir.ParamValue, "scale", f32(2))
	next := inner.Op("sin", inner.Add(inner.Mul(d, scale), inner.Mul(s, s)))
	l := outer.Loop(ir.LoopAttr{Count: index.C(3), Carry: 1, Xs: 1}, inner.FinishValues(next, inner.Mul(next, s)), c, rows, c)
	out := outer.Add(outer.Get(l, 0), outer.Reduce(ir.Sum, []int{0}, outer.Get(l, 1)))
	return b.Get(b.Loop(ir.LoopAttr{Count: index.C(2), Carry: 1}, outer.FinishValues(out), x[0], x[1]), 0)
}
