package codegen

import (
	"fmt"
	"runtime"
	"slices"

	"mdlc/codegen/schedule"
	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/ir/parallel"
	"mdlc/runtime/program"
)

// each calls f with every kernel, several at a time, and joins the errors in order.
func (b *Built) each(f func(k *BuiltKernel) error) error {
	return parallel.Each(len(b.Kernels), runtime.GOMAXPROCS(0), func(i int) error { return f(b.Kernels[i]) })
}

// Schedule schedules every kernel that is not yet, and gives the launches the scratch that their kernels ask for.
func (b *Built) Schedule(m *schedule.Machine) error {
	b.machine = m
	err := b.each(func(k *BuiltKernel) (err error) {
		if k.Scheduled == nil {
			k.Scheduled, err = scheduleOf(k.Page, m)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.hoist()
	for i, k := range b.Kernels {
		size := 0
		args := 0
		for _, buf := range k.Scheduled.Bufs {
			if buf.Mode != loop.Local {
				args++
			}
			if buf.Mode == loop.Work {
				k.work = append(k.work, size)
				size += (bufferBytes(buf) + 63) / 64 * 64
			}
		}
		b.Program.Kernels[i].Args, b.Program.Kernels[i].Tensor = args, hasTensor(k.Scheduled)
		b.Program.Work = max(b.Program.Work, int64(size))
	}
	b.eachBlock(b.scratch)
	return nil
}

// scratch adds the Work buffers of kernels to the launches of a block.
func (b *Built) scratch(block *program.Block) {
	type place struct{ kernel, i int }
	made := map[place]int{}
	launchesOf(block.Code, func(l *program.Launch) {
		k := b.Kernels[l.Kernel]
		byName := refs(k, l)
		l.Args = nil
		work := 0
		for _, buf := range params(k.Scheduled) {
			if buf.Mode != loop.Work {
				l.Args = append(l.Args, byName[buf.Name])
				continue
			}
			at := place{l.Kernel, work}
			if _, ok := made[at]; !ok {
				block.Bufs = append(block.Bufs, program.Buffer{Name: k.Page.Name + "." + buf.Name, Elem: buf.Elem, Dims: buf.Dims, Home: program.HomeWork, Offset: int64(k.work[work])})
				made[at] = len(block.Bufs) - 1
			}
			l.Args = append(l.Args, program.Ref{Buf: made[at]})
			work++
		}
	})
}

// arguments are the buffers of k that a launch gets from the graph.
func arguments(k *loop.Kernel) []*loop.Buffer {
	return slices.DeleteFunc(params(k), func(b *loop.Buffer) bool { return b.Mode == loop.Work })
}

// params are the buffers that a launch of k gives.
func params(k *loop.Kernel) []*loop.Buffer {
	var out []*loop.Buffer
	for _, b := range k.Bufs {
		if b.Mode != loop.Local {
			out = append(out, b)
		}
	}
	return out
}

// Emit writes every scheduled kernel as LLVM text and fills in its phases.
func (b *Built) Emit(t *Target) error {
	var made parallel.Memo[sharedFunction]
	err := b.each(func(k *BuiltKernel) error {
		var err error
		k.Emitted, err = emit(k.Scheduled, t, &made)
		return err
	})
	if err != nil {
		return err
	}
	b.share()
	b.Program.Target = programTarget(t)
	for i, k := range b.Kernels {
		out := &b.Program.Kernels[i]
		if !t.GPU { // whose blocks have it as shared memory
			out.Local = int64(k.Emitted.Scratch)
		}
		out.Phases, out.Rounds = nil, nil
		for n, ph := range k.Emitted.Phases {
			points, err := k.points(ph.Symbol, ph.Points())
			if err != nil {
				return err
			}
			if r := ph.Round; r != nil && out.Rounds == nil {
				count, err := k.points(ph.Symbol, []*loop.Value{r.Extent})
				if err != nil {
					return err
				}
				out.Rounds = &program.Rounds{From: n, Count: count}
			}
			if ph.Round != nil {
				out.Rounds.To = n + 1
			}
			maps, err := k.tensorMaps(ph)
			if err != nil {
				return err
			}
			out.Phases = append(out.Phases, program.Phase{Symbol: ph.Symbol, Points: points, Whole: ph.Whole, Threads: ph.Threads, PerBlock: ph.PerBlock, Shared: ph.Shared, Maps: maps})
		}
	}
	return nil
}

// programTarget is what a program for t needs.
func programTarget(t *Target) program.Target {
	if t.GPU {
		return program.Target{Triple: program.NVPTX, Features: []string{t.Name}}
	}
	return program.Target{Triple: "x86_64-linux", Features: features(t)}
}

// features names what t needs of the CPU.
func features(t *Target) []string {
	var out []string
	for _, f := range t.needs {
		out = append(out, f.String())
	}
	return out
}

// Emitted is the code of the kernels, each once.
func (b *Built) Emitted() []*Emitted {
	var out []*Emitted
	for _, k := range b.Kernels {
		if len(k.Emitted.funcs) > 0 {
			out = append(out, k.Emitted)
		}
	}
	return out
}

// tensorMaps are those of a phase.
func (k *BuiltKernel) tensorMaps(ph EmittedPhase) (out []program.TensorMap, err error) {
	for _, m := range ph.Maps {
		t := program.TensorMap{Arg: m.Arg, Elem: m.Buf.Elem, Strides: m.Strides, Box: m.Size, Swizzle: loop.SwizzleBytes}
		for _, v := range m.Dims {
			n, err := k.points(ph.Symbol, []*loop.Value{v})
			if err != nil {
				return nil, err
			}
			t.Dims = append(t.Dims, n)
		}
		out = append(out, t)
	}
	return out, nil
}

// points is the product of extents that a phase has, over the kernel's lengths n0, n1, ….
func (k *BuiltKernel) points(phase string, extents []*loop.Value) (*index.Expr, error) {
	lens := map[string]*index.Expr{}
	for i, buf := range arguments(k.Page) {
		if k.args[i].isLength() {
			lens[buf.Name] = index.V(fmt.Sprintf("n%d", len(lens)))
		}
	}
	total := index.C(1)
	for _, v := range extents {
		e, err := lengthExpr(v, lens)
		if err != nil {
			return nil, fmt.Errorf("kernel %s: phase %s: %w", k.Page.Name, phase, err)
		}
		total = index.Prod(total, e)
	}
	return total, nil
}

var lengthOps = map[loop.Op]func(a, b *index.Expr) *index.Expr{
	loop.Add: func(a, b *index.Expr) *index.Expr { return index.Sum(a, b) },
	loop.Sub: index.Sub, loop.Mul: index.Prod, loop.Div: index.Quo, loop.Mod: index.Rem, loop.Min: index.Least, loop.Max: index.Most,
}

// lengthExpr is the extent of a par axis as an expression over the kernel's lengths.
func lengthExpr(v *loop.Value, lens map[string]*index.Expr) (*index.Expr, error) {
	if c, ok := v.IntConst(); ok {
		return index.C(int(c)), nil
	}
	if v.Op == loop.Load {
		if e := lens[v.Buf.Name]; e != nil {
			return e, nil
		}
		return nil, fmt.Errorf("the number of points depends on data in %s", v.Buf.Name)
	}
	f := lengthOps[v.Op]
	if f == nil || len(v.Args) != 2 {
		return nil, fmt.Errorf("the number of points is no expression over lengths: %s", v.Op)
	}
	a, err := lengthExpr(v.Args[0], lens)
	if err != nil {
		return nil, err
	}
	b, err := lengthExpr(v.Args[1], lens)
	if err != nil {
		return nil, err
	}
	return f(a, b), nil
}
