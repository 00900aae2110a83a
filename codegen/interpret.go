package codegen

import (
	"fmt"
	"slices"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// Machine runs the launches of a program by the kernel IR's evaluator: what
// lowering, plan and schedules mean, without code. Memory is the program's own
// layout; bytes that nothing wrote are poison.
type Machine struct {
	Built  *Built
	Step   string // run kernels as they are after this step of their schedule; "": pages
	Typed  bool   // round as declared; otherwise floats are float64, which kernels after step expand are not made for
	States []*loop.Data
	Lens   map[string]int // lengths that are inputs

	arena []cell
	work  []cell
	kept  map[*program.Block][]cell
	after map[*BuiltKernel]*loop.Kernel // Step
}

// cell is the value that starts at a byte.
type cell struct {
	set  bool
	elem loop.Elem
	f    float64
	i    int64
}

// NewMachine has poisoned memory; states are zero where they are not set.
func NewMachine(b *Built) *Machine {
	m := &Machine{Built: b, Lens: map[string]int{}, after: map[*BuiltKernel]*loop.Kernel{}, kept: map[*program.Block][]cell{}, arena: make([]cell, b.Program.Arena), work: make([]cell, b.Program.Work)}
	for _, s := range b.Program.States {
		m.States = append(m.States, loop.NewData(s.Elem, s.Dims...))
	}
	return m
}

// execution is a block being run.
type execution struct {
	*Machine
	block  *program.Block
	inputs map[string]*loop.Data
	syms   map[string]int
}

// Run runs a block with inputs by name (step, seed and the names of feeds and
// flags) and returns its outputs in order.
func (m *Machine) Run(b *program.Block, inputs map[string]*loop.Data) (out []*loop.Data, err error) {
	for i := range m.arena {
		m.arena[i] = cell{}
	}
	return m.Continue(b, inputs)
}

// Continue is Run in the memory that the last block left, for an `every` block.
func (m *Machine) Continue(b *program.Block, inputs map[string]*loop.Data) (out []*loop.Data, err error) {
	r := &execution{m, b, inputs, map[string]int{}}
	if err := r.define(b.Lens); err != nil {
		return nil, err
	}
	if err := r.code(b.Code); err != nil {
		return nil, fmt.Errorf("block %s: %w", b.Name, err)
	}
	for _, o := range b.Outputs {
		d, err := r.read(program.Ref{Buf: o.Buf}, b.Bufs[o.Buf].Elem, b.Bufs[o.Buf].Dims)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (r *execution) define(lens []program.Len) error {
	for _, l := range lens {
		v, ok := r.Lens[l.Name]
		if l.Def != nil {
			v = l.Def.Eval(r.sym)
		} else if !ok {
			return fmt.Errorf("no value for length %s", l.Name)
		}
		if v < 0 || v > l.Max {
			return fmt.Errorf("length %s is %d, at most %d", l.Name, v, l.Max)
		}
		r.syms[l.Name] = v
	}
	return nil
}

func (r *execution) sym(name string) int {
	v, ok := r.syms[name]
	if !ok {
		panic("codegen: interpret: unknown symbol " + name)
	}
	return v
}

func (r *execution) code(code []program.Instr) error {
	for _, in := range code {
		if in.Launch != nil {
			if err := r.launch(in.Launch); err != nil {
				return err
			}
			continue
		}
		l := in.Loop
		made := 0
		for turn := range l.Count.Eval(r.sym) {
			r.syms[l.Turn] = turn
			if l.While != nil {
				c, err := r.read(*l.While, loop.Bool, nil)
				if err != nil {
					return fmt.Errorf("condition of a loop: %w", err)
				}
				if c.I[0] == 0 {
					break
				}
			}
			made++
			if err := r.define(l.Lens); err != nil {
				return err
			}
			if err := r.code(l.Code); err != nil {
				return fmt.Errorf("%s = %d: %w", l.Turn, turn, err)
			}
		}
		if l.While != nil {
			r.syms[l.Made] = made
		}
	}
	return nil
}

func (r *execution) launch(l *program.Launch) error {
	k := r.kernel(r.Built.Kernels[l.Kernel])
	args := map[string]*loop.Data{}
	bufs := params(k)
	if len(l.Args) < len(bufs) { // scratch comes when kernels are scheduled
		bufs = arguments(k)
	}
	for i, b := range bufs {
		if b.Mode != loop.In && b.Mode != loop.InOut {
			continue
		}
		dims, err := b.Sizes(args)
		var d *loop.Data
		if err == nil {
			d, err = r.read(l.Args[i], b.Elem, dims)
		}
		if err != nil {
			return fmt.Errorf("kernel %s: %s: %w", k.Name, b.Name, err)
		}
		args[b.Name] = d
	}
	if err := loop.Eval(k, args, loop.EvalOptions{Typed: r.Typed}); err != nil {
		return err
	}
	for i, b := range bufs {
		if b.Mode == loop.In {
			continue
		}
		if err := r.write(l.Args[i], args[b.Name]); err != nil {
			return fmt.Errorf("kernel %s: %s: %w", k.Name, b.Name, err)
		}
	}
	return nil
}

// kernel is k after the machine's step. Only what comes after the last is there still; the others are made again.
func (m *Machine) kernel(k *BuiltKernel) *loop.Kernel {
	if m.Step == "" || k.Page == k.Scheduled { // a part of a kernel has no steps before
		return k.Page
	}
	if m.after[k] == nil && m.Step == "expand" {
		m.after[k] = schedule.Expand(k.Scheduled) // calls too
	}
	if m.after[k] == nil {
		steps, err := schedule.Run(k.Page, m.Built.machine)
		if err != nil {
			panic("codegen: interpret: " + err.Error())
		}
		i := slices.IndexFunc(steps, func(s schedule.Step) bool { return s.Name == m.Step })
		if i < 0 {
			panic("codegen: interpret: kernel " + k.Page.Name + " has no step " + m.Step)
		}
		m.after[k] = steps[i].Kernel
	}
	return m.after[k]
}

func (r *execution) offset(ref program.Ref) int {
	if ref.Offset == nil {
		return 0
	}
	return ref.Offset.Eval(r.sym)
}

// memory is the data that a buffer lies in, or the cells.
func (r *execution) memory(b *program.Buffer) (*loop.Data, []cell, error) {
	switch b.Home {
	case program.HomeArena:
		return nil, r.arena[b.Offset:], nil
	case program.HomeKept:
		if r.kept[r.block] == nil {
			r.kept[r.block] = make([]cell, r.block.Kept)
		}
		return nil, r.kept[r.block][b.Offset:], nil
	case program.HomeWork:
		return nil, r.work[b.Offset:], nil
	case program.HomeState:
		return r.States[b.State], nil, nil
	case program.HomeConst:
		return constData(b), nil, nil
	case program.HomeLen:
		return loop.Ints(loop.I64, []int64{int64(r.sym(b.Name))}), nil, nil
	}
	for _, in := range r.block.Inputs {
		if &r.block.Bufs[in.Buf] != b {
			continue
		}
		name := map[program.InputKind]string{program.InputStep: "step", program.InputSeed: "seed"}[in.Kind]
		if name == "" {
			name = in.Name
		}
		if d := r.inputs[name]; d != nil && d.Elem == b.Elem {
			return d, nil, nil
		}
		return nil, nil, fmt.Errorf("no %s value for input %s", b.Elem, name)
	}
	return nil, nil, fmt.Errorf("buffer %s is no input", b.Name)
}

// read takes a tensor out of memory: elements that nothing wrote, or another type, are poison.
func (r *execution) read(ref program.Ref, elem loop.Elem, dims []int) (*loop.Data, error) {
	b := &r.block.Bufs[ref.Buf]
	data, cells, err := r.memory(b)
	if err != nil {
		return nil, err
	}
	out := loop.NewData(elem, dims...)
	out.Poison = make([]bool, out.Len())
	at := r.offset(ref)
	for i := range out.Len() {
		var c cell
		if data != nil {
			c = dataCell(data, at/elem.Size()+i)
		} else if p := at + i*elem.Size(); p < len(cells) {
			c = cells[p]
		}
		switch {
		case !c.set || c.elem != elem:
			out.Poison[i] = true
		case elem.IsFloat():
			out.F[i] = c.f
		default:
			out.I[i] = c.i
		}
	}
	return out, nil
}

func dataCell(d *loop.Data, i int) cell {
	if i < 0 || i >= d.Len() || d.Poison != nil && d.Poison[i] {
		return cell{}
	}
	if d.Elem.IsFloat() {
		return cell{true, d.Elem, d.F[i], 0}
	}
	return cell{true, d.Elem, 0, d.I[i]}
}

// write puts a tensor into memory. Elements that are poison stay what they were
// in a state, and poison what they cover elsewhere.
func (r *execution) write(ref program.Ref, d *loop.Data) error {
	b := &r.block.Bufs[ref.Buf]
	data, cells, err := r.memory(b)
	if err != nil {
		return err
	}
	size := d.Elem.Size()
	at := r.offset(ref)
	if n, _ := b.Bytes(); at < 0 || int64(at+d.Len()*size) > n {
		return fmt.Errorf("writes bytes %d..%d of %d", at, at+d.Len()*size, n)
	}
	for i := range d.Len() {
		c := dataCell(d, i)
		if data == nil {
			for k := range size {
				cells[at+i*size+k] = cell{}
			}
			cells[at+i*size] = c
			continue
		}
		j := at/size + i
		if !c.set {
			continue
		}
		if data.Poison != nil {
			data.Poison[j] = false
		}
		if d.Elem.IsFloat() {
			data.F[j] = c.f
		} else {
			data.I[j] = c.i
		}
	}
	return nil
}

// constData is the values of a constant buffer.
func constData(b *program.Buffer) *loop.Data {
	d := loop.NewData(b.Elem, b.Dims...)
	size := b.Elem.Size()
	for i := range d.Len() {
		var bits uint64
		for k := range size {
			bits |= uint64(b.Data[i*size+k]) << (8 * k)
		}
		if b.Elem.IsFloat() {
			d.F[i] = loop.FromBits(b.Elem, bits)
			continue
		}
		d.I[i] = int64(bits)
		if shift := 64 - 8*size; b.Elem == loop.I8 || b.Elem == loop.I32 {
			d.I[i] = int64(bits<<shift) >> shift
		}
	}
	return d
}
