package passes

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// A gradCase builds a value from float parameters x0, x1, …; the test takes the
// gradient of a random weighted sum of it, and the gradient of that one's squares.
type gradCase struct {
	op    string // the op it is there for, "" for compositions
	name  string
	types []ir.Type
	lens  map[string]int
	build func(b *ir.Builder, x []*ir.Node) *ir.Node
	low   float64 // parameters are drawn from low .. high
	high  float64
	once  bool // no second derivative
	zeros int  // the first elements of the first parameter are 0
}

func f32(sizes ...int) ir.Type { return ir.TensorOf(loop.F32, sizes...) }

// weighted is a scalar that depends on every element of y differently.
func weighted(b *ir.Builder, y *ir.Node, seed int) *ir.Node {
	if y.Type.Rank() == 0 {
		return y
	}
	axes := make([]int, y.Type.Rank())
	w := b.Like(y, 0.3)
	for k := range axes {
		axes[k] = k
		i := b.Cast(b.Iota(y.Type.Dims, k), y.Type.Elem)
		w = b.Add(w, b.Op("sin", b.Mul(i, b.Like(i, float64(seed+3*k+2)))))
	}
	return b.Reduce(ir.Sum, axes, b.Mul(y, w))
}

func (c gradCase) graph(t *testing.T, order int) *ir.Graph {
	b := ir.NewBuilder("main")
	for name := range c.lens {
		b.Sym(name, 16, nil)
	}
	var x []*ir.Node
	for i, typ := range c.types {
		x = append(x, b.Param(ir.ParamState, fmt.Sprintf("x%d", i), typ))
	}
	s := weighted(b, c.build(b, x), 1)
	results := []ir.Result{{Kind: ir.ResultReport, Name: "s", Value: s}}
	grads := func(s *ir.Node) []*ir.Node {
		g := b.Grad(s, x...)
		var out []*ir.Node
		for i := range x {
			out = append(out, b.Get(g, i))
		}
		return out
	}
	d := grads(s)
	if order == 2 {
		s = nil
		for i, g := range d {
			term := weighted(b, b.Mul(g, b.Add(g, x[i])), i+2)
			if s == nil {
				s = term
			} else {
				s = b.Add(s, term)
			}
		}
		results[0].Value = s
		d = grads(s)
	}
	for i, g := range d {
		results = append(results, ir.Result{Kind: ir.ResultReport, Name: fmt.Sprintf("d%d", i), Value: g})
	}
	g := b.Finish(results...)
	require.NoError(t, ir.Verify(g))
	return g
}

func (c gradCase) check(t *testing.T, order int) {
	g, err := Grad(c.graph(t, order))
	require.NoError(t, err)
	require.NoError(t, ir.Verify(g), g.String())
	require.NotContains(t, g.String(), "= grad ")
	require.NotContains(t, g.String(), "= pin ")
	again, err := ir.ParseGraph(g.String())
	require.NoError(t, err, g.String())
	require.Equal(t, g.String(), again.String())

	random := rand.New(rand.NewSource(7))
	low, high := c.low, c.high
	if low == high {
		low, high = -1.5, 1.5
	}
	e := &ir.Evaluator{Lens: c.lens}
	values := map[string]*ir.Tensor{}
	for i, typ := range c.types {
		v := ir.NewTensor(typ.Elem, actual(typ, c.lens)...)
		for k := range v.F {
			v.F[k] = low + (high-low)*random.Float64()
		}
		values[fmt.Sprintf("x%d", i)] = v
	}
	for k := range c.zeros {
		values["x0"].F[k] = 0
	}
	e.Params = func(_ ir.ParamKind, name string) *ir.Tensor { return values[name] }
	out, err := e.Run(g)
	require.NoError(t, err, g.String())
	for i := range c.types {
		v := values[fmt.Sprintf("x%d", i)]
		require.Equal(t, v.Dims, out[1+i].Dims)
		for k := range v.F {
			const h = 1e-5
			at := v.F[k]
			v.F[k] = at + h
			up, err := e.Run(g)
			require.NoError(t, err)
			v.F[k] = at - h
			down, err := e.Run(g)
			require.NoError(t, err)
			v.F[k] = at
			want := (up[0].F[0] - down[0].F[0]) / (2 * h)
			got := out[1+i].F[k]
			// Truncation of the difference is h² f''', its rounding |f| 2⁻⁵² / h.
			require.InDelta(t, want, got, 2e-7*(1+math.Abs(want)+math.Abs(out[0].F[0])), "x%d[%d] of\n%s", i, k, g)
		}
	}
}

func actual(t ir.Type, lens map[string]int) []int {
	out := []int{}
	for _, d := range t.Dims {
		out = append(out, d.Length().Eval(func(name string) int { return lens[name] }))
	}
	return out
}

func function(op string, low, high float64) gradCase {
	return gradCase{op: op, types: []ir.Type{f32(5)}, low: low, high: high,
		build: func(b *ir.Builder, x []*ir.Node) *ir.Node { return b.Op(op, x[0]) }}
}

func function2(op string, low, high float64) gradCase {
	return gradCase{op: op, types: []ir.Type{f32(3), f32(3)}, low: low, high: high,
		build: func(b *ir.Builder, x []*ir.Node) *ir.Node { return b.Op(op, x[0], x[1]) }}
}

func reduction(kind ir.ReduceKind, axes []int, sizes ...int) gradCase {
	return gradCase{op: "reduce", name: fmt.Sprintf("%s%v%v", kind, axes, sizes), types: []ir.Type{f32(sizes...)},
		build: func(b *ir.Builder, x []*ir.Node) *ir.Node { return b.Reduce(kind, axes, x[0]) }}
}

func prodOfZeros(n int) gradCase {
	return gradCase{op: "reduce", name: fmt.Sprintf("prod with %d zeros", n), types: []ir.Type{f32(5)}, zeros: n,
		build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Add(b.Reduce(ir.Prod, []int{0}, x[0]), b.Reduce(ir.Sum, []int{0}, x[0]))
		}}
}

func dot(spec string, x, y ir.Type) gradCase {
	return gradCase{op: "dot", name: spec, types: []ir.Type{x, y},
		build: func(b *ir.Builder, x []*ir.Node) *ir.Node { return b.Dot(spec, x[0], x[1]) }}
}

func parsed(texts ...string) []*index.Expr {
	var out []*index.Expr
	for _, s := range texts {
		e, err := index.Parse(s)
		if err != nil {
			panic(err)
		}
		out = append(out, e)
	}
	return out
}

func dimsOf(ns ...int) []ir.Dim { return ir.TensorOf(loop.F32, ns...).Dims }

func gradCases() []gradCase {
	zero := 0.0
	cases := []gradCase{
		function2("add", 0, 0), function2("sub", 0, 0), function2("mul", 0, 0), function2("div", 0.5, 2),
		function2("pow", 0.3, 2), function2("max", 0, 0), function2("min", 0, 0),
		function("neg", 0, 0), function("abs", 0.1, 2), function("sqrt", 0.2, 3), function("rsqrt", 0.3, 3), function("exp", 0, 0),
		function("log", 0.3, 3), function("log1p", -0.5, 2), function("expm1", 0, 0), function("tanh", 0, 0), function("atan", 0, 0), function("sigmoid", 0, 0),
		function("erf", 0, 0), function("sin", 0, 0), function("cos", 0, 0),
		{op: "where", types: []ir.Type{f32(7), f32(7)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Where(b.Op("gt", x[0], b.Like(x[0], 0.2)), b.Mul(x[0], x[1]), x[1])
		}},
		{op: "cast", types: []ir.Type{f32(3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Cast(b.Op("tanh", b.Cast(x[0], loop.F64)), loop.F32)
		}},
		reduction(ir.Sum, []int{0}, 3), reduction(ir.Sum, []int{0, 2}, 2, 3, 5), reduction(ir.Sum, []int{1}, 3, 1, 2),
		reduction(ir.Max, []int{1}, 3, 5), reduction(ir.Min, []int{0}, 3, 5), reduction(ir.Max, []int{0, 2}, 2, 3, 3),
		reduction(ir.Prod, []int{1}, 2, 3), reduction(ir.Prod, []int{0, 1}, 2, 3), reduction(ir.Prod, []int{0, 2}, 3, 1, 5), reduction(ir.Prod, []int{0}, 1),
		prodOfZeros(1), prodOfZeros(2), prodOfZeros(3),
		dot("ik,kj->ij", f32(2, 3), f32(3, 5)), dot("bik,bkj->bji", f32(2, 1, 3), f32(2, 3, 2)),
		dot("ikl,lkj->ji", f32(1, 3, 2), f32(2, 3, 2)), dot("i,j->ij", f32(3), f32(2)), dot("i,i->i", f32(3), f32(3)),
		dot("k,k->", f32(7), f32(7)),
		{op: "index", name: "window", types: []ir.Type{f32(5, 2)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Index(x[0], dimsOf(5, 3, 2), parsed("i0 + i1 - 1", "i2"), &zero)
		}},
		{op: "index", name: "reverse, stride, reshape", types: []ir.Type{f32(6, 4)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			return b.Index(x[0], dimsOf(2, 3, 2), parsed("5 - i0*3 - i1", "2*i2"), nil)
		}},
		{op: "index", name: "gather", types: []ir.Type{f32(4, 3)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			d := b.Dense(ir.TensorOf(loop.I32, 5, 3), []float64{1, 1, 1, 3, 0, 2, 2, 2, 2, 0, 1, 0, -1, 4, 1})
			return b.Index(x[0], dimsOf(5, 3), parsed("$1", "i1"), &zero, d)
		}},
		{op: "scatter", types: []ir.Type{f32(5)}, build: func(b *ir.Builder, x []*ir.Node) *ir.Node {
			d := b.Dense(ir.TensorOf(loop.I32, 5), []float64{1, 3, 1, 0, 7})
			return b.Scatter(x[0], dimsOf(4), parsed("$1"), d)
		}},
	}
	return slices.Concat(cases, linearCases(), gradCompositions())
}

func TestGradients(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range gradCases() {
		covered[c.op] = true
		t.Run(c.op+" "+c.name, func(t *testing.T) {
			c.check(t, 1)
			if !c.once {
				c.check(t, 2)
			}
		})
	}
	for _, op := range ir.Ops() {
		if op.Grad != nil {
			require.True(t, covered[op.Name], "no case for the gradient of %s", op.Name)
		}
	}
}
