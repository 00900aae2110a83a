package codegen

import (
	bytesof "encoding/binary"
	"fmt"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// blockBuilder fills a block from a graph's plan. Buffer i of the plan is buffer
// i of the block; symbols and scratch come behind.
type blockBuilder struct {
	*builder
	out  *program.Block
	g    *ir.Graph
	syms map[string]int // buffers that hold symbols, or constant words
}

func (b *builder) block(name string, g *ir.Graph, feeds []ir.Feed, flags []ir.Flag) (program.Block, error) {
	out := program.Block{Name: name, Settled: g.Plan.Settled, Kept: int64(g.Plan.Kept)}
	x := &blockBuilder{b, &out, g, map[string]int{}}
	b.Program.Arena = max(b.Program.Arena, int64(g.Plan.Peak))
	for _, y := range g.Syms {
		out.Lens = append(out.Lens, program.Len{Name: y.Name, Max: y.Max, Def: y.Def})
	}
	for i, p := range g.Plan.Bufs {
		buf, err := x.buffer(i, p)
		if err != nil {
			return out, err
		}
		out.Bufs = append(out.Bufs, buf)
	}
	for i, p := range g.Plan.Bufs {
		if p.Home != ir.PlanInput {
			continue
		}
		in, err := input(i, p.Node.Attr.(ir.ParamAttr), feeds, flags)
		if err != nil {
			return out, fmt.Errorf("%s: %w", name, err)
		}
		out.Inputs = append(out.Inputs, in)
	}
	out.Code = x.code(g.Plan.Code)
	x.outputs()
	return out, nil
}

func (x *blockBuilder) buffer(i int, p *ir.PlanBuf) (program.Buffer, error) {
	buf := program.Buffer{Name: p.Name, Elem: p.Elem, Dims: p.Dims, Offset: int64(p.Offset)}
	switch p.Home {
	case ir.PlanArena:
		buf.Home = program.HomeArena
	case ir.PlanKept:
		buf.Home = program.HomeKept
	case ir.PlanInput:
		buf.Home, buf.Pos = program.HomeInput, p.Node.Pos
	case ir.PlanTable:
		buf.Home, buf.Data = program.HomeConst, tableData(p.Node.Attr.(ir.ConstAttr))
	case ir.PlanSym:
		buf.Home, buf.State = program.HomeLen, x.lenOf(p.Name)
		x.syms[p.Name] = i
	case ir.PlanState:
		buf.Home, buf.State = program.HomeState, -1
		for k, s := range x.Program.States {
			if s.Name == p.Name {
				buf.State = k
			}
		}
		if buf.State < 0 {
			return buf, fmt.Errorf("graph %s uses state %s, which the module does not declare", x.g.Name, p.Name)
		}
	}
	return buf, nil
}

// lenOf is the place of a symbol among the block's lengths; -1: a loop defines it.
func (x *blockBuilder) lenOf(name string) int {
	for i, l := range x.out.Lens {
		if l.Name == name {
			return i
		}
	}
	return -1
}

// tableData is a constant table in memory.
func tableData(a ir.ConstAttr) []byte {
	var out []byte
	for i := range a.Bits {
		bits := a.Bits[i]
		if a.Type.Elem.IsFloat() {
			bits = loop.ToBits(a.Type.Elem, a.Float(i))
		}
		var b [8]byte
		bytesof.LittleEndian.PutUint64(b[:], bits)
		out = append(out, b[:a.Type.Elem.Size()]...)
	}
	return out
}

// lengthsOf are the lengths of the axes of t, nil where one is the size; none where all are.
func lengthsOf(t ir.Type) []*index.Expr {
	if !slices.ContainsFunc(t.Dims, func(d ir.Dim) bool { return d.Len != nil }) {
		return nil
	}
	var out []*index.Expr
	for _, d := range t.Dims {
		out = append(out, d.Len)
	}
	return out
}

// input says how the driver fills a parameter.
func input(buf int, a ir.ParamAttr, feeds []ir.Feed, flags []ir.Flag) (program.Input, error) {
	in := program.Input{Buf: buf, Name: a.Name}
	switch a.Kind {
	case ir.ParamStep:
		in.Kind = program.InputStep
		return in, nil
	case ir.ParamSeed:
		in.Kind = program.InputSeed
		return in, nil
	case ir.ParamFlag:
		in.Kind = program.InputFlag
		in.Name, in.Encode = ir.FlagOf(a.Name)
		for _, f := range flags {
			if f.Name == in.Name {
				if in.Len = f.Len; in.Encode != "" {
					in.Len = ir.FlagLength(a.Name)
				}
				in.Lens = lengthsOf(a.Type)
				return in, nil
			}
		}
	case ir.ParamFeed:
		in.Kind = program.InputFeed
		for _, f := range feeds {
			if f.Name == a.Name {
				in.Feed = program.Feed{Source: f.Source, Split: f.Split, Kind: f.Kind, Stride: f.Stride, Past: f.Past, Future: f.Future, Site: f.Site, Column: f.Column, Group: f.Group}
				return in, nil
			}
		}
	}
	return in, fmt.Errorf("nothing fills the %s %s", a.Kind, a.Name)
}

// outputs lists what the driver reads after a run.
func (x *blockBuilder) outputs() {
	kinds := map[ir.ResultKind]program.OutputKind{ir.ResultReport: program.OutputReport, ir.ResultShow: program.OutputShow,
		ir.ResultBound: program.OutputBound, ir.ResultFinite: program.OutputFinite, ir.ResultAssert: program.OutputAssert}
	for i, r := range x.g.Results {
		kind, ok := kinds[r.Kind]
		if !ok {
			continue
		}
		out := program.Output{Kind: kind, Buf: x.whole(x.g.Plan.Results[i], r), Name: r.Name, As: r.As, Decode: r.Decode, Pos: r.Pos}
		out.Lens = lengthsOf(r.Value.Type)
		if r.Kind == ir.ResultBound {
			out.Axis, out.Limit = r.Axis, r.Limit()
			if x.known(r.Bound.Len) {
				out.Len = r.Bound.Len
			}
		}
		x.out.Outputs = append(x.out.Outputs, out)
	}
}

// known reports whether e, nil or of symbols, can be computed when the block has run.
func (x *blockBuilder) known(e *index.Expr) bool {
	known := e != nil
	if known {
		e.Vars(func(name string) { known = known && x.lenOf(name) >= 0 })
	}
	return known
}

// whole is a buffer that holds the result alone: an alias where it is a part of another.
func (x *blockBuilder) whole(ref ir.PlanRef, r ir.Result) int {
	buf := x.out.Bufs[ref.Buf]
	off, fixed := 0, true
	if ref.Offset != nil {
		off, fixed = ref.Offset.Const()
	}
	if want := r.Value.Type; fixed && off == 0 && len(buf.Dims) == len(want.Dims) || buf.Home != program.HomeArena && buf.Home != program.HomeKept {
		return ref.Buf
	} else if fixed {
		buf.Name, buf.Dims, buf.Offset = r.Name, sizes(want), buf.Offset+int64(off)
		x.out.Bufs = append(x.out.Bufs, buf)
		return len(x.out.Bufs) - 1
	}
	panic(fmt.Sprintf("codegen: build: result %s lies at %s", r.Name, ref.Offset))
}

func (x *blockBuilder) code(in []ir.PlanInstr) []program.Instr {
	var out []program.Instr
	for _, i := range in {
		if i.Launch != nil {
			out = append(out, program.Instr{Launch: x.launch(i.Launch)})
			continue
		}
		l := &program.Loop{Turn: i.Loop.Turn, Count: i.Loop.Count, Turns: -1, Made: i.Loop.Made}
		if i.Loop.While != nil {
			while := ref(*i.Loop.While)
			l.While, l.Over = &while, i.Loop.Over
		}
		for _, y := range i.Loop.Syms {
			l.Lens = append(l.Lens, program.Len{Name: y.Name, Max: y.Max, Def: y.Def})
		}
		l.Code = x.code(i.Loop.Code)
		out = append(out, program.Instr{Loop: l})
	}
	return out
}

// launch refers to the buffers of l in the order of its kernel's.
func (x *blockBuilder) launch(l *ir.PlanLaunch) *program.Launch {
	p := x.pages[l]
	out := &program.Launch{Kernel: x.kernel(p)}
	for _, a := range p.args {
		switch a.role {
		case argument:
			out.Args = append(out.Args, ref(l.Args[a.i]))
		case result:
			out.Args = append(out.Args, ref(l.Results[a.i]))
		case symbol:
			out.Args = append(out.Args, program.Ref{Buf: x.symbol(a.sym)})
			out.Lens = append(out.Lens, index.V(a.sym))
		case extent:
			out.Args = append(out.Args, program.Ref{Buf: x.count(a.i)})
			out.Lens = append(out.Lens, index.C(a.i))
		case words:
			out.Args = append(out.Args, program.Ref{Buf: x.words(a.words)})
		}
	}
	return out
}

func ref(r ir.PlanRef) program.Ref {
	if r.Offset != nil && r.Offset.IsConst(0) {
		r.Offset = nil
	}
	return program.Ref{Buf: r.Buf, Offset: r.Offset}
}

// symbol is the buffer that holds a symbol.
func (x *blockBuilder) symbol(name string) int {
	if b, ok := x.syms[name]; ok {
		return b
	}
	x.out.Bufs = append(x.out.Bufs, program.Buffer{Name: name, Elem: loop.I64, Home: program.HomeLen, State: x.lenOf(name)})
	x.syms[name] = len(x.out.Bufs) - 1
	return x.syms[name]
}

// count is the constant buffer of a length.
func (x *blockBuilder) count(n int) int {
	key := fmt.Sprint("count ", n)
	if _, ok := x.syms[key]; !ok {
		x.out.Bufs = append(x.out.Bufs, program.Buffer{Name: "count", Elem: loop.I64, Home: program.HomeConst, Data: bytesof.LittleEndian.AppendUint64(nil, uint64(n))})
		x.syms[key] = len(x.out.Bufs) - 1
	}
	return x.syms[key]
}

// words is the constant buffer of some words.
func (x *blockBuilder) words(ws []uint32) int {
	var data []byte
	for _, w := range ws {
		data = bytesof.LittleEndian.AppendUint32(data, w)
	}
	key := "words " + string(data)
	if _, ok := x.syms[key]; !ok {
		x.out.Bufs = append(x.out.Bufs, program.Buffer{Name: "words", Elem: loop.U32, Dims: []int{len(ws)}, Home: program.HomeConst, Data: data})
		x.syms[key] = len(x.out.Bufs) - 1
	}
	return x.syms[key]
}
