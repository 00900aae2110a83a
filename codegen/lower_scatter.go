package codegen

import (
	"fmt"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// scatterOf is the scatter or bucket of a region that has one; it is the region's only result.
func scatterOf(region *ir.Graph) *ir.Node {
	for _, n := range region.Nodes() {
		if n.Op.Class != ir.ClassScatter {
			continue
		}
		if len(region.Results) != 1 || region.Results[0].Value != n {
			panic("a scatter must be the only result of its cluster")
		}
		return n
	}
	return nil
}

// scatter writes a kernel of two pages: zeros, then the additions in ascending
// order of the source,
//
//	for n { DE[tok[n], d] = DE[tok[n], d] + DY[n, d] }
//
// An axis that the map passes through unchanged, like d, stays open: each of its
// points adds on its own, and reads back what it wrote itself.
func (w *lowering) scatter(n *ir.Node) error {
	if e := n.Type.Elem; e.IsFloat() && e.Size() < 4 {
		return fmt.Errorf("%s: a scatter adds in %s: cast to f32 before it", n.Pos, e)
	}
	a, x := n.Attr.(ir.IndexAttr), n.Args[0]
	passed := w.passed(n)
	out := w.output(0, n)
	w.b.Store(out, w.open(n), nil, zero(w.b, n.Type.Elem))
	w.b.Phase()
	w.axes.axes = map[dimension][]*loop.Axis{} // pages share no axes

	var open, loops []*loop.Axis
	at := make([]*loop.Value, a.Vars)
	for v := range x.Type.Dims {
		axis := w.axis(x, v, append(open, loops...))
		if passed[v] {
			open = append(open, axis)
		} else {
			axis.Bind = loop.Loop
			loops = append(loops, axis)
		}
		at[v] = w.b.Index(axis)
	}
	w.nest(loops, func() {
		idx, guard := w.target(n, at)
		old := w.b.Load(out, idx, guard)
		w.b.Store(out, idx, guard, w.b.Op(loop.Add, old, w.pull(x, at, guard)))
	})
	return nil
}

func zero(b *loop.Builder, e ir.Elem) *loop.Value { return b.Number(e, 0) }

// nest runs body inside loops over axes.
func (w *lowering) nest(axes []*loop.Axis, body func()) {
	if len(axes) == 0 {
		body()
		return
	}
	w.b.For(axes[0], nil, nil, nil, func([]*loop.Value) []*loop.Value {
		w.nest(axes[1:], body)
		return nil
	})
}

// passed says which variables of a scatter's map are passed through: each is one index of
// the result, of the same length, and used in no other.
func (w *lowering) passed(n *ir.Node) map[int]bool {
	a := n.Attr.(ir.IndexAttr)
	uses := map[string]int{}
	for _, e := range a.Out {
		e.Vars(func(name string) { uses[name]++ })
	}
	out := map[int]bool{}
	for v := range a.Vars {
		for d, e := range a.Out {
			if index.Equal(e, ir.Var(v)) && uses[e.Name] == 1 && n.Args[0].Type.Dims[v].Equal(n.Type.Dims[d]) {
				out[v] = true
			}
		}
	}
	return out
}

// target is where the element at of a scatter's operand goes, and whether it is inside.
func (w *lowering) target(n *ir.Node, at []*loop.Value) (idx []*loop.Value, guard *loop.Value) {
	a := n.Attr.(ir.IndexAttr)
	data := func(name string) *loop.Value {
		for v := range a.Vars {
			if name == ir.Var(v).Name {
				return at[v]
			}
		}
		for k := 1; k < len(n.Args); k++ {
			if name == ir.Data(k).Name {
				return cast(w.b, loop.I64, w.pull(n.Args[k], at, nil))
			}
		}
		return nil
	}
	need := func(v *loop.Value) {
		if guard != nil {
			v = w.b.Op(loop.And, guard, v)
		}
		guard = v
	}
	for d, e := range a.Out {
		v := w.exprWith(e, data)
		idx = append(idx, v)
		lo, hi := e.Range(func(name string) (int, int) { return w.bounds(n, name) })
		if lo < 0 {
			need(w.b.Op(loop.Ge, v, w.b.Int(loop.I64, 0)))
		}
		if dim := n.Type.Dims[d]; hi >= dim.Size || dim.Len != nil && !w.sameLength(n, e, dim) {
			need(w.b.Op(loop.Lt, v, w.expr(dim.Length())))
		}
	}
	return idx, guard
}

// bounds is the range of a variable of a scatter's map; of data, anything.
func (w *lowering) bounds(n *ir.Node, name string) (lo, hi int) {
	for v, dim := range n.Args[0].Type.Dims {
		if name == ir.Var(v).Name {
			return 0, max(0, dim.Size-1)
		}
	}
	if y, ok := w.scope.Lookup(name); ok {
		return 0, y.Max
	}
	return -1 << 40, 1 << 40
}

// sameLength reports whether e is a variable of an operand axis as long as dim.
func (w *lowering) sameLength(n *ir.Node, e *index.Expr, dim ir.Dim) bool {
	for v, x := range n.Args[0].Type.Dims {
		if index.Equal(e, ir.Var(v)) && x.Equal(dim) {
			return true
		}
	}
	return false
}

func cast(b *loop.Builder, e ir.Elem, v *loop.Value) *loop.Value {
	if v.Elem == e {
		return v
	}
	return b.Cast(e, v)
}
