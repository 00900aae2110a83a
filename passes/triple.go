package passes

import (
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Triple makes products of f32 of three products of bf16, which tensor cores multiply. A number is about the sum of two halves of 8 bits,
//
//	high = bf16(x)   low = bf16(x - high)
//
// and low times low is too small to count: high·high + high·low + low·high is within 3·2^-16 of the product, measured by the sum of the absolute values of
// what it sums up (a product of bf16 within 2^-7). The three are one product of three times as many summands, so it is one kernel with one sum:
//
//	%2 = dot ab,bc->ac %x, %w
//
// becomes, where halves(x)[0,..] = high and halves(x)[1,..] = low,
//
//	%2 = dot tab,tbc->ac (index halves(%x) {(t,a,b) -> (t/2,a,b)}), (index halves(%w) {(t,b,c) -> (t%2,b,c)})
//
// It is so on all devices: a CPU, which gains nothing, gives the same numbers. Halves take as many bytes as what they are of, and all products that read
// it share them. What is not finite makes results that are not. Small products stay as they are, and so do those of params of these names and of
// attention, whose scores are in no memory, nor would their halves be.
func Triple(on bool, keep map[string]bool) func(*ir.Graph) (*ir.Graph, error) {
	return func(g *ir.Graph) (*ir.Graph, error) {
		if !on {
			return g, nil
		}
		kept := movedParams(g, keep)
		triples := func(n *ir.Node) bool { return isLargeF32(n) && !kept[n.Args[0]] && !kept[n.Args[1]] }
		if !holds(g, triples) {
			return g, nil
		}
		return rewrite(g, func(g *ir.Graph) rule {
			scores := scoresOf(g)
			return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
				if !triples(n) || scores[n] {
					return nil, nil
				}
				a := n.Attr.(ir.DotAttr)
				t := unusedLabel(a.A + a.B)
				x := third(b, args[0], index.Quo(ir.Var(0), index.C(2)))
				y := third(b, args[1], index.Rem(ir.Var(0), index.C(2)))
				return b.Make(ir.OpDot, ir.DotAttr{A: t + a.A, B: t + a.B, Out: a.Out}, x, y), nil
			}
		})
	}
}

// tensorTile is how many rows, columns and summands tensor cores multiply at a time where they are at full speed: a product that has fewer of one of
// them is not made of three.
const tensorTile = 64

// isLargeF32 reports whether n is a product of f32 that fills a tile.
func isLargeF32(n *ir.Node) bool {
	if n.Op != ir.OpDot || n.Args[0].Type.Elem != loop.F32 {
		return false
	}
	a := n.Attr.(ir.DotAttr)
	fills := func(labels, of string, x *ir.Node) bool {
		size := 1
		for _, l := range labels {
			size *= x.Type.Dims[strings.IndexRune(of, l)].Size
		}
		return size >= tensorTile
	}
	return fills(a.FreeA(), a.A, n.Args[0]) && fills(a.FreeB(), a.B, n.Args[1]) && fills(a.Contracted(), a.A, n.Args[0])
}

// scoresOf are the products of g that fusion puts into one kernel with others.
func scoresOf(g *ir.Graph) map[*ir.Node]bool {
	f := newFusion(g)
	f.scores()
	out := map[*ir.Node]bool{}
	for _, k := range f.groups {
		for _, i := range k.members {
			out[f.nodes[i]] = len(k.members) > 1
		}
	}
	return out
}

// unusedLabel is the first letter that labels do not have.
func unusedLabel(labels string) string {
	for l := 'a'; ; l++ {
		if !strings.ContainsRune(labels, l) {
			return string(l)
		}
	}
}

// third is an operand of the three products: of each, given by variable 0, a half of x.
func third(b *ir.Builder, x *ir.Node, half *index.Expr) *ir.Node {
	at := []*index.Expr{half}
	for d := range x.Type.Dims {
		at = append(at, ir.Var(d+1))
	}
	return b.Index(halves(b, x), append([]ir.Dim{{Size: 3}}, x.Type.Dims...), at, nil)
}

// halves are the high and the low half of each number of x. What moves x moves them, where there is then no more to halve.
func halves(b *ir.Builder, x *ir.Node) *ir.Node {
	dims := append([]ir.Dim{{Size: 2}}, x.Type.Dims...)
	if a, ok := x.Attr.(ir.IndexAttr); ok && x.Op == ir.OpIndex && len(x.Args) == 1 && (a.Outside == nil || *a.Outside == 0) && x.Args[0].Type.Size() <= x.Type.Size() {
		at := []*index.Expr{ir.Var(0)}
		for _, e := range a.Out {
			at = append(at, e.Subst(func(name string) *index.Expr {
				if k, ok := mapVar(name); ok {
					return ir.Var(k + 1)
				}
				return nil
			}))
		}
		return b.Index(halves(b, x.Args[0]), dims, at, a.Outside)
	}
	var axes []int
	for d := range x.Type.Dims {
		axes = append(axes, d+1)
	}
	high := b.Cast(x, loop.BF16)
	low := b.Cast(b.Sub(x, b.Cast(high, loop.F32)), loop.BF16)
	first := b.Op("eq", b.Iota(dims, 0), b.Const(ir.Type{Elem: loop.I32, Dims: dims}, 0))
	return b.Where(first, b.Broadcast(high, dims, axes...), b.Broadcast(low, dims, axes...))
}
