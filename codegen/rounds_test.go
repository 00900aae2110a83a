package codegen

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// fewRows is a machine like m whose rounds have as few rows as a tile.
func fewRows(m *schedule.Machine) *schedule.Machine {
	few := *m
	few.Round, few.Processors = 1, 1
	return &few
}

// Kernels that launch block by block have the evaluator's bits: the last block is short, and sums over rows go on.
func TestRoundsOfLaunches(t *testing.T) {
	target := gpuTarget(t, gpuArch())
	files, err := filepath.Glob("../testdata/rounds/*.kir")
	require.NoError(t, err)
	files = append(files, "../testdata/block/attention_lengths.kir")
	var names []string
	var equations, kernels []*loop.Kernel
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		k := parseKernel(t, string(text))
		steps, err := schedule.Run(k, fewRows(target.Machine))
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		require.True(t, slices.ContainsFunc(last.Opts, func(o loop.Opt) bool { return o.Kind == schedule.Rounds }), file)
		require.Equal(t, strings.Contains(file, "bf16") || strings.Contains(file, "128"), strings.Contains(last.String(), "@"+loop.MMA), file)
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".kir"))
		equations, kernels = append(equations, schedule.Expand(k)), append(kernels, last)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(names[i], func(t *testing.T) { checkAgainst(t, equations[i], m, -5) })
	}
}
