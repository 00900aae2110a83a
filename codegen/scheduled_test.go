package codegen

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// TestScheduledKernelsEqualEvaluator takes the scheduler's cases through all
// steps; the machine gives the bits of the typed evaluator of the equations.
func TestScheduledKernelsEqualEvaluator(t *testing.T) {
	eachTarget(t, checkScheduled)
}

func checkScheduled(t *testing.T, target *Target) {
	machine := target.Machine
	streaming, cramped := *machine, *machine
	streaming.Stream = 1
	cramped.Shared = 256 // hardly a panel fits
	var names []string
	var equations, kernels []*loop.Kernel
	type set struct {
		dir, prefix string
		machine     *schedule.Machine
	}
	sets := []set{{"schedule", "", machine}, {"skew", "", &streaming}}
	if target.GPU {
		sets = append(sets, set{"schedule", "cramped_", &cramped}, set{"schedule_gpu", "", machine})
	}
	for _, c := range sets {
		files, err := filepath.Glob("../testdata/" + c.dir + "/*.kir")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			k := parseKernel(t, string(text))
			k.Name = c.prefix + c.dir + "_" + k.Name
			steps, err := schedule.Run(k, c.machine)
			require.NoError(t, err)
			names = append(names, c.prefix+c.dir+"/"+strings.TrimSuffix(filepath.Base(file), ".kir"))
			equations = append(equations, schedule.Expand(k))
			kernels = append(kernels, steps[len(steps)-1].Kernel)
		}
	}
	evicted := 0
	for _, k := range kernels {
		for _, o := range k.Opts {
			if o.Kind == schedule.Evict {
				evicted++
			}
		}
	}
	if target.GPU {
		require.Greater(t, evicted, 1)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(names[i], func(t *testing.T) {
			if slices.ContainsFunc(kernels[i].Opts, func(o loop.Opt) bool { return o.Kind == schedule.Chop }) {
				checkNear(t, equations[i], m) // adds in another order
				return
			}
			checkAgainst(t, equations[i], m, -5)
		})
	}
}

// TestSkewedRowsEqualEvaluator: rows of sizes that no block divides, down to one, a row late.
func TestSkewedRowsEqualEvaluator(t *testing.T) { eachLevel(t, checkSkewedRows) }

func checkSkewedRows(t *testing.T, target *Target) {
	machine := target.Machine
	var equations, kernels []*loop.Kernel
	for _, rows := range []int{1, 2, 17, 70} {
		for _, cols := range []int{1, 97, 192} {
			k := parseKernel(t, fmt.Sprintf(`kernel softmax_%[1]d_%[2]d(in X: f32[%[1]d,%[2]d], out Y: f32[%[1]d,%[2]d], out L: f32[%[1]d]) {
  axis i: %[1]d, j: %[2]d
  x = X[i,j]
  m = max[j](x)
  e = exp(x - m)
  s = sum[j](e)
  Y[i,j] = e / s
  L[i] = m + log(s)
}`, rows, cols))
			steps, err := schedule.Run(k, machine)
			require.NoError(t, err)
			opts := slices.Clone(steps[len(steps)-1].Kernel.Opts)
			orders := slices.DeleteFunc(slices.Clone(opts), func(o loop.Opt) bool { return o.Kind != schedule.Order })
			row := orders[0].Axis
			steps, err = schedule.Apply(steps[0].Kernel, append(opts, loop.Opt{Kind: schedule.Skew, Axis: row}))
			if cols > 64 {
				require.NoError(t, err)
			} else { // a row of one block has no sweeps
				require.ErrorContains(t, err, "Skew "+row)
				continue
			}
			equations = append(equations, schedule.Expand(k))
			kernels = append(kernels, steps[len(steps)-1].Kernel)
		}
	}
	for i, m := range load(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) { checkAgainst(t, equations[i], m, -5) })
	}
}
