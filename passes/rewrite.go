package passes

import (
	"fmt"

	"mdlc/ir"
)

// order is the nodes of a graph, arguments first: its parameters, then what
// its results reach.
func order(g *ir.Graph) []*ir.Node {
	var out []*ir.Node
	seen := make([]bool, maxID(g)+1)
	var visit func(n *ir.Node)
	visit = func(n *ir.Node) {
		if seen[n.ID] {
			return
		}
		seen[n.ID] = true
		for _, a := range n.Args {
			visit(a)
		}
		out = append(out, n)
	}
	for _, p := range g.Params {
		visit(p)
	}
	for _, r := range g.Results {
		visit(r.Value)
	}
	return out
}

// maxID is the largest ID of a graph's nodes: arguments have smaller ones than their users.
func maxID(g *ir.Graph) int {
	last := -1
	for _, p := range g.Params {
		last = max(last, p.ID)
	}
	for _, r := range g.Results {
		last = max(last, r.Value.ID)
	}
	return last
}

// uses counts how often each node is an argument or a result.
func uses(g *ir.Graph) map[*ir.Node]int {
	count := map[*ir.Node]int{}
	for _, n := range order(g) {
		for _, a := range n.Args {
			count[a]++
		}
	}
	for _, r := range g.Results {
		count[r.Value]++
	}
	return count
}

// holds reports whether g or a region inside has a node of which f holds. A pass that
// finds nothing to do gives the graph back: to make it again takes as long as to change it.
func holds(g *ir.Graph, f func(n *ir.Node) bool) bool {
	for _, n := range g.Nodes() {
		if f(n) {
			return true
		}
		for _, r := range n.Regions {
			if holds(r, f) {
				return true
			}
		}
	}
	return false
}

func isLoop(n *ir.Node) bool { return n.Op == ir.OpLoop }

// A rule gives what takes the place of old node n, whose arguments became
// args; nil keeps it.
type rule func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error)

// loopValues is a rule that computes the results of loops otherwise: f gives all of them, or none where the loop is kept.
func loopValues(f func(b *ir.Builder, n *ir.Node, a ir.LoopAttr, args []*ir.Node) ([]*ir.Node, error)) rule {
	values := map[*ir.Node][]*ir.Node{} // of loops that are gone
	return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
		switch a := n.Attr.(type) {
		case ir.GetAttr:
			if vs := values[n.Args[0]]; vs != nil {
				return vs[a.I], nil
			}
		case ir.LoopAttr:
			vs, err := f(b, n, a, args)
			if err != nil || len(vs) == 0 {
				return nil, err
			}
			values[n] = vs
			return vs[0], nil // every use is a get
		}
		return nil, nil
	}
}

// rewrite rebuilds g and, first, the regions inside with a rule for each
// graph: start makes it, so that it can look at the whole graph.
func rewrite(g *ir.Graph, start func(g *ir.Graph) rule) (*ir.Graph, error) {
	return rebuild(ir.NewBuilder(g.Name), g, start)
}

func rebuild(b *ir.Builder, g *ir.Graph, start func(g *ir.Graph) rule) (*ir.Graph, error) {
	for _, y := range g.Syms {
		b.Sym(y.Name, y.Max, y.Def)
	}
	to := make([]*ir.Node, maxID(g)+1) // by ID
	apply := start(g)
	for _, n := range order(g) {
		args := make([]*ir.Node, len(n.Args))
		for i, a := range n.Args {
			args[i] = to[a.ID]
		}
		b.Pos, b.Gen = n.Pos, n.Gen
		m, err := apply(b, n, args)
		if err == nil && m == nil {
			m, err = keep(b, n, args, start)
		}
		if err != nil {
			return nil, err
		}
		if m.Name == "" {
			m.Name = n.Name
		}
		to[n.ID] = m
	}
	b.Gen = 0
	results := make([]ir.Result, len(g.Results))
	for i, r := range g.Results {
		results[i] = r
		results[i].Value = to[r.Value.ID]
	}
	return b.Finish(results...), nil
}

// keep makes n again with new arguments and rewritten regions.
func keep(b *ir.Builder, n *ir.Node, args []*ir.Node, start func(g *ir.Graph) rule) (*ir.Node, error) {
	if a, ok := n.Attr.(ir.ParamAttr); ok {
		return b.Param(a.Kind, a.Name, a.Type), nil
	}
	var regions []*ir.Graph
	for _, r := range n.Regions {
		nr, err := rebuild(b.Region(r.Name), r, start)
		if err != nil {
			return nil, err
		}
		regions = append(regions, nr)
	}
	m, err := b.TryMakeWith(n.Op, n.Attr, regions, args...)
	if err != nil {
		panic(fmt.Sprintf("passes: %s of %s: %v", n.Op.Name, n.Pos, err))
	}
	return m, nil
}

// inline adds the nodes of region g to b, its parameters replaced by args, and
// gives its results.
func inline(b *ir.Builder, g *ir.Graph, args []*ir.Node) ([]*ir.Node, error) {
	to := map[*ir.Node]*ir.Node{}
	for i, p := range g.Params {
		to[p] = args[i]
	}
	for _, n := range order(g) {
		if to[n] != nil {
			continue
		}
		margs := make([]*ir.Node, len(n.Args))
		for i, a := range n.Args {
			margs[i] = to[a]
		}
		b.Pos, b.Gen = n.Pos, n.Gen
		m, err := keep(b, n, margs, nothing)
		if err != nil {
			return nil, err
		}
		to[n] = m
	}
	b.Gen = 0
	out := make([]*ir.Node, len(g.Results))
	for i, r := range g.Results {
		out[i] = to[r.Value]
	}
	return out, nil
}

// nothing is the rule that keeps every node.
func nothing(*ir.Graph) rule {
	return func(*ir.Builder, *ir.Node, []*ir.Node) (*ir.Node, error) { return nil, nil }
}
