package passes

import (
	"flag"
	"github.com/stretchr/testify/require"
	"math/rand"
	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
	"pgregory.net/rapid"
	"testing"
)

// A fixed seed by default, so that a run says something of the change and not of luck; -rapid.seed=N explores.
func init() { _ = flag.Set("rapid.seed", "1") }

// TestRandomGraphs: what the passes make of random graphs has the same values.
func TestRandomGraphs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := randomGraph(t)
		want := evaluate(t, g, nil)
		shuffled := rand.New(rand.NewSource(1))
		for _, p := range Pipeline(Types{}) {
			before := g
			var err error
			g, err = runPass(p, g, Options{Shuffle: shuffled})
			require.NoError(t, err)
			if p.Name != "grad" && p.Name != "unstop" {
				requireEqual(t, want, evaluate(t, g, nil), p.Name+" of\n"+before.String()+"gave\n"+g.String())
			}
		}
	})
}

// randomGraph draws values from values: element-wise ops, movement, reductions, products, scatters.
func randomGraph(t *rapid.T) *ir.Graph {
	b := ir.NewBuilder("random")
	pick := func(name string, n int) int { return rapid.IntRange(0, n-1).Draw(t, name) }
	var pool []*ir.Node
	for _, shape := range [][]int{{3}, {2, 3}, {4, 3, 2}, {}} {
		pool = append(pool, b.Param(ir.ParamValue, "", f32(shape...)))
	}
	for range 4 + pick("steps", 14) {
		x := pool[pick("value", len(pool))]
		var y *ir.Node
		switch pick("op", 8) {
		case 0:
			y = b.Op([]string{"neg", "tanh", "exp", "abs"}[pick("function", 4)], x)
			if y.Op.Name == "exp" {
				y = b.Op("tanh", y) // keeps the values small
			}
		case 1, 2:
			var same []*ir.Node
			for _, z := range pool {
				if ir.SameDims(z.Type.Dims, x.Type.Dims) {
					same = append(same, z)
				}
			}
			z := append(same, b.Like(x, 0), b.Like(x, 1))[pick("other", len(same)+2)]
			switch pick("binary", 5) {
			case 0:
				y = b.Add(x, z)
			case 1:
				y = b.Sub(x, z)
			case 2:
				y = b.Where(b.Op("lt", x, z), x, b.Like(x, 0))
			default:
				y = b.Mul(x, z)
			}
		case 3:
			if r := x.Type.Rank(); r > 0 {
				axes := axes(1 + pick("axes", 1<<r-1)).list(r)
				y = b.Reduce([]ir.ReduceKind{ir.Sum, ir.Sum, ir.Max}[pick("kind", 3)], axes, x)
			}
		case 4, 5:
			y = randomMove(t, b, x)
		case 6:
			y = randomProduct(t, b, x, pool[pick("factor", len(pool))])
		case 7:
			if r := x.Type.Rank(); r > 0 {
				y = b.Scatter(x, []ir.Dim{{Size: 6}}, []*index.Expr{randomExpr(t, r)})
			}
		}
		if y != nil && y.Type.Size() <= 256 {
			pool = append(pool, y)
		}
	}
	var out []*ir.Node
	for range 1 + pick("results", 3) {
		out = append(out, pool[len(pool)-1-pick("result", min(4, len(pool)))])
	}
	return b.FinishValues(out...)
}

// randomExpr is an affine expression of some index variables.
func randomExpr(t *rapid.T, vars int) *index.Expr {
	e := index.C(rapid.IntRange(-1, 1).Draw(t, "shift"))
	for k := range vars {
		e = index.Sum(e, index.Prod(ir.Var(k), index.C(rapid.IntRange(-1, 2).Draw(t, "step"))))
	}
	switch d := rapid.IntRange(1, 3).Draw(t, "divisor"); rapid.IntRange(0, 4).Draw(t, "round") {
	case 0:
		return index.Quo(e, index.C(d))
	case 1:
		return index.Rem(e, index.C(d))
	}
	return e
}

// randomMove reads x through a random map; mostly one that is useful.
func randomMove(t *rapid.T, b *ir.Builder, x *ir.Node) *ir.Node {
	r := x.Type.Rank()
	switch rapid.IntRange(0, 3).Draw(t, "move") {
	case 0: // a permutation with one axis more
		shape := append([]ir.Dim{{Size: rapid.IntRange(1, 3).Draw(t, "repeat")}}, x.Type.Dims...)
		at := make([]int, r)
		for k := range at {
			at[k] = k + 1
		}
		if r > 1 && rapid.Bool().Draw(t, "swap") {
			shape[1], shape[2], at[0], at[1] = shape[2], shape[1], 2, 1
		}
		if len(shape) > 4 {
			return nil
		}
		return b.Broadcast(x, shape, at...)
	case 1: // flat
		out := make([]*index.Expr, r)
		e := ir.Var(0)
		for k := r - 1; k >= 0; k-- {
			n := index.C(x.Type.Dims[k].Size)
			out[k], e = index.Rem(e, n), index.Quo(e, n)
		}
		if r > 0 {
			out[0] = ir.Var(0)
			for k := r - 1; k > 0; k-- {
				out[0] = index.Quo(out[0], index.C(x.Type.Dims[k].Size))
			}
		}
		return b.Index(x, []ir.Dim{{Size: x.Type.Size()}}, out, nil)
	}
	zero := 0.0
	shape := f32(rapid.SliceOfN(rapid.IntRange(1, 4), 1, 3).Draw(t, "shape")...).Dims
	out := make([]*index.Expr, r)
	for k := range out {
		out[k] = randomExpr(t, len(shape))
	}
	return b.Index(x, shape, out, &zero)
}

// randomProduct is a sum of products in index notation.
func randomProduct(t *rapid.T, b *ir.Builder, x, y *ir.Node) *ir.Node {
	if x.Type.Rank() == 0 || y.Type.Rank() == 0 {
		return nil
	}
	k := x.Type.Rank() - 1
	j := rapid.IntRange(0, y.Type.Rank()-1).Draw(t, "axis")
	if !x.Type.Dims[k].Equal(y.Type.Dims[j]) || x.Type.Rank()+y.Type.Rank() > 5 {
		return nil
	}
	full := append([]ir.Dim{}, x.Type.Dims...)
	left, right := []int{}, make([]int, y.Type.Rank())
	for a := range x.Type.Dims {
		left = append(left, a)
	}
	for a, d := range y.Type.Dims {
		if a == j {
			right[a] = k
			continue
		}
		right[a] = len(full)
		full = append(full, d)
	}
	size := ir.OfDims(loop.F32, full).Size()
	if size > 512 {
		return nil
	}
	return b.Reduce(ir.Sum, []int{k}, b.Mul(b.Broadcast(x, full, left...), b.Broadcast(y, full, right...)))
}
