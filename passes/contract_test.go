package passes

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

// What a mask leaves out of a sum of products may be anything: it is as though it were not there.
func TestMasksLeaveOut(t *testing.T) {
	axes := map[string][]int{"p": {0, 2}, "v": {2, 1}} // of the product's, those that a factor has
	for axis, name := range []string{"rows", "columns", "summands", "all"} {
		t.Run(name, func(t *testing.T) {
			dims, at := fmt.Sprint([]int{5, 4, 6}[axis%3]), fmt.Sprintf("i%d", axis)
			if name == "all" {
				dims, at = "", ""
			}
			g, err := ir.ParseGraph(fmt.Sprintf(`graph g {
  %%0 = param value p f32[5, 6]
  %%1 = param value v f32[6, 4]
  %%2 = param value m bool[%s]
  %%3 = index %%0 {(i0, i1, i2) -> (i0, i2)} [5, 4, 6] : f32[5, 4, 6]
  %%4 = index %%1 {(i0, i1, i2) -> (i2, i1)} [5, 4, 6] : f32[5, 4, 6]
  %%5 = index %%2 {(i0, i1, i2) -> (%s)} [5, 4, 6] : bool[5, 4, 6]
  %%6 = mul %%3, %%4 : f32[5, 4, 6]
  %%7 = const f32[5, 4, 6] 0
  %%8 = where %%5, %%6, %%7 : f32[5, 4, 6]
  %%9 = reduce %%8 sum [2] : f32[5, 4]
  value %%9
}`, dims, at))
			require.NoError(t, err)
			contracted, err := Contract(g)
			require.NoError(t, err)
			require.Contains(t, contracted.String(), "dot")
			params := map[string]*ir.Tensor{}
			for _, p := range g.Params {
				a := p.Attr.(ir.ParamAttr)
				x := randomTensor(a.Type, a.Name, nil)
				params[a.Name] = x
				for i := range x.I { // the mask takes every other one
					x.I[i] = int64(i % 2)
				}
				for i := range x.F {
					for d, k := range []int{i / a.Type.Dims[1].Size, i % a.Type.Dims[1].Size} {
						if name == "all" || axes[a.Name][d] == axis && k%2 == 0 {
							x.F[i] = []float64{math.Inf(1), math.NaN()}[i%2]
						}
					}
				}
			}
			run := func(g *ir.Graph) []*ir.Tensor {
				e := ir.Evaluator{Params: func(_ ir.ParamKind, name string) *ir.Tensor { return params[name] }}
				out, err := e.Run(g)
				require.NoError(t, err)
				return out
			}
			want := run(g)
			for _, x := range want[0].F {
				require.False(t, math.IsNaN(x) || math.IsInf(x, 0), "the test asks for what is left out")
			}
			requireNear(t, want, run(contracted), 1e-6, "contracted")
		})
	}
}
