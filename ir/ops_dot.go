package ir

import (
	"fmt"
	"strings"

	"mdlc/ir/loop"
)

func init() {
	OpDot = define(&Op{
		Name: "dot", Arity: 2, Doc: "einsum of two operands; the result of narrower floats is f32", Class: ClassDot,
		Infer:     inferDot,
		Grad:      dotGrad,
		Lower:     lowerDot,
		Cost:      dotCost,
		Eval:      evalDot,
		ParseAttr: parseDot,
	})
}

func inferDot(_ *Scope, n *Node) (Type, error) {
	d := n.Attr.(DotAttr)
	x, y := n.Args[0].Type, n.Args[1].Type
	if x.IsTuple() || y.IsTuple() || x.Elem != y.Elem || x.Elem == loop.Bool {
		return x, fmt.Errorf("operands %s and %s must be numbers of one type", x, y)
	}
	t := Type{Elem: dotElem(x.Elem)}
	if len(d.A) != x.Rank() || len(d.B) != y.Rank() {
		return t, fmt.Errorf("%s for %s and %s", d.Spec(), x, y)
	}
	dims := map[rune]Dim{}
	for side, s := range []string{d.A, d.B} {
		for k, l := range s {
			if strings.Count(s, string(l)) != 1 {
				return t, fmt.Errorf("label %c stands twice in %s", l, s)
			}
			if !letter(l) {
				return t, fmt.Errorf("label %q is not a letter", l)
			}
			dims[l] = n.Args[side].Type.Dims[k]
		}
	}
	for k, l := range d.A {
		if j := strings.IndexRune(d.B, l); j >= 0 && !x.Dims[k].Equal(y.Dims[j]) {
			return t, fmt.Errorf("axis %c is %s in %s and %s in %s", l, x.Dims[k], x, y.Dims[j], y)
		}
	}
	for _, l := range d.A + d.B {
		if !strings.ContainsRune(d.Out, l) && !(strings.ContainsRune(d.A, l) && strings.ContainsRune(d.B, l)) {
			return t, fmt.Errorf("label %c of one operand is not in the result of %s", l, d.Spec())
		}
	}
	for _, l := range d.Out {
		dim, ok := dims[l]
		if !ok || strings.Count(d.Out, string(l)) != 1 {
			return t, fmt.Errorf("label %c of the result of %s", l, d.Spec())
		}
		t.Dims = append(t.Dims, dim)
	}
	return t, nil
}

func letter(l rune) bool { return l >= 'a' && l <= 'z' || l >= 'A' && l <= 'Z' }

// dotElem is the element type of a dot's result: narrower floats are summed in f32.
func dotElem(e Elem) Elem {
	if e.IsFloat() && e.Size() < 4 {
		return loop.F32
	}
	return e
}

// dotGrad: the cotangent takes the operands' type, or bf16 where that has 8 bits, so that a product of
// narrower floats has gradients that are such products too.
func dotGrad(b *Builder, n, dy *Node) []*Node {
	d, x, y := n.Attr.(DotAttr), n.Args[0], n.Args[1]
	if !x.Type.Elem.IsFloat() {
		return []*Node{nil, nil}
	}
	e := x.Type.Elem
	if e.Size() == 1 { // all of whose numbers are such of bf16
		e = loop.BF16
		x, y = b.Cast(x, e), b.Cast(y, e)
	}
	g := b.Cast(dy, e)
	dx := b.Make(OpDot, DotAttr{d.Out, d.B, d.A}, g, y)
	dyy := b.Make(OpDot, DotAttr{d.A, d.Out, d.B}, x, g)
	if n.Args[0].Type.Elem.Size() == 1 { // their cotangents are f32
		return []*Node{dx, dyy}
	}
	return []*Node{b.Cast(dx, e), b.Cast(dyy, e)}
}

func dotCost(n *Node) float64 {
	work := 1.0
	d := n.Attr.(DotAttr)
	for _, l := range d.Contracted() {
		work *= float64(n.Args[0].Type.Dims[strings.IndexRune(d.A, l)].Size)
	}
	return work
}

func lowerDot(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
	d := n.Attr.(DotAttr)
	at := map[rune]*loop.Value{}
	for k, l := range d.Out {
		at[l] = idx[k]
	}
	var over []*loop.Axis
	for _, l := range d.Contracted() {
		axis := c.Axis(0, strings.IndexRune(d.A, l))
		over = append(over, axis)
		at[l] = c.B.Index(axis)
	}
	operand := func(k int, labels string) *loop.Value {
		ix := make([]*loop.Value, 0, len(labels))
		for _, l := range labels {
			ix = append(ix, at[l])
		}
		return c.Args[k](ix)
	}
	x, y := operand(0, d.A), operand(1, d.B)
	if len(over) == 0 {
		return c.B.Op(loop.Mul, convert(c, x, n.Type.Elem), convert(c, y, n.Type.Elem))
	}
	if n.Type.Elem.IsFloat() {
		return convert(c, c.B.Dot(over, x, y, nil), n.Type.Elem)
	}
	return c.B.Reduce(loop.ReduceSeq, over, c.B.Op(loop.Mul, x, y))
}
