package passes

import (
	"fmt"

	"mdlc/ir"
)

// Expand replaces ops that kernels do not know by their expansion.
//
//	%1 = argsort %0 : i32[100]
//
// becomes the ops that argsort's row in the table writes:
//
//	%3 = lt %1, %2 …
//	%9 = reduce sum[1] %8
//	%12 = scatter %11, %9 …
func Expand(g *ir.Graph) (*ir.Graph, error) {
	if !holds(g, func(n *ir.Node) bool { return n.Op.Expand != nil }) {
		return g, nil
	}
	return rewrite(g, func(*ir.Graph) rule {
		return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
			if n.Op.Expand == nil {
				return nil, nil
			}
			m, err := keep(b, n, args, nothing)
			if err != nil {
				return nil, err
			}
			x, err := n.Op.Expand(b, m)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", n.Pos, n.Op.Name, err)
			}
			return x, nil
		}
	})
}
