package passes

import "mdlc/ir"

// Unstop removes stop, which only gradients see:
//
//	%1 = stop %0
//	%2 = %1 * %x
//
// becomes
//
//	%2 = %0 * %x
func Unstop(g *ir.Graph) (*ir.Graph, error) {
	if !holds(g, func(n *ir.Node) bool { return n.Op == ir.OpStop }) {
		return g, nil
	}
	return rewrite(g, func(*ir.Graph) rule {
		return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
			if n.Op == ir.OpStop {
				return args[0], nil
			}
			return nil, nil
		}
	})
}
