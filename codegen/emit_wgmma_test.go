package codegen

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
	"mdlc/runtime/emulator"
)

// Products of groups of warps are those of the evaluator: to the bit where the emulator adds in its order, and near it where it
// adds in another that the manual allows.
func TestGroupsOfWarps(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	rng := rand.New(rand.NewPCG(5, 6))
	var equations, kernels []*loop.Kernel
	add := func(name, elem string, m, n, k int) {
		p := tensorProduct(t, name, elem, m, n, k)
		steps, err := schedule.Run(p, target.Machine)
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		require.Contains(t, last.String(), "@"+loop.WGMMA, p.Name)
		equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
		byHardware := func(o loop.Opt) bool { return o.Kind == schedule.Bulk || o.Kind == schedule.Via && o.Word == "bulk" }
		if opts := slices.DeleteFunc(slices.Clone(last.Opts), byHardware); len(opts) < len(last.Opts) { // and with all threads copying and storing
			steps, err = schedule.Apply(steps[0].Kernel, opts)
			require.NoError(t, err)
			last = steps[len(steps)-1].Kernel
			last.Name += "_by_threads"
			equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
		}
	}
	for name := range tensorProducts {
		if strings.HasPrefix(name, "convolution") {
			add(name, "bf16", 8, 64, 64)
			continue
		}
		k := 8 * (16 + rng.IntN(5))
		if name == "two_summed_axes" {
			k /= 4
		}
		add(name, "bf16", 64, 8*(8+rng.IntN(3)), k)
		add(name, "f16", 65, 66, k+rng.IntN(8))
	}
	add("plain", "bf16", 136, 264, 136)
	add("plain", "f16", 64, 64, 400)
	add("both_transposed", "bf16", 264, 128, 200)
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			checkAgainst(t, equations[i], m, -5)
			if strings.Contains(kernels[i].Name, "computed") || strings.Contains(kernels[i].Name, "prologue") {
				return // a division makes summands of any size
			}
			for _, approx := range []emulator.Approx{emulator.Low, emulator.High} {
				m := *m.(*emulated)
				m.device = &emulator.Device{Seed: 1, Approx: approx}
				checkNear(t, equations[i], &m)
			}
		})
	}
}
