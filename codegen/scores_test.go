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

// Attention in one launch has the evaluator's bits: of the heads that there are, and of any number of rows and columns.
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
	for _, arch := range []string{"sm_80", "sm_90a"} {
		target := gpuTarget(t, arch)
		var names []string
		var equations, kernels []*loop.Kernel
		for name, text := range texts {
			k := parseKernel(t, text)
			steps, err := schedule.Run(k, onePoint(target.Machine))
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			require.Len(t, loop.Segments(last.Body), 1, last)
			names, equations, kernels = append(names, name), append(equations, schedule.Expand(k)), append(kernels, last)
		}
		for i, m := range runners(t, target, kernels...) {
			t.Run(arch+" "+names[i], func(t *testing.T) { checkAgainst(t, equations[i], m, -5) })
		}
	}
}
