package passes

import (
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
)

// Contract recognises sums of products as matrix products, whatever their
// spelling. In index notation each factor is broadcast to all axes:
//
//	%3 = index %x {(i0, i1, i2) -> (i0, i2)} [m, n, k]
//	%4 = index %w {(i0, i1, i2) -> (i2, i1)} [m, n, k]
//	%5 = reduce sum[2] (%3 * %4)
//
// becomes
//
//	%5 = dot ab,bc->ac %x, %w
//
// A factor is an element-wise expression, a mask (where c then x else 0) or a
// movement; it keeps what it varies along. So windows (convolutions), shared
// heads (h div g) and gathers stay in the operand's map. A factor that does not vary along
// the summed axes, like 1/sqrt(D), is multiplied after the sum.
//
// It does not fire for sums of integers; where only one factor varies along a
// summed axis; where one operand has no axis of its own longer than 1 and the other is no window (then each
// element of that is used once, and a reduction streams it), unless a row sum would gather it (contract_vector.go);
// where the summed axes have one element.
func Contract(g *ir.Graph) (*ir.Graph, error) {
	return rewrite(g, func(*ir.Graph) rule {
		v := varyingAxes{}
		return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
			a, ok := n.Attr.(ir.ReduceAttr)
			if !ok || a.Kind != ir.Sum || !n.Type.Elem.IsFloat() {
				return nil, nil
			}
			c := &contraction{b: b, v: v, summed: axesOf(a.Axes...), rank: args[0].Type.Rank(), dims: args[0].Type.Dims}
			return c.build(args[0]), nil
		}
	})
}

// contraction is one sum over `summed` of a product of factors.
type contraction struct {
	b      *ir.Builder
	v      varyingAxes
	summed axes
	rank   int
	dims   []ir.Dim
	inner  []*ir.Node // factors that vary along summed axes
	outer  []outerFactor
}

// outerFactor multiplies or divides the sum, or says where it is 0.
type outerFactor struct {
	op *ir.Op
	x  *ir.Node
}

// build gives the dot, or nil where there is none.
func (c *contraction) build(x *ir.Node) *ir.Node {
	c.split(x)
	left, right := c.operands()
	if left == nil || !c.worthwhile(left, right) {
		return nil
	}
	c.sumAlone(left, right.axes)
	c.sumAlone(right, left.axes)
	kept := allAxes(c.rank) &^ c.summed
	r := c.b.Dot(c.spec(left.axes)+","+c.spec(right.axes)+"->"+c.spec((left.axes|right.axes)&kept), left.node, right.node)
	list := kept.list(c.rank)
	if have := (left.axes | right.axes) & kept; have != kept {
		var at []int
		for _, k := range have.list(c.rank) {
			at = append(at, position(list, k))
		}
		r = c.b.Broadcast(r, pick(c.dims, list), at...)
	}
	for i := len(c.outer) - 1; i >= 0; i-- {
		f := c.outer[i]
		switch {
		case f.x == nil:
			r = c.b.Make(f.op, nil, r)
		case f.op == ir.OpWhere:
			r = c.b.Where(c.v.narrow(c.b, f.x, kept), r, c.b.Like(r, 0))
		default:
			r = c.b.Make(f.op, nil, r, c.v.narrow(c.b, f.x, kept))
		}
	}
	return r
}

// split takes a product apart, down to factors.
func (c *contraction) split(x *ir.Node) {
	still := func(y *ir.Node) bool { return c.v.of(y)&c.summed == 0 }
	switch {
	case still(x):
		c.outer = append(c.outer, outerFactor{ir.OpMul, x})
	case x.Op == ir.OpMul:
		c.split(x.Args[0])
		c.split(x.Args[1])
	case x.Op == ir.OpNeg:
		c.outer = append(c.outer, outerFactor{ir.OpNeg, nil})
		c.split(x.Args[0])
	case x.Op == ir.OpDiv && c.v.of(x.Args[1]) == 0:
		c.outer = append(c.outer, outerFactor{ir.OpDiv, x.Args[1]})
		c.split(x.Args[0])
	case x.Op == ir.OpWhere && c.mask(x):
	default:
		c.inner = append(c.inner, x)
	}
}

// mask splits where(m, a*b, 0). If m does not vary along summed axes, it says where the sum is 0. Else, if it varies with one factor only,
// that becomes where(m, a, 0), and so does each other that m varies with, since what is left out may be no number. Of a factor
// that has fewer axes than m, as the values of attention, it has to be one, and of a window, where another factor is none: 0 times it is added.
func (c *contraction) mask(x *ir.Node) bool {
	m, y, zero := x.Args[0], x.Args[1], x.Args[2]
	if !isZero(zero) {
		return false
	}
	t := &contraction{b: c.b, v: c.v, summed: c.summed, rank: c.rank, dims: c.dims}
	t.split(y)
	if len(t.inner) < 2 {
		return false
	}
	masked := c.v.of(m)&c.summed == 0
	if masked {
		c.outer = append(c.outer, outerFactor{ir.OpWhere, m})
	}
	put := func(windows bool) {
		for i, f := range t.inner {
			if ir.Slides(f) == windows && c.v.of(m).subset(c.v.of(f)) {
				t.inner[i], masked = c.b.Where(m, f, zero), true
			}
		}
	}
	if !masked {
		put(false)
	}
	if !masked {
		put(true)
	}
	if !masked {
		return false
	}
	c.inner = append(c.inner, t.inner...)
	c.outer = append(c.outer, t.outer...)
	return true
}

func isZero(n *ir.Node) bool {
	a, ok := n.Attr.(ir.ConstAttr)
	if !ok {
		return false
	}
	v, splat := a.Splat()
	return splat && v == 0
}

// operand is a product of factors with only the axes that it varies along.
type operand struct {
	node *ir.Node
	axes axes
}

// operands multiplies the factors together until two are left: first those
// that vary along a part of another's axes, then the pair whose product is smallest.
func (c *contraction) operands() (left, right *operand) {
	if len(c.inner) < 2 {
		return nil, nil
	}
	ops := make([]*operand, len(c.inner))
	for i, f := range c.inner {
		a := c.v.of(f)
		ops[i] = &operand{c.v.narrow(c.b, f, a), a}
	}
	for {
		bi, bj, best := -1, -1, 0
		for i := range ops {
			for j := i + 1; j < len(ops); j++ {
				u := ops[i].axes | ops[j].axes
				nested := u == ops[i].axes && !c.apart(ops[i], ops[j]) || u == ops[j].axes && !c.apart(ops[j], ops[i])
				if size := c.size(u); (nested || len(ops) > 2) && (bi < 0 || size < best) {
					bi, bj, best = i, j, size
				}
			}
		}
		if bi < 0 {
			return ops[0], ops[1]
		}
		ops[bi] = c.multiply(ops[bi], ops[bj])
		ops = append(ops[:bj], ops[bj+1:]...)
		if len(ops) < 2 {
			return nil, nil
		}
	}
}

// apart reports whether x is worth a product with other, which varies along no other axes.
func (c *contraction) apart(x, other *operand) bool { return c.slides(x, other) || c.streams(x, other) }

func (c *contraction) size(a axes) int {
	n := 1
	for _, k := range a.list(c.rank) {
		n *= c.dims[k].Size
	}
	return n
}

func (c *contraction) multiply(x, y *operand) *operand {
	u := x.axes | y.axes
	return &operand{c.b.Mul(c.widen(x, u), c.widen(y, u)), u}
}

// widen broadcasts an operand to more axes.
func (c *contraction) widen(x *operand, to axes) *ir.Node {
	list := to.list(c.rank)
	var at []int
	for _, k := range x.axes.list(c.rank) {
		at = append(at, position(list, k))
	}
	return c.b.Broadcast(x.node, pick(c.dims, list), at...)
}

// worthwhile: elements of both operands are used again, for an axis that only the other has or because a window slides over them,
// or one is a matrix that a sum would not read as it lies, and there is something to sum over in both.
func (c *contraction) worthwhile(l, r *operand) bool {
	kept := allAxes(c.rank) &^ c.summed
	if (l.axes|r.axes)&c.summed != c.summed { // a factor for the length of a summed axis that nothing varies along
		return false
	}
	used := func(x, other *operand) bool { return c.size(other.axes&kept&^x.axes) > 1 || c.slides(x, other) }
	return c.size(l.axes&r.axes&c.summed) > 1 && (used(l, r) && used(r, l) || c.streams(l, r) || c.streams(r, l))
}

// slides reports whether x is a window that moves along an axis that other has not, over elements that it sees at least twice:
//
//	index %x {(i0, i1) -> (i0 + i1)}      i1 is summed: a convolution of one channel
func (c *contraction) slides(x, other *operand) bool {
	list := x.axes.list(c.rank)
	slide, summed := x.axes&^c.summed&^other.axes, x.axes&c.summed&other.axes
	seen := map[*ir.Node]bool{}
	var visit func(n *ir.Node) bool
	visit = func(n *ir.Node) bool {
		if seen[n] {
			return false
		}
		seen[n] = true
		a, ok := n.Attr.(ir.IndexAttr)
		if !ok || n.Op.Class != ir.ClassMovement {
			return n.Op.Class == ir.ClassElementwise && slices.ContainsFunc(n.Args, visit)
		}
		return n.Type.Size() >= 2*n.Args[0].Type.Size() && slices.ContainsFunc(a.Out, func(e *index.Expr) bool {
			var along axes
			e.Vars(func(name string) {
				if k, ok := mapVar(name); ok {
					along |= axesOf(list[k])
				}
			})
			return along&slide != 0 && along&summed != 0
		})
	}
	return visit(x.node)
}

// sumAlone sums an operand over the axes that only it has.
func (c *contraction) sumAlone(x *operand, other axes) {
	alone := x.axes & c.summed &^ other
	if alone == 0 {
		return
	}
	list := x.axes.list(c.rank)
	var at []int
	for _, k := range alone.list(c.rank) {
		at = append(at, position(list, k))
	}
	x.node = c.b.Reduce(ir.Sum, at, x.node)
	x.axes &^= alone
}

// spec is the labels of a set of axes.
func (c *contraction) spec(a axes) string {
	s := make([]byte, 0, c.rank)
	for _, k := range a.list(c.rank) {
		s = append(s, byte('a'+k))
	}
	return string(s)
}
