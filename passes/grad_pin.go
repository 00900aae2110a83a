package passes

import "mdlc/ir"

// Pin keeps the values by which gradients are taken: passes before grad would
// otherwise look through them, and the scalar would depend on what they are made of instead.
//
//	%2 = add %0, %1 : f32[4]
//	%3 = index %2 {(i0) -> (3 - i0)} [4] : f32[4]
//	…
//	%9 = grad %8, %2 : (f32[4])
//
// becomes
//
//	%2 = add %0, %1 : f32[4]
//	%3 = pin %2 : f32[4]
//	%4 = index %3 {(i0) -> (3 - i0)} [4] : f32[4]
//	…
//	%10 = grad %9, %3 : (f32[4])
//
// Parameters need none. Pass grad takes the pins away.
func Pin(g *ir.Graph) (*ir.Graph, error) { return pin(g, nil) }

func pin(g *ir.Graph, outer *ir.Builder) (*ir.Graph, error) {
	if !holdsGrad(g) {
		return g, nil
	}
	pinned := map[*ir.Node]bool{}
	for _, n := range g.Nodes() {
		if n.Op != ir.OpGrad {
			continue
		}
		for _, x := range n.Args[1:] {
			pinned[x] = x.Op != ir.OpParam
		}
	}
	return ir.Rewrite(g, outer, func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
		regions, err := ir.RewriteRegions(b, n, pin)
		if err != nil {
			return nil, err
		}
		v, err := b.TryMakeWith(n.Op, n.Attr, regions, args...)
		if err != nil || !pinned[n] {
			return v, err
		}
		ir.Named(v, n.Name)
		return b.Make(ir.OpPin, nil, v), nil
	})
}

// unpin takes the pins away.
func unpin(_ *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
	if n.Op == ir.OpPin {
		return args[0], nil
	}
	return nil, nil
}
