package passes

import (
	"mdlc/ir"
	"mdlc/ir/index"
)

// hoistWork is the work on one element from which on a value that no turn
// changes is stored once instead of being computed in each turn.
const hoistWork = 8

// Hoist moves values that no turn changes out of loops:
//
//	%l = loop count(6) carry 1 (%x, %w) { (%t, %c, %w) => (%c * exp %w) }
//
// becomes
//
//	%e = exp %w
//	%l = loop count(6) carry 1 (%x, %e) { (%t, %c, %e) => (%c * %e) }
//
// Movement, constants and cheap element-wise work stay: loading would cost more.
func Hoist(g *ir.Graph) (*ir.Graph, error) {
	if !holds(g, isLoop) {
		return g, nil
	}
	return rewrite(g, hoistRule)
}

func hoistRule(*ir.Graph) rule {
	return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
		a, ok := n.Attr.(ir.LoopAttr)
		if !ok {
			return nil, nil
		}
		g, err := rebuild(b.Region(n.Regions[0].Name), n.Regions[0], hoistRule)
		if err != nil {
			return nil, err
		}
		if lo, hi := a.Count.Range(b.Scope().Bound); a.While || lo < 1 && hi <= 1 { // a branch: what it computes may have no meaning, or be in vain, where it is not made
			return b.Loop(a, g, args...), nil
		}
		return hoistFrom(b, a, g, args)
	}
}

func hoistFrom(b *ir.Builder, a ir.LoopAttr, g *ir.Graph, args []*ir.Node) (*ir.Node, error) {
	roots := hoistRoots(a, g)
	outer := map[*ir.Node]*ir.Node{}
	for i, p := range g.Params[1:] {
		outer[p] = args[i]
	}
	r := b.Region(g.Name)
	for _, y := range g.Syms {
		r.Sym(y.Name, y.Max, y.Def)
	}
	to := map[*ir.Node]*ir.Node{}
	for _, p := range g.Params {
		at := p.Attr.(ir.ParamAttr)
		to[p] = r.Param(at.Kind, at.Name, at.Type)
	}
	for _, x := range roots {
		v, err := graft(b, x, outer)
		if err != nil {
			return nil, err
		}
		to[x] = r.Param(ir.ParamValue, x.Name, x.Type)
		args = append(args, v)
	}
	ng, err := regraft(r, g, to, g.Results)
	if err != nil {
		return nil, err
	}
	return b.Loop(a, ng, args...), nil
}

// graft copies x and what it is computed from to b.
func graft(b *ir.Builder, x *ir.Node, to map[*ir.Node]*ir.Node) (*ir.Node, error) {
	if v := to[x]; v != nil {
		return v, nil
	}
	args := make([]*ir.Node, len(x.Args))
	for i, y := range x.Args {
		v, err := graft(b, y, to)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	pos, gen := b.Pos, b.Gen
	b.Pos, b.Gen = x.Pos, x.Gen
	v, err := keep(b, x, args, nothing)
	b.Pos, b.Gen = pos, gen
	if err == nil {
		to[x] = ir.Named(v, x.Name)
	}
	return v, err
}

// hoistRoots lists the values to compute outside: no turn changes them, something
// that a turn changes reads them, and they are worth it.
func hoistRoots(a ir.LoopAttr, g *ir.Graph) []*ir.Node {
	varies := map[*ir.Node]bool{}
	work := map[*ir.Node]float64{}
	turns := map[string]bool{}
	for _, y := range g.Syms {
		turns[y.Name] = true
	}
	for i, p := range g.Params {
		varies[p] = i <= a.Carry+a.Xs
	}
	nodes := order(g)
	for _, n := range nodes {
		if n.Op == ir.OpParam {
			continue
		}
		work[n] = n.Op.Cost(n)
		if n.Op.Class == ir.ClassReduce || n.Op.Class == ir.ClassDot || n.Op.Class == ir.ClassScatter || n.Op.Class == ir.ClassOther {
			work[n] += hoistWork
		}
		varies[n] = n.Op.Class == ir.ClassControl || readsSymbol(n, turns)
		for _, x := range n.Args {
			varies[n] = varies[n] || varies[x]
			work[n] += work[x]
		}
	}
	var roots []*ir.Node
	seen := map[*ir.Node]bool{}
	var take func(n *ir.Node)
	take = func(n *ir.Node) {
		if seen[n] || work[n] < hoistWork || n.Op == ir.OpParam {
			return
		}
		seen[n] = true
		if n.Op.Class == ir.ClassMovement || n.Op.Class == ir.ClassLeaf {
			for _, x := range n.Args {
				take(x)
			}
			return
		}
		roots = append(roots, n)
	}
	for _, n := range nodes {
		if !varies[n] {
			continue
		}
		for _, x := range n.Args {
			if !varies[x] {
				take(x)
			}
		}
	}
	for _, r := range g.Results {
		if !varies[r.Value] {
			take(r.Value)
		}
	}
	return roots
}

// readsSymbol reports whether a node's map or shape depends on one of the symbols.
func readsSymbol(n *ir.Node, names map[string]bool) bool {
	found := false
	look := func(e *index.Expr) {
		if e != nil {
			e.Vars(func(name string) { found = found || names[name] })
		}
	}
	for _, d := range n.Type.Dims {
		look(d.Len)
	}
	if a, ok := n.Attr.(ir.IndexAttr); ok {
		for _, e := range a.Out {
			look(e)
		}
	}
	return found
}
