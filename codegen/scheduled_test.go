package codegen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// TestScheduledKernelsEqualEvaluator takes the scheduler's cases through all
// steps; the machine gives the bits of the typed evaluator of the equations.
func TestScheduledKernelsEqualEvaluator(t *testing.T) {
	target := hostTarget(t)
	machine, err := schedule.MachineNamed(target.Name)
	require.NoError(t, err)
	streaming := *machine
	streaming.Stream = 1
	var names []string
	var equations, kernels []*loop.Kernel
	for _, c := range []struct {
		dir     string
		machine *schedule.Machine
	}{{"schedule", machine}, {"skew", &streaming}} {
		files, err := filepath.Glob("../testdata/" + c.dir + "/*.kir")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			k := parseKernel(t, string(text))
			k.Name = c.dir + "_" + k.Name
			steps, err := schedule.Run(k, c.machine)
			require.NoError(t, err)
			names = append(names, c.dir+"/"+strings.TrimSuffix(filepath.Base(file), ".kir"))
			equations = append(equations, schedule.Expand(k))
			kernels = append(kernels, steps[len(steps)-1].Kernel)
		}
	}
	for i, m := range load(t, target, kernels...) {
		t.Run(names[i], func(t *testing.T) { checkAgainst(t, equations[i], m, -5) })
	}
}
