//go:build cuda

package runtime

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/cuda/fake"
	"mdlc/runtime/program"
)

// pretend is a GPU of a fake driver that is like a A100.
func pretend(t *testing.T) (*fake.Driver, *Device) {
	driver := &fake.Driver{Major: 8, Minor: 0, Memory: 1 << 30, GPUs: 1}
	driver.Install()
	d, _, err := FindDevice("cuda")
	require.NoError(t, err)
	require.Equal(t, "cuda:0", d.Name)
	require.Equal(t, "Fake GPU, compute capability 8.0, 1.0 GiB", d.Title)
	t.Cleanup(func() { // after those of the test
		require.Zero(t, driver.Left(), "what was not given back to the driver")
	})
	return driver, d
}

func TestCUDA(t *testing.T) {
	driver, d := pretend(t)
	testDevice(t, d)
	require.NoError(t, driver.Fault)
	require.Greater(t, driver.Graphs, 5, "blocks that depend on nothing of the host are recorded")
}

// A block is recorded once it ran; what depends on lengths of a run is not.
func TestCUDARecordsBlocks(t *testing.T) {
	driver, d := pretend(t)
	m := loadOn(t, d, inState(incrementer(t, 3)))
	require.NoError(t, m.pushStates())
	for n := range 4 {
		require.NoError(t, m.entries[0].block.run(nil))
		require.Equal(t, n, driver.Graphs)
		require.Equal(t, 3*(n+1), driver.Launched)
	}
	testLengthsOn(t, d)
	require.Equal(t, 3, driver.Graphs)
}

// Of a loop that is long a turn is kept; the next ones tell the driver what they have that is different, and none waits.
func TestCUDAKeepsTurns(t *testing.T) {
	driver, d := pretend(t)
	m := loadOn(t, d, manyTurns(t, 16))
	require.NoError(t, m.pushStates())
	b := m.entries[0].block
	b.alike = false // as though it depended on a length of the run
	require.NoError(t, b.run(nil))
	waits, asked := driver.Waits, driver.Asked
	require.Equal(t, 40-warmTurns, driver.Graphs)
	require.Equal(t, 2*(40-warmTurns-1), driver.Changed, "the turn and what lies where it says")
	require.Equal(t, 160, driver.Launched)
	require.NoError(t, b.run(nil))
	require.Equal(t, 80-warmTurns, driver.Graphs, "the second run goes on with the turn of the first")
	require.Equal(t, 1, driver.Waits-waits, "for the results")
	require.Equal(t, 40+2, driver.Asked-asked, "turns, an input and the results")
}

// Blocks and turns with too many launches are not kept.
func TestCUDAKeepsNothingHuge(t *testing.T) {
	driver, d := pretend(t)
	defer func(n int) { maxKept = n }(maxKept)
	for most, graphs := range map[int]int{3: 0, 4: 3*40 - warmTurns, 160: 40 - warmTurns + 2} {
		maxKept, driver.Graphs = most, 0
		m := loadOn(t, d, manyTurns(t, 16))
		require.NoError(t, m.pushStates())
		for range 3 {
			require.NoError(t, m.entries[0].block.run(nil))
		}
		require.Equal(t, graphs, driver.Graphs, "at most %d launches", most)
	}
}

// Turns that have little in common are asked for launch by launch, after a few tries.
func TestCUDAGivesUpTurns(t *testing.T) {
	driver, d := pretend(t)
	for name, p := range map[string]*program.Program{"other launches": unlikeTurns(t), "most differ": inState(incrementer(t, 40))} {
		driver.Graphs = 0
		m := loadOn(t, d, p)
		require.NoError(t, m.pushStates())
		b := m.entries[0].block
		b.alike = false
		turns := b.steps[0].loop
		for range 2 {
			require.NoError(t, b.run(nil))
			require.True(t, turns.again.never, name)
			require.Nil(t, turns.again.kept)
			if name == "most differ" {
				require.Equal(t, maxTries, driver.Graphs)
			}
		}
		require.Zero(t, driver.Changed)
	}
}

// The host does not wait for a device before it has asked for the next turn, also where that is not to be made.
func TestCUDAForeseesTurns(t *testing.T) {
	driver, d := pretend(t)
	var waits []int
	for _, from := range []float64{-20, -50} {
		m := loadOn(t, d, untilThree(t, 100))
		writeElem(loop.F32, m.states[0].host, 0, from)
		require.NoError(t, m.pushStates())
		driver.Waits, driver.Looks, driver.Launched = 0, 0, 0
		require.NoError(t, m.entries[0].block.run(nil))
		made := 3 - int(from)
		require.Equal(t, made-warmTurns+1, driver.Looks)
		require.Equal(t, 2*made+2+2, driver.Launched, "a turn is in vain")
		waits = append(waits, driver.Waits)
	}
	require.Equal(t, waits[0], waits[1])
}

// Where the driver fails halfway at a graph, the message says which kernel it was at, nothing is left behind, and the next
// run is a right one.
func TestCUDAGraphsThatFail(t *testing.T) {
	driver, d := pretend(t)
	p := manyTurns(t, 16)
	for i := range p.Kernels {
		p.Kernels[i].Pos = []loop.Pos{{File: "m.mdl", Line: 12, Col: 3}}
	}
	said := map[string]int{}
	for _, alike := range []bool{true, false} {
		for full := 1; ; full += 1 + full/4 {
			m, err := Load(onGPU(t, p), Setup{Device: d})
			require.NoError(t, err)
			require.NoError(t, m.pushStates())
			b := m.entries[0].block
			b.alike = alike
			require.NoError(t, b.run(nil)) // from the second run on a block is kept
			driver.Full(full)
			err = b.run(nil)
			driver.Full(0)
			require.NoError(t, b.run(nil))
			m.Close()
			require.Zero(t, driver.Left(), "what was not given back to the driver")
			if err == nil {
				break
			}
			require.ErrorContains(t, err, "CUDA_ERROR_OUT_OF_MEMORY")
			if strings.Contains(err.Error(), "internal error: kernel increment, made from m.mdl:12:3: ") {
				said["kernel"]++
			} else {
				require.ErrorContains(t, err, "internal error: Fake GPU cannot do ")
				said["graph"]++
			}
		}
	}
	require.Len(t, said, 2)
}

// What is long to copy is waited for.
func TestCUDAWaitsRatherThanCopyMuch(t *testing.T) {
	driver, d := pretend(t)
	p := untilThree(t, 100)
	p.States[0].Dims[0], p.Entries[0].Block.Bufs[0].Dims[0] = maxSaved/4+1, maxSaved/4+1
	m := loadOn(t, d, p)
	writeElem(loop.F32, m.states[0].host, 0, -30)
	require.NoError(t, m.pushStates())
	require.NoError(t, m.entries[0].block.run(nil))
	require.Zero(t, driver.Looks)
	require.Equal(t, 3.0, readElem(loop.F32, m.states[0].host, 0))
}

// The code is assembled once for a GPU and a driver.
func TestCUDAKeepsCode(t *testing.T) {
	driver, d := pretend(t)
	cache := codeCache{}
	for range 2 {
		m, err := Load(onGPU(t, inState(incrementer(t, 1))), Setup{Device: d, Cache: cache})
		require.NoError(t, err)
		require.NoError(t, m.pushStates())
		require.NoError(t, m.entries[0].block.run(nil))
		m.Close()
	}
	require.Equal(t, 1, driver.Assembled)
	driver.Minor = 6
	d, _, err := FindDevice("cuda:0")
	require.NoError(t, err)
	m, err := Load(onGPU(t, inState(incrementer(t, 1))), Setup{Device: d, Cache: cache})
	require.NoError(t, err)
	m.Close()
	require.Equal(t, 2, driver.Assembled, "another GPU needs other code")
	require.Zero(t, driver.Loaded)
	driver.OldLinker = true
	require.NoError(t, loadOn(t, d, inState(incrementer(t, 1))).pushStates())
	require.Equal(t, 1, driver.Loaded)
}

type codeCache map[string][]byte

func (k codeCache) Get(key ...string) []byte       { return k[strings.Join(key, "\x00")] }
func (k codeCache) Put(data []byte, key ...string) { k[strings.Join(key, "\x00")] = data }

// A kernel that goes wrong has a name, and what the driver says is told.
func TestCUDAFaultsHaveNames(t *testing.T) {
	driver, d := pretend(t)
	p := inState(incrementer(t, 1))
	p.Kernels[0].Pos = []loop.Pos{{File: "m.mdl", Line: 12, Col: 3}}
	p.Kernels[0].Phases[0].Points = index.C(1025)
	p.Kernels = append(p.Kernels, kernel("broken", 1, index.C(1)))
	p.Entries[0].Block.Code = append(p.Entries[0].Block.Code, launchOf(1, nil, 0))
	m := loadOn(t, d, p)
	require.NoError(t, m.pushStates())
	require.ErrorContains(t, m.entries[0].block.run(nil), "internal error: kernel increment, made from m.mdl:12:3: CUDA_ERROR_LAUNCH_FAILED")
	require.ErrorContains(t, driver.Fault, "out of bounds")
	require.ErrorContains(t, m.entries[0].block.run(nil), "CUDA_ERROR_LAUNCH_FAILED", "the context is lost")
}

func TestCUDARefusals(t *testing.T) {
	driver, d := pretend(t)
	load := func(p *program.Program) error {
		m, err := Load(p, Setup{Device: d})
		if err == nil {
			m.Close()
		}
		return err
	}
	p := onGPU(t, inState(incrementer(t, 1)))
	require.NoError(t, load(p))
	p.Object = append([]byte("what is this\n"), p.Object...)
	require.ErrorContains(t, load(p), "Fake GPU: internal error: the driver does not take the program's code: CUDA_ERROR_INVALID_PTX, CUDA_ERROR_INVALID_PTX: PTX line 1")
	p = onGPU(t, inState(incrementer(t, 1)))
	p.Kernels[0].Phases[0].Symbol = "absent"
	require.ErrorContains(t, load(p), "kernel increment: CUDA_ERROR_NOT_FOUND")
	p.Kernels[0].Phases[0].Symbol, p.Kernels[0].Phases[0].Shared = "increment", 164<<10
	require.ErrorContains(t, load(p), "kernel increment needs 164.0 KiB of shared memory; a block on Fake GPU has at most 163.0 KiB")
	p.Kernels[0].Phases[0].Shared = 100 << 10
	m := loadOn(t, d, p)
	require.NoError(t, m.pushStates())
	require.NoError(t, m.entries[0].block.run(nil), "more than 48 KiB of shared memory are asked for")
	p.Target.Features = []string{"sm_90a"}
	require.ErrorContains(t, load(p), "this program is for sm_90a; Fake GPU is an sm_80: compile the model for it with --target sm_80")
	require.ErrorContains(t, load(incrementer(t, 1)), "this program is for the CPU")
	p.Target.Features, p.Arena = []string{"sm_80"}, 2<<30
	require.ErrorContains(t, load(p), "needs 2.0 GiB of memory and Fake GPU has 1.0 GiB")

	_, _, err := FindDevice("cuda:1")
	require.ErrorContains(t, err, "there is no cuda:1: the NVIDIA driver sees 1")
	devices, noGPU := Devices()
	require.NoError(t, noGPU)
	require.Len(t, devices, 3)
	for cc, arch := range map[[2]int]string{{8, 0}: "sm_80", {8, 9}: "sm_80", {9, 0}: "sm_90a", {10, 0}: "sm_80"} {
		driver.Major, driver.Minor = cc[0], cc[1]
		d, _, err := FindDevice("cuda")
		require.NoError(t, err)
		require.Equal(t, arch, d.Arch)
	}
	driver.Major, driver.Minor = 7, 5
	_, _, err = FindDevice("cuda")
	require.ErrorContains(t, err, "has compute capability 7.5; 8.0 is the least")
	d, why, err := FindDevice("auto")
	require.NoError(t, err)
	require.Equal(t, "cpu", d.Name)
	require.Contains(t, why, "compute capability 7.5")
	driver.GPUs = 0
	_, _, err = FindDevice("cuda")
	require.ErrorContains(t, err, "the NVIDIA driver sees no GPU")
}

// The same on the GPU of this machine, if it has one. In a process of its own: the others pretend.
func TestGPU(t *testing.T) {
	if os.Getenv("MDLC_TEST_GPU") == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestGPU$", "-test.v")
		cmd.Env = append(os.Environ(), "MDLC_TEST_GPU=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		if _, reason, skipped := strings.Cut(string(out), "skipped: "); skipped {
			reason, _, _ = strings.Cut(reason, "\n")
			t.Skip("skipped: " + reason)
		}
		return
	}
	d, _, err := FindDevice("cuda")
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	testDevice(t, d)
}

// In a process of its own, for the driver is looked for once.
func TestCUDAWithoutDriver(t *testing.T) {
	if os.Getenv("MDLC_TEST_NO_DRIVER") != "" {
		_, _, err := FindDevice("cuda")
		require.ErrorContains(t, err, "there is no NVIDIA driver here (libcuda.so.1: cannot open shared object file")
		return
	}
	if _, err := os.Stat("/dev/nvidiactl"); err == nil {
		t.Skip("skipped: this machine has a driver")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestCUDAWithoutDriver$")
	cmd.Env = append(os.Environ(), "MDLC_TEST_NO_DRIVER=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Tensor maps are encoded by the driver, for each launch that needs another.
func TestCUDACopiesBoxes(t *testing.T) {
	driver := &fake.Driver{Major: 9, Minor: 0, Memory: 1 << 30, GPUs: 1}
	driver.Install()
	d, _, err := FindDevice("cuda")
	require.NoError(t, err)
	testBoxesOn(t, d)
	require.NoError(t, driver.Fault)
	require.Greater(t, driver.Graphs, 3)
	require.Greater(t, driver.Changed, 3, "a turn's map is another")
}
