package passes

import (
	"mdlc/ir"
	"mdlc/ir/index"
)

// Unloop replaces a loop without carries whose turns are element-wise by the
// same ops with one more axis. An optimiser over stacked parameters:
//
//	%l = loop count(6) carry 0 xs 2 (%p, %g, %lr) { (%t, %p, %g, %lr) => (%p - broadcast %lr * %g) }
//	%1 = get 0 %l : f32[6, 512]
//
// becomes
//
//	%1 = %p - broadcast %lr * %g : f32[6, 512]
//
// The body may hold element-wise ops, movement, iota, constants and reductions. Dots,
// draws, scatters and inner loops stay in the loop.
func Unloop(g *ir.Graph) (*ir.Graph, error) {
	if !holds(g, isLoop) {
		return g, nil
	}
	return rewrite(g, unloopRule)
}

func unloopRule(*ir.Graph) rule {
	return loopValues(func(b *ir.Builder, n *ir.Node, a ir.LoopAttr, args []*ir.Node) ([]*ir.Node, error) {
		if !unloopable(a, n.Regions[0]) {
			return nil, nil
		}
		u := &unlooped{b: b, turns: a.Turns(b.Scope()), sym: a.Sym, to: map[*ir.Node]*ir.Node{}}
		return u.region(a, n.Regions[0], args), nil
	})
}

func unloopable(a ir.LoopAttr, g *ir.Graph) bool {
	inner := map[string]bool{}
	for _, y := range g.Syms {
		if y.Def != nil {
			return false
		}
		inner[y.Name] = true
	}
	if a.Carry > 0 || len(g.Results) == 0 {
		return false
	}
	for _, n := range order(g) {
		switch n.Op.Class {
		case ir.ClassElementwise, ir.ClassMovement, ir.ClassReduce:
		case ir.ClassLeaf:
			if c, ok := n.Attr.(ir.ConstAttr); ok && len(c.Bits) > 1 {
				return false
			}
		default:
			return false
		}
		for _, d := range n.Type.Dims {
			if d.Len == nil {
				continue
			}
			ragged := false
			d.Len.Vars(func(name string) { ragged = ragged || inner[name] })
			if ragged {
				return false
			}
		}
	}
	return true
}

// unlooped makes the nodes of a region for all turns at once, the turn as first axis.
type unlooped struct {
	b     *ir.Builder
	turns ir.Dim
	sym   string
	to    map[*ir.Node]*ir.Node
}

func (u *unlooped) region(a ir.LoopAttr, g *ir.Graph, args []*ir.Node) []*ir.Node {
	for i, p := range g.Params {
		switch {
		case i == 0:
			u.to[p] = u.b.Iota([]ir.Dim{u.turns}, 0)
		case i <= a.Xs:
			u.to[p] = args[i-1]
		default:
			u.to[p] = u.repeat(args[i-1])
		}
	}
	for _, n := range order(g) {
		if u.to[n] == nil {
			u.to[n] = ir.Named(u.node(n), n.Name)
		}
	}
	out := make([]*ir.Node, len(g.Results))
	for i, r := range g.Results {
		out[i] = u.to[r.Value]
	}
	return out
}

func (u *unlooped) dims(ds []ir.Dim) []ir.Dim { return append([]ir.Dim{u.turns}, ds...) }

// repeat gives every turn the same value.
func (u *unlooped) repeat(x *ir.Node) *ir.Node {
	at := make([]int, x.Type.Rank())
	for k := range at {
		at[k] = k + 1
	}
	return u.b.Broadcast(x, u.dims(x.Type.Dims), at...)
}

func (u *unlooped) node(n *ir.Node) *ir.Node {
	pos, gen := u.b.Pos, u.b.Gen
	u.b.Pos, u.b.Gen = n.Pos, n.Gen
	defer func() { u.b.Pos, u.b.Gen = pos, gen }()
	args := make([]*ir.Node, len(n.Args))
	for i, x := range n.Args {
		args[i] = u.to[x]
	}
	switch a := n.Attr.(type) {
	case ir.ConstAttr:
		a.Type = ir.OfDims(a.Type.Elem, u.dims(a.Type.Dims))
		return u.b.Make(n.Op, a)
	case ir.IotaAttr:
		a.Dims, a.Axis = u.dims(a.Dims), a.Axis+1
		return u.b.Make(n.Op, a)
	case ir.ReduceAttr:
		at := make([]int, len(a.Axes))
		for i, k := range a.Axes {
			at[i] = k + 1
		}
		return u.b.Make(n.Op, ir.ReduceAttr{Kind: a.Kind, Axes: at}, args...)
	case ir.IndexAttr:
		out := []*index.Expr{ir.Var(0)}
		for _, e := range a.Out {
			out = append(out, e.Subst(func(name string) *index.Expr {
				if k, ok := mapVar(name); ok {
					return ir.Var(k + 1)
				}
				if name == u.sym && u.sym != "" {
					return ir.Var(0)
				}
				return nil
			}))
		}
		return u.b.Index(args[0], u.dims(a.Shape), out, a.Outside, args[1:]...)
	}
	return u.b.Make(n.Op, n.Attr, args...)
}
