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

// fewRows is a machine like m whose rounds have as few rows as a tile, and that has no room for attention in one launch.
func fewRows(m *schedule.Machine) *schedule.Machine {
	few := *m
	few.Round, few.Processors, few.Slots = 1, 1, 16<<10
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
	evicted := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, prefix := range []string{"", "cramped_"} {
			machine := fewRows(target.Machine)
			if prefix != "" {
				machine.Shared = 256 // hardly a panel fits
			}
			k := parseKernel(t, string(text))
			k.Name = prefix + k.Name
			steps, err := schedule.Run(k, machine)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			has := func(kind string) bool {
				return slices.ContainsFunc(last.Opts, func(o loop.Opt) bool { return o.Kind == kind })
			}
			require.True(t, has(schedule.Rounds), file)
			require.Equal(t, strings.Contains(file, "bf16") || strings.Contains(file, "128"), strings.Contains(last.String(), "@"+loop.MMA), file)
			if tensor := strings.Contains(last.String(), "@"+loop.MMA); prefix != "" && (tensor || !has(schedule.Evict)) {
				continue
			}
			evicted += len(prefix)
			names = append(names, prefix+strings.TrimSuffix(filepath.Base(file), ".kir"))
			equations, kernels = append(equations, schedule.Expand(k)), append(kernels, last)
		}
	}
	require.Positive(t, evicted, "panels in memory")
	for i, m := range runners(t, target, kernels...) {
		t.Run(names[i], func(t *testing.T) { checkAgainst(t, equations[i], m, -5) })
	}
}
