package runtime

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// boxes is a loop whose turn i copies a box of 8 × 8 elements of x[i], of which i rows are there, to y[i], and makes some launches that are the same in all turns.
func boxes(t testing.TB, turns int) *program.Program {
	text, err := os.ReadFile("../testdata/runtime/boxes.ptx")
	require.NoError(t, err)
	const tile = 4 * 8 * 8
	at := index.Prod(index.V("i"), index.C(tile))
	ref := func(buf int) program.Ref { return program.Ref{Buf: buf, Offset: at} }
	moving := program.Instr{Launch: &program.Launch{Args: []program.Ref{ref(0), ref(1), {Buf: 2}}, Lens: []*index.Expr{index.V("i")}}}
	first := launchOf(0, []*index.Expr{index.C(1)}, 0, 1, 2)
	return &program.Program{Source: "t.mdl", Object: text, Target: program.Target{Triple: program.NVPTX, Features: []string{"sm_90a"}}, Arena: int64(turns * tile),
		Kernels: []program.Kernel{{Name: "box", Args: 3, Phases: []program.Phase{{Symbol: "box", Points: index.C(1), Threads: 64, PerBlock: 1,
			Maps: []program.TensorMap{{Arg: 1, Elem: loop.F32, Dims: []*index.Expr{index.C(8), index.V("n0")}, Strides: []int64{32}, Box: []int{8, 8}}}}}}},
		Entries: []program.Entry{{Kind: "sample", Block: program.Block{Name: "boxes",
			Bufs: []program.Buffer{f32("y", program.HomeArena, turns, 8, 8), f32("x", program.HomeInput, turns, 8, 8),
				{Name: "i", Elem: loop.I64, Home: program.HomeLen, State: -1}},
			Outputs: []program.Output{{Kind: program.OutputShow, Buf: 0}},
			Code:    []program.Instr{{Loop: &program.Loop{Turn: "i", Count: index.C(turns), Turns: -1, Code: []program.Instr{moving, first, first, first}}}}}}}}
}

// testBoxesOn: the map of a launch is of its own address and lengths, launch by launch and in what is kept.
func testBoxesOn(t *testing.T, d *Device) {
	const turns = warmTurns + 4
	for _, alike := range []bool{true, false} {
		m, err := Load(boxes(t, turns), Setup{Device: d, Threads: 2})
		require.NoError(t, err)
		t.Cleanup(m.Close)
		b := m.entries[0].block
		b.alike = alike
		for i := range turns * 64 {
			writeElem(loop.F32, b.bufs[1].host, i, float64(i+1))
		}
		for range 3 {
			clear(b.bufs[0].host)
			require.NoError(t, b.run(nil))
			for i := range turns * 64 {
				want := float64(i + 1)
				if turn := i / 64; i%64/8 >= max(turn, 1) {
					want = 0
				}
				require.Equal(t, want, readElem(loop.F32, b.bufs[0].host, i), "y[%d]", i)
			}
		}
	}
}

func TestEmulatorCopiesBoxes(t *testing.T) { testBoxesOn(t, emulated) }

// A map that no device takes is refused before anything runs.
func TestTensorMapsAreChecked(t *testing.T) {
	for want, spoil := range map[string]func(m *program.TensorMap){
		"no argument 3":                     func(m *program.TensorMap) { m.Arg = 3 },
		"1 strides and a box of 2":          func(m *program.TensorMap) { m.Dims = m.Dims[:1] },
		"the stride of dimension 1 is 40":   func(m *program.TensorMap) { m.Strides[0] = 40 },
		"cannot have 257 elements":          func(m *program.TensorMap) { m.Box[1] = 257 },
		"dimension 1 has no length":         func(m *program.TensorMap) { m.Dims[1] = nil },
		"no multiple of 16":                 func(m *program.TensorMap) { m.Box[0] = 7 },
		"more than a swizzle's 32":          func(m *program.TensorMap) { m.Box[0], m.Swizzle = 16, 32 },
		"no swizzle of 16 bytes":            func(m *program.TensorMap) { m.Swizzle = 16 },
		"kernel box takes 2 lengths, not 1": func(m *program.TensorMap) { m.Dims[0] = index.V("n1") },
		"divides by what is not a positive": func(m *program.TensorMap) { m.Dims[0] = index.Quo(index.V("n0"), index.V("n0")) },
	} {
		p := boxes(t, 2)
		spoil(&p.Kernels[0].Phases[0].Maps[0])
		require.ErrorContains(t, p.Check(), want)
	}
	p := boxes(t, 2)
	p.Target, p.Kernels[0].Phases[0].Threads, p.Kernels[0].Phases[0].PerBlock = program.Target{Triple: "x86_64-linux"}, 0, 0
	require.ErrorContains(t, p.Check(), "phase box has tensor maps, which a CPU has not")
}
