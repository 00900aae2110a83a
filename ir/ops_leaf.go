package ir

import (
	"fmt"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

func init() {
	OpParam = define(&Op{
		Name: "param", Arity: 0, Doc: "a parameter of the graph", Class: ClassLeaf,
		Infer:     func(_ *Scope, n *Node) (Type, error) { return n.Attr.(ParamAttr).Type, nil },
		NoGrad:    "a leaf",
		Cost:      free,
		Eval:      func(e *Evaluator, n *Node, _ []*Tensor) *Tensor { return e.param(n) },
		ParseAttr: parseParam,
	})
	OpConst = define(&Op{
		Name: "const", Arity: 0, Doc: "a number in every element, or a small table", Class: ClassLeaf,
		Infer:     inferConst,
		NoGrad:    "a leaf",
		Lower:     lowerConst,
		Cost:      free,
		Eval:      evalConst,
		ParseAttr: parseConst,
	})
	OpIota = define(&Op{
		Name: "iota", Arity: 0, Doc: "the index along an axis, i32", Class: ClassLeaf,
		Infer: func(_ *Scope, n *Node) (Type, error) {
			a := n.Attr.(IotaAttr)
			if a.Axis < 0 || a.Axis >= len(a.Dims) {
				return Type{}, fmt.Errorf("axis %d of %s", a.Axis, dimsText(a.Dims))
			}
			return OfDims(loop.I32, a.Dims), nil
		},
		NoGrad: "a leaf",
		Lower: func(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
			return convert(c, idx[n.Attr.(IotaAttr).Axis], loop.I32)
		},
		Cost: free,
		Eval: func(e *Evaluator, n *Node, _ []*Tensor) *Tensor {
			axis := n.Attr.(IotaAttr).Axis
			return e.fill(n.Type, func(t *Tensor, at int, idx []int) { t.I[at] = int64(idx[axis]) })
		},
		ParseAttr: parseIota,
	})
}

func free(*Node) float64 { return 0 }

// MaxTable is the largest dense constant: tables are code, not data.
const MaxTable = 1 << 16

func inferConst(_ *Scope, n *Node) (Type, error) {
	a := n.Attr.(ConstAttr)
	switch {
	case a.Type.IsTuple():
		return a.Type, takes("tensors", a.Type)
	case len(a.Bits) == 1:
		return a.Type, nil
	case a.Type.IsDynamic():
		return a.Type, fmt.Errorf("a table of runtime length %s", a.Type)
	case len(a.Bits) != a.Type.Size():
		return a.Type, fmt.Errorf("%d values for %s", len(a.Bits), a.Type)
	case len(a.Bits) > MaxTable:
		return a.Type, fmt.Errorf("a table of %d values; at most %d", len(a.Bits), MaxTable)
	}
	return a.Type, nil
}

// lowerConst: a table is a chain of selections over the flat index; tables that
// are not tiny become buffers before lowering.
func lowerConst(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
	a := n.Attr.(ConstAttr)
	e := a.Type.Elem
	if v, ok := a.Splat(); ok {
		return number(c, e, v)
	}
	flat := number(c, loop.I64, 0)
	for k, d := range a.Type.Dims {
		flat = c.B.Op(loop.Add, c.B.Op(loop.Mul, flat, number(c, loop.I64, float64(d.Size))), idx[k])
	}
	v := number(c, e, 0)
	for i := len(a.Bits) - 1; i >= 0; i-- {
		here := c.B.Op(loop.Eq, flat, number(c, loop.I64, float64(i)))
		v = c.B.Where(here, number(c, e, a.Float(i)), v)
	}
	return v
}

func evalConst(e *Evaluator, n *Node, _ []*Tensor) *Tensor {
	a := n.Attr.(ConstAttr)
	t := e.zeros(n.Type)
	for i := range t.F {
		t.F[i] = a.Float(i)
	}
	for i := range t.I {
		t.I[i] = int64(a.Bits[min(i, len(a.Bits)-1)])
	}
	return t
}

// lowerExpr computes an index expression in a kernel, i64; vars gives its variables that are not symbols.
func lowerExpr(c *LowerCtx, e *index.Expr, vars func(name string) *loop.Value) *loop.Value {
	switch e.Op {
	case index.Const:
		return number(c, loop.I64, float64(e.K))
	case index.Var:
		if v := vars(e.Name); v != nil {
			return v
		}
		return c.Len(e.Name)
	}
	op := map[index.Op]loop.Op{index.Add: loop.Add, index.Mul: loop.Mul, index.Div: loop.Div,
		index.Mod: loop.Mod, index.Min: loop.Min, index.Max: loop.Max}[e.Op]
	v := lowerExpr(c, e.Args[0], vars)
	for _, a := range e.Args[1:] {
		v = c.B.Op(op, v, lowerExpr(c, a, vars))
	}
	return v
}
