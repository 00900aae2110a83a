package codegen

import (
	"fmt"

	"mdlc/ir"
	"mdlc/runtime/program"
)

// Outline is what a program of m will read: its states, data and flags. It has no code, so it
// is there at once, and the runtime can tell of what a run will lack before m is compiled.
func Outline(m *ir.Module) (*program.Program, error) {
	p := header(m)
	for _, e := range m.Entries {
		out, err := entry(e, outlineBlock)
		if err != nil {
			return nil, err
		}
		p.Entries = append(p.Entries, out)
	}
	return p, nil
}

// outlineBlock is a block with its inputs alone.
func outlineBlock(name string, g *ir.Graph, feeds []ir.Feed, flags []ir.Flag) (program.Block, error) {
	out := program.Block{Name: name}
	for _, n := range g.Params {
		a := n.Attr.(ir.ParamAttr)
		if a.Kind == ir.ParamState || a.Kind == ir.ParamValueOf {
			continue
		}
		in, err := input(len(out.Bufs), a, feeds, flags)
		if err != nil {
			return out, fmt.Errorf("%s: %w", name, err)
		}
		out.Inputs = append(out.Inputs, in)
		out.Bufs = append(out.Bufs, program.Buffer{Name: a.Name, Elem: a.Type.Elem, Dims: sizes(a.Type), Home: program.HomeInput, Pos: n.Pos})
	}
	return out, nil
}
