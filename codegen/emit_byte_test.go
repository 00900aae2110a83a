package codegen

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
	"mdlc/runtime/emulator"
)

// Products of floats of 8 bits are those of the evaluator but for the order of additions, whichever way operands lie, whoever copies them, and wherever tiles end; also
// at the ends of what a tensor core may add.
func TestProductsOfByteFloats(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	rng := rand.New(rand.NewPCG(9, 10))
	count := map[string]int{}
	var equations, kernels []*loop.Kernel
	add := func(p *loop.Kernel, tile string) {
		p.Name = fmt.Sprint("bytes_", len(kernels))
		steps, err := schedule.Run(p, withTile(target.Machine, tile))
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		require.Regexp(t, `slot: f8\w+\[.* swizzle`, last.String(), p.String())
		require.Regexp(t, `settle 0 \w+\n(.*\n){0,9}.*yield a \+ `, last.String())
		for _, o := range last.Opts {
			count[o.Kind]++
		}
		equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
	}
	for _, name := range slices.Sorted(maps.Keys(tensorProducts)) {
		if strings.HasPrefix(name, "convolution") {
			continue
		}
		k := 256 + 16*rng.IntN(10)
		if name == "two_summed_axes" {
			k /= 4
		}
		add(tensorProduct(t, name, "f8e4m3", 64, 16*(4+rng.IntN(3)), k), "")
		add(tensorProduct(t, name, "f8e5m2", 65+rng.IntN(9), 66+rng.IntN(9), k+rng.IntN(16)), "")
	}
	for number, form := range slices.Concat(boxed, sent) {
		for which, tile := range []string{"wgmma64x64", "wgmma128x64, 3 processors", "wgmma128x64, 2 processors", "wgmma128x128, 2 processors"} {
			if (number+which)%2 > 0 { // each tile has half of the forms
				continue
			}
			form = regexp.MustCompile(`(in [AB]: )(bf16|f16)`).ReplaceAllString(form, "${1}f8e5m2")
			form = regexp.MustCompile(`(in B: \w+\[)%\[3\]d,%\[2\]d`).ReplaceAllString(form, "${1}%[2]d,%[3]d")
			form = regexp.MustCompile(`B\[(l[^,]*),(j[^;\]]*)`).ReplaceAllString(form, "B[$2,$1") // along the summands
			add(parseKernel(t, sized(form, 144+16*rng.IntN(8), 144+16*rng.IntN(6), 288+16*rng.IntN(20))), tile)
		}
	}
	t.Log(count)
	for kind, least := range map[string]int{schedule.Promote: len(kernels), schedule.Bulk: 20, schedule.Persist: 12, schedule.Cluster: 6} {
		require.GreaterOrEqual(t, count[kind], least, kind)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			closeTo(t, equations[i], m, 1e-4)
			if slices.ContainsFunc(kernels[i].Opts, func(o loop.Opt) bool { return o.Kind == schedule.Roles }) {
				return // they are large, and add as others do
			}
			for _, approx := range []emulator.Approx{emulator.Low, emulator.High} {
				m := *m.(*emulated)
				m.device = &emulator.Device{Seed: 1, Approx: approx}
				closeTo(t, equations[i], &m, 1.0/2)
			}
		})
	}
}

// closeTo is checkAgainst where sums may be made in another order, and results be rounded otherwise.
func closeTo(t *testing.T, k *loop.Kernel, m runner, bound float64) {
	beside(t, k, m, -5, func(b *loop.Buffer, want *loop.Data, got []byte) {
		if b.Mode == loop.In {
			return
		}
		bound := max(bound, map[int]float64{1: 1.0 / 2, 2: 1.0 / 64}[b.Elem.Size()])
		large := func(x float64) bool { return b.Elem.Size() == 1 && !(abs(x) < loop.FormatOf(b.Elem).Largest*3/4) } // or beyond, and no number
		for i, w := range want.F {
			if g := elementAt(b.Elem, got, i); (w == w || g == g) && !(large(w) && large(g)) {
				require.InDelta(t, w, g, bound*(1+abs(w)), "%s[%d]", b.Name, i)
			}
		}
	})
}

func abs(x float64) float64 { return max(x, -x) }
