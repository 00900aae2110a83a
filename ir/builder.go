package ir

import (
	"fmt"
	"strconv"

	"mdlc/ir/index"
)

// Builder makes the nodes of one graph. It infers types and interns: equal op,
// attribute, arguments, regions and generation give the same node.
type Builder struct {
	Name string
	Pos  Pos // of new nodes
	Gen  int // recompute generation of new nodes

	scope    *Scope
	params   []*Node
	declared map[declared]*Node // params
	nodes    []*Node
	interned map[string]*Node
	key      []byte // of the last node, for its memory
	outer    *Builder
}

// declared is what a parameter is known by.
type declared struct {
	kind ParamKind
	name string
}

// NewBuilder starts a graph.
func NewBuilder(name string) *Builder {
	return &Builder{Name: name, scope: &Scope{}, declared: map[declared]*Node{}, interned: map[string]*Node{}}
}

// Region starts the graph of a region of a node of b: it sees the symbols of
// b, and no values.
func (b *Builder) Region(name string) *Builder {
	r := NewBuilder(name)
	r.scope.Outer, r.Pos, r.outer = b.scope, b.Pos, b
	return r
}

// Outer is the builder that b is a region of, or nil.
func (b *Builder) Outer() *Builder { return b.outer }

// Scope is the symbols that the graph sees.
func (b *Builder) Scope() *Scope { return b.scope }

// Sym defines a symbol: a runtime length of at most max; def nil: an input of
// the graph (of a loop's region: the turn). It panics where the name is taken or reserved.
func (b *Builder) Sym(name string, max int, def *index.Expr) *index.Expr {
	y := Sym{Name: name, Max: max, Def: def}
	if err := b.scope.checkSym(y); err != nil {
		panic("ir: graph " + b.Name + ": " + err.Error())
	}
	b.scope.Syms = append(b.scope.Syms, y)
	return index.V(name)
}

// Nodes is all nodes made so far, used or not, in order of construction.
func (b *Builder) Nodes() []*Node { return b.nodes }

// Make makes a node, or finds an equal one. A wrong shape is a mistake of the caller.
func (b *Builder) Make(op *Op, attr Attr, args ...*Node) *Node {
	return must(b.TryMake(op, attr, args...))
}

// MakeWith is Make for ops with regions.
func (b *Builder) MakeWith(op *Op, attr Attr, regions []*Graph, args ...*Node) *Node {
	return must(b.TryMakeWith(op, attr, regions, args...))
}

// TryMake is Make for arguments that may be the user's mistake: the error is in terms of shapes.
func (b *Builder) TryMake(op *Op, attr Attr, args ...*Node) (*Node, error) {
	return b.TryMakeWith(op, attr, nil, args...)
}

// TryMakeWith is TryMake for ops with regions.
func (b *Builder) TryMakeWith(op *Op, attr Attr, regions []*Graph, args ...*Node) (*Node, error) {
	n := &Node{Op: op, Args: args, Attr: attr, Regions: regions, Gen: b.Gen, Pos: b.Pos, ID: len(b.nodes)}
	if op == nil {
		panic("ir: no such op")
	}
	for i, a := range args {
		if a == nil || a.ID >= len(b.nodes) || b.nodes[a.ID] != a {
			panic(fmt.Sprintf("ir: argument %d of %s is not a node of graph %s", i, op.Name, b.Name))
		}
	}
	b.key = n.appendKey(b.key[:0])
	if old := b.interned[string(b.key)]; old != nil {
		return old, nil
	}
	t, err := infer(b.scope, n)
	if err != nil {
		return nil, err
	}
	n.Type = t
	b.nodes = append(b.nodes, n)
	b.interned[string(b.key)] = n
	return n, nil
}

func must(n *Node, err error) *Node {
	if err != nil {
		panic("ir: " + err.Error())
	}
	return n
}

// infer checks what all ops have in common and asks the row.
func infer(s *Scope, n *Node) (Type, error) {
	if n.Op.Arity >= 0 && len(n.Args) != n.Op.Arity {
		return Type{}, fmt.Errorf("%s takes %d arguments, not %d", n.Op.Name, n.Op.Arity, len(n.Args))
	}
	if (n.Attr == nil) != (n.Op.ParseAttr == nil) {
		return Type{}, fmt.Errorf("%s: attribute missing or unexpected", n.Op.Name)
	}
	t, err := n.Op.Infer(s, n)
	if err == nil && !t.IsTuple() {
		err = s.checkDims(t.Dims)
	}
	if err != nil {
		return t, fmt.Errorf("%s: %w", n.Op.Name, err)
	}
	return t, nil
}

// appendKey appends the interning key.
func (n *Node) appendKey(s []byte) []byte {
	s = append(s, n.Op.Name...)
	if n.Gen != 0 {
		s = strconv.AppendInt(append(s, '@'), int64(n.Gen), 10)
	}
	for _, a := range n.Args {
		s = strconv.AppendInt(append(s, ' '), int64(a.ID), 10)
	}
	if n.Attr != nil {
		s = append(append(s, ' '), n.Attr.Text()...)
	}
	for _, r := range n.Regions {
		s = append(append(s, '\n'), r.bare()...)
	}
	return s
}

// Param declares a parameter of the graph. Kind and name are unique: the same
// again is the same node, but a region's parameter of a name that is taken is numbered.
func (b *Builder) Param(kind ParamKind, name string, t Type) *Node {
	if kind == ParamValue {
		name = b.freshParam(name)
	}
	return must(b.tryParam(kind, name, t))
}

func (b *Builder) tryParam(kind ParamKind, name string, t Type) (*Node, error) {
	if p := b.declared[declared{kind, name}]; p != nil {
		if a := p.Attr.(ParamAttr); !a.Type.Equal(t) {
			return nil, fmt.Errorf("parameter %s %s is declared as %s and as %s", kind, name, a.Type, t)
		}
		return p, nil
	}
	gen := b.Gen
	b.Gen = 0
	p, err := b.TryMake(OpParam, ParamAttr{kind, name, t})
	b.Gen = gen
	if err != nil {
		return nil, err
	}
	p.Name = name
	b.params = append(b.params, p)
	b.declared[declared{kind, name}] = p
	return p, nil
}

func (b *Builder) freshParam(name string) string {
	taken := func(s string) bool { return b.declared[declared{ParamValue, s}] != nil }
	if name != "" && !taken(name) {
		return name
	}
	if name == "" {
		name = "p"
	}
	for k := len(b.params); ; k++ {
		if s := name + strconv.Itoa(k); !taken(s) {
			return s
		}
	}
}

// Params is the parameters declared so far.
func (b *Builder) Params() []*Node { return b.params }

// Finish gives the graph with the given results.
func (b *Builder) Finish(results ...Result) *Graph {
	return &Graph{Name: b.Name, Params: b.params, Results: results, Syms: b.scope.Syms}
}

// FinishValues is Finish for a region: results in order, without names.
func (b *Builder) FinishValues(values ...*Node) *Graph {
	results := make([]Result, len(values))
	for i, v := range values {
		results[i] = Result{Kind: ResultValue, Value: v, Pos: v.Pos}
	}
	return b.Finish(results...)
}

// Named gives n a name for printing and kernels, unless it has one.
func Named(n *Node, name string) *Node {
	if n.Name == "" {
		n.Name = name
	}
	return n
}
