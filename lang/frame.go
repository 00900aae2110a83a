package lang

import (
	"strconv"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// A frame is a graph being built: an entry's, or the region of a loop. A
// region sees values from outside only as its parameters: use brings them in
// as invariants, stacked as one slice a turn.
type frame struct {
	b     *ir.Builder
	outer *frame

	turn     *ir.Node
	turnSym  string
	count    *index.Expr
	carries  []*ir.Node
	xs       []*ir.Node // of the outer frame
	xsParams []*ir.Node
	inv      []*ir.Node // of the outer frame
	params   []*ir.Node
	brought  map[*ir.Node]*ir.Node
	sliced   map[*ir.Node]*ir.Node
	states   []*heldState
	branch   bool           // of an `if` at run time
	while    bool           // carry 0 is the condition
	made     string         // while: the symbol of the turns made, "": none
	reports  []branchReport // of a branch
	step     *entry         // of an `every`: the step, whose values it may read
}

// collect is an array that a loop fills, one slot a turn.
type collect struct {
	name   string
	value  Tensor
	values []Tensor // of an unrolled loop
	axis   int
	down   bool // the first turn sets the last element
	span   Span
}

func newFrame(name string) *frame {
	return &frame{b: ir.NewBuilder(name), brought: map[*ir.Node]*ir.Node{}, sliced: map[*ir.Node]*ir.Node{}}
}

func (f *frame) region(name string, count *index.Expr) *frame {
	r := &frame{b: f.b.Region(name), outer: f, count: count, brought: map[*ir.Node]*ir.Node{}, sliced: map[*ir.Node]*ir.Node{}}
	r.turn = r.b.Param(ir.ParamValue, "turn", ir.TensorOf(loop.I32))
	return r
}

// symbol makes the turn a symbol of the region.
func (f *frame) symbol() *index.Expr {
	if f.turnSym == "" {
		depth := 0
		for o := f.outer; o != nil; o = o.outer {
			depth++
		}
		f.turnSym = "turn" + strconv.Itoa(depth)
		top := f.outer.b.Scope().Capacity(f.count)
		f.b.Sym(f.turnSym, max(top-1, 0), nil)
	}
	return index.V(f.turnSym)
}

func (f *frame) carry(name string, t ir.Type) Tensor {
	p := f.b.Param(ir.ParamValue, name, t)
	f.carries = append(f.carries, p)
	return Tensor{N: p, F: f}
}

// use gives t as a node of f.
func (f *frame) use(t Tensor) *ir.Node {
	if t.F == f {
		return t.N
	}
	if f.outer == nil {
		return f.fromStep(t)
	}
	if t.N.Op.Class == ir.ClassLeaf && t.N.Op != ir.OpParam {
		return f.b.Make(t.N.Op, t.N.Attr)
	}
	n := f.outer.use(t)
	if p := f.brought[n]; p != nil {
		return p
	}
	p := f.b.Param(ir.ParamValue, n.Name, n.Type)
	f.brought[n] = p
	f.inv = append(f.inv, n)
	f.params = append(f.params, p)
	return p
}

// fromStep is a value of the step in the graph of an `every`.
func (f *frame) fromStep(t Tensor) *ir.Node {
	if f.step == nil || t.F != f.step.f {
		panic("lang: graph " + f.b.Name + " meets a value of another one")
	}
	return f.b.Param(ir.ParamValueOf, f.step.keep(t.N), t.N.Type)
}

// slice gives the turn's slice of t, a value from outside, along its first axis.
func (f *frame) slice(t Tensor) Tensor {
	n := f.outer.use(t)
	p := f.sliced[n]
	if p == nil {
		p = f.b.Param(ir.ParamValue, n.Name, ir.OfDims(n.Type.Elem, n.Type.Dims[1:]))
		f.sliced[n] = p
		f.xs = append(f.xs, n)
		f.xsParams = append(f.xsParams, p)
	}
	return Tensor{N: p, F: f}
}

// finish makes the loop: initial values of the carries, their next values, and the
// outputs of each turn. It gives the final carries and the stacked outputs.
func (f *frame) finish(initial, next, outputs []*ir.Node) []*ir.Node {
	g := f.b.FinishValues(append(append([]*ir.Node{}, next...), outputs...)...)
	g.Params = append(append(append([]*ir.Node{f.turn}, f.carries...), f.xsParams...), f.params...)
	args := append(append(append([]*ir.Node{}, initial...), f.xs...), f.inv...)
	attr := ir.LoopAttr{Count: f.count, Carry: len(f.carries), Xs: len(f.xs), Sym: f.turnSym, While: f.while, Made: f.made}
	l := f.outer.b.Loop(attr, g, args...)
	out := make([]*ir.Node, len(next)+len(outputs))
	for i := range out {
		out[i] = f.outer.b.Get(l, i)
	}
	return out
}

// turns says which turn of which stack an instance was reached by.
type turns []turnOf

type turnOf struct {
	stack *stackLevel
	loop  *frame // the turn of this loop, or
	at    int    // this instance
}

// stackLevel is a list of equal instances, whose states are stacked.
type stackLevel struct {
	name string
	n    int
}
