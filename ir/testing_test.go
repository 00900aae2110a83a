package ir

import (
	"flag"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

var update = flag.Bool("update", false, "rewrite golden files")

// goldenGraphs parses testdata/ir/*.ir; the files hold canonical text.
func goldenGraphs(t *testing.T) map[string]*Graph {
	paths, err := filepath.Glob("../testdata/ir/*.ir")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	graphs := map[string]*Graph{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		g, err := ParseGraph(string(text))
		require.NoError(t, err, path)
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(g.String()), 0o644))
			text = []byte(g.String())
		}
		require.Equal(t, string(text), g.String(), path)
		graphs[strings.TrimSuffix(filepath.Base(path), ".ir")] = g
	}
	return graphs
}

// randomValue is a value of type t: floats in -2 .. 2, integers in 0 .. 3.
func randomValue(r *rand.Rand, t Type, lens map[string]int) *Tensor {
	dims := []int{}
	for _, d := range t.Dims {
		dims = append(dims, d.Length().Eval(func(name string) int { return lens[name] }))
	}
	v := NewTensor(t.Elem, dims...)
	for i := range v.F {
		v.F[i] = loop.RoundTo(t.Elem, float64(float32(4*r.Float64()-2)))
	}
	for i := range v.I {
		v.I[i] = wrap(t.Elem, int64(r.Intn(4)))
	}
	return v
}

// randomInputs is values for the parameters and symbols of g.
func randomInputs(g *Graph) *Evaluator {
	r := rand.New(rand.NewSource(3))
	e := &Evaluator{Lens: map[string]int{}}
	for _, y := range g.Syms {
		if y.Def == nil {
			e.Lens[y.Name] = max(1, y.Max*2/3)
		} else {
			e.Lens[y.Name] = y.Def.Eval(func(name string) int { return e.Lens[name] })
		}
	}
	values := map[string]*Tensor{}
	for _, p := range g.Params {
		a := p.Attr.(ParamAttr)
		values[a.Kind.String()+a.Name] = randomValue(r, a.Type, e.Lens)
	}
	e.Params = func(kind ParamKind, name string) *Tensor { return values[kind.String()+name] }
	return e
}

// lowered evaluates result r of g by its ops' lowering, in a kernel of its own.
func lowered(t *testing.T, g *Graph, r Result, e *Evaluator) *Tensor {
	b := loop.NewBuilder("k")
	bufs := map[*Node]*loop.Buffer{}
	args := map[string]*loop.Data{}
	lens := map[string]*loop.Value{}
	eval := func(name string) int { return e.Lens[name] }
	sizes := func(t Type) []int {
		out := []int{}
		for _, d := range t.Dims {
			out = append(out, d.Length().Eval(eval))
		}
		return out
	}
	for i, p := range g.Params {
		a := p.Attr.(ParamAttr)
		name := fmt.Sprintf("in%d", i)
		bufs[p] = b.Buffer(name, a.Type.Elem, loop.In, sizes(a.Type)...)
		v := e.Params(a.Kind, a.Name)
		args[name] = &loop.Data{Elem: a.Type.Elem, Dims: v.Dims, F: v.F, I: v.I}
	}
	for _, y := range g.Syms {
		lens[y.Name] = b.Int(loop.I64, int64(e.Lens[y.Name]))
	}
	scope := &Scope{Syms: g.Syms}
	var value func(n *Node, idx []*loop.Value, guard *loop.Value) *loop.Value
	value = func(n *Node, idx []*loop.Value, guard *loop.Value) *loop.Value {
		if n.Op == OpParam {
			return b.Load(bufs[n], idx, guard)
		}
		c := &LowerCtx{B: b, Scope: scope, Guard: guard, Len: func(name string) *loop.Value { return lens[name] }}
		for _, a := range n.Args {
			c.Args = append(c.Args, func(idx []*loop.Value) *loop.Value { return value(a, idx, c.Guard) })
		}
		c.Axis = func(arg, dim int) *loop.Axis {
			return b.Axis("k", n.Args[arg].Type.Dims[dim].Length().Eval(eval))
		}
		require.NotNil(t, n.Op.Lower, n.Op.Name)
		v := n.Op.Lower(c, n, idx)
		require.Equal(t, n.Type.Elem, v.Elem, n.Op.Name)
		return v
	}
	out := b.Buffer("y", r.Value.Type.Elem, loop.Out, sizes(r.Value.Type)...)
	var idx []*loop.Value
	for _, n := range sizes(r.Value.Type) {
		idx = append(idx, b.Index(b.Axis("i", n)))
	}
	b.Store(out, idx, nil, value(r.Value, idx, nil))
	result := loop.NewData(out.Elem, out.Dims...)
	args["y"] = result
	require.NoError(t, loop.Eval(b.Kernel(), args, loop.EvalOptions{}), r.Name)
	got := args["y"]
	return &Tensor{Elem: got.Elem, Dims: got.Dims, F: got.F, I: got.I}
}

// near wants equal values: integers exactly, floats to the rounding of a few sums.
func near(t *testing.T, want, got *Tensor, what string) {
	require.Equal(t, want.Elem, got.Elem, what)
	require.Equal(t, want.Len(), got.Len(), what)
	if want.F == nil {
		require.Equal(t, want.I, got.I, what)
		return
	}
	for i, w := range want.F {
		if w != got.F[i] && !(math.IsNaN(w) && math.IsNaN(got.F[i])) {
			require.InDelta(t, w, got.F[i], 1e-12*(1+math.Abs(w)), "%s [%d]", what, i)
		}
	}
}
