package passes

import (
	"slices"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// weightBlock is how many weights have a scale of their own in a byte each: in blocks of 32, one in front of the others, GGML's
// Q8_0 does the same.
const weightBlock = 32

// byteMax is the greatest number of a type of weights that are a byte each, which is what the greatest of a block becomes.
var byteMax = map[ir.Elem]float64{loop.I8: 127, loop.F8E4M3: 448}

// leastScale is that of the smallest weights which are not taken for zeros: its inverse is a number.
const leastScale = 1e-30

// Weights stores what products read of the model's weights in e, where nothing changes them: BF16, F16, or I8 or F8E4M3 with a
// scale for each block of 32 along the summed axis. For I8
//
//	%l = loop count(100) carry 1 (%x, %w) { (%t, %x, %w) => dot ab,bc->ac %x, %w }
//
// becomes
//
//	%b = index %w, with an axis of blocks of b and one within a block
//	%s = reduce max (abs %b), within blocks, / 127
//	%q = cast i8 (round (%b * (1 / %s)))
//	%l = loop count(100) carry 1 (%x, %q, %s) { (%t, %x, %q, %s) => dot ab,bc->ac %x, (cast f32 %q * %s) }
//
// so that a turn reads a quarter of the bytes. F8E4M3 is the same with 448 in place of 127, and what a cast rounds. All that reads a weight reads the stored one. States that the
// graph writes, and those that no product sums over in one way only, stay as they are.
func Weights(e ir.Elem) func(*ir.Graph) (*ir.Graph, error) {
	return func(g *ir.Graph) (*ir.Graph, error) {
		if e == 0 {
			return g, nil
		}
		w := &weights{elem: e, summed: map[*ir.Node]summed{}, stored: map[*ir.Node]*storedWeight{}}
		written := map[string]bool{}
		for _, r := range g.Results {
			if r.Kind == ir.ResultState {
				written[r.Name] = true
			}
		}
		for _, p := range g.Params {
			a := p.Attr.(ir.ParamAttr)
			if a.Kind == ir.ParamState && !written[a.Name] && a.Type.Elem == loop.F32 && len(a.Type.Dims) > 1 {
				if at, ok := summedAxis(g, p); ok && a.Type.Dims[at.dim].Size >= weightBlock {
					w.summed[p] = at
				}
			}
		}
		if len(w.summed) == 0 {
			return g, nil
		}
		return rewrite(g, w.rule)
	}
}

// weights is one graph's rewriting.
type weights struct {
	elem   ir.Elem
	summed map[*ir.Node]summed        // of a state that is to be stored: the axis that products sum over
	stored map[*ir.Node]*storedWeight // of the parameters, old ones, that hold a weight
}

// summed is the axis of a weight that products sum over; loops slice the weight along axes before first.
type summed struct{ first, dim int }

// storedWeight is a weight as numbers of another type; with scales, one for each block along the summed axis. Blocks come first
// of what loops do not slice, then the elements of a block: so neighbours that are not summed up lie side by side, and so do their scales, whichever
// axis of the weight is the last, and a product reads both as they lie.
type storedWeight struct {
	q, scales *ir.Node // scales: nil, there are none
	dims      []ir.Dim // of the weight
	summed
}

func (w *weights) rule(*ir.Graph) rule {
	return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
		if at, ok := w.summed[n]; ok {
			a := n.Attr.(ir.ParamAttr)
			s := w.store(b, b.Param(a.Kind, a.Name, a.Type), at)
			w.stored[n] = s
			return s.value(b), nil
		}
		a, ok := n.Attr.(ir.LoopAttr)
		if !ok || !slices.ContainsFunc(n.Args, func(x *ir.Node) bool { return w.stored[x] != nil }) {
			return nil, nil
		}
		return w.loop(b, n, a, args)
	}
}

// loop makes a loop again, which now takes what is stored.
func (w *weights) loop(b *ir.Builder, n *ir.Node, a ir.LoopAttr, args []*ir.Node) (*ir.Node, error) {
	old := n.Regions[0]
	taken := map[*ir.Node]*storedWeight{} // by parameters of the region: without its nodes yet
	var outer []*ir.Node
	xs := a.Xs
	for i, x := range n.Args {
		s := w.stored[x]
		if s == nil || i < a.Carry {
			outer = append(outer, args[i])
			continue
		}
		in := &storedWeight{summed: s.summed}
		sliced := i < a.Carry+xs
		if sliced {
			in.first--
			in.dim--
		}
		outer = append(outer, s.q)
		if s.scales != nil {
			outer = append(outer, s.scales)
			in.scales = s.scales
			if sliced {
				a.Xs++
			}
		}
		taken[old.Params[i+1]] = in
	}
	region, err := rebuild(b.Region(old.Name), old, func(g *ir.Graph) rule {
		next := w.rule(g)
		return func(b *ir.Builder, n *ir.Node, args []*ir.Node) (*ir.Node, error) {
			s := taken[n]
			if s == nil {
				return next(b, n, args)
			}
			p := n.Attr.(ir.ParamAttr)
			s.dims = p.Type.Dims
			dims := s.dims
			if s.scales != nil {
				dims = s.blocked(dims)
			}
			s.q = b.Param(p.Kind, p.Name, ir.Type{Elem: w.elem, Dims: dims})
			if s.scales != nil {
				s.scales = b.Param(p.Kind, p.Name+".scales", ir.Type{Elem: loop.F32, Dims: s.blocks(p.Type.Dims)})
			}
			w.stored[n] = s
			return s.value(b), nil
		}
	})
	if err != nil {
		return nil, err
	}
	return b.Loop(a, region, outer...), nil
}

// store computes what is stored of x.
func (w *weights) store(b *ir.Builder, x *ir.Node, at summed) *storedWeight {
	most, scaled := byteMax[w.elem]
	if !scaled {
		return &storedWeight{q: b.Cast(x, w.elem), dims: x.Type.Dims, summed: at}
	}
	n := len(x.Type.Dims)
	from := make([]*index.Expr, n) // of an element of a block
	for d, a := range at.axes(n) {
		from[a] = ir.Var(d)
	}
	from[at.dim] = index.Sum(index.Prod(from[at.dim], index.C(weightBlock)), ir.Var(n))
	zero := 0.0
	dims := at.blocks(x.Type.Dims)
	blocks := b.Index(x, append(slices.Clone(dims), ir.Dim{Size: weightBlock}), from, &zero)
	scales := b.Mul(b.Reduce(ir.Max, []int{n}, b.Op("abs", blocks)), b.Const(ir.Type{Elem: loop.F32, Dims: dims}, 1/most))
	inverse := b.Where(b.Op("lt", scales, b.Like(scales, leastScale)), b.Like(scales, 0), b.Div(b.Like(scales, 1), scales))
	var of, to []*index.Expr // an element of a block; what is where it is stored
	for d := range n {
		of = append(of, ir.Var(d))
		if d <= at.first {
			to = append(to, ir.Var(d))
		} else {
			to = append(to, ir.Var(d+1))
		}
	}
	to = append(to, ir.Var(at.first+1))
	numbers := b.Mul(blocks, b.Index(inverse, blocks.Type.Dims, of, nil))
	if w.elem.IsInt() {
		numbers = b.Op("round", numbers)
	}
	q := b.Index(b.Cast(numbers, w.elem), at.blocked(x.Type.Dims), to, nil)
	return &storedWeight{q: q, scales: scales, dims: x.Type.Dims, summed: at}
}

// value is the weight that is stored.
func (s *storedWeight) value(b *ir.Builder) *ir.Node {
	if s.scales == nil {
		return b.Cast(s.q, loop.F32)
	}
	var at []*index.Expr
	for _, a := range s.axes(len(s.dims)) {
		if a != s.dim {
			at = append(at, ir.Var(a))
			continue
		}
		at = append(at, index.Quo(ir.Var(a), index.C(weightBlock)), index.Rem(ir.Var(a), index.C(weightBlock)))
	}
	return b.Mul(b.Cast(b.Index(s.q, s.dims, at, nil), loop.F32), s.each(b, s.scales, s.dims))
}

// blocked are the dimensions of a weight with these as it is stored in blocks.
func (s summed) blocked(dims []ir.Dim) []ir.Dim {
	return slices.Insert(s.blocks(dims), s.first+1, ir.Dim{Size: weightBlock})
}

// each gives each weight of these dimensions what its block has.
func (s summed) each(b *ir.Builder, blocks *ir.Node, dims []ir.Dim) *ir.Node {
	var out []*index.Expr
	for _, a := range s.axes(len(dims)) {
		out = append(out, ir.Var(a))
	}
	out[s.first] = index.Quo(out[s.first], index.C(weightBlock))
	return b.Index(blocks, dims, out, nil)
}

// axes are those of a weight with n, in the order in which its scales have them.
func (s summed) axes(n int) []int {
	var out []int
	for d := range n {
		if d == s.first {
			out = append(out, s.dim)
		}
		if d != s.dim {
			out = append(out, d)
		}
	}
	return out
}

// blocks are the dimensions of the scales of a weight with these.
func (s summed) blocks(dims []ir.Dim) []ir.Dim {
	var out []ir.Dim
	for _, a := range s.axes(len(dims)) {
		out = append(out, dims[a])
	}
	out[s.first] = ir.Dim{Size: (out[s.first].Size + weightBlock - 1) / weightBlock}
	return out
}

// summedAxis is the axis of x, a value of g, over which products sum that read it, also in loops; not ok where none
// does, or they differ, or a loop carries x on or slices that axis.
func summedAxis(g *ir.Graph, x *ir.Node) (at summed, ok bool) {
	dims := make([]int, len(x.Type.Dims))
	for d := range dims {
		dims[d] = d
	}
	s := &summing{}
	s.uses(g, x, dims, 0)
	return s.at, s.found && !s.mixed && s.at.first <= s.at.dim
}

// summing collects the axes over which products sum.
type summing struct {
	at           summed
	found, mixed bool
}

// uses looks at what reads x, whose axes are these of the weight (-1: none). It is the weight without the first axes, so many, which
// loops sliced; -1: something was computed of it.
func (s *summing) uses(g *ir.Graph, x *ir.Node, dims []int, sliced int) {
	s.at.first = max(s.at.first, sliced)
	for _, n := range g.Nodes() {
		for i, a := range n.Args {
			if a != x {
				continue
			}
			switch at := n.Attr.(type) {
			case ir.LoopAttr:
				p := n.Regions[0].Params[i+1]
				switch {
				case i < at.Carry:
					s.mixed = true
				case i < at.Carry+at.Xs:
					first := sliced
					if sliced >= 0 {
						first++
					}
					s.uses(n.Regions[0], p, dims[1:], first)
				default:
					s.uses(n.Regions[0], p, dims, sliced)
				}
			case ir.IndexAttr:
				if n.Op == ir.OpIndex && i == 0 {
					s.uses(g, n, followed(at, dims), -1)
				}
			case ir.CastAttr:
				s.uses(g, n, dims, -1)
			case ir.DotAttr:
				labels, other := at.A, at.B
				if i == 1 {
					labels, other = other, labels
				}
				for d := range dims {
					if l := labels[d : d+1]; dims[d] >= 0 && strings.Contains(other, l) && !strings.Contains(at.Out, l) {
						s.mixed = s.mixed || s.found && s.at.dim != dims[d]
						s.at.dim, s.found = dims[d], true
					}
				}
			}
		}
	}
}

// followed are the dimensions of the weight that the result's are, where the result of an index map is x with these dimensions.
func followed(a ir.IndexAttr, dims []int) []int {
	out := slices.Repeat([]int{-1}, a.Vars)
	for d, e := range a.Out {
		for v := range out {
			if index.Equal(e, ir.Var(v)) {
				out[v] = dims[d]
			}
		}
	}
	return out
}
