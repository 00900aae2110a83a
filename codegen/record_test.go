package codegen

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/emulator"
	"mdlc/runtime/program"
)

// recording is a program of what a test asks of a GPU's kernels: an entry for each run, whose buffers are the
// kernel's arguments as states; then a constant for each of them, what it holds before; then two for each
// output: where the evaluator has something, and what, which is `near` where tensor cores add as they like, and `about` what it is where they do so in few bits. runtime's
// TestGPUKernels asks the same of a GPU, where no compiler is.
type recording struct {
	p       *program.Program
	kernels map[*loop.Kernel]int
}

// record keeps what t asks of a module of kernels in the folder that $MDLC_RECORD names.
func record(t testing.TB, target *Target, text []byte) *recording {
	dir := os.Getenv("MDLC_RECORD")
	if dir == "" {
		return nil
	}
	r := &recording{kernels: map[*loop.Kernel]int{}, p: &program.Program{Source: t.Name(), Object: text,
		Target: program.Target{Triple: program.NVPTX, Features: []string{target.Name}}}}
	t.Cleanup(func() {
		var bundle bytes.Buffer
		require.NoError(t, program.Write(&bundle, r.p))
		test, _, _ := strings.Cut(t.Name(), "/")
		require.NoError(t, os.WriteFile(filepath.Join(dir, test+"."+target.Name+".bundle"), bundle.Bytes(), 0o644))
	})
	return r
}

// keep records a run of m, if tests are recorded: what memory held before, and what is expected of what it writes.
func (m *emulated) keep(t *testing.T, before [][]byte, want map[string]*loop.Data) {
	r, buffers := m.kept, params(m.k)
	if r == nil || m.device.Approx != emulator.Nearest {
		return
	}
	number, known := r.kernels[m.k]
	if !known {
		number = len(r.p.Kernels)
		r.kernels[m.k] = number
		k := program.Kernel{Name: m.k.Name, Args: len(buffers)}
		for i, ph := range m.e.Phases {
			if r := ph.Round; r != nil {
				if k.Rounds == nil {
					k.Rounds = &program.Rounds{From: i, Count: index.C(r.Max)}
				}
				k.Rounds.To = i + 1
			}
			points := 1
			for _, a := range ph.Par {
				n := a.Max
				if slices.ContainsFunc(buffers, func(b *loop.Buffer) bool { return b.Length != nil }) {
					n = m.extent(a.Extent, before) // what is beyond has no memory
				}
				points *= n
			}
			k.Phases = append(k.Phases, program.Phase{Symbol: ph.Symbol, Points: index.C(points), Threads: ph.Threads, PerBlock: ph.PerBlock, Shared: ph.Shared, Maps: m.tensorMaps(ph, before)})
		}
		r.p.Kernels = append(r.p.Kernels, k)
	}
	_, name, _ := strings.Cut(t.Name(), "/")
	launch := &program.Launch{Kernel: number}
	block := program.Block{Name: name, Code: []program.Instr{{Launch: launch}}}
	var held, expected []program.Buffer
	after := " after"
	if text := m.k.String(); strings.Contains(text, "@"+loop.MMA) || strings.Contains(text, "@"+loop.WGMMA) {
		after = " near"
		if strings.Contains(text, "slot: f8") {
			after = " about"
		}
	}
	for i, b := range buffers {
		dims, err := b.Sizes(want)
		require.NoError(t, err)
		state := program.State{Name: fmt.Sprintf("%s of %s", b.Name, name), Elem: b.Elem, Dims: dims}
		block.Bufs = append(block.Bufs, program.Buffer{Name: b.Name, Elem: b.Elem, Dims: dims, Home: program.HomeState, State: len(r.p.States)})
		r.p.States = append(r.p.States, state)
		launch.Args = append(launch.Args, program.Ref{Buf: i})
		held = append(held, program.Buffer{Name: b.Name + " before", Elem: b.Elem, Dims: dims, Home: program.HomeConst, Data: bytes.Clone(before[i])})
		if b.Mode != loop.Out && b.Mode != loop.InOut {
			continue
		}
		d := want[b.Name]
		known := bytes.Repeat([]byte{1}, d.Len())
		for j, poison := range d.Poison {
			if poison {
				known[j] = 0
			}
		}
		block.Outputs = append(block.Outputs, program.Output{Kind: program.OutputShow, Buf: i, Name: b.Name})
		expected = append(expected, program.Buffer{Name: b.Name + " known", Elem: loop.Bool, Dims: dims, Home: program.HomeConst, Data: known},
			program.Buffer{Name: b.Name + after, Elem: b.Elem, Dims: dims, Home: program.HomeConst, Data: memoryOf(d)})
	}
	block.Bufs = slices.Concat(block.Bufs, held, expected)
	r.p.Entries = append(r.p.Entries, program.Entry{Kind: "sample", Name: name, Block: block})
}

// tensorMaps are those of a phase where memory holds bufs, lengths too.
func (m *emulated) tensorMaps(ph EmittedPhase, bufs [][]byte) (out []program.TensorMap) {
	for _, box := range ph.Maps {
		t := program.TensorMap{Arg: box.Arg, Elem: box.Buf.Elem, Strides: box.Strides, Box: box.Size, Swizzle: loop.SwizzleBytes}
		for _, v := range box.Dims {
			t.Dims = append(t.Dims, index.C(m.extent(v, bufs)))
		}
		out = append(out, t)
	}
	return out
}
