package passes

import "mdlc/ir"

// lift computes an element-wise op once for all places where it has the same value:
//
//	%2 = index %a {(i0, i1) -> (i1)} [8, 4]
//	%3 = cos %2                                →  %3 = cos %a
//	                                              %4 = index %3 {(i0, i1) -> (i1)} [8, 4]
//
// Operands that are broadcasts of different axes, iota and splats are brought to
// the axes that any of them varies along.
func (s *simplifier) lift(n *ir.Node) *ir.Node {
	if n.Op.Class != ir.ClassElementwise || len(n.Args) == 0 {
		return nil
	}
	rank := n.Type.Rank()
	v := s.varying.of(n)
	if v == allAxes(rank) {
		return nil
	}
	for _, x := range n.Args {
		if x.Op.Class != ir.ClassMovement && x.Op.Class != ir.ClassLeaf {
			return nil
		}
	}
	list := v.list(rank)
	small := s.varying.narrow(s.b, n, v)
	args := make([]*ir.Node, len(small.Args))
	for i, x := range small.Args {
		args[i] = s.simplify(x)
	}
	return s.simplify(s.b.Broadcast(s.make(n.Op, n.Attr, args...), n.Type.Dims, list...))
}
