package passes

import (
	"slices"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// pushIndex moves an index that reads a part of a value, or drops axes of one element, to the operands of what
// computes it, if nothing else reads the value:
//
//	%1 = dot ab,bc->ac %x, %w                  of f32[64, 512], f32[512, 256]
//	%2 = index %1 {(i0) -> (63, i0)} [256]     →  %2 = dot b,bc->c (row 63 of %x), %w
//
// Where the map may lead outside, the operands read 0 there and a comparison
// puts the outside value in.
func (s *simplifier) pushIndex(n *ir.Node) *ir.Node {
	a, ok := n.Attr.(ir.IndexAttr)
	if !ok || n.Op.Class != ir.ClassMovement || len(n.Args) > 1 {
		return nil
	}
	x := n.Args[0]
	if s.single(x) && !s.shared[x] && x.Op.Class == ir.ClassDot {
		if order, ok := permutes(a, x); ok && !slices.ContainsFunc(x.Args, readsQuotients) {
			return s.permuteDot(x, order)
		}
	}
	if !s.single(x) || n.Type.Size() >= x.Type.Size() && !(x.Op.Class == ir.ClassElementwise && dropsUnits(a)) {
		return nil
	}
	if a.Outside == nil {
		return s.push(a, x)
	}
	outside, zero := *a.Outside, 0.0
	a.Outside = &zero
	y := s.push(a, x)
	if y == nil {
		return nil
	}
	always := s.b.Const(x.Type.WithElem(loop.Bool), 1)
	inside := s.indexOf(always, a.Shape, a.Out, &zero)
	return s.make(ir.OpWhere, nil, inside, y, s.b.Const(n.Type, outside))
}

// permutes is where a map that reads all of x, in another order of axes, puts each.
func permutes(a ir.IndexAttr, x *ir.Node) (order []int, ok bool) {
	for i, e := range a.Out {
		k, ok := mapVar(e.Name)
		if !ok || e.Op != index.Var || slices.Contains(order, k) || !a.Shape[k].Equal(x.Type.Dims[i]) {
			return nil, false
		}
		order = append(order, k)
	}
	return order, len(order) == a.Vars && a.Outside == nil
}

// permuteDot writes the result of a product in another order: it is stored as those who read it want it. A product of residues, as the gradient of
// a convolution with a stride, keeps the order in which neighbours have the same taps.
//
//	%1 = dot ab,bc->ac %x, %w
//	%2 = index %1 {(i0, i1) -> (i1, i0)}     →  %2 = dot ab,bc->ca %x, %w
func (s *simplifier) permuteDot(x *ir.Node, order []int) *ir.Node {
	d := x.Attr.(ir.DotAttr)
	out := make([]byte, len(order))
	for i, k := range order {
		out[k] = d.Out[i]
	}
	d.Out = string(out)
	return s.make(x.Op, d, x.Args...)
}

// dropsUnits reports whether a map reads all there is, without some axes of one element.
func dropsUnits(a ir.IndexAttr) bool {
	next := 0
	for _, e := range a.Out {
		if k, ok := mapVar(e.Name); ok && e.Op == index.Var && k == next {
			next++
		} else if !e.IsConst(0) {
			return false
		}
	}
	return a.Outside == nil && next == a.Vars && next < len(a.Out)
}

// push computes x at the places of the map; nil: x is not of a kind that can.
func (s *simplifier) push(a ir.IndexAttr, x *ir.Node) *ir.Node {
	switch x.Op.Class {
	case ir.ClassElementwise:
		if len(x.Args) == 0 {
			return nil
		}
		args := make([]*ir.Node, len(x.Args))
		for i, y := range x.Args {
			if c, ok := y.Attr.(ir.ConstAttr); ok {
				if v, ok := c.Splat(); ok { // the same outside: what is computed there is not seen, and a divisor stays a constant
					args[i] = s.b.Const(ir.Type{Elem: y.Type.Elem, Dims: a.Shape}, v)
					continue
				}
			}
			args[i] = s.indexOf(y, a.Shape, a.Out, a.Outside)
		}
		return s.make(x.Op, x.Attr, args...)
	case ir.ClassReduce:
		if x.Args[0].Op == ir.OpMul && tangles(a, x) {
			return nil
		}
		return s.pushReduce(a, x)
	case ir.ClassDot:
		if tangles(a, x) {
			return nil
		}
		spec, l, r, ok := s.pushDot(a, x)
		if !ok {
			return nil
		}
		return s.make(ir.OpDot, spec, l, r)
	}
	return nil
}

// tangles reports whether a map that takes most of a product x has quotients or remainders: with these in it the operands
// are none of a matrix product any more, which costs more than to compute all of x.
func tangles(a ir.IndexAttr, x *ir.Node) bool {
	return 2*ir.OfDims(0, a.Shape).Size() > x.Type.Size() && slices.ContainsFunc(a.Out, hasQuotient)
}

func hasQuotient(e *index.Expr) bool {
	return e.Op == index.Div || e.Op == index.Mod || slices.ContainsFunc(e.Args, hasQuotient)
}

// readsQuotients reports whether n is an index whose map has quotients or remainders.
func readsQuotients(n *ir.Node) bool {
	a, ok := n.Attr.(ir.IndexAttr)
	return ok && n.Op.Class == ir.ClassMovement && slices.ContainsFunc(a.Out, hasQuotient)
}

// pushReduce reads a part of a reduction: the reduced axes come after the others, in order.
func (s *simplifier) pushReduce(a ir.IndexAttr, x *ir.Node) *ir.Node {
	r := x.Attr.(ir.ReduceAttr)
	y := x.Args[0]
	shape := append([]ir.Dim(nil), a.Shape...)
	out := make([]*index.Expr, y.Type.Rank())
	var cut []int
	kept := 0
	for k, d := range y.Type.Dims {
		if holdsInt(r.Axes, k) {
			out[k] = ir.Var(len(shape))
			cut = append(cut, len(shape))
			shape = append(shape, d)
			continue
		}
		out[k] = a.Out[kept]
		kept++
	}
	if r.Axes[len(r.Axes)-1] != y.Type.Rank()-1 {
		return nil // a column would become a row: another order of additions, and a worse one
	}
	return s.make(x.Op, ir.ReduceAttr{Kind: r.Kind, Axes: cut}, s.indexOf(y, shape, out, a.Outside))
}

// pushDot moves a map of a dot's result to its operands: each takes the
// variables that its labels read. A variable that both read is a batch axis.
func (s *simplifier) pushDot(a ir.IndexAttr, x *ir.Node) (spec ir.DotAttr, l, r *ir.Node, ok bool) {
	d := x.Attr.(ir.DotAttr)
	const letters = "abcdefghijklmnopqrstuvwxyz"
	sum := map[rune]string{} // the letter of a contracted label
	rank := len(a.Shape)
	for _, c := range d.Contracted() {
		if rank+len(sum) >= len(letters) {
			return spec, nil, nil, false
		}
		sum[c] = string(letters[rank+len(sum)])
	}
	operand := func(x *ir.Node, labels string) (string, *ir.Node) {
		var reads axes
		for _, c := range labels {
			if k := strings.IndexRune(d.Out, c); k >= 0 {
				a.Out[k].Vars(func(name string) {
					if v, ok := mapVar(name); ok {
						reads |= axesOf(v)
					}
				})
			}
		}
		list := reads.list(rank)
		shape := pick(a.Shape, list)
		text := ""
		for _, v := range list {
			text += string(letters[v])
		}
		out := make([]*index.Expr, len(labels))
		for i, c := range labels {
			if k := strings.IndexRune(d.Out, c); k >= 0 {
				out[i] = a.Out[k].Subst(func(name string) *index.Expr {
					if v, ok := mapVar(name); ok {
						return ir.Var(position(list, v))
					}
					return nil
				})
				continue
			}
			out[i] = ir.Var(len(shape))
			shape = append(shape, x.Type.Dims[i])
			text += sum[c]
		}
		return text, s.indexOf(x, shape, out, a.Outside)
	}
	spec.A, l = operand(x.Args[0], d.A)
	spec.B, r = operand(x.Args[1], d.B)
	for k := range a.Shape {
		c := string(letters[k])
		if !strings.Contains(spec.A, c) && !strings.Contains(spec.B, c) {
			return spec, nil, nil, false
		}
		spec.Out += c
	}
	return spec, l, r, true
}

// sumOfDot contracts what is summed after a dot over axes that both operands
// have. The gradient of a convolution's input, a window of a product, becomes one dot:
//
//	%1 = dot … %dy, %w : f32[y, x, di, dj]
//	%2 = index %1 {(i, j, di, dj) -> ((i - di)/s, (j - dj)/s, di, dj)} outside 0
//	%3 = reduce sum[2, 3] %2
//
// becomes a dot over o, di and dj of a window of %dy and %w.
func (s *simplifier) sumOfDot(n *ir.Node) *ir.Node {
	a, ok := n.Attr.(ir.ReduceAttr)
	if !ok || a.Kind != ir.Sum || !n.Type.Elem.IsFloat() {
		return nil
	}
	x := n.Args[0]
	spec, l, r := ir.DotAttr{}, (*ir.Node)(nil), (*ir.Node)(nil)
	switch {
	case x.Op.Class == ir.ClassDot:
		spec, l, r = x.Attr.(ir.DotAttr), x.Args[0], x.Args[1]
	case x.Op.Class == ir.ClassMovement && x.Args[0].Op.Class == ir.ClassDot && len(x.Args) == 1:
		at := x.Attr.(ir.IndexAttr)
		if at.Outside != nil && *at.Outside != 0 || !s.single(x.Args[0]) || s.shared[x.Args[0]] {
			return nil // the product is made anyway, and then a sum is cheap
		}
		if spec, l, r, ok = s.pushDot(at, x.Args[0]); !ok {
			return nil
		}
	default:
		return nil
	}
	if !s.single(x) {
		return nil
	}
	out := ""
	for k, c := range spec.Out {
		if !holdsInt(a.Axes, k) {
			out += string(c)
		} else if !strings.ContainsRune(spec.A, c) || !strings.ContainsRune(spec.B, c) {
			return nil // summed over an axis of one operand: not a contraction
		}
	}
	spec.Out = out
	return s.make(ir.OpDot, spec, l, r)
}
