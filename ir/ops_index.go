package ir

import (
	"fmt"
	"slices"
	"strings"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

func init() {
	OpIndex = define(&Op{
		Name: "index", Arity: -1, Doc: "result[i…] = x[e…]: every movement", Class: ClassMovement,
		Infer: inferIndex,
		Grad: func(b *Builder, n, dy *Node) []*Node {
			a := n.Attr.(IndexAttr)
			dx := make([]*Node, len(n.Args))
			e := dy.Type.Elem // sums of narrower floats are made in f32
			sum := b.Cast(dy, dotElem(e))
			if x := dy.Args; dy.Op == OpCast && x[0].Op == OpDot && x[0].Type.Elem == sum.Type.Elem && (overlaps(a, n.Args[0].Type) || picksRows(n, x[0])) {
				sum = x[0] // of a product that is not rounded first, and so is one product with the sum
			}
			dx[0] = b.Cast(b.Scatter(sum, n.Args[0].Type.Dims, a.Out, n.Args[1:]...), e)
			return dx
		},
		Lower:     lowerIndex,
		Cost:      free,
		Eval:      evalIndex,
		ParseAttr: parseIndex,
	})
	OpScatter = define(&Op{
		Name: "scatter", Arity: -1, Doc: "adds x[i…] to zeros at e…, in order of the flat index; the adjoint of index", Class: ClassScatter,
		Infer: inferScatter,
		Grad: func(b *Builder, n, dy *Node) []*Node {
			a := n.Attr.(IndexAttr)
			zero := 0.0
			dx := make([]*Node, len(n.Args))
			dx[0] = b.Index(dy, n.Args[0].Type.Dims, a.Out, &zero, n.Args[1:]...)
			return dx
		},
		Cost:      func(*Node) float64 { return 2 },
		Eval:      evalScatter,
		ParseAttr: parseIndex,
	})
}

// Slides reports whether n is, but for casts, a window: what is computed of it is computed for each place and each tap.
func Slides(n *Node) bool {
	for {
		a, ok := n.Attr.(IndexAttr)
		switch {
		case ok && n.Op == OpIndex:
			if overlaps(a, n.Args[0].Type) {
				return true
			}
		case n.Op != OpCast:
			return false
		}
		n = n.Args[0]
	}
}

// overlaps reports whether a map is a window that reads elements of x several times: it adds up axes, as the place and the tap of a convolution, and has more points than
// x has elements.
func overlaps(a IndexAttr, x Type) bool {
	points, elements := 1, 1
	for _, d := range a.Shape {
		points *= d.Size
	}
	for _, d := range x.Dims {
		elements *= d.Size
	}
	return points > elements && slices.ContainsFunc(a.Out, func(e *index.Expr) bool {
		axes := 0
		e.Vars(func(string) { axes++ })
		return e.Op == index.Add && axes > 1
	})
}

// picksRows reports whether index n picks, by data alone along one axis, what each row of a batch of products is multiplied with, and dot, the gradient of
// what is picked, is products of these rows: w[e[n],d,f] and sum[i] x[n,i,d] * dz[n,i,f], whose rows pass groups sums up.
func picksRows(n, dot *Node) bool {
	d, rows := dot.Attr.(DotAttr), ""
	for _, e := range n.Attr.(IndexAttr).Out {
		k, ok := dataIndex(e.Name)
		if e.Op != index.Var || !ok {
			continue
		}
		a, ok := n.Args[k].Attr.(IndexAttr)
		if !ok || rows != "" {
			return false
		}
		for _, e := range a.Out {
			v, ok := varIndex(e.Name)
			if e.Op != index.Var || !ok {
				return false
			}
			rows += d.Out[v : v+1]
		}
	}
	return len(rows) == 1 && strings.Contains(d.Batch(), rows) && d.Contracted() != ""
}

func inferIndex(s *Scope, n *Node) (Type, error) {
	a, t := n.Attr.(IndexAttr), Type{}
	if err := checkMap(s, n, a, a.Shape); err != nil {
		return t, err
	}
	x := n.Args[0].Type
	if len(a.Out) != x.Rank() {
		return t, fmt.Errorf("map with %d results for %s", len(a.Out), x)
	}
	if a.Outside == nil {
		r := &span{s, a.Shape}
		for k, e := range a.Out {
			if !hasData(e) && !r.inside(e, x.Dims[k]) {
				return t, fmt.Errorf("can read outside of %s: axis %d, of length %s, at %s .. %s",
					x, k, x.Dims[k].Length(), r.lower(e), r.upper(e))
			}
		}
	}
	return OfDims(x.Elem, a.Shape), nil
}

func inferScatter(s *Scope, n *Node) (Type, error) {
	a := n.Attr.(IndexAttr)
	if len(n.Args) == 0 {
		return Type{}, fmt.Errorf("no operand")
	}
	x := n.Args[0].Type
	if a.Outside != nil {
		return x, fmt.Errorf("a scatter has no outside value")
	}
	if err := checkMap(s, n, a, x.Dims); err != nil {
		return x, err
	}
	if x.Elem == loop.Bool {
		return x, takes("numbers", x)
	}
	if len(a.Out) != len(a.Shape) {
		return x, fmt.Errorf("map with %d results for shape %s", len(a.Out), dimsText(a.Shape))
	}
	return OfDims(x.Elem, a.Shape), nil
}

// checkMap checks variables and data operands of a map over indices of the given shape.
func checkMap(s *Scope, n *Node, a IndexAttr, from []Dim) error {
	if len(n.Args) == 0 || n.Args[0].Type.IsTuple() {
		return fmt.Errorf("no operand, or a tuple")
	}
	if a.Vars != len(from) {
		return fmt.Errorf("map of %d variables over %s", a.Vars, dimsText(from))
	}
	for _, d := range n.Args[1:] {
		if d.Type.IsTuple() || !d.Type.Elem.IsInt() || !SameDims(d.Type.Dims, from) {
			return fmt.Errorf("index data is %s, must be integers of shape %s", d.Type, dimsText(from))
		}
	}
	var err error
	for _, e := range a.Out {
		e.Vars(func(name string) {
			if k, ok := varIndex(name); ok {
				if k >= a.Vars {
					err = fmt.Errorf("index variable %s of %d", name, a.Vars)
				}
			} else if k, ok := dataIndex(name); ok {
				if k < 1 || k >= len(n.Args) {
					err = fmt.Errorf("index data %s, there are %d", name, len(n.Args)-1)
				}
			} else if _, ok := s.Lookup(name); !ok {
				err = fmt.Errorf("unknown symbol %s in %s", name, e)
			}
		})
	}
	return err
}

// hasData reports whether e depends on data operands.
func hasData(e *index.Expr) bool {
	found := false
	e.Vars(func(name string) {
		if _, ok := dataIndex(name); ok {
			found = true
		}
	})
	return found
}

// lowerIndex rewrites the indices. Where the map may lead outside, the operand
// is needed only inside; an index that is data and has no outside value is held to the axis, so
// that nothing outside is read. Pass bounds has made the block tell of a wrong one.
func lowerIndex(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
	a, x := n.Attr.(IndexAttr), n.Args[0].Type
	data := make([]*loop.Value, len(n.Args))
	vars := func(name string) *loop.Value {
		if k, ok := varIndex(name); ok {
			return idx[k]
		}
		k, ok := dataIndex(name)
		if !ok {
			return nil
		}
		if data[k] == nil {
			data[k] = convert(c, c.Args[k](idx), loop.I64)
		}
		return data[k]
	}
	at := make([]*loop.Value, len(a.Out))
	var ok *loop.Value
	zero := number(c, loop.I64, 0)
	r := &span{c.Scope, a.Shape}
	for k, e := range a.Out {
		at[k] = lowerExpr(c, e, vars)
		if !hasData(e) && r.inside(e, x.Dims[k]) {
			continue
		}
		length := lowerExpr(c, x.Dims[k].Length(), vars)
		if a.Outside == nil {
			last := c.B.Op(loop.Sub, length, number(c, loop.I64, 1))
			at[k] = c.B.Op(loop.Max, zero, c.B.Op(loop.Min, at[k], last))
			continue
		}
		if !r.nonNegativeOrData(e) {
			ok = both(c, ok, c.B.Op(loop.Ge, at[k], zero))
		}
		ok = both(c, ok, c.B.Op(loop.Lt, at[k], length))
	}
	if ok == nil {
		return c.Args[0](at)
	}
	outer := c.Guard
	c.Guard = both(c, outer, ok)
	v := c.Args[0](at)
	c.Guard = outer
	return c.B.Where(ok, v, number(c, x.Elem, *a.Outside))
}

// nonNegativeOrData reports whether e is proved not to be negative; data never is.
func (r *span) nonNegativeOrData(e *index.Expr) bool { return !hasData(e) && r.nonNegative(e) }

func both(c *LowerCtx, a, b *loop.Value) *loop.Value {
	if a == nil {
		return b
	}
	return c.B.Op(loop.And, a, b)
}

// linear writes x as k + Σ coef[i]·i over the index variables, symbols being
// numbers; !ok: it is not of this form.
func (e *Evaluator) linear(x *index.Expr, vars int) (coef []int, k int, ok bool) {
	coef = make([]int, vars)
	terms := []*index.Expr{x}
	if x.Op == index.Add {
		terms = x.Args
	}
	for _, t := range terms {
		c, f := factors(t)
		switch {
		case len(f) == 0:
			k += c
			continue
		case len(f) > 1 || f[0].Op != index.Var:
			return nil, 0, false
		}
		if i, isVar := varIndex(f[0].Name); isVar {
			coef[i] += c
		} else if _, isData := dataIndex(f[0].Name); isData {
			return nil, 0, false
		} else {
			k += c * e.sym(f[0].Name)
		}
	}
	return coef, k, true
}

// mapping gives the map of an index or scatter as a function of the place of
// an element of the data: it sets out and says whether that is inside dims.
func (e *Evaluator) mapping(n *Node, args []*Tensor, dims, out []int) func(flat int, idx []int) (inside bool) {
	a := n.Attr.(IndexAttr)
	coords := make([]func(flat int, idx []int) int, len(a.Out))
	for j, x := range a.Out {
		if coef, k, ok := e.linear(x, a.Vars); ok {
			coords[j] = func(_ int, idx []int) int {
				v := k
				for i, c := range coef {
					v += c * idx[i]
				}
				return v
			}
			continue
		}
		coords[j] = func(flat int, idx []int) int {
			return x.Eval(func(name string) int {
				if k, ok := varIndex(name); ok {
					return idx[k]
				}
				if k, ok := dataIndex(name); ok {
					return int(args[k].I[flat])
				}
				return e.sym(name)
			})
		}
	}
	return func(flat int, idx []int) bool {
		inside := true
		for j, f := range coords {
			out[j] = f(flat, idx)
			inside = inside && out[j] >= 0 && out[j] < dims[j]
		}
		return inside
	}
}

func evalIndex(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	a, x := n.Attr.(IndexAttr), args[0]
	at := make([]int, len(a.Out))
	inside := e.mapping(n, args, x.Dims, at)
	return e.fill(n.Type, func(t *Tensor, flat int, idx []int) {
		if inside(flat, idx) {
			t.copyFrom(flat, x, x.offset(at))
			return
		}
		if a.Outside == nil {
			e.fail(n, "index %v is outside of %v", at, x.Dims)
			return
		}
		t.setNumber(flat, *a.Outside)
	})
}

func evalScatter(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	a, x := n.Attr.(IndexAttr), args[0]
	t := e.zeros(n.Type)
	at := make([]int, len(a.Out))
	inside := e.mapping(n, args, t.Dims, at)
	x.each(func(flat int, idx []int) {
		if !inside(flat, idx) {
			return
		}
		if k := t.offset(at); t.F != nil {
			t.F[k] += x.F[flat]
		} else {
			t.I[k] = wrap(t.Elem, t.I[k]+x.I[flat])
		}
	})
	return t
}
