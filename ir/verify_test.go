package ir

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

func TestVerifierRefuses(t *testing.T) {
	f := TensorOf(loop.F32, 3)
	build := func() (*Builder, *Node, *Node) {
		b := NewBuilder("g")
		x := b.Param(ParamState, "x", f)
		return b, x, b.Add(x, x)
	}
	cases := map[string]func() *Graph{
		"type is f32[4], must be f32[3]": func() *Graph {
			b, _, y := build()
			y.Type = TensorOf(loop.F32, 4)
			return b.FinishValues(y)
		},
		"parameter state x f32[3] is not declared": func() *Graph {
			b, _, y := build()
			g := b.FinishValues(y)
			g.Params = nil
			return g
		},
		"parameter state x is declared twice": func() *Graph {
			b, x, y := build()
			g := b.FinishValues(y)
			g.Params = []*Node{x, x}
			return g
		},
		"region of cluster: graph r: parameter state x f32[3] is not declared": func() *Graph {
			b, x, y := build()
			r := b.Region("r")
			p := r.Param(ParamValue, "p", f)
			region := r.FinishValues(r.Op("neg", p))
			c := b.Cluster("nest", region, y)
			region.Results[0].Value.Args[0] = x
			return b.FinishValues(b.Get(c, 0))
		},
		"unknown symbol T": func() *Graph {
			b := NewBuilder("g")
			T := b.Sym("T", 4, nil)
			g := b.FinishValues(b.Param(ParamState, "x", OfDims(loop.F32, []Dim{DynDim(T, 4)})))
			g.Syms = nil
			return g
		},
		"symbol T is defined twice": func() *Graph {
			b, _, y := build()
			b.Sym("T", 4, nil)
			g := b.FinishValues(y)
			g.Syms = append(g.Syms, g.Syms...)
			return g
		},
		"carry 0 starts as f32[3] and becomes f32[]": func() *Graph {
			b, x, _ := build()
			r := b.Region("r")
			r.Param(ParamValue, "t", TensorOf(loop.I32))
			c := r.Param(ParamValue, "c", f)
			region := r.FinishValues(c)
			l := b.Loop(LoopAttr{Count: index.C(2), Carry: 1}, region, x)
			region.Results[0].Value = r.Reduce(Sum, []int{0}, c)
			return b.FinishValues(b.Get(l, 0))
		},
	}
	for want, make := range cases {
		require.ErrorContains(t, Verify(make()), want)
	}
}

func TestModuleVerifierRefuses(t *testing.T) {
	for want, spoil := range map[string]func(m *Module){
		"there is no state gpt.blocks.#.w":          func(m *Module) { m.States = m.States[1:] },
		"state gpt.blocks.#.w is f32[2], the graph": func(m *Module) { m.States[0].Type = TensorOf(loop.F32, 2) },
		"there is no feed x":                        func(m *Module) { m.Entries[0].Feeds = nil },
		"there is no flag prompt":                   func(m *Module) { m.Entries[0].Flags = nil },
		"is written twice":                          func(m *Module) { g := m.Entries[0].Graph; g.Results = append(g.Results, g.Results[0]) },
		"stack [3] of f32[2, 3]":                    func(m *Module) { m.States[0].Stack = []int{3} },
		"has no graph":                              func(m *Module) { m.Entries[1].Graph = nil },
	} {
		m := sampleModule(t)
		spoil(m)
		require.ErrorContains(t, VerifyModule(m), want)
	}
}

func TestAccessesAreProvedInside(t *testing.T) {
	s := &Scope{Syms: []Sym{{Name: "T", Max: 9}, {Name: "U", Max: 6}}}
	dims := func(text string) []Dim {
		p := &AttrParser{text: text}
		d := p.dims()
		require.NoError(t, p.err)
		return d
	}
	for _, c := range []struct {
		over, expr, into string
		inside           bool
	}{
		{"[3]", "i0", "[3]", true},
		{"[3]", "i0 + 1", "[3]", false},
		{"[3]", "i0 - 1", "[3]", false},
		{"[3]", "2 - i0", "[3]", true},
		{"[T<=9]", "i0", "[T<=9]", true},
		{"[T<=9]", "T - 1 - i0", "[T<=9]", true},
		{"[T<=9]", "T - i0", "[T<=9]", false},
		{"[T<=9]", "i0", "[U<=6]", false},
		{"[T<=9]", "i0", "[9]", true},
		{"[9]", "i0", "[T<=9]", false},
		{"[T - 1<=8]", "i0 + 1", "[T<=9]", true},
		{"[T*2<=18]", "i0/2", "[T<=9]", true},
		{"[T<=9, 3]", "i0*3 + i1", "[T*3<=27]", true},
		{"[T<=9, 3]", "i0*3 + i1 + 1", "[T*3<=27]", false},
		{"[T<=9, U<=6]", "i0*U + i1", "[T*U<=54]", true},
		{"[T*24<=216]", "i0/(T*2)", "[12]", true},
		{"[T*24 + 1<=217]", "i0/(T*2)", "[12]", false},
		{"[T*24<=216]", "i0/2%T", "[T<=9]", true},
		{"[T*U<=54]", "i0/U", "[T<=9]", true},
		{"[T*U<=54]", "i0/T", "[T<=9]", false},
		{"[12]", "i0%5", "[5]", true},
		{"[12]", "i0%5", "[4]", false},
		{"[T<=9]", "min(i0, U - 1)", "[T<=9]", false},
		{"[T<=9]", "min(i0, U)", "[T<=9]", true},
		{"[T<=9]", "max(i0 - 2, 0)", "[T<=9]", false}, // T - 3 or 0, and T may be 0
		{"[1]", "T", "[min(10, T + 1)<=10]", true},    // T is 9 at most
		{"[min(10, T + 1)<=10]", "i0", "[min(10, T + 1)<=10]", true},
		{"[1]", "T", "[min(9, T + 1)<=9]", false},
		{"[9, 0]", "i0 + 100", "[3]", true}, // no element
	} {
		r := &span{s, dims(c.over)}
		require.Equal(t, c.inside, r.inside(mustExpr(t, c.expr), dims(c.into)[0]), "%s over %s into %s", c.expr, c.over, c.into)
	}
}

func TestBuilderInterns(t *testing.T) {
	b := NewBuilder("g")
	x := b.Param(ParamState, "x", TensorOf(loop.F32, 3))
	require.Same(t, b.Add(x, x), b.Add(x, x))
	require.Same(t, x, b.Param(ParamState, "x", TensorOf(loop.F32, 3)))
	require.NotSame(t, b.Like(x, 1), b.Const(TensorOf(loop.F32, 4), 1))
	y := b.Op("exp", x)
	b.Gen = 1
	z := b.Op("exp", x)
	require.NotSame(t, y, z)
	g := b.FinishValues(y, z)
	require.Equal(t, "graph g {\n  %0 = param state x f32[3]\n  %1 = exp %0 : f32[3]\n  %2@1 = exp %0 : f32[3]\n  value %1\n  value %2@1\n}\n", g.String())
	again, err := Rewrite(g, nil, nil)
	require.NoError(t, err)
	require.Equal(t, g.String(), again.String())

	body := func() *Graph {
		r := b.Region("r")
		p := r.Param(ParamValue, "p", TensorOf(loop.F32, 3))
		return r.FinishValues(r.Op("neg", p))
	}
	require.Same(t, b.Cluster("nest", body(), x), b.Cluster("nest", body(), x))
}

func TestShapeErrors(t *testing.T) {
	b := NewBuilder("g")
	x, y := b.Param(ParamState, "x", TensorOf(loop.F32, 3, 4)), b.Param(ParamState, "y", TensorOf(loop.F32, 4, 3))
	n := b.Param(ParamState, "n", TensorOf(loop.I32, 3, 4))
	for want, f := range map[string]func() (*Node, error){
		"add: operands differ: f32[3, 4] and f32[4, 3]":                func() (*Node, error) { return b.TryMake(OpAdd, nil, x, y) },
		"exp: takes floats, not i32[3, 4]":                             func() (*Node, error) { return b.TryMake(Lookup("exp"), nil, n) },
		"dot: axis k is 4 in f32[3, 4] and 3 in f32[3, 4]":             func() (*Node, error) { return b.TryMake(OpDot, DotAttr{"ik", "kj", "ij"}, x, x) },
		"dot: label j of one operand is not in the result of ik,kj->i": func() (*Node, error) { return b.TryMake(OpDot, DotAttr{"ik", "kj", "i"}, x, y) },
		"reduce: max over axes [2] of f32[3, 4]":                       func() (*Node, error) { return b.TryMake(OpReduce, ReduceAttr{Max, []int{2}}, x) },
		"reduce: takes bools, not f32[3, 4]":                           func() (*Node, error) { return b.TryMake(OpReduce, ReduceAttr{Any, []int{0}}, x) },
		"grad: takes the gradient of a float scalar, not f32[3, 4]":    func() (*Node, error) { return b.TryMake(OpGrad, nil, x, y) },
		"top_k: 5 of an axis of length 4":                              func() (*Node, error) { return b.TryMake(OpTopK, TopKAttr{5}, x) },
		"argsort: sorts axes of at most 1048576 elements, not 1048577": func() (*Node, error) {
			return b.TryMake(OpArgSort, nil, b.Const(TensorOf(loop.F32, 1<<20+1), 0))
		},
		"scatter: map with 1 results for shape [2, 2]": func() (*Node, error) {
			return b.TryMake(OpScatter, IndexAttr{Vars: 2, Out: []*index.Expr{Var(0)}, Shape: TensorOf(loop.F32, 2, 2).Dims}, x)
		},
		"where: operands differ: f32[3, 4] and bool[3, 4]": func() (*Node, error) { return b.TryMake(OpWhere, nil, x, x, x) },
		"const: 2 values for f32[3]":                       func() (*Node, error) { return b.TryMake(OpConst, ConstAttr{TensorOf(loop.F32, 3), []uint64{0, 0}}) },
	} {
		_, err := f()
		require.EqualError(t, err, want)
	}
	require.Panics(t, func() { b.Add(x, y) })
	require.Panics(t, func() { NewBuilder("other").Op("exp", x) })
}

// TestOrderOfValuesDoesNotMatter evaluates graphs whose lines are shuffled.
func TestOrderOfValuesDoesNotMatter(t *testing.T) {
	for name, g := range goldenGraphs(t) {
		e := randomInputs(g)
		want, err := e.Run(g)
		require.NoError(t, err, name)
		random := rand.New(rand.NewSource(5))
		for range 3 {
			b := Reopen(g, nil)
			m := Mapping{}
			for i, p := range g.Params {
				m[p] = b.Params()[i]
			}
			waiting := g.Nodes()
			random.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
			for len(waiting) > 0 {
				var rest []*Node
				for _, n := range waiting {
					ready := true
					for _, a := range n.Args {
						ready = ready && m[a] != nil
					}
					if !ready {
						rest = append(rest, n)
					} else if m[n] == nil {
						_, err := m.Copy(b, n, nil)
						require.NoError(t, err)
					}
				}
				waiting = rest
			}
			results := append([]Result(nil), g.Results...)
			for i := range results {
				results[i].Value = m[results[i].Value]
			}
			shuffled := b.Finish(results...)
			require.Equal(t, g.String(), shuffled.String(), "the text does not depend on the order of construction")
			got, err := e.Run(shuffled)
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
	}
}

func TestEvaluatorReportsBadIndices(t *testing.T) {
	b := NewBuilder("g")
	x := b.Param(ParamState, "x", TensorOf(loop.F32, 3))
	b.Pos = Pos{File: "net.mdl", Line: 4, Col: 2}
	g := b.FinishValues(b.Index(x, TensorOf(loop.F32, 2).Dims, []*index.Expr{Data(1)}, nil, b.Dense(TensorOf(loop.I32, 2), []float64{1, 3})))
	e := &Evaluator{Params: func(ParamKind, string) *Tensor { return Floats([]float64{1, 2, 3}, 3) }}
	_, err := e.Run(g)
	require.EqualError(t, err, "net.mdl:4:2: index: index [3] is outside of [3]")
	e.Params = func(ParamKind, string) *Tensor { return Floats([]float64{1, 2}, 2) }
	_, err = e.Run(g)
	require.ErrorContains(t, err, "value of f32[2] for f32[3]")
}

func TestTypesPrintAndCompare(t *testing.T) {
	T := index.V("T")
	a := OfDims(loop.F32, []Dim{{Size: 12}, DynDim(T, 64), {Size: 128}})
	require.Equal(t, "f32[12, T<=64, 128]", a.String())
	require.True(t, a.IsDynamic() && a.Rank() == 3 && a.Bytes() == 4*12*64*128)
	require.False(t, a.Equal(TensorOf(loop.F32, 12, 64, 128)))
	require.Equal(t, Dim{Size: 64}, DynDim(index.C(64), 64))
	require.Equal(t, "(f32[], (i32[2]))", TupleOf(TensorOf(loop.F32), TupleOf(TensorOf(loop.I32, 2))).String())
	require.False(t, TupleOf().Equal(TensorOf(loop.F32)))
	require.True(t, strings.HasPrefix(TupleOf().String(), "("))
}
