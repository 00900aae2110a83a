package passes

import (
	"hash/fnv"
	"math"
	"math/rand"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

// evaluate runs a graph on random parameters that depend on their names only.
func evaluate(t require.TestingT, g *ir.Graph, lens map[string]int) []*ir.Tensor {
	e := ir.Evaluator{Lens: lens, Params: func(kind ir.ParamKind, name string) *ir.Tensor {
		for _, p := range g.Params {
			if a := p.Attr.(ir.ParamAttr); a.Kind == kind && a.Name == name {
				return randomTensor(a.Type, name, lens)
			}
		}
		return nil
	}}
	out, err := e.Run(g)
	require.NoError(t, err)
	return out
}

func randomTensor(typ ir.Type, name string, lens map[string]int) *ir.Tensor {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewSource(int64(h.Sum64())))
	var dims []int
	for _, d := range typ.Dims {
		n := d.Size
		if d.Len != nil {
			n = d.Len.Eval(func(s string) int { return lens[s] })
		}
		dims = append(dims, n)
	}
	x := ir.NewTensor(typ.Elem, dims...)
	for i := range x.F {
		x.F[i] = r.NormFloat64()
	}
	for i := range x.I {
		x.I[i] = int64(r.Intn(2))
	}
	return x
}

// requireEqual compares results of two graphs; the order of additions may differ.
func requireEqual(t require.TestingT, want, got []*ir.Tensor, note string) {
	requireNear(t, want, got, 1e-9, note)
}

func requireNear(t require.TestingT, want, got []*ir.Tensor, tolerance float64, note string) {
	require.Equal(t, len(want), len(got), note)
	for k := range want {
		require.ElementsMatch(t, want[k].Dims, got[k].Dims, note)
		require.Equal(t, want[k].I, got[k].I, note)
		for i, w := range want[k].F {
			g := got[k].F[i]
			if math.IsNaN(w) && math.IsNaN(g) || w == g {
				continue
			}
			require.InDelta(t, w, g, tolerance*(1+math.Abs(w)), "%s: result %d, element %d", note, k, i)
		}
	}
}
