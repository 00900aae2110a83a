package ir

// Nodes is the nodes that the results reach, arguments before users, in the
// order of a depth-first walk from the first result on: parameters only where they are used.
func (g *Graph) Nodes() []*Node {
	last := -1 // the largest ID: arguments have smaller ones than their users
	for _, r := range g.Results {
		last = max(last, r.Value.ID)
	}
	var order []*Node
	seen := make([]bool, last+1)
	var visit func(n *Node)
	visit = func(n *Node) {
		if seen[n.ID] {
			return
		}
		seen[n.ID] = true
		for _, a := range n.Args {
			visit(a)
		}
		order = append(order, n)
	}
	for _, r := range g.Results {
		visit(r.Value)
	}
	return order
}

// Users is the nodes that use each node, in order; a result counts as no use.
func (g *Graph) Users() map[*Node][]*Node {
	users := map[*Node][]*Node{}
	for _, n := range g.Nodes() {
		for i, a := range n.Args {
			if first(n.Args[:i], a) {
				users[a] = append(users[a], n)
			}
		}
	}
	return users
}

func first(before []*Node, n *Node) bool {
	for _, b := range before {
		if b == n {
			return false
		}
	}
	return true
}

// Reaches reports whether the value of from depends on that of to.
func Reaches(from, to *Node) bool {
	seen := map[*Node]bool{}
	var visit func(n *Node) bool
	visit = func(n *Node) bool {
		if n == to {
			return true
		}
		if seen[n] {
			return false
		}
		seen[n] = true
		for _, a := range n.Args {
			if visit(a) {
				return true
			}
		}
		return false
	}
	return visit(from)
}

// Rewrite rebuilds a graph bottom-up. f gets each node with its rewritten
// arguments and regions and returns what stands for it; nil keeps it. Positions,
// names and generations stay; parameters are declared in their order, used or not. f is not called for parameters.
func Rewrite(g *Graph, outer *Builder, f func(b *Builder, n *Node, args []*Node) (*Node, error)) (*Graph, error) {
	b := Reopen(g, outer)
	m := Mapping{}
	for i, p := range g.Params {
		m[p] = b.params[i]
	}
	for _, n := range g.Nodes() {
		if m[n] != nil {
			continue
		}
		if _, err := m.Copy(b, n, f); err != nil {
			return nil, err
		}
	}
	results := append([]Result(nil), g.Results...)
	for i := range results {
		results[i].Value = m[results[i].Value]
	}
	return b.Finish(results...), nil
}

// Reopen is a builder with the symbols and parameters of g and no other nodes.
func Reopen(g *Graph, outer *Builder) *Builder {
	b := NewBuilder(g.Name)
	if outer != nil {
		b = outer.Region(g.Name)
	}
	b.scope.Syms = append([]Sym(nil), g.Syms...)
	for _, p := range g.Params {
		a := p.Attr.(ParamAttr)
		b.Pos = p.Pos
		q := b.Param(a.Kind, a.Name, a.Type)
		q.Name = p.Name
	}
	return b
}

// Mapping says which node of a new graph stands for a node of an old one.
type Mapping map[*Node]*Node

// Args is the new arguments of n.
func (m Mapping) Args(n *Node) []*Node {
	args := make([]*Node, len(n.Args))
	for i, a := range n.Args {
		args[i] = m[a]
	}
	return args
}

// Copy makes n in b, with its arguments mapped; f (nil: always keep) may replace it.
func (m Mapping) Copy(b *Builder, n *Node, f func(b *Builder, n *Node, args []*Node) (*Node, error)) (*Node, error) {
	args := m.Args(n)
	pos, gen := b.Pos, b.Gen
	b.Pos, b.Gen = n.Pos, n.Gen
	defer func() { b.Pos, b.Gen = pos, gen }()
	if f != nil {
		v, err := f(b, n, args)
		if err != nil || v != nil {
			m[n] = v
			return v, err
		}
	}
	v, err := b.TryMakeWith(n.Op, n.Attr, n.Regions, args...)
	if err != nil {
		return nil, err
	}
	Named(v, n.Name)
	m[n] = v
	return v, nil
}

// RewriteRegions rewrites the regions of n with f.
func RewriteRegions(b *Builder, n *Node, f func(region *Graph, outer *Builder) (*Graph, error)) ([]*Graph, error) {
	if len(n.Regions) == 0 {
		return nil, nil
	}
	out := make([]*Graph, len(n.Regions))
	for i, r := range n.Regions {
		g, err := f(r, b)
		if err != nil {
			return nil, err
		}
		out[i] = g
	}
	return out, nil
}
