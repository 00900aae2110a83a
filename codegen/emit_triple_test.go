package codegen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
	"mdlc/runtime/emulator"
)

// tripled are products of three, as pass triple makes them, for m rows, n columns and k summands: of halves that lie in memory either way, of a batch, summed up over two axes, of
// several rows of it, of halves that a kernel computes itself, and with what follows them.
var tripled = []string{
	"kernel p(in A: bf16[2,%[1]d,%[3]d], in B: bf16[2,%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis t: 3, i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[t,l](A[t / 2,i,l], B[t %% 2,l,j]) }",
	"kernel p(in A: bf16[2,%[3]d,%[1]d], in B: bf16[2,%[2]d,%[3]d], out C: f32[%[1]d,%[2]d]) { axis t: 3, i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[t,l](A[t / 2,l,i], B[t %% 2,j,l]) }",
	"kernel p(in A: bf16[2,2,%[1]d,%[3]d], in B: bf16[2,%[3]d,%[2]d], inout C: f32[2,%[1]d,%[2]d]) { axis t: 3, b: 2, i: %[1]d, j: %[2]d, l: %[3]d   C[b,i,j] = C[b,i,j] - 0.5 * dot[t,l](A[t / 2,b,i,l], B[t %% 2,l,j]) }",
	"kernel p(in A: bf16[2,2,%[3]d,%[1]d], in B: bf16[2,2,%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis t: 3, b: 2, i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[t,b,l](A[t / 2,b,l,i], B[t %% 2,b,l,j]) }",
	"kernel p(in A: bf16[2,3,%[1]d,%[3]d], in B: bf16[2,%[3]d,%[2]d], in D: f32[%[2]d], out C: bf16[%[1]d,%[2]d]) { axis t: 3, i: %[1]d, j: %[2]d, l: %[3]d   C[i,j] = bf16(dot[t,l](A[t / 2,1,i,l], B[t %% 2,l,j]) + D[j]) }",
	"kernel p(in X: f32[%[1]d,%[3]d], in B: bf16[2,%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis t: 3, i: %[1]d, j: %[2]d, l: %[3]d   x = X[i,l]   h = bf16(x)   C[i,j] = dot[t,l](where(t < 2, h, bf16(x - f32(h))), B[t %% 2,l,j]) }",
	"kernel p(in L: i64[], in A: bf16[2,%[1]d,%[3]d], in B: bf16[2,%[3]d,%[2]d], out C: f32[%[1]d,%[2]d]) { axis t: 3, i: L[] <= %[1]d, j: %[2]d, l: %[3]d   C[i,j] = dot[t,l](A[t / 2,i,l], B[t %% 2,l,j]) }",
}

// Three products are one on Hopper's tensor cores, whichever way halves lie, where the second and the third begin within a slot too, and where tiles end: the evaluator's, to the
// bit where the emulator adds in its order, and near it where it adds in another.
func TestProductsOfThree(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	rng := rand.New(rand.NewPCG(11, 12))
	count := map[string]int{}
	var equations, kernels []*loop.Kernel
	for number, form := range tripled {
		for which, tile := range []string{"wgmma64x64", "wgmma128x64, 3 processors", "wgmma128x128, 2 processors"} {
			for _, odd := range []int{0, 1 + rng.IntN(7)} {
				if (number+which)%2 != min(odd, 1) { // each tile has both, of some forms
					continue
				}
				m, n, k := 72+64*min(which, 1)+8*rng.IntN(8)+odd, 64+64*(which/2)+8*rng.IntN(8)+odd, 64+8*rng.IntN(30)+odd
				if odd == 0 {
					k = 64*(2+rng.IntN(3)) - 8*rng.IntN(3)
				}
				p := parseKernel(t, sized(form, m, n, k))
				p.Name = fmt.Sprintf("three_%d_%d", number, len(kernels))
				steps, err := schedule.Run(p, withTile(target.Machine, tile))
				require.NoError(t, err)
				last := steps[len(steps)-1].Kernel
				require.Equal(t, 1, strings.Count(last.String(), "dot["), last.String())
				require.Contains(t, last.String(), "@"+loop.WGMMA)
				for _, o := range last.Opts {
					count[o.Kind]++
					if o.Kind == schedule.Fuse && o.Arg > 0 {
						count["padded"]++
					}
				}
				equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
			}
		}
	}
	t.Log(count)
	for kind, least := range map[string]int{schedule.Bulk: 6, schedule.Roles: 4, schedule.Persist: 3, schedule.Cluster: 2, "padded": 7} {
		require.GreaterOrEqual(t, count[kind], least, kind)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			checkAgainst(t, equations[i], m, -5)
			if slices.ContainsFunc(kernels[i].Opts, func(o loop.Opt) bool { return o.Kind == schedule.Roles }) {
				return // they are large, and add as others do
			}
			for _, approx := range []emulator.Approx{emulator.Low, emulator.High} {
				m := *m.(*emulated)
				m.device = &emulator.Device{Seed: 1, Approx: approx}
				closeTo(t, equations[i], &m, 1.0/64)
			}
		})
	}
}
