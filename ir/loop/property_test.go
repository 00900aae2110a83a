package loop

import (
	"flag"
	"github.com/stretchr/testify/require"
	"math"
	"os"
	"path/filepath"
	"pgregory.net/rapid"
	"testing"
)

// A fixed seed by default, so that a run says something of the change and not of luck; -rapid.seed=N explores.
func init() { _ = flag.Set("rapid.seed", "1") }

// expressions draws values over the axes of a kernel with buffers of each type.
type expressions struct {
	*rapid.T
	b    *Builder
	axes []*Axis
	bufs map[Elem]*Buffer
}

func newExpressions(t *rapid.T) *expressions {
	g := &expressions{T: t, b: NewBuilder("k"), bufs: map[Elem]*Buffer{}}
	for e := range numElems {
		g.bufs[e] = g.b.Buffer("b_"+e.String(), e, In, 3, 4)
	}
	g.axes = []*Axis{g.b.Axis("i", 3), g.b.Axis("j", 4)}
	return g
}

// plain are the ops of a type rule that takes equal operands of e.
func plain(e Elem) (out []Op) {
	for op := Add; op < Philox; op++ {
		r := op.Info()
		if r.Rule == nil || r.Class == ClassSelect {
			continue
		}
		args := make([]Elem, r.Arity)
		for i := range args {
			args[i] = e
		}
		if got, err := r.Rule(args); err == nil && got == e {
			out = append(out, op)
		}
	}
	return out
}

func (g *expressions) elem() Elem { return Elem(rapid.IntRange(0, int(numElems)-1).Draw(g.T, "elem")) }

func (g *expressions) leaf(e Elem) *Value {
	i, j := g.b.Index(g.axes[0]), g.b.Index(g.axes[1])
	switch rapid.IntRange(0, 3).Draw(g.T, "leaf") {
	case 0:
		if e == I64 {
			return rapid.SampledFrom([]*Value{i, j}).Draw(g.T, "axis")
		}
		return g.b.Cast(e, i)
	case 1:
		switch {
		case e == Bool:
			return g.b.Bool(rapid.Bool().Draw(g.T, "bool"))
		case e.IsInt():
			return g.b.Int(e, rapid.Int64().Draw(g.T, "int"))
		}
		return g.b.Float(e, rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, math.Inf(1), math.Inf(-1), math.NaN()})).Draw(g.T, "float"))
	case 2:
		return g.b.Load(g.bufs[e], []*Value{i, j}, g.b.Op(Lt, i, g.b.Int(I64, 2)))
	}
	return g.b.Load(g.bufs[e], []*Value{i, g.b.Int(I64, 1)}, nil)
}

func (g *expressions) value(e Elem, depth int) *Value {
	if depth == 0 {
		return g.leaf(e)
	}
	switch rapid.IntRange(0, 7).Draw(g.T, "form") {
	case 0:
		return g.leaf(e)
	case 1:
		return g.b.Where(g.value(Bool, depth-1), g.value(e, depth-1), g.value(e, depth-1))
	case 2:
		return g.b.Cast(e, g.value(g.elem(), depth-1))
	case 3:
		if e == Bool {
			from := g.elem()
			op := rapid.SampledFrom([]Op{Eq, Ne, Lt, Le, Gt, Ge}).Draw(g.T, "compare")
			if from == Bool {
				op = Eq
			}
			return g.b.Op(op, g.value(from, depth-1), g.value(from, depth-1))
		}
		over := []*Axis{rapid.SampledFrom(g.axes).Draw(g.T, "over")}
		switch op := rapid.SampledFrom([]Op{ReduceSum, ReduceSeq, ReduceMax, Dot, At}).Draw(g.T, "reduce"); {
		case op == Dot:
			if x := g.value(e, depth-1); len(x.Axes) > 0 {
				if d := g.b.Dot(x.Axes[:1], x, g.value(e, depth-1), nil); d.Elem == e {
					return d
				}
			}
		case op == At:
			if x := g.value(e, depth-1); Has(x.Axes, over[0]) {
				return g.b.At(over[0], g.b.Int(I64, 1), x)
			}
		case op == ReduceMax || sumElem.has(e):
			return g.b.Reduce(op, over, g.value(e, depth-1))
		}
		return g.leaf(e)
	}
	ops := plain(e)
	if len(ops) == 0 {
		return g.leaf(e)
	}
	op := rapid.SampledFrom(ops).Draw(g.T, "op")
	args := make([]*Value, op.Info().Arity)
	for i := range args {
		args[i] = g.value(e, depth-1)
	}
	return g.b.Op(op, args...)
}

// kernel stores a random value, some of its parts named.
func (g *expressions) kernel() *Kernel {
	e := g.elem()
	v := g.value(e, rapid.IntRange(0, 5).Draw(g.T, "depth"))
	var parts []*Value
	Visit(v, func(x *Value) { parts = append(parts, x) })
	for _, x := range parts {
		if rapid.IntRange(0, 3).Draw(g.T, "let") == 0 {
			g.b.Let(rapid.SampledFrom([]string{"x", "y", "sum", "i", "b_f32", ""}).Draw(g.T, "name"), x)
		}
	}
	out := g.b.Buffer("out_", e, Out, 3, 4)
	g.b.Store(out, []*Value{g.b.Index(g.axes[0]), g.b.Index(g.axes[1])}, nil, v)
	return g.b.Kernel()
}

func TestPrintedKernelsParseBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := newExpressions(t).kernel()
		require.NoError(t, Verify(k), "%s", k)
		text := k.String()
		ks, err := Parse("printed", text)
		require.NoError(t, err, text)
		require.Equal(t, text, ks[0].String())
		require.NoError(t, Verify(ks[0]), text)
		require.Equal(t, text, k.Clone().String())
		require.NoError(t, Verify(k.Clone()))
		m := NewMapper(Extend(k), nil)
		require.Same(t, k.Body[len(k.Body)-1].(*Store).Val, m.Stmt(k.Body[len(k.Body)-1]).(*Store).Val)
	})
}

// bounded is a random f32 expression of 12 inputs, evaluated here in float64 with a
// bound on the error that rounding each op to f32 can make.
type bounded struct{ x, err float64 }

func (b bounded) rounded() bounded {
	return bounded{b.x, b.err + (math.Abs(b.x)+b.err)*0x1p-24*(1+1e-9) + 0x1p-149}
}

func (g *expressions) arithmetic(in []float64, depth int) (*Value, []bounded) {
	i, j := g.b.Index(g.axes[0]), g.b.Index(g.axes[1])
	out := make([]bounded, len(in))
	if depth == 0 {
		for n, x := range in {
			out[n].x = x
		}
		return g.b.Load(g.bufs[F32], []*Value{i, j}, nil), out
	}
	op := rapid.SampledFrom([]Op{Add, Sub, Mul, Neg, Abs, Min, Max, FMA, Exp, Tanh}).Draw(g.T, "op")
	var vals []*Value
	var args [][]bounded
	for range op.Info().Arity {
		v, b := g.arithmetic(in, depth-1)
		vals, args = append(vals, v), append(args, b)
	}
	for n := range out {
		a, b, c := args[0][n], args[min(1, len(args)-1)][n], args[len(args)-1][n]
		product := bounded{a.x * b.x, math.Abs(a.x)*b.err + math.Abs(b.x)*a.err + a.err*b.err}
		switch op {
		case Add:
			out[n] = bounded{a.x + b.x, a.err + b.err}.rounded()
		case Sub:
			out[n] = bounded{a.x - b.x, a.err + b.err}.rounded()
		case Mul:
			out[n] = product.rounded()
		case FMA:
			out[n] = bounded{product.x + c.x, product.err + c.err}.rounded()
		case Neg:
			out[n] = bounded{-a.x, a.err}
		case Abs:
			out[n] = bounded{math.Abs(a.x), a.err}
		case Min:
			out[n] = bounded{math.Min(a.x, b.x), max(a.err, b.err)}
		case Max:
			out[n] = bounded{math.Max(a.x, b.x), max(a.err, b.err)}
		case Exp:
			out[n] = bounded{math.Exp(a.x), math.Exp(a.x) * math.Expm1(a.err)}.rounded()
		case Tanh:
			out[n] = bounded{math.Tanh(a.x), a.err}.rounded()
		}
	}
	return g.b.Op(op, vals...), out
}

func TestTypedStaysWithinRoundingOfFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newExpressions(t)
		in := Floats(F32, make([]float64, 12), 3, 4)
		for n := range in.F {
			in.F[n] = float64(float32(rapid.Float64Range(-2, 2).Draw(t, "in")))
		}
		v, want := g.arithmetic(in.F, rapid.IntRange(0, 3).Draw(t, "depth"))
		out := g.b.Buffer("out_", F32, Out, 3, 4)
		g.b.Store(out, []*Value{g.b.Index(g.axes[0]), g.b.Index(g.axes[1])}, nil, v)
		args := func() buffers {
			a := buffers{"b_f32": in.Clone()}
			for _, b := range g.b.Kernel().Bufs {
				if b.Mode == In && b.Elem != F32 {
					a[b.Name] = NewData(b.Elem, 3, 4)
				}
			}
			return a
		}
		exact := eval(t, g.b.Kernel(), args(), EvalOptions{})["out_"].F
		typed := eval(t, g.b.Kernel(), args(), EvalOptions{Typed: true})["out_"].F
		for n, w := range want {
			if math.Abs(w.x)+w.err > 1e30 {
				continue
			}
			require.InDelta(t, w.x, exact[n], math.Abs(w.x)*1e-9+w.err*1e-7+1e-300)
			require.InDelta(t, w.x, typed[n], w.err*1.0001)
			require.Equal(t, float64(float32(typed[n])), typed[n])
		}
	})
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(kirDir, "*.kir"))
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(string(text))
	}
	f.Add("kernel k() { }")
	f.Add("kernel \"a b\"(in X: f32[] strides[], out Y: f32[2]) guarded { axis i: 2 lane Y[i; i < 1] = -X[] + -inf * nan } sched { Cut i 8 }")
	f.Fuzz(func(t *testing.T, text string) {
		ks, err := Parse("fuzz", text)
		if err != nil {
			require.IsType(t, &SyntaxError{}, err)
			return
		}
		for _, k := range ks {
			valid := Verify(k)
			if valid != nil {
				continue
			}
			first := k.String()
			again, err := Parse("printed", first)
			require.NoError(t, err, first)
			require.Equal(t, first, again[0].String())
			require.NoError(t, Verify(again[0]), first)
		}
	})
}
