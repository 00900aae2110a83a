package codegen

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

const goldenPTX = "../testdata/ptx/kernels"

// goldenKernels are kernels of testdata/schedule, testdata/schedule_gpu, testdata/rounds and testdata/scores of which the PTX is kept: rows, column sums, products with a
// panel in shared memory, windows, gathers and scatters, random numbers, comparisons, an update in place, attention on tensor cores, in rounds of
// launches and in one, its gradient, vectors times matrices.
var goldenKernels = []string{
	"adam", "argsort", "product", "convolution", "scores64", "scores128", "values64", "values128", "activation", "gemv", "gemv_turned", "gemv_f32", "attention_bf16", "attention_64", "attention_128", "attention_grouped", "gradient_64", "gradient_128",
	"colsum", "conv_window", "dropout_grad", "exchange", "gather", "layernorm_grad", "linear", "scatter", "softmax",
}

// hopperKernels are kernels of testdata/schedule_hopper, which only Hopper runs: products of groups of warps, whose slots threads fill, or the hardware, asked by one of them or by a role, for one tile or many, and that threads or the hardware stores; also by two points that share an operand, and of lengths that the run knows, and where what follows is dear; of operands of 8 bits, of three products that are one, of tiles that each have a matrix of their own, and convolutions, of whose images the hardware copies boxes.
var hopperKernels = []string{"wgmma_product", "wgmma_transposed", "wgmma_lengths", "bulk_product", "roles_product", "roles_large", "persist_product", "send_product", "cluster_product", "persist_lengths", "persist_dear", "byte_product", "triple_product", "grouped_product", "conv_boxes", "conv_boxes_weight"}

// goldens are the kernels of which the PTX for an architecture is kept.
func goldens(arch string) []string {
	if arch == "sm_90a" {
		return slices.Concat(goldenKernels, hopperKernels)
	}
	return goldenKernels
}

// scheduledFor is a kernel of testdata/schedule, scheduled for a GPU, or one that stands beside the PTX as it is run.
func scheduledFor(t testing.TB, target *Target, name string) *loop.Kernel {
	if text, err := os.ReadFile(filepath.Join(goldenPTX, name+".kir")); err == nil {
		return parseKernel(t, string(text))
	}
	machine := target.Machine
	text, err := os.ReadFile("../testdata/schedule/" + name + ".kir")
	if err != nil {
		text, err = os.ReadFile("../testdata/schedule_gpu/" + name + ".kir")
	}
	if err != nil {
		text, err = os.ReadFile("../testdata/schedule_hopper/" + name + ".kir")
		machine = withTile(machine, string(text))
	}
	if err != nil {
		text, err = os.ReadFile("../testdata/scores/" + name + ".kir")
		machine = onePoint(target.Machine)
	}
	if err != nil {
		machine = fewRows(target.Machine)
		text, err = os.ReadFile("../testdata/rounds/" + name + ".kir")
	}
	require.NoError(t, err)
	steps, err := schedule.Run(parseKernel(t, string(text)), machine)
	require.NoError(t, err)
	last := steps[len(steps)-1].Kernel
	if name == "product" || name == "bulk_product" { // what follows the product is computed and stored where the results are; that of activation and of send_product is not
		steps, err = schedule.Apply(steps[0].Kernel, slices.DeleteFunc(slices.Clone(last.Opts), func(o loop.Opt) bool { return o.Kind == schedule.Via }))
		require.NoError(t, err)
		last = steps[len(steps)-1].Kernel
	}
	return last
}

// withTile is a machine whose blocks have no tile but the one that the text of a kernel names, if it names one, and the processors that it says.
func withTile(m *schedule.Machine, text string) *schedule.Machine {
	tile := regexp.MustCompile(loop.WGMMA + `\d+x\d+`).FindString(text)
	if tile == "" {
		return m
	}
	one := *m
	if n := regexp.MustCompile(`(\d+) processors`).FindStringSubmatch(text); n != nil {
		one.Processors, _ = strconv.Atoi(n[1])
	}
	one.Tiles = []schedule.Row{}
	other := func(r schedule.Row) bool { return r.String() != tile }
	one.Group, one.Bytes = slices.DeleteFunc(slices.Clone(m.Group), other), slices.DeleteFunc(slices.Clone(m.Bytes), other)
	return &one
}

// goldenFile is where the PTX of a kernel is kept.
func goldenFile(name string, target *Target) string {
	return filepath.Join(goldenPTX, fmt.Sprintf("%s.%s.ptx", name, target.Name))
}

// The compiler writes the PTX that is kept, which the emulator's tests run with faults and ptxas assembles.
func TestGoldenPTX(t *testing.T) {
	shared, syncs := 0, 0
	for _, arch := range []string{"sm_80", "sm_90a"} {
		target := gpuTarget(t, arch)
		for _, name := range goldens(arch) {
			e, err := Emit(scheduledFor(t, target, name), target)
			require.NoError(t, err)
			for _, ph := range e.Phases {
				shared = max(shared, ph.Shared)
			}
			text, err := Compile([]*Emitted{e}, Options{Target: target})
			require.NoError(t, err)
			syncs += strings.Count(string(text), "bar.warp.sync")
			file := goldenFile(name, target)
			if *update {
				require.NoError(t, os.MkdirAll(goldenPTX, 0o755))
				require.NoError(t, os.WriteFile(file, text, 0o644))
				continue
			}
			golden, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(golden), string(text), "%s (go test ./codegen -run TestGoldenPTX -update)", file)
		}
	}
	require.Positive(t, shared, "no kernel has a panel in shared memory")
	require.Positive(t, syncs, "no kernel has a barrier of a warp")
}
