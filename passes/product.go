package passes

import (
	"slices"
	"strings"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// Product makes products with a param of floats of 8 bits, f8e4m3 here. Their range is small, so each row of an operand, what a result sums up of it,
// has a scale of its own, with which its largest number becomes the type's largest:
//
//	%2 = dot ab,bc->ac %x, %w
//
// becomes
//
//	%s = max(reduce max b (abs %x), 1e-30) / 448      %t the same of %w
//	%2 = dot ab,bc->ac (cast f8e4m3 (%x * 1 / %s)), (cast f8e4m3 (%w * 1 / %t))
//	%3 = %2 * %s * %t
//
// Params are matrices: what a product sums up is not all of them. It comes after grad, so scales have no gradient, and a product of a cotangent and a
// param is one, too; the gradient of the param itself is not: it sums up over what a batch has.
func Product(e ir.Elem, params map[string]bool) func(*ir.Graph) (*ir.Graph, error) {
	return func(g *ir.Graph) (*ir.Graph, error) {
		if e == 0 {
			return g, nil
		}
		p := &bytes{e, movedParams(g, params)}
		if !holds(g, p.narrows) {
			return g, nil
		}
		return rewrite(g, func(*ir.Graph) rule { return p.rewrite })
	}
}

// bytes is one graph's rewriting.
type bytes struct {
	elem ir.Elem
	of   map[*ir.Node]bool // what movedParams gives
}

// movedParams are the params of some names in g and the regions of its loops, and what is moved or rounded of them alone.
func movedParams(g *ir.Graph, params map[string]bool) map[*ir.Node]bool {
	of := map[*ir.Node]bool{}
	var find func(g *ir.Graph)
	find = func(g *ir.Graph) {
		for _, n := range order(g) {
			switch a := n.Attr.(type) {
			case ir.ParamAttr:
				of[n] = of[n] || a.Kind == ir.ParamState && params[a.Name]
			case ir.CastAttr:
				of[n] = of[n.Args[0]]
			case ir.IndexAttr:
				of[n] = n.Op == ir.OpIndex && len(n.Args) == 1 && of[n.Args[0]]
			case ir.LoopAttr:
				for i, x := range n.Args {
					if i >= a.Carry && of[x] {
						of[n.Regions[0].Params[i+1]] = true
					}
				}
				find(n.Regions[0])
			}
		}
	}
	find(g)
	return of
}

// narrows reports whether n is a product with a param that is a matrix.
func (p *bytes) narrows(n *ir.Node) bool {
	if n.Op != ir.OpDot || n.Type.Elem != loop.F32 || n.Args[0].Type.Elem.Size() < 2 {
		return false
	}
	a := n.Attr.(ir.DotAttr)
	own := func(x, y string) bool {
		return strings.ContainsFunc(x, func(l rune) bool { return !strings.ContainsRune(y, l) })
	}
	return len(a.Contracted()) > 0 && (p.of[n.Args[0]] && own(a.A, a.B) || p.of[n.Args[1]] && own(a.B, a.A))
}

func (p *bytes) rewrite(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
	if !p.narrows(n) {
		return nil, nil
	}
	a := n.Attr.(ir.DotAttr)
	x, s := p.scaled(b, args[0], a.A, a.Out)
	y, t := p.scaled(b, args[1], a.B, a.Out)
	z := b.Make(ir.OpDot, a, x, y)
	for _, side := range []struct {
		scale  *ir.Node
		labels string
	}{{s, a.A}, {t, a.B}} {
		var at []int
		for _, l := range side.labels {
			if i := strings.IndexRune(a.Out, l); i >= 0 {
				at = append(at, i)
			}
		}
		z = b.Mul(z, b.Broadcast(side.scale, z.Type.Dims, at...))
	}
	return z, nil
}

// scaled is x, of some labels, in few bits, and the scales, one for each place along labels of the result.
func (p *bytes) scaled(b *ir.Builder, x *ir.Node, labels, out string) (q, scale *ir.Node) {
	var summed, kept []int
	for i, l := range labels {
		if strings.ContainsRune(out, l) {
			kept = append(kept, i)
		} else {
			summed = append(summed, i)
		}
	}
	f := b.Cast(x, loop.F32)
	most := b.Reduce(ir.Max, summed, b.Op("abs", f))
	scale = b.Mul(b.Op("max", most, b.Like(most, leastScale)), b.Like(most, 1/loop.FormatOf(p.elem).Largest))
	inverse := b.Div(b.Like(scale, 1), scale)
	return b.Cast(b.Mul(f, b.Broadcast(inverse, f.Type.Dims, kept...)), p.elem), scale
}

// narrowParams are the names of params of m that products take in few bits.
func narrowParams(m *ir.Module) map[string]bool {
	out := map[string]bool{}
	for _, s := range m.States {
		if s.Kind == ir.KindParam && !slices.Contains(m.Keep, s.Name) {
			out[s.Name] = true
		}
	}
	return out
}
