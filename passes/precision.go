package passes

import (
	"mdlc/ir"
	"mdlc/ir/loop"
)

// Precision gives products the element type that the file's `precision` names for them,
// bf16 here:
//
//	%2 = dot ab,bc->ac %x, %w
//
// becomes
//
//	%2 = cast bf16 %x
//	%3 = cast bf16 %w
//	%4 = dot ab,bc->ac %2, %3      f32: sums stay in f32
//	%5 = cast f32 (cast bf16 %4)
//
// So what goes into a product and what comes out of one is stored in bf16, forward and, by the
// gradient of a cast, backward; everything between is computed in f32. A movement of an operand
// moves bf16. Products of operands that the file typed itself stay as they are.
func Precision(e ir.Elem) func(*ir.Graph) (*ir.Graph, error) {
	return func(g *ir.Graph) (*ir.Graph, error) {
		if e != loop.BF16 && e != loop.F16 {
			return g, nil
		}
		return rewrite(g, func(*ir.Graph) rule {
			return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
				if n.Op != ir.OpDot || args[0].Type.Elem != loop.F32 {
					return nil, nil
				}
				y := b.Make(ir.OpDot, n.Attr, narrowed(b, args[0], e), narrowed(b, args[1], e))
				return b.Cast(b.Cast(y, e), loop.F32), nil
			}
		})
	}
}

// narrowed is x, a tensor of f32, in elements of e; what moves x moves it after.
func narrowed(b *ir.Builder, x *ir.Node, e ir.Elem) *ir.Node {
	switch a := x.Attr.(type) {
	case ir.CastAttr:
		if x.Args[0].Type.Elem == e {
			return x.Args[0]
		}
	case ir.IndexAttr:
		if x.Op != ir.OpIndex {
			break
		}
		if a.Outside != nil {
			v := loop.RoundTo(e, *a.Outside)
			a.Outside = &v
		}
		return b.Make(ir.OpIndex, a, append([]*ir.Node{narrowed(b, x.Args[0], e)}, x.Args[1:]...)...)
	}
	return b.Cast(x, e)
}
