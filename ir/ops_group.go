package ir

import (
	"fmt"
	"strings"

	"mdlc/ir/loop"
)

// Products of groups of rows. The gradient of matrices that data pick, w[e[n]], is for each matrix the sum over the rows that picked it:
// a product whose summands are those rows, as many as there are. order has the rows sorted by group, start where groups begin in it.

// GroupDotAttr is the attribute of groupdot: a dot and the label of its rows, which both operands have. In the result
// it is the label of groups.
type GroupDotAttr struct {
	DotAttr
	Rows string // one letter
}

func init() {
	OpGroupDot = define(&Op{
		Name: "groupdot", Arity: 4, Class: ClassDot,
		Doc:       "a dot of x and y, operands 0 and 1, that sums up the rows of each group g: rows order[start[g]] .. order[start[g+1]-1], in this order, operands 2 and 3",
		Infer:     inferGroupDot,
		NoGrad:    "pass groups makes it, after gradients are taken",
		Lower:     lowerGroupDot,
		Cost:      groupDotCost,
		Eval:      evalGroupDot,
		ParseAttr: parseGroupDot,
	})
}

func inferGroupDot(s *Scope, n *Node) (Type, error) {
	a := n.Attr.(GroupDotAttr)
	order, start := n.Args[2].Type, n.Args[3].Type
	rows, inB := strings.Index(a.A, a.Rows), strings.Index(a.B, a.Rows)
	at := strings.Index(a.Out, a.Rows)
	if len(a.Rows) != 1 || rows < 0 || inB < 0 || at < 0 {
		return Type{}, fmt.Errorf("rows %q of %s are no axis of both operands and the result", a.Rows, a.Spec())
	}
	t, err := inferDot(s, &Node{Op: OpDot, Attr: a.DotAttr, Args: n.Args[:2]})
	switch {
	case err != nil:
		return t, err
	case !t.Elem.IsFloat():
		return t, takes("floats", n.Args[0].Type)
	case !order.Equal(OfDims(loop.I32, t.Dims[at:at+1])):
		return t, fmt.Errorf("the order of the rows is %s, must be %s", order, OfDims(loop.I32, t.Dims[at:at+1]))
	case start.IsTuple() || start.Elem != loop.I32 || start.Rank() != 1 || start.Dims[0].Len != nil || start.Dims[0].Size < 1:
		return t, fmt.Errorf("where groups begin is %s, must be i32 of one more than there are groups", start)
	}
	t.Dims[at] = Dim{Size: start.Dims[0].Size - 1}
	for _, l := range a.Contracted() {
		if d := n.Args[0].Type.Dims[strings.IndexRune(a.A, l)]; d.Len != nil {
			return t, fmt.Errorf("axis %c is summed over and has length %s, must be a number", l, d.Length())
		}
	}
	return t, nil
}

// summands is how many summands a row has.
func (a GroupDotAttr) summands(x Type) int {
	n := 1
	for _, l := range a.Contracted() {
		n *= x.Dims[strings.IndexRune(a.A, l)].Size
	}
	return n
}

// groupDotCost counts the rows of a group of average size.
func groupDotCost(n *Node) float64 {
	a := n.Attr.(GroupDotAttr)
	rows, groups := n.Args[2].Type.Dims[0].Size, n.Args[3].Type.Dims[0].Size-1
	return float64(a.summands(n.Args[0].Type)) * max(1, float64(rows)/float64(max(groups, 1)))
}

// lowerGroupDot makes the summands of a group one axis, whose length is data. Where they are among those of all rows is an axis that
// follows from it, so that what is read of rows can be packed once for all groups.
//
//	axis k: (start[g+1] - start[g]) * 128 <= 768, p: 768 = start[g]*128 + k
//	dot[k](X[order[p/128],p%128,i], Y[order[p/128],p%128,j])
func lowerGroupDot(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
	a := n.Attr.(GroupDotAttr)
	op := func(op loop.Op, x *loop.Value, k int) *loop.Value { return c.B.Op(op, x, c.B.Int(loop.I64, int64(k))) }
	at := map[rune]*loop.Value{}
	for k, l := range a.Out {
		at[l] = idx[k]
	}
	rows := rune(a.Rows[0])
	begins := convert(c, c.Args[3]([]*loop.Value{at[rows]}), loop.I64)
	ends := convert(c, c.Args[3]([]*loop.Value{op(loop.Add, at[rows], 1)}), loop.I64)
	length, each := n.Args[2].Type.Dims[0], a.summands(n.Args[0].Type)
	all := lowerExpr(c, length.Length(), func(string) *loop.Value { return nil })
	k := c.B.AxisLen("k", op(loop.Mul, c.B.Op(loop.Sub, ends, begins), each), length.Size*each)
	place := c.B.Op(loop.Add, op(loop.Mul, begins, each), c.B.Index(k))
	p := c.B.Index(c.B.AxisDef("p", op(loop.Mul, all, each), length.Size*each, place))
	row := convert(c, c.Args[2]([]*loop.Value{op(loop.Div, p, each)}), loop.I64)
	at[rows] = c.B.Op(loop.Max, c.B.Int(loop.I64, 0), c.B.Op(loop.Min, row, op(loop.Sub, all, 1)))
	for _, l := range a.Contracted() {
		size := n.Args[0].Type.Dims[strings.IndexRune(a.A, l)].Size
		each /= size
		at[l] = op(loop.Mod, op(loop.Div, p, each), size)
	}
	operand := func(k int, labels string) *loop.Value {
		ix := make([]*loop.Value, 0, len(labels))
		for _, l := range labels {
			ix = append(ix, at[l])
		}
		return c.Args[k](ix)
	}
	x, y := operand(0, a.A), operand(1, a.B)
	return convert(c, c.B.Dot([]*loop.Axis{k}, x, y, nil), n.Type.Elem)
}

// evalGroupDot adds the products of a group row by row, the last contracted axis fastest.
func evalGroupDot(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	a := n.Attr.(GroupDotAttr)
	x, y, order, start := args[0], args[1], args[2], args[3]
	out := e.zeros(n.Type)
	over := a.Contracted()
	var sizes []int
	for _, l := range over {
		sizes = append(sizes, x.Dims[strings.IndexRune(a.A, l)])
	}
	// A result is at a place of the operands without their rows, which are stride apart.
	free := strings.ReplaceAll(a.Out, a.Rows, " ")
	xs, ys := offsets(a.A, x, over, sizes), offsets(a.B, y, over, sizes)
	xo, yo := offsets(a.A, x, free, out.Dims), offsets(a.B, y, free, out.Dims)
	stride := func(labels string, t *Tensor) int {
		n := 1
		for _, d := range t.Dims[strings.Index(labels, a.Rows)+1:] {
			n *= d
		}
		return n
	}
	xr, yr := stride(a.A, x), stride(a.B, y)
	group := offsets(a.Rows, start, a.Out, out.Dims)
	for flat := range out.Len() {
		for at := start.I[group[flat]]; at < start.I[group[flat]+1]; at++ {
			row := int(order.I[at])
			for k := range xs {
				out.F[flat] += x.F[xo[flat]+row*xr+xs[k]] * y.F[yo[flat]+row*yr+ys[k]]
			}
		}
	}
	return out
}

func parseGroupDot(p *AttrParser) (Attr, error) {
	d, err := parseDot(p)
	if err != nil {
		return nil, err
	}
	return GroupDotAttr{d.(DotAttr), p.name("label of rows")}, p.err
}

// Text is the spec and the label of rows: {nif,nid->nfd} n.
func (a GroupDotAttr) Text() string { return a.DotAttr.Text() + " " + a.Rows }
