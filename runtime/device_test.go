package runtime

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// onGPU is a program of the tests' kernels for a GPU.
func onGPU(t testing.TB, p *program.Program) *program.Program {
	text, err := os.ReadFile("../testdata/runtime/kernels.ptx")
	require.NoError(t, err)
	p.Target, p.Object = program.Target{Triple: program.NVPTX, Features: []string{"sm_80"}}, text
	for i := range p.Kernels {
		for j := range p.Kernels[i].Phases {
			p.Kernels[i].Phases[j].Threads, p.Kernels[i].Phases[j].PerBlock = 4, 4
		}
	}
	return p
}

func loadOn(t testing.TB, d *Device, p *program.Program) *Model {
	m, err := Load(onGPU(t, p), Setup{Device: d, Threads: 2})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

// testDevice runs on d what the CPU runs too.
func testDevice(t *testing.T, d *Device) {
	for name, test := range map[string]func(*testing.T, *Device){
		"training is the CPU's": testTrainingOn, "moments": testMomentsOn, "loops": testLoopsOn, "turns": testTurnsOn, "numbers of turns": testTurnNumbersOn, "many turns": testManyTurnsOn, "turns unlike each other": testUnlikeTurnsOn, "lengths": testLengthsOn, "conditions": testConditionsOn,
		"numbers": testNumbersOn, "profile": testProfileOn, "constants": testConstantsOn, "what is settled": testSettledOn, "offsets": testOffsetsOn,
	} {
		t.Run(name, func(t *testing.T) { test(t, d) })
	}
}

func TestEmulator(t *testing.T) { testDevice(t, emulated) }

// Training with evals, resuming, sampling and exporting give the files and lines that they give on the CPU.
func testTrainingOn(t *testing.T, d *Device) {
	data := digitRows(t, 33)
	host, gpu := t.TempDir(), t.TempDir()
	out := map[string]*bytes.Buffer{host: {}, gpu: {}}
	run := func(dir string, steps int, do func(r *Runner) error) {
		p := learner(t, data, index.C(steps))
		o := Options{Out: dir, Seed: seed(5), Resume: true, JSON: out[dir], Show: out[dir], Export: filepath.Join(dir, "export")}
		m := (*Model)(nil)
		if dir == host {
			m = load(t, p, 2)
		} else {
			m = loadOn(t, d, p)
		}
		require.NoError(t, do(NewRunner(m, o)))
	}
	for dir := range out {
		for _, steps := range []int{7, 12} {
			run(dir, steps, (*Runner).Train)
		}
		run(dir, 12, func(r *Runner) error { return r.Evaluate("valid") })
		run(dir, 12, func(r *Runner) error { return r.Sample("text", []FlagValue{{Name: "prompt", Value: "Hi!"}}) })
	}
	require.Contains(t, out[host].String(), "Ij\"\n")
	require.Equal(t, out[host].String(), out[gpu].String())
	for _, name := range []string{"weights.safetensors", "log.jsonl", "export/weights.safetensors", "export/batches.safetensors"} {
		require.Equal(t, string(readFile(t, filepath.Join(host, name))), string(readFile(t, filepath.Join(gpu, name))), name)
	}
}

// inState makes the first buffer of a block the state x, which kernels of the tests add to.
func inState(p *program.Program) *program.Program {
	p.States = []program.State{{Name: "x", Elem: loop.F32, Dims: []int{1024}}}
	p.Entries[0].Block.Bufs[0] = f32("x", program.HomeState, 1024)
	p.Entries[0].Block.Outputs = append(p.Entries[0].Block.Outputs, program.Output{Kind: program.OutputShow, Buf: 0})
	return p
}

func testLoopsOn(t *testing.T, d *Device) {
	m := loadOn(t, d, inState(incrementer(t, 3)))
	require.NoError(t, m.pushStates())
	b := m.entries[0].block
	for range 5 {
		require.NoError(t, b.run(nil))
	}
	for i := range 64 {
		want := 0.0
		if i < 48 {
			want = 5
		}
		require.Equal(t, want, readElem(loop.F32, b.bufs[0].host, i), "x[%d]", i)
	}
	require.NoError(t, m.device.pull(b.bufs[1]))
	require.Equal(t, 2.0, readElem(loop.I32, b.bufs[1].host, 0))
}

// A kernel reads the number of its turn: w = w/2 + turn, three times.
func testTurnNumbersOn(t *testing.T, d *Device) {
	p := inState(incrementer(t, 3))
	p.Kernels, p.States[0].Dims = []program.Kernel{kernel("learn", 3, index.C(8))}, []int{8}
	block := &p.Entries[0].Block
	block.Bufs = []program.Buffer{f32("x", program.HomeState, 8), {Name: "turn", Elem: loop.I32}, f32("zeros", program.HomeInput, 4, 8)}
	block.Code[0].Loop.Code = []program.Instr{launchOf(0, nil, 0, 2, 1)}
	m := loadOn(t, d, p)
	require.NoError(t, m.pushStates())
	for _, want := range []float64{2.5, 2.8125, 2.8515625} {
		require.NoError(t, m.entries[0].block.run(nil))
		require.Equal(t, want, readElem(loop.F32, m.states[0].host, 7))
	}
}

// Turn i of 4 reverses i numbers: each turn sees its own length.
func testTurnsOn(t *testing.T, d *Device) {
	p := &program.Program{Source: "t.mdl", Arena: 128,
		Kernels: []program.Kernel{kernel("reverse", 3, index.V("n0"))},
		Entries: []program.Entry{{Kind: "sample", Block: program.Block{
			Bufs: []program.Buffer{
				{Name: "y", Elem: loop.F32, Dims: []int{8}}, f32("x", program.HomeInput, 8),
				{Name: "i", Elem: loop.I64, Home: program.HomeLen, State: -1},
			},
			Outputs: []program.Output{{Kind: program.OutputShow, Buf: 0}},
			Code: []program.Instr{{Loop: &program.Loop{Turn: "i", Count: index.C(4), Turns: -1,
				Code: []program.Instr{launchOf(0, []*index.Expr{index.V("i")}, 0, 1, 2)}}}},
		}}}}
	b := loadOn(t, d, p).entries[0].block
	for i := range 8 {
		writeElem(loop.F32, b.bufs[1].host, i, float64(i+1))
	}
	for range 4 {
		clear(b.bufs[0].host)
		require.NoError(t, b.run(nil))
		for i, want := range []float64{3, 2, 1} {
			require.Equal(t, want, readElem(loop.F32, b.bufs[0].host, i))
		}
	}
}

// manyTurns is a loop: turn i adds 1 to the first 16 numbers of x, three times, and to those from 16·i on, i·most/40 + 1 of them.
func manyTurns(t testing.TB, most int) *program.Program {
	p := inState(incrementer(t, 40))
	p.Kernels = append(p.Kernels, kernel("increment", 1, index.V("n0")))
	n := index.Sum(index.Quo(index.Prod(index.V("i"), index.C(most)), index.C(40)), index.C(1))
	moving := p.Entries[0].Block.Code[0].Loop.Code[0]
	moving.Launch.Kernel, moving.Launch.Lens = 1, []*index.Expr{n}
	p.Entries[0].Block.Code[0].Loop.Code = []program.Instr{launchOf(0, nil, 0), moving, launchOf(0, nil, 0), launchOf(0, nil, 0)}
	return p
}

func testManyTurnsOn(t *testing.T, d *Device) {
	for _, alike := range []bool{true, false} { // what is kept is the block or a turn, whose number comes again in the next run
		m := loadOn(t, d, manyTurns(t, 16))
		require.NoError(t, m.pushStates())
		b := m.entries[0].block
		b.alike = b.alike && alike
		for run := range 3 {
			require.NoError(t, b.run(nil))
			x := m.states[0].host
			for i := range 64 * 16 {
				want := 0.0
				if turn := i / 16; turn < 40 && i%16 < turn*16/40+1 {
					want = float64(run + 1)
				}
				if i < 16 {
					want += 120 * float64(run+1)
				}
				require.Equal(t, want, readElem(loop.F32, x, i), "run %d, x[%d]", run, i)
			}
		}
	}
}

// unlikeTurns is a loop that adds 1 as often as its turn's number says.
func unlikeTurns(t testing.TB) *program.Program {
	p := inState(incrementer(t, 40))
	outer := p.Entries[0].Block.Code[0].Loop
	outer.Code = []program.Instr{{Loop: &program.Loop{Turn: "j", Count: index.V("i"), Turns: -1, Code: []program.Instr{launchOf(0, nil, 0)}}}}
	return p
}

func testUnlikeTurnsOn(t *testing.T, d *Device) {
	m := loadOn(t, d, unlikeTurns(t))
	require.NoError(t, m.pushStates())
	for run := range 3 {
		require.NoError(t, m.entries[0].block.run(nil))
		require.Equal(t, float64(40*39/2*(run+1)), readElem(loop.F32, m.states[0].host, 5))
	}
}

// A length that the driver sets decides the number of points; zero points are no launch.
func testLengthsOn(t *testing.T, d *Device) {
	p := &program.Program{Source: "t.mdl", Arena: 64,
		Kernels: []program.Kernel{kernel("reverse", 3, index.V("n0"))},
		Entries: []program.Entry{{Kind: "sample", Block: program.Block{
			Bufs: []program.Buffer{
				f32("y", program.HomeArena, 8), f32("x", program.HomeInput, 8), {Name: "U", Elem: loop.I64, Home: program.HomeLen, State: 1},
			},
			Outputs: []program.Output{{Kind: program.OutputShow, Buf: 0, Lens: []*index.Expr{index.V("U")}}},
			Lens:    []program.Len{{Name: "T", Max: 8}, {Name: "U", Max: 8, Def: index.Sub(index.V("T"), index.C(1))}},
			Code:    []program.Instr{launchOf(0, []*index.Expr{index.V("U")}, 0, 1, 2)},
		}}}}
	b := loadOn(t, d, p).entries[0].block
	for i := range 8 {
		writeElem(loop.F32, b.bufs[1].host, i, float64(i+1))
	}
	for _, T := range []int{4, 1, 8, 8, 3} {
		b.setLength("T", T)
		require.NoError(t, b.run(nil))
		for i := range T - 1 {
			require.Equal(t, float64(T-1-i), readElem(loop.F32, b.bufs[0].host, i), "T %d, y[%d]", T, i)
		}
	}
}

// untilThree is a loop of at most so many turns that adds 1 to x, and ends when x[0] is 3 or more: x is in place, and so is
// the condition. Then y is what the first numbers of x are, as many as the loop had turns, backwards.
func untilThree(t testing.TB, most int) *program.Program {
	p := inState(incrementer(t, 0))
	p.Kernels = append(p.Kernels, kernel("below", 2, index.C(1)), kernel("reverse", 3, index.V("n0")))
	block := &p.Entries[0].Block
	block.Bufs = append(block.Bufs, program.Buffer{Name: "go", Elem: loop.Bool, Dims: []int{2}}, program.Buffer{Name: "made", Elem: loop.I64, Home: program.HomeLen, State: -1}, program.Buffer{Name: "y", Elem: loop.F32, Dims: []int{64}, Offset: 64})
	block.Outputs = append(block.Outputs, program.Output{Kind: program.OutputShow, Buf: 4})
	flag := program.Ref{Buf: 2, Offset: index.C(1)}
	test := program.Instr{Launch: &program.Launch{Kernel: 1, Args: []program.Ref{flag, {Buf: 0}}}}
	block.Code = []program.Instr{test,
		{Loop: &program.Loop{Turn: "i", Count: index.C(most), While: &flag, Made: "made", Over: []int{0, 2}, Turns: -1, Code: []program.Instr{launchOf(0, nil, 0), test}}},
		launchOf(2, []*index.Expr{index.V("made")}, 4, 0, 3),
	}
	return p
}

// A loop ends when a kernel says so, and kernels after it know the number of its turns.
func testConditionsOn(t *testing.T, d *Device) {
	for _, c := range []struct {
		most       int
		from, last float64
	}{{9, 0.5, 3.5}, {60, -30.5, 3.5}, {60, 3 - warmTurns, 3}, {60, 2 - warmTurns, 3}, {20, -30.5, -10.5}, {warmTurns, -30.5, warmTurns - 30.5}} {
		m := loadOn(t, d, untilThree(t, c.most))
		writeElem(loop.F32, m.states[0].host, 0, c.from)
		require.NoError(t, m.pushStates())
		b := m.entries[0].block
		require.NoError(t, b.run(nil))
		made := int(c.last - c.from)
		require.Equal(t, c.last, readElem(loop.F32, b.bufs[0].host, 0))
		require.Equal(t, float64(made), readElem(loop.F32, b.bufs[0].host, 1))
		require.Equal(t, c.last, readElem(loop.F32, b.bufs[4].host, made-1))
		if c.last >= 3 {
			require.NoError(t, b.run(nil))
			require.Equal(t, c.last, readElem(loop.F32, b.bufs[0].host, 0), "no turn is made")
		}
	}
}

func testNumbersOn(t *testing.T, d *Device) {
	p := inState(incrementer(t, 1))
	p.Kernels = append(p.Kernels, kernel("broken", 1, index.C(1)))
	p.Kernels[1].Pos = []loop.Pos{{File: "m.mdl", Line: 12, Col: 3}}
	p.Entries[0].Block.Code = append(p.Entries[0].Block.Code, launchOf(1, nil, 0))
	m := loadOn(t, d, p)
	require.NoError(t, m.pushStates())
	err := NewRunner(m, Options{CheckNumbers: true}).run(m.entries[0].block, 1, nil)
	require.ErrorContains(t, err, "`x` becomes NaN")
	require.ErrorContains(t, err, "the first NaN is in `x`, made at m.mdl:12:3")
}

func testProfileOn(t *testing.T, d *Device) {
	m, err := Load(onGPU(t, inState(incrementer(t, 3))), Setup{Device: d, Times: true})
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.pushStates())
	for range 4 {
		require.NoError(t, m.entries[0].block.run(nil))
	}
	var out bytes.Buffer
	m.WriteProfile(&out, Ceilings{})
	require.Regexp(t, `100\.0% +\d+\.\d{3} ms +11 × +\d+\.\d µs +increment`, out.String())
	require.NotContains(t, out.String(), " 0.0 µs")

	m.program.Kernels[0].Products, m.program.Kernels[0].Bytes = 600, 100
	warm := m.profile.times[0].warm()
	seconds := warm.total.Seconds() / float64(warm.launches)
	out.Reset()
	m.WriteProfile(&out, Ceilings{Flops: 1200 / seconds, Bytes: []Bandwidth{{50, 400 / seconds}, {200, 100 / seconds}}})
	require.Regexp(t, ` 50%  increment`, out.String(), "the roof of a kernel with many products is theirs")
	require.NotContains(t, out.String(), "tensor")
	m.program.Kernels[0].Tensor = true
	out.Reset()
	m.WriteProfile(&out, Ceilings{Flops: 1200 / seconds, Tensor: 2400 / seconds, Bytes: []Bandwidth{{50, 4000 / seconds}}})
	require.Contains(t, out.String(), " of tensor cores, ")
	require.Regexp(t, ` 25%  increment`, out.String())

	out.Reset()
	require.NoError(t, m.WriteTrace(&out, Ceilings{}))
	var trace struct{ TraceEvents []traceEvent }
	require.NoError(t, json.Unmarshal(out.Bytes(), &trace))
	require.Len(t, trace.TraceEvents, 4*(3+1))
	run, last := trace.TraceEvents[3], trace.TraceEvents[2]
	require.Equal(t, []string{"increment", m.entries[0].block.Name}, []string{last.Name, run.Name})
	require.LessOrEqual(t, run.From, trace.TraceEvents[0].From, "a run is around its launches")
	require.LessOrEqual(t, last.From+last.Took, run.From+run.Took+1)
}

func testConstantsOn(t *testing.T, d *Device) {
	p := incrementer(t, 1)
	p.Kernels = []program.Kernel{kernel("shift", 2, index.C(16))}
	data := make([]byte, 64)
	for i := range 16 {
		data[4*i] = byte(i)
	}
	p.Entries[0].Block = program.Block{Name: "train",
		Bufs:    []program.Buffer{{Name: "y", Elem: loop.I32, Dims: []int{16}}, {Name: "c", Elem: loop.I32, Dims: []int{16}, Home: program.HomeConst, Data: data}},
		Outputs: []program.Output{{Kind: program.OutputShow, Buf: 0}},
		Code:    []program.Instr{launchOf(0, nil, 0, 1)}}
	b := loadOn(t, d, p).entries[0].block
	for range 3 {
		require.NoError(t, b.run(nil))
	}
	require.Equal(t, 16.0, readElem(loop.I32, b.bufs[0].host, 15))
}

// Buffers of the arena lie where the plan says.
func testOffsetsOn(t *testing.T, d *Device) {
	p := incrementer(t, 1)
	p.Kernels = []program.Kernel{kernel("shift", 2, index.C(16))}
	i32 := func(name string, home program.Home, offset int64) program.Buffer {
		return program.Buffer{Name: name, Elem: loop.I32, Dims: []int{16}, Home: home, Offset: offset}
	}
	p.Arena, p.Work = 192, 128
	p.Entries[0].Block = program.Block{Name: "train",
		Bufs:    []program.Buffer{i32("in", program.HomeInput, 0), i32("a", program.HomeArena, 64), i32("b", program.HomeArena, 128), i32("w", program.HomeWork, 64)},
		Outputs: []program.Output{{Kind: program.OutputShow, Buf: 1}, {Kind: program.OutputShow, Buf: 2}},
		Code:    []program.Instr{launchOf(0, nil, 1, 0), launchOf(0, nil, 2, 1), launchOf(0, nil, 3, 2)}}
	b := loadOn(t, d, p).entries[0].block
	for range 3 {
		require.NoError(t, b.run(nil))
	}
	require.Equal(t, []float64{1, 2}, []float64{readElem(loop.I32, b.bufs[1].host, 7), readElem(loop.I32, b.bufs[2].host, 7)})
}

// What a kernel does wrong is an error with kernel, line of the PTX and line of the model.
func TestEmulatorFindsFaults(t *testing.T) {
	run := func(p *program.Program) error { return loadOn(t, emulated, p).entries[0].block.run(nil) }
	p := incrementer(t, 1)
	p.Kernels[0].Pos = []loop.Pos{{File: "m.mdl", Line: 12, Col: 3}}
	err := run(p)
	require.ErrorContains(t, err, "internal error: kernel increment, made from m.mdl:12:3: PTX line 26 (m.mdl:12): uninitialised read")
	require.ErrorContains(t, err, "of buffer x, which nothing has written yet")
	p = inState(incrementer(t, 1))
	p.Kernels[0].Phases[0].Points = index.C(1025)
	m := loadOn(t, emulated, p)
	require.NoError(t, m.pushStates())
	require.ErrorContains(t, m.entries[0].block.run(nil), "out of bounds")
	p.Kernels[0].Phases[0].Points, p.Kernels[0].Args = index.C(16), 2
	code := p.Entries[0].Block.Code[0].Loop.Code[0].Launch
	code.Args = append(code.Args, program.Ref{Buf: 0})
	m = loadOn(t, emulated, p)
	require.ErrorContains(t, m.entries[0].block.run(nil), "it takes 2 parameters, not 3")
}

// What a run leaves in the arena is no value of the next run, but the blocks that follow a step read it.
func TestEmulatorForgetsTheArena(t *testing.T) {
	i32 := func(name string, home program.Home, offset int64) program.Buffer {
		return program.Buffer{Name: name, Elem: loop.I32, Dims: []int{16}, Home: home, Offset: offset}
	}
	p := incrementer(t, 1)
	p.Kernels, p.Arena, p.Work = []program.Kernel{kernel("shift", 2, index.C(16))}, 192, 64
	after := program.Block{Name: "every", Bufs: []program.Buffer{i32("a", program.HomeArena, 64), i32("c", program.HomeArena, 128)}, Code: []program.Instr{launchOf(0, nil, 1, 0)}}
	p.Entries = []program.Entry{
		{Kind: "train", Every: []program.Every{{N: 1, Block: after}}, Block: program.Block{Name: "train",
			Bufs: []program.Buffer{i32("in", program.HomeInput, 0), i32("a", program.HomeArena, 64), i32("w", program.HomeWork, 0)},
			Code: []program.Instr{launchOf(0, nil, 1, 0), launchOf(0, nil, 2, 1)}}},
		{Kind: "eval", Name: "stale", Block: after},
		{Kind: "eval", Name: "scratch", Block: program.Block{Name: "scratch",
			Bufs: []program.Buffer{i32("w", program.HomeWork, 0), i32("c", program.HomeArena, 128)}, Code: []program.Instr{launchOf(0, nil, 1, 0)}}},
	}
	m := loadOn(t, emulated, p)
	require.NoError(t, m.entries[0].block.run(nil))
	require.NoError(t, m.entries[0].every[0].run(nil))
	require.ErrorContains(t, m.entries[1].block.run(nil), "uninitialised read")
	require.NoError(t, m.entries[0].block.run(nil))
	require.ErrorContains(t, m.entries[2].block.run(nil), "uninitialised read", "scratch of another launch")
}

// Where lengths are known only at run time, kernels may read what is beyond them: it is NaN.
func TestEmulatorSpoilsWhatIsBeyondLengths(t *testing.T) {
	p := incrementer(t, 1)
	p.Entries[0].Block.Lens = []program.Len{{Name: "T", Max: 8, Def: index.C(8)}}
	m := loadOn(t, emulated, p)
	b := m.entries[0].block
	require.NoError(t, b.run(nil))
	require.NoError(t, m.device.pull(b.bufs[0]))
	require.True(t, math.IsNaN(readElem(loop.F32, b.bufs[0].host, 3)))
}

func TestDevicesRefuseForeignPrograms(t *testing.T) {
	_, err := Load(onGPU(t, incrementer(t, 1)), Setup{})
	require.ErrorContains(t, err, "this program is for a GPU (sm_80): --device cuda or --device emulator runs it")
	_, err = Load(incrementer(t, 1), Setup{Device: emulated})
	require.ErrorContains(t, err, "this program is for the CPU")
}

func TestFindDevice(t *testing.T) {
	for name, want := range map[string]string{"": "cpu", "cpu": "cpu", "emulator": "emulator"} {
		d, _, err := FindDevice(name)
		require.NoError(t, err)
		require.Equal(t, want, d.Name)
	}
	for _, name := range []string{"tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cpu:1", "cudax"} {
		var usage *FlagError
		_, _, err := FindDevice(name)
		require.ErrorAs(t, err, &usage, name)
	}
}
