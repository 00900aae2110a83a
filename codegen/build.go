package codegen

import (
	"fmt"
	"strings"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// Built is a program and the kernels that it was made from.
type Built struct {
	Program *program.Program
	Kernels []*BuiltKernel    // of Program.Kernels
	machine *schedule.Machine // nil before Schedule
}

// BuiltKernel is a kernel on its way from equations to code.
type BuiltKernel struct {
	Page      *loop.Kernel // as lowered: every axis open
	Scheduled *loop.Kernel // after the last step of its schedule, nil before Schedule
	Emitted   *Emitted     // nil before Emit
	args      []pageArg
	work      []int // offsets of Scheduled's Work buffers, in order
}

// Build makes the program of a module. Its entries are lowered and scheduled side by side, each as
// soon as all passes went over it.
func Build(m *ir.Module, machine *schedule.Machine, o Options) (*Built, error) {
	b, err := lowerEntries(m, machine, o.Ready)
	if err != nil {
		return nil, err
	}
	if err := b.Schedule(machine); err != nil {
		return nil, err
	}
	if err := b.Emit(o.Target); err != nil {
		return nil, err
	}
	if code := b.Emitted(); len(code) > 0 {
		if b.Program.Object, err = Compile(code, o); err != nil {
			return nil, err
		}
	}
	return b, b.Program.Check()
}

// Pages lowers the clusters of a planned module. The program lacks only what code decides:
// phases, scratch and the object.
func Pages(m *ir.Module) (*Built, error) { return lowerEntries(m, nil, nil) }

// header is a program without entries.
func header(m *ir.Module) *program.Program {
	p := &program.Program{Source: m.Source}
	for _, s := range m.Settings {
		p.Settings = append(p.Settings, program.KV{Key: s.Name, Value: s.Value})
	}
	for _, s := range m.States {
		p.States = append(p.States, program.State{Name: s.Name, Elem: s.Type.Elem, Dims: sizes(s.Type), Stack: s.Stack, Kind: stateKinds[s.Kind], Pos: s.Pos})
	}
	for _, s := range m.Sources {
		p.Sources = append(p.Sources, program.Source{Name: s.Name, Kind: s.Kind, Path: s.Path, Bits: s.Bits, Labels: s.Labels, Tokenizer: s.Tokenizer, Ends: s.Ends, Size: s.Size,
			Count: s.Count, Scale: s.Scale, Split: s.Split, Holdout: s.Holdout, Pos: s.Pos})
	}
	return p
}

var stateKinds = map[ir.StateKind]program.StateKind{ir.KindParam: program.Param, ir.KindState: program.Plain, ir.KindMoment: program.Moment}

// builder fills a program.
type builder struct {
	*Built
	*entries
	byText map[string]int // kernels by canonical text
	names  map[string]int // of kernels, and how many have each
}

func (b *builder) entry(e *ir.Entry) (program.Entry, error) {
	return entry(e, b.block)
}

// entry is a program's entry, whose blocks are made by block.
func entry(e *ir.Entry, block func(name string, g *ir.Graph, feeds []ir.Feed, flags []ir.Flag) (program.Block, error)) (program.Entry, error) {
	out := program.Entry{Kind: string(e.Kind), Name: e.Name, Count: e.Count}
	for _, f := range e.Flags {
		out.Flags = append(out.Flags, program.Flag{Name: f.Name, Kind: f.Kind, Default: f.Default, Doc: f.Doc, Static: f.Static, Axis: f.Axis})
	}
	for _, n := range e.Needs {
		out.Needs = append(out.Needs, program.Need(n))
	}
	var err error
	if out.Block, err = block(blockName(string(e.Kind), e.Name), e.Graph, e.Feeds, e.Flags); err != nil {
		return out, err
	}
	for _, v := range e.Every {
		every := program.Every{N: v.N, Evals: v.Evals}
		name := fmt.Sprintf("%s every %d", out.Block.Name, v.N)
		if v.Graph == nil {
			every.Block = program.Block{Name: name}
		} else if every.Block, err = block(name, v.Graph, v.Feeds, nil); err != nil {
			return out, err
		}
		out.Every = append(out.Every, every)
	}
	return out, nil
}

func blockName(kind, name string) string { return strings.TrimSpace(kind + " " + name) }

// kernel gives the number of the kernel of a page: of an equal one, if there is one already.
func (b *builder) kernel(p *page) int {
	products, bytes := workOf(p.kernel, p.counts())
	if k, ok := b.byText[p.text]; ok {
		one := &b.Program.Kernels[k]
		one.Products, one.Bytes = max(one.Products, products), max(one.Bytes, bytes) // stacks may have other lengths
		return k
	}
	k := len(b.Kernels)
	b.byText[p.text] = k
	name := p.kernel.Name
	if b.names[name]++; b.names[name] > 1 {
		name = fmt.Sprintf("%s_v%d", name, b.names[name])
	}
	p.kernel.Name = name
	if p.scheduled != nil {
		p.scheduled.Name = name
	}
	b.Kernels = append(b.Kernels, &BuiltKernel{Page: p.kernel, Scheduled: p.scheduled, args: p.args})
	b.Program.Kernels = append(b.Program.Kernels, program.Kernel{Name: name, Pos: p.kernel.Pos, Args: len(p.args), Products: products, Bytes: bytes})
	return k
}
