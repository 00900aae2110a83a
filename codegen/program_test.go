package codegen

import (
	"bytes"
	bytesof "encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/passes"
	"mdlc/runtime/program"
)

// native runs a program's object code, launch by launch, on one thread.
type native struct {
	t       testing.TB
	p       *program.Program
	alloc   func(n int) []byte
	arena   []byte
	work    []byte
	states  [][]byte
	scratch []byte
	lib     uintptr
}

func nativeOf(t testing.TB, p *program.Program, alloc func(n int) []byte) *native {
	n := &native{t: t, p: p, alloc: alloc, arena: alloc(int(p.Arena) + 64), work: alloc(int(p.Work) + 64)}
	for _, s := range p.States {
		b := program.Buffer{Elem: s.Elem, Dims: s.Dims}
		size, _ := b.Bytes()
		n.states = append(n.states, alloc(int(size)+64))
	}
	local := int64(64)
	for _, k := range p.Kernels {
		local = max(local, k.Local)
	}
	n.scratch = alloc(int(local))
	file := filepath.Join(t.TempDir(), "program.so")
	require.NoError(t, os.WriteFile(file, p.Object, 0o755))
	lib, err := purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_LOCAL)
	require.NoError(t, err)
	t.Cleanup(func() { purego.Dlclose(lib) })
	n.lib = lib
	return n
}

// buffers is the memory of a block's buffers.
func (n *native) buffers(b *program.Block) [][]byte {
	bufs := make([][]byte, len(b.Bufs))
	for i, x := range b.Bufs {
		size, _ := x.Bytes()
		switch x.Home {
		case program.HomeArena:
			bufs[i] = n.arena[x.Offset:][:max(size, 1)]
		case program.HomeWork:
			bufs[i] = n.work[x.Offset:][:max(size, 1)]
		case program.HomeState:
			bufs[i] = n.states[x.State]
		case program.HomeConst:
			bufs[i] = append(n.alloc(int(size) + 1)[:0], x.Data...)
		default:
			bufs[i] = n.alloc(int(size) + 64)
		}
	}
	return bufs
}

// run executes a block and returns its outputs.
func (n *native) run(b *program.Block, inputs map[string]*loop.Data, lens map[string]int) []*loop.Data {
	for i := range n.arena { // NaN in every float type
		n.arena[i] = 0xff
	}
	bufs := n.buffers(b)
	for _, in := range b.Inputs {
		name := map[program.InputKind]string{program.InputStep: "step", program.InputSeed: "seed"}[in.Kind]
		if name == "" {
			name = in.Name
		}
		putData(bufs[in.Buf], inputs[name])
	}
	syms := map[string]int{}
	define := func(ls []program.Len) {
		for _, l := range ls {
			v := lens[l.Name]
			if l.Def != nil {
				v = l.Def.Eval(func(s string) int { return syms[s] })
			}
			syms[l.Name] = v
			for i, x := range b.Bufs {
				if x.Home == program.HomeLen && x.Name == l.Name {
					bytesof.LittleEndian.PutUint64(bufs[i], uint64(v))
				}
			}
		}
	}
	eval := func(e *index.Expr) int { return e.Eval(func(s string) int { return syms[s] }) }
	at := func(r *program.Ref) int {
		if r.Offset == nil {
			return 0
		}
		return eval(r.Offset)
	}
	var code func([]program.Instr)
	code = func(instrs []program.Instr) {
		for _, in := range instrs {
			if l := in.Loop; l != nil {
				made := 0
				for turn := range eval(l.Count) {
					syms[l.Turn] = turn
					if w := l.While; w != nil && bufs[w.Buf][at(w)] == 0 {
						break
					}
					made++
					define(l.Lens)
					code(l.Code)
				}
				if l.While != nil {
					syms[l.Made] = made
				}
				continue
			}
			n.launch(in.Launch, bufs, eval)
		}
	}
	define(b.Lens)
	code(b.Code)
	var out []*loop.Data
	for _, o := range b.Outputs {
		out = append(out, getData(bufs[o.Buf], b.Bufs[o.Buf].Elem, b.Bufs[o.Buf].Dims))
	}
	return out
}

func (n *native) launch(l *program.Launch, bufs [][]byte, eval func(*index.Expr) int) {
	args := make([]unsafe.Pointer, len(l.Args)+1)
	for i, r := range l.Args {
		off := 0
		if r.Offset != nil {
			off = eval(r.Offset)
		}
		args[i] = unsafe.Pointer(&bufs[r.Buf][off])
	}
	lens := func(name string) *index.Expr {
		var i int
		_, err := fmt.Sscanf(name, "n%d", &i)
		require.NoError(n.t, err)
		return l.Lens[i]
	}
	for _, ph := range n.p.Kernels[l.Kernel].Phases {
		fn, err := purego.Dlsym(n.lib, ph.Symbol)
		require.NoError(n.t, err)
		points := eval(ph.Points.Subst(lens))
		// In two parts, the later points first: no launch may depend on the order.
		for _, part := range [][2]int{{points / 2, points}, {0, points / 2}} {
			purego.SyscallN(fn, uintptr(unsafe.Pointer(&args[0])), uintptr(part[0]), uintptr(part[1]), uintptr(unsafe.Pointer(&n.scratch[0])))
		}
	}
}

func putData(mem []byte, d *loop.Data) {
	size := d.Elem.Size()
	for i := range d.Len() {
		var bits uint64
		if d.Elem.IsFloat() {
			bits = loop.ToBits(d.Elem, d.F[i])
		} else {
			bits = uint64(d.I[i])
		}
		var b [8]byte
		bytesof.LittleEndian.PutUint64(b[:], bits)
		copy(mem[i*size:], b[:size])
	}
}

func getData(mem []byte, e loop.Elem, dims []int) *loop.Data {
	b := program.Buffer{Elem: e, Dims: dims}
	size, _ := b.Bytes()
	b.Data = mem[:size]
	return constData(&b)
}

// sameBits wants equal values where want is not poison; NaN equals NaN.
func sameBits(t *testing.T, want, got *loop.Data, what string) {
	t.Helper()
	for i := range want.Len() {
		switch {
		case want.Poison != nil && want.Poison[i]:
		case want.F == nil:
			require.Equal(t, want.I[i], got.I[i], "%s: element %d", what, i)
		case math.IsNaN(want.F[i]) && math.IsNaN(got.F[i]):
		default:
			require.Equal(t, want.F[i], got.F[i], "%s: element %d", what, i)
		}
	}
}

// Compiled programs against the typed evaluator of their scheduled kernels, bit for
// bit, and against the pages, which know the exact exp and tanh, closely.
func TestPrograms(t *testing.T) { eachLevel(t, checkPrograms) }

func checkPrograms(t *testing.T, target *Target) {
	m := target.Machine
	files, err := filepath.Glob("../testdata/lower/*.graph")
	require.NoError(t, err)
	more, err := filepath.Glob("../testdata/plan/*.graph")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range append(files, more...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			g := graphOf(t, file)
			mod := moduleOf(g)
			require.NoError(t, passes.Run(mod, passes.Options{}))
			require.NoError(t, passes.Plan(mod))
			b, err := Build(mod, m, Options{Target: target})
			require.NoError(t, err)
			var bundle, again bytes.Buffer
			require.NoError(t, program.Write(&bundle, b.Program))
			text := bundle.String()
			b.Program, err = program.Load(&bundle)
			require.NoError(t, err)
			require.NoError(t, program.Write(&again, b.Program))
			require.Equal(t, text, again.String())
			checkProgram(t, b, g)
		})
	}
}

func checkProgram(t *testing.T, b *Built, g *ir.Graph) {
	lens := lensOf(g)
	pages, loops, code := NewMachine(b), NewMachine(b), nativeOf(t, b.Program, aligned)
	pages.Lens, loops.Lens, loops.Step, pages.Typed, loops.Typed = lens, lens, "expand", true, true
	for i, s := range b.Program.States {
		d := spread(randomTensor(s.Name, 0, s.Elem, s.Dims), ir.TensorOf(s.Elem, s.Dims...))
		d.Round()
		pages.States[i], loops.States[i] = d.Clone(), d.Clone()
		putData(code.states[i], d)
	}
	block := &b.Program.Entries[0].Block
	for turn := range 2 {
		inputs := map[string]*loop.Data{}
		for _, p := range g.Params {
			if a := p.Attr.(ir.ParamAttr); a.Kind != ir.ParamState {
				name := a.Name
				if slices.Contains([]ir.ParamKind{ir.ParamStep, ir.ParamSeed}, a.Kind) {
					name = a.Kind.String()
				}
				inputs[name] = spread(randomTensor(a.Name, turn, a.Type.Elem, sizes(a.Type)), ir.TensorOf(a.Type.Elem, sizes(a.Type)...))
				inputs[name].Round()
			}
		}
		want, err := loops.Run(block, inputs)
		require.NoError(t, err)
		near, err := pages.Run(block, inputs)
		require.NoError(t, err)
		got := code.run(block, inputs, lens)
		for i, o := range block.Outputs {
			sameBits(t, want[i], got[i], fmt.Sprintf("%s of step %d", o.Name, turn))
			close32(t, near[i], want[i], o.Name)
		}
		for i, s := range b.Program.States {
			sameBits(t, loops.States[i], getData(code.states[i], s.Elem, s.Dims), fmt.Sprintf("state %s after step %d", s.Name, turn))
			close32(t, pages.States[i], loops.States[i], s.Name)
		}
	}
}

// close32 compares to the accuracy of a few roundings in f32.
func close32(t *testing.T, want, got *loop.Data, what string) {
	t.Helper()
	for i, x := range want.F {
		if want.Poison == nil || !want.Poison[i] {
			require.InDelta(t, x, got.F[i], 1e-4*max(1, math.Abs(x)), "%s: element %d", what, i)
		}
	}
}
