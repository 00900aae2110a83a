package runtime

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// settling is a sample whose output is what `shift` makes of what it made of a state, once for all runs, and a training of that state.
func settling() *program.Program {
	i32 := func(name string, home program.Home) program.Buffer {
		return program.Buffer{Name: name, Elem: loop.I32, Dims: []int{16}, Home: home}
	}
	train := program.Block{Name: "train", Bufs: []program.Buffer{i32("x", program.HomeState), i32("y", program.HomeArena)},
		Code: []program.Instr{launchOf(0, nil, 1, 0), launchOf(0, nil, 0, 1)}}
	sample := program.Block{Name: "sample", Bufs: []program.Buffer{i32("x", program.HomeState), i32("stored", program.HomeKept), i32("y", program.HomeArena)},
		Outputs: []program.Output{{Kind: program.OutputShow, Buf: 2}}, Settled: 1, Kept: 64,
		Code: []program.Instr{launchOf(0, nil, 1, 0), launchOf(0, nil, 2, 1)}}
	return &program.Program{Source: "t.mdl", Arena: 64, Kernels: []program.Kernel{kernel("shift", 2, index.C(16))},
		States:  []program.State{{Name: "x", Elem: loop.I32, Dims: []int{16}}},
		Entries: []program.Entry{{Kind: "train", Block: train}, {Kind: "sample", Block: sample}}}
}

func TestWhatIsSettledRunsOnce(t *testing.T) {
	p := settling()
	p.Object = testObject(t)
	testSettling(t, load(t, p, 2))
}

func testSettledOn(t *testing.T, d *Device) { testSettling(t, loadOn(t, d, settling())) }

// What depends on states alone runs where they have changed, and only there; the driver is not told of what this test writes into the state.
func testSettling(t *testing.T, m *Model) {
	x, train, sample := m.states[0], m.entries[0].block, m.entries[1].block
	give := func(v float64) { writeElem(loop.I32, x.host, 7, v) }
	shows := func(want float64) {
		t.Helper()
		for range 3 { // on some devices the second run is recorded, and the third played
			require.NoError(t, sample.run(nil))
			require.Equal(t, want, readElem(loop.I32, sample.bufs[2].host, 7))
		}
	}
	give(5)
	require.NoError(t, m.pushStates()) // as weights are read
	shows(7)
	give(20)
	require.NoError(t, m.device.push(x))
	shows(7) // of 5, still
	require.NoError(t, m.pushStates())
	shows(22)
	require.NoError(t, train.run(nil))
	shows(24)

	var stop atomic.Bool
	stop.Store(true)
	require.NoError(t, train.run(nil))
	require.ErrorIs(t, sample.run(&stop), ErrStopped)
	shows(26)
}
