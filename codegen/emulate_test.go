package codegen

import (
	"cmp"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
	"mdlc/runtime/emulator"
)

// runner executes a kernel on memory of its buffers that are not Local.
type runner interface {
	kernel() *loop.Kernel
	run(bufs [][]byte)
}

// emulated is a kernel of a GPU on the emulator.
type emulated struct {
	t      testing.TB
	k      *loop.Kernel
	e      *Emitted
	module *emulator.Module
	device *emulator.Device
	kept   *recording       // nil: none
	stats  []emulator.Stats // of the phases, as they were run last
}

// gpuArch is the GPU of tests that any will do for.
func gpuArch() string { return cmp.Or(os.Getenv("MDLC_RECORD_TARGET"), "sm_80") }

// gpuTarget is a GPU that kernels are compiled for; the emulator runs them.
func gpuTarget(t testing.TB, name string) *Target {
	target, err := TargetNamed(name)
	require.NoError(t, err)
	if _, err := FindTools(); err != nil {
		t.Skip(err)
	}
	return target
}

// emulate compiles kernels to one module of PTX.
func emulate(t testing.TB, target *Target, ks ...*loop.Kernel) []*emulated {
	var out []*emulated
	var emitted []*Emitted
	for _, k := range ks {
		e, err := Emit(k, target)
		require.NoError(t, err)
		emitted = append(emitted, e)
		out = append(out, &emulated{t: t, k: k, e: e, device: &emulator.Device{Seed: 1}})
	}
	text, err := Compile(emitted, Options{Target: target})
	require.NoError(t, err)
	module, err := emulator.Load(string(text))
	require.NoError(t, err)
	kept := record(t, target, text)
	for _, m := range out {
		m.module, m.kept = module, kept
	}
	return out
}

func (m *emulated) kernel() *loop.Kernel { return m.k }

func (m *emulated) run(bufs [][]byte) { require.NoError(m.t, m.try(bufs)) }

// try runs the kernel; the error says what it did wrong.
func (m *emulated) try(bufs [][]byte) error {
	var args []any
	var memory []*emulator.Buffer
	for i, b := range params(m.k) {
		// The second slice of a stack of two: it lies where its size says, on a multiple of an element at least.
		x, err := m.device.Part(m.device.Alloc(b.Name, 2*len(bufs[i])), b.Name, len(bufs[i]), len(bufs[i]))
		require.NoError(m.t, err)
		if b.Mode == loop.In || b.Mode == loop.InOut {
			require.NoError(m.t, x.Write(0, bufs[i]))
		}
		memory = append(memory, x)
		args = append(args, x)
	}
	m.stats = nil
	for from := 0; from < len(m.e.Phases); {
		to, rounds := from+1, 1
		if r := m.e.Phases[from].Round; r != nil {
			rounds = m.extent(r.Extent, bufs)
			for to < len(m.e.Phases) && m.e.Phases[to].Round == r {
				to++
			}
		}
		for round := range rounds {
			for _, ph := range m.e.Phases[from:to] {
				if err := m.launch(ph, round, bufs, args); err != nil {
					return err
				}
			}
		}
		from = to
	}
	for i, b := range params(m.k) {
		if b.Mode != loop.In {
			if err := memory[i].Peek(0, bufs[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// launch runs a phase, in a round if it has those.
func (m *emulated) launch(ph EmittedPhase, round int, bufs [][]byte, args []any) error {
	points := 1
	for _, v := range ph.Points() {
		points *= m.extent(v, bufs)
	}
	if points == 0 {
		return nil
	}
	k, err := m.module.Kernel(ph.Symbol)
	if err != nil {
		return err
	}
	args = append(args[:len(args):len(args)], points)
	if ph.Round != nil {
		args = append(args, round)
	}
	for _, t := range ph.Maps {
		args = append(args, m.tensorMap(t, args[t.Arg].(*emulator.Buffer).Addr(), bufs))
	}
	blocks := (points + ph.PerBlock - 1) / ph.PerBlock
	s, err := m.device.Launch(k, [3]int{blocks, 1, 1}, [3]int{ph.Threads, 1, 1}, ph.Shared, args...)
	if err == nil {
		m.stats = append(m.stats, s)
	}
	return err
}

// tensorMap is the map of a tensor at an address.
func (m *emulated) tensorMap(box EmittedMap, at uint64, bufs [][]byte) []byte {
	t := emulator.TensorMap{Elem: box.Buf.Elem.String(), Addr: at, Swizzle: loop.SwizzleBytes}
	if box.Buf.Elem.Size() == 1 {
		t.Elem = "u8"
	}
	for i, v := range box.Dims {
		t.Dims, t.Box = append(t.Dims, uint64(max(m.extent(v, bufs), 1))), append(t.Box, uint32(box.Size[i]))
	}
	for _, n := range box.Strides {
		t.Strides = append(t.Strides, uint64(n))
	}
	words, err := t.Encode()
	require.NoError(m.t, err)
	return words
}

// extent is that of an axis, which may be data.
func (m *emulated) extent(v *loop.Value, bufs [][]byte) int {
	if n, ok := v.IntConst(); ok {
		return int(n)
	}
	args := make([]int, len(v.Args))
	for i, a := range v.Args {
		args[i] = m.extent(a, bufs)
	}
	switch v.Op {
	case loop.Load:
		at := slices.IndexFunc(params(m.k), func(b *loop.Buffer) bool { return b.Name == v.Buf.Name })
		return int(int64(bitsAt(v.Elem, bufs[at], append(args, 0)[0])))
	case loop.Add:
		return args[0] + args[1]
	case loop.Sub:
		return args[0] - args[1]
	case loop.Mul:
		return args[0] * args[1]
	case loop.Div:
		return args[0] / args[1]
	case loop.Min:
		return min(args[0], args[1])
	}
	require.Fail(m.t, "an extent of another form", "%s", v.Op)
	return 0
}
