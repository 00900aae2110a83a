package codegen

import (
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// axisClasses says which dimensions of a region's values are the same axis of
// its kernel: those that element-wise ops, kept dimensions, labels and plain
// variables of index maps equate. A miss costs speed, never meaning.
//
// Where products feed others, what they read equates nothing: one value may be queries, keys and values, and
// its rows then are any of the axes.
type axisClasses struct {
	classes
	axes   map[dimension][]*loop.Axis // of each class: several where one value has the class twice
	behind map[*ir.Node]bool          // products and what depends on them, where one depends on another; else nil
	first  *ir.Node                   // of them; its axes come first
}

func classify(region *ir.Graph) *axisClasses {
	c := &axisClasses{classes: classes{}, axes: map[dimension][]*loop.Axis{}}
	c.findProducts(region)
	equalDims(region, func(x, y dimension) {
		if !c.isRead(x.node) && !c.isRead(y.node) {
			c.join(x, y)
		}
	})
	return c
}

// letters name axes in the order in which they are made.
const letters = "ijklmnopqrst"

// axis gives an axis for dimension d of n that is not among taken: the class's
// first that is free.
func (w *lowering) axis(n *ir.Node, d int, taken []*loop.Axis) *loop.Axis {
	return w.axisOf(nil, n, d, taken)
}

// axisOf is axis of what owner sums over, if it keeps its axes for itself.
func (w *lowering) axisOf(owner, n *ir.Node, d int, taken []*loop.Axis) *loop.Axis {
	class := w.axes.find(dimension{n, d})
	for _, a := range w.axes.axes[class] {
		if !loop.Has(taken, a) && w.owner[a] == owner {
			return a
		}
	}
	name := letters[len(w.kernel().Axes)%len(letters):][:1]
	dim := n.Type.Dims[d]
	var a *loop.Axis
	switch {
	case w.isStack(n, d):
		a = w.b.AxisLen(name, w.count(dim.Size), stackCapacity(dim.Size))
	case dim.Len == nil:
		a = w.b.Axis(name, dim.Size)
	default:
		a = w.b.AxisLen(name, w.expr(dim.Len), dim.Size)
	}
	w.axes.axes[class] = append(w.axes.axes[class], a)
	if owner != nil {
		w.owner[a] = owner
	}
	return a
}

// summed gives an axis for dimension d of argument arg of n, over which n sums. A product of what others are
// summed from keeps it for itself: keys may be values, too, and it is then an axis of the result.
func (w *lowering) summed(n *ir.Node, arg, d int, taken []*loop.Axis) *loop.Axis {
	x := n.Args[arg]
	a, ok := n.Attr.(ir.DotAttr)
	if !ok || !w.axes.isRead(x) {
		return w.axis(x, d, taken)
	}
	labels := []string{a.A, a.B}
	if y := n.Args[1-arg]; !w.axes.isRead(y) {
		return w.axis(y, strings.IndexByte(labels[1-arg], labels[arg][d]), taken)
	}
	return w.axisOf(n, x, d, taken)
}

// isRead reports whether n depends on no product of a region in which products depend on others.
func (c *axisClasses) isRead(n *ir.Node) bool { return c.behind != nil && !c.behind[n] }

// findProducts finds the products of a region and what depends on them, if one depends on another.
func (c *axisClasses) findProducts(region *ir.Graph) {
	var first *ir.Node
	behind, chain := map[*ir.Node]bool{}, false
	for _, n := range region.Nodes() {
		for _, a := range n.Args {
			behind[n] = behind[n] || behind[a]
		}
		if n.Op == ir.OpDot {
			if first == nil {
				first = n
			}
			chain = chain || behind[n]
			behind[n] = true
		}
	}
	if chain {
		c.behind, c.first = behind, first
	}
}

// expr is an expression over symbols as a value.
func (w *lowering) expr(e *index.Expr) *loop.Value {
	return w.exprWith(e, func(string) *loop.Value { return nil })
}

// exprWith is expr where vars gives the variables that are no symbols.
func (w *lowering) exprWith(e *index.Expr, vars func(name string) *loop.Value) *loop.Value {
	switch e.Op {
	case index.Const:
		return w.b.Int(loop.I64, int64(e.K))
	case index.Var:
		if v := vars(e.Name); v != nil {
			return v
		}
		return w.length(e.Name)
	}
	v := w.exprWith(e.Args[0], vars)
	for _, a := range e.Args[1:] {
		v = w.b.Op(exprOps[e.Op], v, w.exprWith(a, vars))
	}
	return v
}

var exprOps = map[index.Op]loop.Op{index.Add: loop.Add, index.Mul: loop.Mul, index.Div: loop.Div, index.Mod: loop.Mod, index.Min: loop.Min, index.Max: loop.Max}
