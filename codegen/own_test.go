package codegen

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
)

// Rows and columns that a point packs for itself, with tiles that are fetched ahead, and results that go past the caches, whole and at the edge.
func TestProductsOfLargeOperands(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		machine, small := *target.Machine, *target
		machine.L2, machine.OwnRows, machine.Stream = 1<<14, 12, 1
		small.Machine = &machine
		texts := []string{`kernel gradient(in X: f32[130,150], in D: f32[130,272], out W: f32[150,272]) {
  axis i: 150, j: 272, k: 130
  W[i,j] = dot[k](X[k,i], D[k,j])
}`, `kernel edges(in X: f32[131,149], in D: f32[131,279], in B: f32[279], out W: f32[149,279], out Z: f32[149,279]) {
  axis i: 149, j: 279, k: 131
  w = dot[k](X[k,i], D[k,j])
  W[i,j] = w
  Z[i,j] = max(w + B[j], 0.0)
}`, `kernel few(in X: f32[21,41], in W: f32[41,500], in P: i32[41], in R: i32[500], out Y: f32[21,500]) {
  axis i: 21, j: 500, k: 41
  Y[i,j] = max(dot[k](X[i,k], where(P[k] <= R[j], W[k,j], 0.0)), 0.0)
}`}
		for i, asked := range [][]string{{schedule.Block, schedule.Stream}, {schedule.Block}, {schedule.Block}} {
			steps, err := schedule.Run(parseKernel(t, texts[i]), &machine)
			require.NoError(t, err)
			var kinds []string
			for _, o := range steps[len(steps)-1].Kernel.Opts {
				kinds = append(kinds, o.Kind)
			}
			require.Subset(t, kinds, asked)
		}
		checkTexts(t, &small, texts...)
	})
}
