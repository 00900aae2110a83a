package codegen

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// onePoint is a machine like m that one tile of rows fills.
func onePoint(m *schedule.Machine) *schedule.Machine {
	one := *m
	one.Processors = 1
	return &one
}

// Attention in one launch, and its gradient in a few, have the evaluator's bits: of the heads that there are, and of any number of rows and columns.
func TestScoresStayOnTheChip(t *testing.T) {
	files, err := filepath.Glob("../testdata/scores/*.kir")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	texts := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		texts[strings.TrimSuffix(filepath.Base(file), ".kir")] = string(text)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 6 {
		texts[fmt.Sprint("any ", i)] = fmt.Sprintf(`kernel any_%[1]d(in Q: bf16[2,%[2]d,%[3]d], in K: bf16[2,%[4]d,%[3]d], in V: bf16[2,%[4]d,%[5]d], out O: bf16[2,%[2]d,%[5]d]) {
  axis b: 2, t: %[2]d, s: %[4]d, d: %[3]d, e: %[5]d
  x = where(s <= t, dot[d](Q[b,t,d], K[b,s,d]) * 0.25, -inf)
  p = exp(x - max[s](x))
  O[b,t,e] = bf16(dot[s](bf16(p / sum[s](p)), V[b,s,e]))
}`, i, 33+rng.IntN(120), 16+rng.IntN(49), 65+rng.IntN(100), 8+rng.IntN(57))
	}
	for i := range 4 { // of which the hardware copies rows and blocks, where it can
		texts[fmt.Sprint("any boxes ", i)] = fmt.Sprintf(`kernel any_boxes_%[1]d(in Q: %[2]s[%[3]d,2,%[4]d], in K: %[2]s[%[5]d,2,%[4]d], in V: %[2]s[%[5]d,2,%[6]d], out O: %[2]s[%[3]d,2,%[6]d], out L: f32[2,%[3]d]) {
  axis b: 2, t: %[3]d, s: %[5]d, d: %[4]d, e: %[6]d
  x = where(%[7]s, dot[d](Q[t,b,d], K[s,b,d]) * 0.125, -inf)
  p = exp(x - max[s](x))
  l = sum[s](p)
  O[t,b,e] = %[2]s(dot[s](%[2]s(p / l), V[s,b,e]))
  L[b,t] = l
}`, i, []string{"bf16", "f16"}[i%2], 65+rng.IntN(150), 64*(1+rng.IntN(2)), 65+rng.IntN(300), 64*(1+rng.IntN(2)), []string{"s <= t", "s < 1000"}[i/2])
	}
	for i := range 6 {
		elem, mask, d := []string{"bf16", "f16"}[i%2], []string{"s <= t", "s < t & t < s + 50", "A[t,s]"}[i%3], 16+rng.IntN(49)
		texts[fmt.Sprint("any gradient ", i)] = fmt.Sprintf(`kernel any_gradient_%[1]d(in Q: %[2]s[2,%[3]d,%[4]d], in K: %[2]s[2,%[5]d,%[4]d], in V: %[2]s[2,%[5]d,%[4]d], in A: bool[%[3]d,%[5]d], in M: f32[2,%[3]d], in L: f32[2,%[3]d], in D: %[2]s[2,%[3]d,%[4]d], out DQ: %[2]s[2,%[3]d,%[4]d], out DK: %[2]s[2,%[5]d,%[4]d], out DV: f32[2,%[4]d,%[5]d]) {
  axis b: 2, t: %[3]d, s: %[5]d, d: %[4]d, e: %[4]d, f: %[4]d, g: %[4]d, h: %[4]d
  p = exp(where(%[6]s, dot[d](Q[b,t,d], K[b,s,d]) * 0.25, -inf) - max(M[b,t], -100.0))
  l = max(L[b,t], 0.5)
  dp = where(%[6]s, dot[e](D[b,t,e], V[b,s,e]), 0.0) / l
  ds = %[2]s(where(%[6]s, (dp - sum[s](dp * p / l)) * p, 0.0) * 0.25)
  DQ[b,t,f] = %[2]s(dot[s](ds, K[b,s,f]))
  DK[b,s,h] = %[2]s(dot[t](ds, Q[b,t,h]))
  DV[b,g,s] = dot[t](%[2]s(p / l), D[b,t,g])
}`, i, elem, 65+rng.IntN(100), d, 65+rng.IntN(100), mask)
	}
	roles := 0
	for _, arch := range []string{"sm_80", "sm_90a"} {
		target := gpuTarget(t, arch)
		var names []string
		var equations, kernels []*loop.Kernel
		for name, text := range texts {
			k := parseKernel(t, text)
			steps, err := schedule.Run(k, onePoint(target.Machine))
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			require.NotContains(t, last.String(), "Rounds", name)
			require.Equal(t, strings.Contains(text, "dot[t]"), len(loop.Segments(last.Body)) > 1, name)
			require.Equal(t, arch == "sm_90a", strings.Contains(last.String(), "@"+loop.WGMMA), name)
			roles += strings.Count(last.String(), "role ask")
			names, equations, kernels = append(names, name), append(equations, schedule.Expand(k)), append(kernels, last)
		}
		for i, m := range runners(t, target, kernels...) {
			t.Run(arch+" "+names[i], func(t *testing.T) { checkAgainst(t, equations[i], m, -5) })
		}
	}
	require.Greater(t, roles, 8)
}
