package ir

import (
	"fmt"
	"math"
	"strings"

	"mdlc/ir/loop"
)

// Evaluator is the reference: it evaluates graphs in float64, integers and bools
// exactly. Values of types narrower than f32 are rounded to them: that is what such a type says.
type Evaluator struct {
	// Params gives the values of the graph's parameters, by kind and name.
	Params func(kind ParamKind, name string) *Tensor
	// Lens gives the symbols that are inputs.
	Lens map[string]int

	frame *frame
	err   error
}

// frame is one graph being evaluated.
type frame struct {
	outer  *frame
	params map[*Node]*Tensor
	syms   func(name string) (int, bool)
	lens   map[string]int

	defined []Sym // the graph's symbols: they are defined anew when a loop sets one
}

// Run evaluates g. The results are in the order of g.Results.
func (e *Evaluator) Run(g *Graph) (results []*Tensor, err error) {
	defer func() {
		if err != nil {
			results = nil
		}
	}()
	e.err = nil
	params := map[*Node]*Tensor{}
	e.frame = &frame{params: params, lens: map[string]int{}, syms: func(name string) (int, bool) {
		v, ok := e.Lens[name]
		return v, ok
	}}
	e.frame.open(g)
	if err := e.define(g.Syms); err != nil {
		return nil, err
	}
	for _, p := range g.Params {
		a := p.Attr.(ParamAttr)
		t := e.Params(a.Kind, a.Name)
		if t == nil {
			return nil, fmt.Errorf("no value for parameter %s %s", a.Kind, a.Name)
		}
		if err := e.fits(t, a.Type); err != nil {
			return nil, fmt.Errorf("parameter %s %s: %w", a.Kind, a.Name, err)
		}
		params[p] = rounded(t)
	}
	values := e.nodes(g)
	if e.err != nil {
		return nil, e.err
	}
	return values, nil
}

// open gives the symbols that loops of g set their first value.
func (f *frame) open(g *Graph) {
	f.defined = g.Syms
	for _, n := range g.Nodes() {
		if a, ok := n.Attr.(LoopAttr); ok && a.Made != "" {
			f.lens[a.Made] = 0
		}
	}
}

// define evaluates the symbols of a graph.
func (e *Evaluator) define(syms []Sym) error {
	for _, y := range syms {
		v, ok := 0, true
		if y.Def != nil {
			v = y.Def.Eval(e.sym)
		} else if v, ok = e.frame.lens[y.Name]; ok {
		} else if v, ok = e.frame.syms(y.Name); !ok {
			return fmt.Errorf("no value for symbol %s", y.Name)
		}
		if v < 0 || v > y.Max {
			return fmt.Errorf("symbol %s is %d, must be 0 .. %d", y.Name, v, y.Max)
		}
		e.frame.lens[y.Name] = v
	}
	return nil
}

// sym is the value of a symbol.
func (e *Evaluator) sym(name string) int {
	for f := e.frame; f != nil; f = f.outer {
		if v, ok := f.lens[name]; ok {
			return v
		}
		if v, ok := f.syms(name); ok {
			return v
		}
	}
	panic("ir: evaluator: unknown symbol " + name)
}

// fits wants a value to have the type's element type and actual lengths.
func (e *Evaluator) fits(t *Tensor, want Type) error {
	dims := e.lengths(want)
	if t.Tuple != nil || t.Elem != want.Elem || fmt.Sprint(t.Dims) != fmt.Sprint(dims) {
		return fmt.Errorf("value of %s%v for %s%v", t.Elem, t.Dims, want.Elem, dims)
	}
	return nil
}

func (e *Evaluator) lengths(t Type) []int {
	dims := make([]int, len(t.Dims))
	for k, d := range t.Dims {
		dims[k] = d.Size
		if d.Len != nil {
			dims[k] = d.Len.Eval(e.sym)
		}
	}
	return dims
}

// rounded is t, whose elements a float type narrower than f32 holds.
func rounded(t *Tensor) *Tensor {
	if t == nil || t.Tuple != nil || !t.Elem.IsFloat() || t.Elem.Size() >= 4 {
		return t
	}
	out := NewTensor(t.Elem, t.Dims...)
	for i, x := range t.F {
		out.F[i] = loop.RoundTo(t.Elem, x)
	}
	return out
}

// nodes evaluates what the results of g reach, each node once.
func (e *Evaluator) nodes(g *Graph) []*Tensor {
	values := map[*Node]*Tensor{}
	for _, n := range g.Nodes() {
		args := make([]*Tensor, len(n.Args))
		for i, a := range n.Args {
			args[i] = values[a]
		}
		values[n] = rounded(n.Op.Eval(e, n, args))
		if e.err != nil {
			return nil
		}
	}
	out := make([]*Tensor, len(g.Results))
	for i, r := range g.Results {
		out[i] = values[r.Value]
	}
	return out
}

// region evaluates a region with the given arguments: a tuple.
func (e *Evaluator) region(g *Graph, args []*Tensor, syms func(string) (int, bool)) *Tensor {
	if syms == nil {
		syms = func(string) (int, bool) { return 0, false }
	}
	outer := e.frame
	e.frame = &frame{outer: outer, params: map[*Node]*Tensor{}, syms: syms, lens: map[string]int{}}
	defer func() { e.frame = outer }()
	for i, p := range g.Params {
		e.frame.params[p] = args[i]
	}
	out := &Tensor{Tuple: make([]*Tensor, len(g.Results))}
	e.frame.open(g)
	if err := e.define(g.Syms); err != nil && e.err == nil {
		e.err = err
	}
	if e.err == nil {
		copy(out.Tuple, e.nodes(g))
	}
	if e.err != nil { // keep the shape of the value; the error ends the run
		for i, r := range g.Results {
			out.Tuple[i] = NewTensor(r.Value.Type.Elem, make([]int, len(r.Value.Type.Dims))...)
		}
	}
	return out
}

func (e *Evaluator) param(n *Node) *Tensor {
	t := e.frame.params[n]
	if t == nil {
		panic("ir: evaluator: parameter " + n.Attr.Text() + " is not declared by its graph")
	}
	return t
}

// fail ends the run with an error at a node.
func (e *Evaluator) fail(n *Node, format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("%s: %s: %s", n.Pos, n.Op.Name, fmt.Sprintf(format, args...))
	}
}

func (e *Evaluator) zeros(t Type) *Tensor {
	return NewTensor(t.Elem, e.lengths(t)...)
}

func (e *Evaluator) fill(t Type, f func(t *Tensor, at int, idx []int)) *Tensor {
	out := e.zeros(t)
	out.each(func(at int, idx []int) { f(out, at, idx) })
	return out
}

// eval applies a function to each element.
func (f function) eval(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	out := NewTensor(n.Type.Elem, args[0].Dims...)
	if args[0].F != nil {
		x := make([]float64, len(args))
		for i := range args[0].F {
			for k, a := range args {
				x[k] = a.F[i]
			}
			out.setNumber(i, f.float(x))
		}
		return out
	}
	x := make([]int64, len(args))
	for i := range args[0].I {
		for k, a := range args {
			x[k] = a.I[i]
		}
		out.I[i] = wrap(n.Type.Elem, f.int(x))
	}
	return out
}

func evalWhere(_ *Evaluator, n *Node, args []*Tensor) *Tensor {
	out := NewTensor(n.Type.Elem, args[1].Dims...)
	for i, c := range args[0].I {
		if c != 0 {
			out.copyFrom(i, args[1], i)
		} else {
			out.copyFrom(i, args[2], i)
		}
	}
	return out
}

func evalCast(_ *Evaluator, n *Node, args []*Tensor) *Tensor {
	x, to := args[0], n.Type.Elem
	out := NewTensor(to, x.Dims...)
	for i := range x.Len() {
		switch {
		case to.IsFloat():
			out.F[i] = x.At(i)
		case to == loop.Bool && x.F != nil:
			out.I[i] = int64(truth(x.F[i] != 0))
		case to == loop.Bool:
			out.I[i] = int64(truth(x.I[i] != 0))
		case x.F != nil:
			out.I[i] = saturate(to, x.F[i])
		default:
			out.I[i] = wrap(to, x.I[i])
		}
	}
	return out
}

func evalReduce(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	a, x := n.Attr.(ReduceAttr), args[0]
	keep := kept(len(x.Dims), a.Axes)
	out := e.zeros(n.Type)
	seen := make([]int, out.Len()) // elements so far
	best := make([]float64, out.Len())
	at := make([]int, len(keep))
	step := reduceSteps[a.Kind]
	for k := range out.Len() {
		out.setNumber(k, step.unit)
	}
	if out.I != nil && (a.Kind == Max || a.Kind == Min) {
		lo, hi := saturate(out.Elem, -1e300), saturate(out.Elem, 1e300)
		for k := range out.I {
			out.I[k] = map[ReduceKind]int64{Max: lo, Min: hi}[a.Kind]
		}
	}
	x.each(func(flat int, idx []int) {
		for i, k := range keep {
			at[i] = idx[k]
		}
		k := out.offset(at)
		switch {
		case step.arg:
			v := x.At(flat)
			if a.Kind == ArgMin {
				v = -v
			}
			if seen[k] == 0 || v > best[k] || v != v && best[k] == best[k] {
				best[k], out.I[k] = v, int64(idx[a.Axes[0]])
			}
		case x.F != nil:
			out.F[k] = step.float(out.F[k], x.F[flat])
		default:
			out.I[k] = wrap(out.Elem, step.int(out.I[k], x.I[flat]))
		}
		seen[k]++
	})
	return out
}

var negInf = math.Inf(-1)

var reduceSteps = map[ReduceKind]struct {
	unit  float64
	arg   bool
	float func(a, b float64) float64
	int   func(a, b int64) int64
}{
	Sum:    {0, false, func(a, b float64) float64 { return a + b }, func(a, b int64) int64 { return a + b }},
	Prod:   {1, false, func(a, b float64) float64 { return a * b }, func(a, b int64) int64 { return a * b }},
	Max:    {negInf, false, func(a, b float64) float64 { return max(a, b) }, func(a, b int64) int64 { return max(a, b) }},
	Min:    {-negInf, false, func(a, b float64) float64 { return min(a, b) }, func(a, b int64) int64 { return min(a, b) }},
	ArgMax: {0, true, nil, nil},
	ArgMin: {0, true, nil, nil},
	Any:    {0, false, nil, func(a, b int64) int64 { return a | b }},
	All:    {1, false, nil, func(a, b int64) int64 { return a & b }},
}

// evalDot adds the products in ascending order, the last contracted axis fastest.
func evalDot(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	d, x, y := n.Attr.(DotAttr), args[0], args[1]
	out := e.zeros(n.Type)
	over := d.Contracted()
	sizes := make([]int, len(over))
	for k, l := range over {
		sizes[k] = x.Dims[strings.IndexRune(d.A, l)]
	}
	xs, ys := offsets(d.A, x, over, sizes), offsets(d.B, y, over, sizes)
	xo, yo := offsets(d.A, x, d.Out, out.Dims), offsets(d.B, y, d.Out, out.Dims)
	for flat := range out.Len() {
		for k := range xs {
			i, j := xo[flat]+xs[k], yo[flat]+ys[k]
			if out.F != nil {
				out.F[flat] += x.F[i] * y.F[j]
			} else {
				out.I[flat] = wrap(out.Elem, out.I[flat]+x.I[i]*y.I[j])
			}
		}
	}
	return out
}

// offsets is the place in t, whose axes have the given labels, of each point of the axes named over, last fastest.
func offsets(labels string, t *Tensor, over string, sizes []int) []int {
	out := []int{0}
	for k, l := range over {
		stride := 0
		if at := strings.IndexRune(labels, l); at >= 0 {
			stride = 1
			for _, d := range t.Dims[at+1:] {
				stride *= d
			}
		}
		next := make([]int, 0, len(out)*sizes[k])
		for _, o := range out {
			for i := range sizes[k] {
				next = append(next, o+i*stride)
			}
		}
		out = next
	}
	return out
}
