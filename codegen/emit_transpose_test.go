package codegen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// Rows of weights in few bits, whose lanes lie apart, are transposed and not gathered, and give the same sums; where the summed axis
// is no multiple of the lanes they are gathered.
func TestTransposedWeights(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		var equations, kernels []*loop.Kernel
		for _, elem := range []string{"i8", "bf16", "f16", "f32"} {
			for _, size := range []struct{ rows, sum, columns int }{{1, 768, 203}, {1, 64, 160}, {4, 96, 401}, {1, 300, 130}} {
				weight := "f32(W[j,k])"
				if elem == "f32" {
					weight = "W[j,k]"
				}
				text := fmt.Sprintf(`kernel far%[7]d(in X: f32[%[1]d,%[2]d], in W: %[5]s[%[3]d,%[2]d], in S: f32[%[4]d,%[3]d], out Y: f32[%[1]d,%[3]d]) {
  axis i: %[1]d, j: %[3]d, k: %[2]d
  Y[i,j] = dot[k](X[i,k], %[6]s * S[k/32,j])
}`, size.rows, size.sum, size.columns, (size.sum+31)/32, elem, weight, len(kernels))
				ks, err := loop.Parse("far", text)
				require.NoError(t, err)
				steps, err := schedule.Run(ks[0], target.Machine)
				require.NoError(t, err)
				k := steps[len(steps)-1].Kernel
				equations, kernels = append(equations, schedule.Expand(ks[0])), append(kernels, k)
				e, err := Emit(k, target)
				require.NoError(t, err)
				gathers := strings.Contains(ModuleText([]*Emitted{e}, target), "@llvm.masked.gather")
				require.Equal(t, size.sum%target.Machine.Lanes != 0, gathers, text)
			}
		}
		for i, m := range runners(t, target, kernels...) {
			checkAgainst(t, equations[i], m, 100)
		}
	})
}
