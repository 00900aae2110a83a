package ir

import (
	"fmt"

	"mdlc/ir/loop"
)

func init() {
	OpLoop = define(&Op{
		Name: "loop", Arity: -1, Doc: "a scan: carries, stacked inputs, invariants", Class: ClassControl,
		Infer:     inferLoop,
		NoGrad:    "pass grad makes the reversed loop",
		Cost:      free,
		Eval:      evalLoop,
		ParseAttr: parseLoop,
	})
	OpCluster = define(&Op{
		Name: "cluster", Arity: -1, Doc: "the ops of one kernel", Class: ClassControl,
		Infer:     inferCluster,
		NoGrad:    "pass grad runs before clusters are made",
		Cost:      free,
		Eval:      func(e *Evaluator, n *Node, args []*Tensor) *Tensor { return e.region(n.Regions[0], args, nil) },
		ParseAttr: parseCluster,
	})
	OpGet = define(&Op{
		Name: "get", Arity: 1, Doc: "one value of a tuple", Class: ClassControl,
		Infer: func(_ *Scope, n *Node) (Type, error) {
			t, i := n.Args[0].Type, n.Attr.(GetAttr).I
			if !t.IsTuple() || i < 0 || i >= len(t.Tuple) {
				return t, fmt.Errorf("no value %d in %s", i, t)
			}
			return t.Tuple[i], nil
		},
		NoGrad:    "pass grad hands the cotangent to the tuple",
		Cost:      free,
		Eval:      func(_ *Evaluator, n *Node, args []*Tensor) *Tensor { return args[0].Tuple[n.Attr.(GetAttr).I] },
		ParseAttr: parseGet,
	})
	OpPin = define(&Op{
		Name: "pin", Arity: 1, Doc: "x, by which a gradient is taken: until pass grad, no rewriting goes across",
		Infer: func(_ *Scope, n *Node) (Type, error) {
			if n.Args[0].Type.IsTuple() {
				return Type{}, takes("tensors", n.Args[0].Type)
			}
			return n.Args[0].Type, nil
		},
		Grad:   func(_ *Builder, _, dy *Node) []*Node { return []*Node{dy} },
		Expand: func(_ *Builder, n *Node) (*Node, error) { return n.Args[0], nil },
		Cost:   free,
		Eval:   func(_ *Evaluator, _ *Node, args []*Tensor) *Tensor { return args[0] },
	})
	OpGrad = define(&Op{
		Name: "grad", Arity: -1, Doc: "the gradients of a scalar with respect to values", Class: ClassControl,
		Infer:  inferGrad,
		NoGrad: "pass grad expands inner gradients first",
		Cost:   free,
		Eval: func(e *Evaluator, n *Node, _ []*Tensor) *Tensor {
			e.fail(n, "grad has no value before pass grad has expanded it")
			return nil
		},
	})
}

func inferGrad(_ *Scope, n *Node) (Type, error) {
	if len(n.Args) < 2 {
		return Type{}, fmt.Errorf("takes a scalar and at least one value")
	}
	s := n.Args[0].Type
	if s.IsTuple() || s.Rank() != 0 || !s.Elem.IsFloat() {
		return s, takes("the gradient of a float scalar", s)
	}
	types := make([]Type, len(n.Args)-1)
	for i, x := range n.Args[1:] {
		if x.Type.IsTuple() || !x.Type.Elem.IsFloat() {
			return s, takes("gradients with respect to floats", x.Type)
		}
		types[i] = x.Type
	}
	return TupleOf(types...), nil
}

func inferCluster(_ *Scope, n *Node) (Type, error) {
	if len(n.Regions) != 1 {
		return Type{}, fmt.Errorf("has %d regions, not 1", len(n.Regions))
	}
	r := n.Regions[0]
	if len(r.Params) != len(n.Args) {
		return Type{}, fmt.Errorf("%d arguments for a region of %d parameters", len(n.Args), len(r.Params))
	}
	for i, p := range r.Params {
		if !p.Type.Equal(n.Args[i].Type) {
			return Type{}, fmt.Errorf("argument %d is %s, the region takes %s", i, n.Args[i].Type, p.Type)
		}
	}
	types := []Type{}
	for _, x := range r.Results {
		types = append(types, x.Value.Type)
	}
	return TupleOf(types...), nil
}

// Turns is the axis of the loop's turns, the first one of stacked inputs and outputs.
func (a LoopAttr) Turns(s *Scope) Dim { return DynDim(a.Count, s.Capacity(a.Count)) }

func inferLoop(s *Scope, n *Node) (Type, error) {
	a := n.Attr.(LoopAttr)
	if err := s.checkExpr(a.Count, "count"); err != nil {
		return Type{}, err
	}
	if lo, _ := a.Count.Range(s.Bound); lo < 0 {
		return Type{}, fmt.Errorf("the count %s may be negative", a.Count)
	}
	if len(n.Regions) != 1 || a.Carry < 0 || a.Xs < 0 || a.Carry+a.Xs > len(n.Args) {
		return Type{}, fmt.Errorf("%d carries and %d stacked inputs with %d arguments and %d regions", a.Carry, a.Xs, len(n.Args), len(n.Regions))
	}
	r, turns := n.Regions[0], a.Turns(s)
	if len(r.Params) != 1+len(n.Args) || len(r.Results) < a.Carry {
		return Type{}, fmt.Errorf("%d arguments for a region of %d parameters and %d results", len(n.Args), len(r.Params), len(r.Results))
	}
	if a.Sym != "" && (len(r.Syms) == 0 || r.Syms[0].Name != a.Sym || r.Syms[0].Def != nil || r.Syms[0].Max < turns.Size-1) {
		return Type{}, fmt.Errorf("the turn %s is not the first symbol of the region, or its bound is below %d", a.Sym, turns.Size-1)
	}
	if err := inferWhile(s, n); err != nil {
		return Type{}, err
	}
	want := []Type{TensorOf(loop.I32)}
	for i, x := range n.Args {
		t := x.Type
		if i >= a.Carry && i < a.Carry+a.Xs {
			if t.IsTuple() || t.Rank() == 0 || !t.Dims[0].Equal(turns) {
				return Type{}, fmt.Errorf("stacked input %d is %s, its first axis must be %s", i-a.Carry, t, turns)
			}
			t = OfDims(t.Elem, t.Dims[1:])
		}
		want = append(want, t)
	}
	for i, p := range r.Params {
		if !p.Type.Equal(want[i]) {
			return Type{}, fmt.Errorf("parameter %d of the region is %s, must be %s", i, p.Type, want[i])
		}
	}
	types := []Type{}
	for i, x := range r.Results {
		t := x.Value.Type
		if i < a.Carry {
			if !t.Equal(n.Args[i].Type) {
				return Type{}, fmt.Errorf("carry %d starts as %s and becomes %s", i, n.Args[i].Type, t)
			}
		} else if t.IsTuple() {
			return Type{}, fmt.Errorf("output %d is %s, a tuple", i-a.Carry, t)
		} else {
			if err := s.checkDims(t.Dims); err != nil {
				return Type{}, fmt.Errorf("output %d of type %s: %w", i-a.Carry, t, err)
			}
			t = OfDims(t.Elem, append([]Dim{turns}, t.Dims...))
		}
		types = append(types, t)
	}
	return TupleOf(types...), nil
}

// inferWhile checks what a loop with While has more.
func inferWhile(s *Scope, n *Node) error {
	a := n.Attr.(LoopAttr)
	if a.While && (a.Carry == 0 || !n.Args[0].Type.Equal(TensorOf(loop.Bool))) {
		return fmt.Errorf("a loop with `while` carries a bool first")
	}
	if a.Made == "" {
		return nil
	}
	if y, ok := s.Lookup(a.Made); !a.While || !ok || y.Def != nil || y.Max < s.Capacity(a.Count) {
		return fmt.Errorf("the turns made, %s, are no input of at least %d of the graph", a.Made, s.Capacity(a.Count))
	}
	return nil
}

func evalLoop(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	a, r := n.Attr.(LoopAttr), n.Regions[0]
	count := a.Count.Eval(e.sym)
	carry := append([]*Tensor(nil), args[:a.Carry]...)
	ys := make([]*Tensor, len(r.Results)-a.Carry)
	for i := range ys {
		ys[i] = e.zeros(n.Type.Tuple[a.Carry+i])
	}
	made := 0
	for k := range count {
		if a.While && carry[0].I[0] == 0 {
			break
		}
		made++
		turn := k
		if a.Reverse {
			turn = count - 1 - k
		}
		in := append([]*Tensor{IntScalar(loop.I32, int64(turn))}, carry...)
		for _, x := range args[a.Carry : a.Carry+a.Xs] {
			in = append(in, x.slice(turn))
		}
		in = append(in, args[a.Carry+a.Xs:]...)
		out := e.region(r, in, func(name string) (int, bool) { return turn, name == a.Sym && name != "" }).Tuple
		carry = append([]*Tensor(nil), out[:a.Carry]...)
		for i, y := range out[a.Carry:] {
			ys[i].setSlice(turn, y)
		}
	}
	if a.Made != "" {
		e.frame.lens[a.Made] = made
		if err := e.define(e.frame.defined); err != nil {
			e.fail(n, "%v", err)
		}
	}
	return &Tensor{Tuple: append(carry, ys...)}
}
