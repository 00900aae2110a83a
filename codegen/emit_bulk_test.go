package codegen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// boxed are products whose operands the hardware copies, for m rows, n columns and k summands: whole buffers, slices, margins of zeros, fewer
// than there are, and of lengths that only a run knows.
var boxed = []string{
	"kernel p(in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[l](A[i,l], B[l,j]) }",
	"kernel p(in A: f16[%[3]d,%[1]d], in B: f16[%[2]d,%[3]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[l](A[l,i], B[j,l]) }",
	"kernel p(in A: bf16[600,2,%[3]d], in B: bf16[2,%[2]d,%[3]d], out C: f32[2,600,%[2]d]) { axis b: 2, i: 600, j: %[2]d, l: %[3]d   C[b,i,j] = dot[l](A[i,b,l], B[b,j,l]) }",
	"kernel p(in A: bf16[3,%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d - 8, l: %[3]d - 9   C[i,j] = dot[l](A[1,i,l + 9], B[l + 3,j + 8]) }",
	"kernel p(in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[l](A[i - 5,l; i >= 5 & i < %[1]d], B[l + 3,j; l + 3 < %[3]d - 20]) }",
	"kernel p(in L: i64[], in A: bf16[%[1]d,%[3]d], in B: bf16[%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis i: L[] <= %[1]d, j: %[2]d, l: L[] * 2 - 1 <= %[3]d   C[i,j] = dot[l](A[i,l], B[l,j]) }",
}

// What the hardware copies is what the evaluator reads, zeros where a tile goes beyond, in whatever order warps run.
func TestBoxes(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	rng := rand.New(rand.NewPCG(7, 8))
	roles, many := 0, 0
	var equations, kernels []*loop.Kernel
	for n, form := range boxed {
		for large, machine := range []*schedule.Machine{target.Machine, withTile(target.Machine, "wgmma128x64"), withTile(target.Machine, "wgmma128x64, 3 processors")} {
			p := parseKernel(t, fmt.Sprintf(form, 72+120*min(large, 1)+8*rng.IntN(8), 80+8*rng.IntN(8), 144+8*rng.IntN(20)))
			p.Name = fmt.Sprintf("boxes_%d_%d", n, len(kernels))
			steps, err := schedule.Run(p, machine)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			has := func(kind string) bool {
				return slices.ContainsFunc(last.Opts, func(o loop.Opt) bool { return o.Kind == kind })
			}
			require.True(t, has(schedule.Bulk), last.String())
			if has(schedule.Roles) {
				roles++
			}
			if has(schedule.Persist) {
				many++
			}
			equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
		}
	}
	require.GreaterOrEqual(t, roles, 8)
	require.GreaterOrEqual(t, many, 4)
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			m.(*emulated).device.Seed = uint64(i % 2) // copies land at any time, or when they are waited for
			checkAgainst(t, equations[i], m, -5)
		})
	}
}
