package codegen

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// The kernels of ceilings compute what their texts say, on every target, in as few rounds as tests have time for. So nothing of them is left out.
func TestCeilingsCompute(t *testing.T) {
	for _, name := range []string{"avx2", "avx512", "sm_80", "sm_90a"} {
		t.Run(name, func(t *testing.T) {
			target, err := TargetNamed(name)
			require.NoError(t, err)
			if target.GPU {
				target = gpuTarget(t, name)
			} else if missing := target.Missing(); len(missing) > 0 {
				t.Skipf("this machine has no %s", strings.Join(missing, ", "))
			}
			b, err := ceilings{points: 32, turns: 3, least: 4 << 10, most: 16 << 10, rows: 16}.build(target)
			require.NoError(t, err)
			require.NoError(t, b.Program.Check())
			tensor, kernels := 0, []*loop.Kernel(nil)
			for i, k := range b.Kernels {
				kernel := b.Program.Kernels[i]
				require.Equal(t, kernel.Name == "multiply_tensor", kernel.Tensor)
				if kernel.Tensor {
					tensor++
				}
				require.Positive(t, kernel.Bytes)
				require.Equal(t, strings.HasPrefix(kernel.Name, "multiply"), kernel.Products > 0)
				kernels = append(kernels, k.Scheduled)
			}
			for i, m := range runners(t, target, kernels...) {
				checkAgainst(t, schedule.Expand(b.Kernels[i].Page), m, 100)
			}
			require.Equal(t, target.GPU, tensor == 1)
		})
	}
}
