//go:build cuda

package runtime

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// These tests are what `make gpu-check` takes to a machine with a GPU; testdata/gpu/check.sh runs them there.

// nearBound is how near the sum of a few hundred products of about 1 is to one in another order, by its bytes: that of codegen's checkNear.
var nearBound = map[int]float64{4: 1.0 / 256, 2: 1.0 / 64}

// aboutBound is the same of products of 8 bits, which tensor cores add up with few bits of the sum: that of codegen's closeTo.
const aboutBound = 1.0 / 2

// checkRecorded runs an entry that codegen's tests recorded and compares what it writes: their record_test.go says
// how its buffers stand. A NaN equals any other, and what is near need not be equal.
func checkRecorded(m *Model, e *entry) error {
	b := e.block
	args := (len(b.bufs) - 2*len(b.Outputs)) / 2
	for i := range args {
		copy(b.bufs[i].host, b.bufs[args+i].host)
	}
	if err := eachPiece(b.bufs[:args], m.device.push); err != nil {
		return err
	}
	if err := b.run(nil); err != nil {
		return err
	}
	for i, out := range b.Outputs {
		elem, got := b.Bufs[out.Buf].Elem, b.bufs[out.Buf].host
		known, want := b.bufs[2*args+2*i].host, b.bufs[2*args+2*i+1].host
		size, bound := elem.Size(), 0.0
		switch name := b.Bufs[2*args+2*i+1].Name; {
		case strings.HasSuffix(name, " near"):
			bound = nearBound[size]
		case strings.HasSuffix(name, " about"):
			bound = aboutBound
		}
		for j := range known {
			at, end := j*size, j*size+size
			if known[j] == 0 || bytes.Equal(got[at:end], want[at:end]) {
				continue
			}
			x, y := readElem(elem, got, j), readElem(elem, want, j)
			equal := math.IsNaN(x) && math.IsNaN(y) || bound > 0 && math.Abs(x-y) <= bound*(1+math.Abs(y))
			if !elem.IsFloat() || !equal {
				return fmt.Errorf("%s[%d] is %v (%x), the evaluator has %v (%x)", out.Name, j, x, got[at:end], y, want[at:end])
			}
		}
	}
	return nil
}

// bundle reads a program.
func bundle(t *testing.T, path string) *program.Program {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	p, err := program.Load(f)
	require.NoError(t, err, path)
	return p
}

// The kernels of the bundles in $MDLC_GPU_KERNELS give the evaluator's bits on the GPU of this machine.
func TestGPUKernels(t *testing.T) {
	dir := os.Getenv("MDLC_GPU_KERNELS")
	if dir == "" {
		t.Skip("$MDLC_GPU_KERNELS names no folder: make gpu-check")
	}
	d, _, err := FindDevice("cuda")
	require.NoError(t, err)
	for _, arch := range archs(d) {
		files, err := filepath.Glob(filepath.Join(dir, "*."+arch+".bundle"))
		require.NoError(t, err)
		require.True(t, len(files) > 0 || arch != d.Arch, "no *.%s.bundle in %s", arch, dir)
		for _, file := range files {
			m, err := Load(bundle(t, file), Setup{Device: d})
			require.NoError(t, err)
			for _, e := range m.entries {
				if err := checkRecorded(m, e); err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(file), e.Name, err)
				}
			}
			t.Logf("%s: %d kernels, %d runs", filepath.Base(file), len(m.program.Kernels), len(m.entries))
			m.Close()
		}
	}
}

// archs are the architectures whose programs d runs: its own, and the least, which all run.
func archs(d *Device) []string {
	if d.Arch == "sm_80" {
		return []string{d.Arch}
	}
	return []string{d.Arch, "sm_80"}
}

// A number that is another is found, or one that is not near; NaN is NaN, and what is not known may be anything.
func TestRecordedKernels(t *testing.T) {
	_, d := pretend(t)
	numbers := func(first, last float32) []byte {
		mem := make([]byte, 64)
		for i := range 16 {
			writeElem(loop.F32, mem, i, float64(i))
		}
		little.PutUint32(mem, math.Float32bits(first))
		little.PutUint32(mem[60:], math.Float32bits(last))
		return mem
	}
	play := func(known byte, how string, want []byte) error {
		constant := func(name string, data []byte) program.Buffer {
			b := f32(name, program.HomeConst, 16)
			b.Data = data
			return b
		}
		flags := constant("known", bytes.Repeat([]byte{known}, 16))
		flags.Elem = loop.Bool
		p := inState(incrementer(t, 1))
		p.States[0].Dims = []int{16}
		block := &p.Entries[0].Block
		block.Bufs = []program.Buffer{f32("x", program.HomeState, 16), constant("before", numbers(float32(math.NaN()), 6)), flags, constant("x "+how, want)}
		block.Outputs[0].Name, block.Code = "x", []program.Instr{launchOf(0, nil, 0)}
		m := loadOn(t, d, p)
		return checkRecorded(m, m.entries[0])
	}
	want := numbers(float32(math.NaN()), 7)
	for i := 1; i < 15; i++ {
		writeElem(loop.F32, want, i, float64(i+1))
	}
	little.PutUint32(want, 0xffc12345)
	require.NoError(t, play(1, "after", want))
	writeElem(loop.F32, want, 15, 7.03125)
	require.ErrorContains(t, play(1, "after", want), "x[15] is 7 (0000e040), the evaluator has 7.03125 (0000e140)")
	require.NoError(t, play(1, "near", want))
	require.NoError(t, play(0, "after", want))
	writeElem(loop.F32, want, 15, 7.0625)
	require.ErrorContains(t, play(1, "near", want), "x[15] is 7")
	require.NoError(t, play(1, "about", want))
	writeElem(loop.F32, want, 15, 17)
	require.ErrorContains(t, play(1, "about", want), "x[15] is 7")
}

// stepper runs an entry of a program again and again and tells what a step takes.
type stepper struct {
	m     *Model
	b     *block
	steps int
}

// newStepper initializes m for its `train` and fills what data would: integers below 256, normal numbers.
func newStepper(m *Model) (*stepper, error) {
	random := rand.New(rand.NewPCG(1, 2))
	fill := func(b *block) {
		for _, in := range b.Inputs {
			mem, buf := b.bufs[in.Buf].host, &b.Bufs[in.Buf]
			if in.Kind != program.InputFeed {
				continue
			}
			for i := range product(buf.Dims) {
				if buf.Elem.IsFloat() {
					writeElem(buf.Elem, mem, i, random.NormFloat64())
				} else {
					writeElem(buf.Elem, mem, i, float64(random.IntN(256)))
				}
			}
		}
	}
	s := &stepper{m: m}
	for _, e := range m.entries {
		fill(e.block)
		switch e.Kind {
		case "init":
			if err := e.block.run(nil); err != nil {
				return nil, err
			}
		case "train":
			s.b = cmp.Or(s.b, e.block)
		}
	}
	return s, nil
}

// step makes a step and tells how long the host waited for it.
func (s *stepper) step() (time.Duration, error) {
	for _, in := range s.b.Inputs {
		if in.Kind == program.InputStep {
			little.PutUint32(s.b.bufs[in.Buf].host, uint32(s.steps))
		}
	}
	s.steps++
	began := time.Now()
	err := s.b.run(nil)
	return time.Since(began), err
}

// first makes a step and tells how long the device needed for the first launch of it.
func (s *stepper) first() (time.Duration, error) {
	s.b.profile = newProfile(len(s.m.program.Kernels))
	defer func() { s.b.profile = nil }()
	if _, err := s.step(); err != nil {
		return 0, err
	}
	return s.b.profile.times[s.b.steps[0].launch.kernel].total, nil
}

// all makes a step and tells how long the device needed for its launches.
func (s *stepper) all() (time.Duration, error) {
	return s.m.device.measure(func() error { return s.b.work(nil) })
}

// For each line of stdin, `step`, `kernel` or `launches`, a line of JSON with seconds: peers.py measures its own in turn with it.
func TestGPUBench(t *testing.T) {
	file := os.Getenv("MDLC_GPU_BENCH")
	if file == "" {
		t.Skip("$MDLC_GPU_BENCH names no bundle: make gpu-check")
	}
	d, _, err := FindDevice("cuda")
	require.NoError(t, err)
	p := bundle(t, file)
	cache := codeCache{}
	load := func(what string) *Model {
		began := time.Now()
		m, err := Load(p, Setup{Device: d, Cache: cache})
		require.NoError(t, err)
		say(what, time.Since(began))
		return m
	}
	load("cold").Close()
	m := load("warm")
	defer m.Close()
	s, err := newStepper(m)
	require.NoError(t, err)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		took, what := time.Duration(0), strings.TrimSpace(in.Text())
		switch what {
		case "step":
			took, err = s.step()
		case "kernel":
			took, err = s.first()
		case "launches":
			took, err = s.all()
		default:
			err = fmt.Errorf("stdin: %q is none of step, kernel and launches", what)
		}
		require.NoError(t, err)
		say(what, took)
	}
}

func say(what string, took time.Duration) {
	line, _ := json.Marshal(map[string]float64{what: took.Seconds()})
	fmt.Printf("%s\n", line)
}
