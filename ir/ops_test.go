package ir

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

func TestEveryOpHasAllRules(t *testing.T) {
	noKernel := map[string]bool{"param": true, "scatter": true, "bucket": true}
	for _, op := range Ops() {
		require.NotEmpty(t, op.Doc, op.Name)
		require.NotNil(t, op.Infer, op.Name)
		require.NotNil(t, op.Cost, op.Name)
		require.NotNil(t, op.Eval, op.Name)
		require.NotEqual(t, op.Grad == nil, op.NoGrad == "", "%s: Grad or NoGrad, not both", op.Name)
		if op.Class != ClassControl && !noKernel[op.Name] {
			require.NotEqual(t, op.Lower == nil, op.Expand == nil, "%s: Lower or Expand, not both", op.Name)
		}
		require.Same(t, op, Lookup(op.Name))
	}
}

func TestLoweringsEqualTheReference(t *testing.T) {
	lowers := map[string]bool{}
	for _, name := range []string{"functions", "integers", "movement", "reduce", "dot", "random", "dynamic"} {
		g := goldenGraphs(t)[name]
		e := randomInputs(g)
		want, err := e.Run(g)
		require.NoError(t, err)
		for i, r := range g.Results {
			near(t, want[i], lowered(t, g, r, e), name+": "+r.Name)
		}
		for _, n := range g.Nodes() {
			lowers[n.Op.Name] = true
		}
	}
	for _, op := range Ops() {
		if op.Lower != nil {
			require.True(t, lowers[op.Name], "no case for the lowering of %s", op.Name)
		}
	}
}

// expandedOps is g with all ops that have an expansion expanded.
func expandedOps(t *testing.T, g *Graph) *Graph {
	expanded, err := Rewrite(g, nil, func(b *Builder, n *Node, args []*Node) (*Node, error) {
		if n.Op.Expand == nil {
			return nil, nil
		}
		return n.Op.Expand(b, &Node{Op: n.Op, Args: args, Attr: n.Attr, Type: n.Type, Pos: n.Pos})
	})
	require.NoError(t, err)
	require.NoError(t, Verify(expanded))
	return expanded
}

func TestExpansionsEqualTheReference(t *testing.T) {
	has := map[string]bool{"pin": true} // the identity
	for _, name := range []string{"sort", "linear"} {
		g := goldenGraphs(t)[name]
		for _, n := range g.Nodes() {
			has[n.Op.Name] = true
		}
		e := randomInputs(g)
		if name == "sort" {
			x := e.Params(ParamFeed, "x")
			x.F[2], x.F[3], x.F[9] = x.F[1], math.NaN(), math.NaN()
		}
		want, err := e.Run(g)
		require.NoError(t, err)
		expanded := expandedOps(t, g)
		got, err := e.Run(expanded)
		require.NoError(t, err)
		for i, r := range expanded.Results {
			near(t, want[i], got[i], r.Name)
			if name == "sort" { // kernels hold no loops
				near(t, want[i], lowered(t, expanded, r, e), r.Name)
			}
		}
	}
	for _, op := range Ops() {
		if op.Expand != nil {
			require.True(t, has[op.Name], "no case for the expansion of %s", op.Name)
		}
	}
}

func TestReduceOverNothing(t *testing.T) {
	b := NewBuilder("main")
	n := b.Sym("n", 5, nil)
	dims := []Dim{DynDim(n, 5)}
	x := b.Param(ParamFeed, "x", OfDims(loop.F32, dims))
	p := b.Param(ParamFeed, "p", OfDims(loop.Bool, dims))
	var results []Result
	for _, k := range []ReduceKind{Sum, Prod, Max, Min} {
		results = append(results, Result{Kind: ResultReport, Name: k.String(), Value: b.Reduce(k, []int{0}, x)})
	}
	for _, k := range []ReduceKind{Any, All} {
		results = append(results, Result{Kind: ResultReport, Name: k.String(), Value: b.Reduce(k, []int{0}, p)})
	}
	g := b.Finish(results...)
	e := randomInputs(g)
	e.Lens["n"] = 0
	e.Params = func(_ ParamKind, name string) *Tensor {
		return map[string]*Tensor{"x": NewTensor(loop.F32, 0), "p": NewTensor(loop.Bool, 0)}[name]
	}
	out, err := e.Run(g)
	require.NoError(t, err)
	require.Equal(t, []float64{0, 1, negInf, -negInf, 0, 1}, []float64{out[0].F[0], out[1].F[0], out[2].F[0], out[3].F[0], out[4].At(0), out[5].At(0)})
	for i, r := range g.Results {
		near(t, out[i], lowered(t, g, r, e), r.Name)
	}
}

func TestBitsAreTheContract(t *testing.T) {
	b := NewBuilder("main")
	seed, step := b.Param(ParamSeed, "seed", TensorOf(loop.U32, 2)), b.Param(ParamStep, "step", TensorOf(loop.I32))
	g := b.Finish(Result{Kind: ResultReport, Name: "x", Value: b.Bits("a.b", TensorOf(loop.U32, 3, 3).Dims, seed, step, b.I32(5))})
	e := &Evaluator{Params: func(kind ParamKind, _ string) *Tensor {
		if kind == ParamSeed {
			return Ints(loop.U32, []int64{17, 4}, 2)
		}
		return IntScalar(loop.I32, 9)
	}}
	out, err := e.Run(g)
	require.NoError(t, err)
	s := siteHash("a.b")
	key := [2]uint32{17 ^ uint32(s), 4 ^ uint32(s>>32)}
	for i, v := range out[0].I {
		require.Equal(t, int64(loop.Philox4x32(key, [4]uint32{uint32(i / 4), 5, 9, 0})[i%4]), v)
	}
}

func TestTiesGoToTheFirst(t *testing.T) {
	b := NewBuilder("main")
	x := b.Dense(TensorOf(loop.F32, 2, 4), []float64{1, 3, 3, 2, 5, 5, 5, 5})
	g := b.Finish(
		Result{Kind: ResultReport, Name: "max", Value: b.Reduce(ArgMax, []int{1}, x)},
		Result{Kind: ResultReport, Name: "min", Value: b.Reduce(ArgMin, []int{1}, x)},
		Result{Kind: ResultReport, Name: "top", Value: b.TopK(x, 3)},
		Result{Kind: ResultReport, Name: "sort", Value: b.ArgSort(x)})
	out, err := (&Evaluator{}).Run(g)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 0}, out[0].I)
	require.Equal(t, []int64{0, 0}, out[1].I)
	require.Equal(t, []int64{1, 2, 3, 0, 1, 2}, out[2].I)
	require.Equal(t, []int64{0, 3, 1, 2, 0, 1, 2, 3}, out[3].I)
}
