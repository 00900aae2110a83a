package codegen

import (
	le "encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
	"mdlc/runtime/emulator"
)

// A launch runs PTX with inputs that fit it and gives what its buffers hold then.
// Shared memory is as large as the launch needs, or as large as told.
type launch func(t *testing.T, text string, d *emulator.Device, shared int) ([][]byte, error)

// written is how the PTX of testdata/ptx that the compiler did not write is launched.
type written struct {
	kernel      string
	grid, block [3]int
	shared      int
	args        []any
}

// Parameters that are buffers: what one holds that is read, and the size of one that is written.
type (
	readable []byte
	writable int
)

// writtenLaunches are by file and, where it has several, kernel.
var writtenLaunches = map[string]written{
	"softmax":                 {"softmax", [3]int{5, 1, 1}, [3]int{128, 1, 1}, 0, []any{numbers(5 * 300), writable(4 * 5 * 300), 300}},
	"transpose":               {"transpose", [3]int{3, 2, 1}, [3]int{32, 8, 1}, 0, []any{halves(50 * 70), writable(2 * 50 * 70), 50, 70}},
	"gemm_bf16":               {"gemm", [3]int{2, 2, 1}, [3]int{128, 1, 1}, 3 * 8192, []any{halves(100 * 160), halves(160 * 128), writable(4 * 100 * 128), 100, 128, 160}},
	"elementwise axpy":        {"axpy", [3]int{8, 1, 1}, [3]int{128, 1, 1}, 0, []any{float32(1.5), numbers(1000), numbers(1000), 1000}},
	"elementwise square_bf16": {"square_bf16", [3]int{2, 1, 1}, [3]int{32, 1, 1}, 0, []any{halves(64 * 8), writable(2 * 64 * 8)}},
	"elementwise exp2_f16":    {"exp2_f16", [3]int{2, 1, 1}, [3]int{128, 1, 1}, 0, []any{halves(200), writable(2 * 200), 200}},
	"calls":                   {"polys", [3]int{1, 1, 1}, [3]int{96, 1, 1}, 0, []any{numbers(96), writable(4 * 96), 4}},
	"warp exchange":           {"exchange", [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, []any{numbers(32), writable(4 * 32)}},
	"warp collect":            {"collect", [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, []any{writable(32 * 32)}},
	"warp collatz":            {"collatz", [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, []any{writable(4 * 32)}},
	"warp count":              {"count", [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, []any{writable(4 * 64)}},
	"warp ways":               {"ways", [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, []any{writable(4 * 60)}},
	"warp readers":            {"readers", [3]int{1, 1, 1}, [3]int{160, 1, 1}, 0, []any{writable(4 * 160)}},
	"pipe":                    {"pipe", [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, []any{numbers(6 * 32), writable(4 * 6 * 32), 6}},
	"ring":                    {"ring", [3]int{1, 1, 1}, [3]int{96, 1, 1}, 0, []any{numbers(5 * 64), writable(4 * 5 * 64), 5}},
	"bulk":                    {"ring", [3]int{1, 1, 1}, [3]int{96, 1, 1}, 0, []any{numbers(5 * 64), writable(4 * 5 * 64), 5}},
}

// numbers are n words of float32.
func numbers(n int) readable {
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	p, err := le.Append(nil, le.LittleEndian, x)
	if err != nil {
		panic(err)
	}
	return p
}

// halves are n elements of 16 bits that are small numbers as bfloat16 and as float16.
func halves(n int) readable {
	r := rand.New(rand.NewPCG(5, 6))
	var p []byte
	for range n {
		p = le.LittleEndian.AppendUint16(p, uint16(0x3c00+r.IntN(0x400)))
	}
	return p
}

func (w written) launch(t *testing.T, text string, d *emulator.Device, shared int) ([][]byte, error) {
	m, err := emulator.Load(text)
	if err != nil {
		return nil, err
	}
	k, err := m.Kernel(w.kernel)
	if err != nil {
		return nil, err
	}
	if shared < 0 {
		shared = w.shared
	}
	var args []any
	var memory []*emulator.Buffer
	for _, a := range w.args {
		switch a := a.(type) {
		case readable:
			b := d.Alloc("x", len(a))
			require.NoError(t, b.Write(0, a))
			memory, args = append(memory, b), append(args, b)
		case writable:
			b := d.Alloc("y", int(a))
			memory, args = append(memory, b), append(args, b)
		default:
			args = append(args, a)
		}
	}
	if _, err := d.Launch(k, w.grid, w.block, shared, args...); err != nil {
		return nil, err
	}
	var out [][]byte
	for _, b := range memory {
		p := make([]byte, b.Len())
		require.NoError(t, b.Peek(0, p))
		out = append(out, p)
	}
	return out, nil
}

// largestIndex is the largest value that integers of an input have, and more than one of them.
var largestIndex = map[string]int64{"gather": 10, "scatter": 4, "exchange": 63, "grouped_product": 2}

// generatedLaunch launches all phases of a kernel that the compiler wrote.
func generatedLaunch(t *testing.T, name string) launch {
	kernels, emitted := map[string]*loop.Kernel{}, map[string]*Emitted{} // by architecture
	for _, arch := range []string{"sm_80", "sm_90a"} {
		target := gpuTarget(t, arch)
		kernels[arch] = scheduledFor(t, target, name)
		var err error
		emitted[arch], err = Emit(kernels[arch], target)
		require.NoError(t, err)
	}
	return func(t *testing.T, text string, d *emulator.Device, shared int) ([][]byte, error) {
		arch := "sm_80"
		if strings.Contains(text, ".target sm_90a") {
			arch = "sm_90a"
		}
		k, emitted := kernels[arch], emitted[arch]
		module, err := emulator.Load(text)
		if err != nil {
			return nil, err
		}
		e := *emitted
		if shared >= 0 {
			e.Phases = slices.Clone(e.Phases)
			for i := range e.Phases {
				e.Phases[i].Shared = shared
			}
		}
		r := rand.New(rand.NewPCG(1, 2))
		most := largestIndex[name]
		var bufs [][]byte
		for _, b := range params(k) {
			data, mem := fill(r, b, b.Dims, -most-1)
			if most > 0 && b.Mode == loop.In && !b.Elem.IsFloat() {
				data.I[0], data.I[data.Len()-1] = most, most
				mem = memoryOf(data)
			}
			bufs = append(bufs, mem)
		}
		m := &emulated{t: t, k: k, e: &e, module: module, device: d}
		return bufs, m.try(bufs)
	}
}

// launchOf is the launch of a file of testdata/ptx, and of a kernel where it has several.
func launchOf(t *testing.T, file, kernel string) launch {
	if name, ok := strings.CutPrefix(file, filepath.Base(goldenPTX)+"/"); ok {
		return generatedLaunch(t, strings.TrimSuffix(name, ".sm_90a"))
	}
	w, ok := writtenLaunches[strings.TrimSpace(file+" "+kernel)]
	require.True(t, ok, "%s %s", file, kernel)
	return w.launch
}
