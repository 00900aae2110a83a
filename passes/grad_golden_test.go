package passes

import (
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// The golden files hold the graph before and, after a line ----, what the pass makes of it.
func TestGradGoldens(t *testing.T) {
	paths, err := filepath.Glob("../testdata/passes/grad/*.ir")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			before, after, _ := strings.Cut(string(text), "----\n")
			g, err := ir.ParseGraph(before)
			require.NoError(t, err)
			require.NoError(t, ir.Verify(g))
			out, err := Grad(g)
			require.NoError(t, err)
			require.NoError(t, ir.Verify(out), out.String())
			if *updatePlans {
				require.NoError(t, os.WriteFile(path, []byte(before+"----\n"+out.String()), 0o644))
				return
			}
			require.Equal(t, after, out.String())
		})
	}
}

// The gradient does not depend on the order in which values are made.
func TestGradOfShuffledGraph(t *testing.T) {
	text, err := os.ReadFile("../testdata/passes/grad/norm.ir")
	require.NoError(t, err)
	before, after, _ := strings.Cut(string(text), "----\n")
	lines := strings.Split(before, "\n")
	first := slices.IndexFunc(lines, func(s string) bool { return strings.Contains(s, "= param") })
	lines[first], lines[first+1] = lines[first+1], lines[first]
	g, err := ir.ParseGraph(strings.Join(lines, "\n"))
	require.NoError(t, err)
	shuffled, err := Grad(g)
	require.NoError(t, err)
	want, err := ir.ParseGraph(after)
	require.NoError(t, err)
	random := rand.New(rand.NewSource(2))
	values := map[string]*ir.Tensor{}
	for _, p := range want.Params {
		a := p.Attr.(ir.ParamAttr)
		v := ir.NewTensor(a.Type.Elem, actual(a.Type, nil)...)
		for i := range v.F {
			v.F[i] = random.NormFloat64()
		}
		values[a.Name] = v
	}
	e := &ir.Evaluator{Params: func(_ ir.ParamKind, name string) *ir.Tensor { return values[name] }}
	x, err := e.Run(want)
	require.NoError(t, err)
	y, err := e.Run(shuffled)
	require.NoError(t, err)
	require.Equal(t, x, y)
}

func TestGradErrors(t *testing.T) {
	at := func(line int) ir.Pos { return ir.Pos{File: "net.mdl", Line: line, Col: 5} }
	scalar := func(b *ir.Builder, x *ir.Node) *ir.Node {
		b.Pos = at(2)
		return b.Reduce(ir.Sum, []int{0}, x)
	}
	for want, build := range map[string]func(b *ir.Builder, x, y *ir.Node) *ir.Node{ // a space behind a message tells its cases apart
		"net.mdl:3:5: error: no gradient of the loss reaches `y`\n  = it does not depend on it": func(b *ir.Builder, x, y *ir.Node) *ir.Node {
			return scalar(b, x)
		},
		"net.mdl:3:5: error: no gradient of the loss reaches `y`\n  = `stop` at net.mdl:1:5: it takes a value without its gradient\n  = help: `straight_through(hard, soft)` has the value of one and the gradient of the other": func(b *ir.Builder, x, y *ir.Node) *ir.Node {
			return scalar(b, b.Add(x, b.Stop(y)))
		},
		"net.mdl:3:5: error: no gradient of the loss reaches `y`\n  = `argmax` at net.mdl:2:5: integers and bools have no gradient\n  = help: `straight_through(hard, soft)` has the value of one and the gradient of the other": func(b *ir.Builder, x, y *ir.Node) *ir.Node {
			sum := scalar(b, x)
			return b.Add(sum, b.Cast(b.Reduce(ir.ArgMax, []int{0}, y), loop.F32))
		},
		"net.mdl:3:5: error: no gradient of the loss reaches `y`\n  = `argmax` at net.mdl:2:5: integers and bools have no gradient\n  = help: `straight_through(hard, soft)` has the value of one and the gradient of the other ": func(b *ir.Builder, x, y *ir.Node) *ir.Node {
			relu := b.Where(b.Op("gt", y, b.Like(y, 0)), y, b.Like(y, 0)) // the comparison is not what is in the way
			sum := scalar(b, x)
			return b.Add(sum, b.Cast(b.Reduce(ir.ArgMax, []int{0}, relu), loop.F32))
		},
		"net.mdl:3:5: error: no gradient of the loss reaches `y`\n  = `stop` at net.mdl:2:5: it takes a value without its gradient\n  = help: `straight_through(hard, soft)` has the value of one and the gradient of the other": func(b *ir.Builder, x, y *ir.Node) *ir.Node {
			r := b.Region("r") // in the body of a loop
			r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
			c, v := r.Param(ir.ParamValue, "c", f32(4)), r.Param(ir.ParamValue, "v", f32(4))
			r.Pos = at(2)
			l := b.Loop(ir.LoopAttr{Count: index.C(4), Carry: 1}, r.FinishValues(r.Add(c, r.Stop(r.Op("abs", v)))), x, y)
			return scalar(b, b.Get(l, 0))
		},
		"net.mdl:2:5: error: the gradient of the loop has to save a value of type f32[t + 1<=4], whose length changes from turn to turn with t": func(b *ir.Builder, x, y *ir.Node) *ir.Node {
			r := b.Region("r")
			turn := r.Sym("t", 3, nil)
			r.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
			c, v := r.Param(ir.ParamValue, "c", f32(4)), r.Param(ir.ParamValue, "v", f32(4))
			r.Pos = at(2)
			prefix := []ir.Dim{ir.DynDim(index.Sum(turn, index.C(1)), 4)}
			part := r.Dot("ij,ij->i", r.Index(c, append(prefix, ir.Dim{Size: 1}), []*index.Expr{ir.Var(0)}, nil), r.Index(v, append(prefix, ir.Dim{Size: 1}), []*index.Expr{ir.Var(0)}, nil))
			s := r.Reduce(ir.Sum, []int{0}, r.Mul(part, part))
			next := r.Add(c, r.Broadcast(s, c.Type.Dims))
			l := b.Loop(ir.LoopAttr{Count: index.C(4), Carry: 1, Sym: "t"}, r.FinishValues(next), x, y)
			return scalar(b, b.Get(l, 0))
		},
	} {
		b := ir.NewBuilder("main")
		b.Pos = at(1)
		x, y := b.Param(ir.ParamState, "x", f32(4)), b.Param(ir.ParamState, "y", f32(4))
		s := build(b, x, y)
		b.Pos = at(3)
		g := b.Grad(s, x, y)
		_, err := Grad(b.FinishValues(b.Get(g, 0)))
		require.EqualError(t, err, strings.TrimSpace(want))
	}
}

// Ties: the first operand, the first of the largest.
func TestGradOfTies(t *testing.T) {
	b := ir.NewBuilder("main")
	x := b.Param(ir.ParamState, "x", f32(2, 2))
	y := b.Param(ir.ParamState, "y", f32(2, 2))
	s := b.Reduce(ir.Sum, []int{0, 1}, b.Op("max", x, y))
	one := b.Grad(s, x, y)
	row := b.Grad(b.Reduce(ir.Sum, []int{0}, b.Reduce(ir.Max, []int{1}, x)), x)
	all := b.Grad(b.Reduce(ir.Max, []int{0, 1}, x), x)
	g, err := Grad(b.FinishValues(b.Get(one, 0), b.Get(one, 1), b.Get(row, 0), b.Get(all, 0)))
	require.NoError(t, err)
	e := &ir.Evaluator{Params: func(ir.ParamKind, string) *ir.Tensor { return ir.Floats([]float64{1, 1, 1, 1}, 2, 2) }}
	out, err := e.Run(g)
	require.NoError(t, err)
	require.Equal(t, []float64{1, 1, 1, 1}, out[0].F)
	require.Equal(t, []float64{0, 0, 0, 0}, out[1].F)
	require.Equal(t, []float64{1, 0, 1, 0}, out[2].F)
	require.Equal(t, []float64{1, 0, 0, 0}, out[3].F)
}

// The gradient by a value in the middle is the same where the passes before grad run.
func TestGradByAPinnedValue(t *testing.T) {
	b := ir.NewBuilder("main")
	u, w := b.Param(ir.ParamFeed, "u", f32(2, 5)), b.Param(ir.ParamState, "w", f32(3))
	mid := b.Mul(u, b.Like(u, 1)) // equal to u, which the scalar also depends on
	window := b.Index(mid, f32(2, 3, 3).Dims, parsed("i0", "i1 + i2"), nil)
	y := b.Reduce(ir.Sum, []int{2}, b.Mul(window, b.Broadcast(w, window.Type.Dims, 2)))
	s := b.Add(b.Reduce(ir.Sum, []int{0, 1}, b.Op("tanh", y)), b.Reduce(ir.Sum, []int{0, 1}, b.Mul(u, u)))
	d := b.Get(b.Grad(s, mid), 0)
	penalty := b.Reduce(ir.Sum, []int{0, 1}, b.Mul(d, d))
	g := b.FinishValues(d, b.Get(b.Grad(penalty, w), 0))
	random := rand.New(rand.NewSource(4))
	values := map[string]*ir.Tensor{"u": ir.NewTensor(loop.F32, 2, 5), "w": ir.NewTensor(loop.F32, 3)}
	for _, name := range []string{"u", "w"} {
		for i := range values[name].F {
			values[name].F[i] = random.NormFloat64()
		}
	}
	e := &ir.Evaluator{Params: func(_ ir.ParamKind, name string) *ir.Tensor { return values[name] }}
	plain, err := Grad(g)
	require.NoError(t, err)
	want, err := e.Run(plain)
	require.NoError(t, err)
	for _, pass := range []func(*ir.Graph) (*ir.Graph, error){Pin, Simplify, Contract, Grad} {
		g, err = pass(g)
		require.NoError(t, err)
		require.NoError(t, ir.Verify(g))
	}
	got, err := e.Run(g)
	require.NoError(t, err)
	for i := range want {
		require.InDeltaSlice(t, want[i].F, got[i].F, 1e-12)
	}
}
