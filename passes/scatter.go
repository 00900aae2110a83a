package passes

import (
	"fmt"
	"slices"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// invertScatter turns a scatter whose map is known at compile time into what
// each result gathers. The gradient of a window, which overlaps:
//
//	%1 = scatter %dy {(i0, i1) -> (i0*2 + i1)} [9]                     of f32[4, 3]
//
// becomes
//
//	%1 = index %dy {(i0, i1) -> ((i0 - i1)/2 + 4*((i0 - i1)%2), i1)} [9, 3] outside 0
//	%2 = reduce sum[1] %1
//
// Permutations, slices, reshapes, strides, reversals and broadcasts are cases of
// the same inversion (invert.go). Indices that are data stay a scatter.
func (s *simplifier) invertScatter(n *ir.Node) *ir.Node {
	a, ok := n.Attr.(ir.IndexAttr)
	if !ok || n.Op != ir.OpScatter {
		return nil
	}
	if len(n.Args) > 1 {
		return s.pickScatter(n, a)
	}
	x := n.Args[0]
	vars := make([]variable, a.Vars)
	for k, d := range x.Type.Dims {
		vars[k] = variable{name: ir.Var(k).Name, size: d.Size, whole: d.Len != nil}
		if d.Size == 0 {
			return nil
		}
	}
	at, sizes := make([]string, len(a.Shape)), make([]int, len(a.Shape))
	for k, d := range a.Shape {
		at[k], sizes[k] = fmt.Sprintf("at.%d", k), d.Size
	}
	if m := s.sumBlocks(n, a); m != nil {
		return m
	}
	in, ok := invert(a.Out, vars, sizes, at)
	if !ok {
		return nil
	}
	return s.gather(n, in, at)
}

// sumBlocks makes a scatter to the quotient of a sum one to the sum, and adds up blocks of that. The gradient of what a convolution
// reads of an image that was made larger is that of a convolution of the larger image, then:
//
//	%1 = scatter %dy {(i0, i1) -> ((i0 + i1)/2)} [5]            of f32[8, 3]
//
// becomes
//
//	%1 = scatter %dy {(i0, i1) -> (i0 + i1)} [10]
//	%2 = index %1 {(i0, i1) -> (i0*2 + i1)} [5, 2]
//	%3 = reduce sum[1] %2
func (s *simplifier) sumBlocks(n *ir.Node, a ir.IndexAttr) *ir.Node {
	out, wide := slices.Clone(a.Out), slices.Clone(a.Shape)
	shape, blocks := slices.Clone(a.Shape), []int(nil)
	place := make([]*index.Expr, len(a.Shape))
	for k, e := range a.Out {
		place[k] = ir.Var(k)
		sum, m, c := quotientOfSum(e)
		if sum == nil || m == 1 || a.Shape[k].Len != nil || slices.ContainsFunc(a.Out, func(o *index.Expr) bool { return index.Equal(o, index.Rem(sum, index.C(m))) }) {
			continue
		}
		out[k], wide[k] = index.Sum(sum, index.C(m*c)), ir.Dim{Size: m * a.Shape[k].Size}
		place[k] = index.Sum(index.Prod(ir.Var(k), index.C(m)), ir.Var(len(shape)))
		blocks, shape = append(blocks, len(shape)), append(shape, ir.Dim{Size: m})
	}
	if len(blocks) == 0 {
		return nil
	}
	a.Out, a.Shape = out, wide
	return s.make(ir.OpReduce, ir.ReduceAttr{Kind: ir.Sum, Axes: blocks}, s.indexOf(s.make(n.Op, a, n.Args...), shape, place, nil))
}

// gather reads the preimage and sums over its free variables. The axes are in
// the order in which the source has them, so that what is not moved needs no index.
func (s *simplifier) gather(n *ir.Node, in *inverse, at []string) *ir.Node {
	a, x := n.Attr.(ir.IndexAttr), n.Args[0]
	dims := map[string]ir.Dim{}
	for k, name := range at {
		dims[name] = a.Shape[k]
	}
	var free []string
	for k, f := range in.free {
		dims[f.name] = ir.Dim{Size: f.size}
		if in.of[k] >= 0 {
			dims[f.name] = x.Type.Dims[in.of[k]]
		}
		free = append(free, f.name)
	}
	var names []string
	add := func(name string) {
		for _, x := range names {
			if x == name {
				return
			}
		}
		if _, ok := dims[name]; ok {
			names = append(names, name)
		}
	}
	for _, e := range in.source {
		if e.Op == index.Var {
			add(e.Name)
			continue
		}
		e.Vars(add)
	}
	for k, name := range at {
		if d := a.Shape[k]; d.Size != 1 || d.Len != nil {
			add(name)
		}
	}
	for _, name := range free {
		add(name)
	}
	place := map[string]int{}
	shape := make([]ir.Dim, len(names))
	for k, name := range names {
		place[name], shape[k] = k, dims[name]
	}
	out := make([]*index.Expr, len(in.source))
	for k, e := range in.source {
		out[k] = e.Subst(func(name string) *index.Expr {
			if p, ok := place[name]; ok {
				return ir.Var(p)
			}
			return nil
		})
	}
	zero := 0.0
	y := s.indexOf(x, shape, out, &zero)
	var cut []int
	var back []*index.Expr // where each axis that is left is in the result, which has others of one element
	for k, name := range names {
		if holdsName(free, name) {
			cut = append(cut, k)
			continue
		}
		for i, x := range at {
			if x == name {
				back = append(back, ir.Var(i))
			}
		}
	}
	if len(cut) > 0 {
		y = s.make(ir.OpReduce, ir.ReduceAttr{Kind: ir.Sum, Axes: cut}, y)
	}
	return s.indexOf(y, a.Shape, back, nil)
}

func holdsName(list []string, name string) bool {
	for _, x := range list {
		if x == name {
			return true
		}
	}
	return false
}

// pickScatter turns a scatter that puts each element into a row of its own, at a
// place that is data, into a comparison. The gradient of logits[b, target[b]]:
//
//	%1 = scatter %dy, %t {(i0) -> (i0, $1)} [64, 256]
//
// becomes
//
//	%1 = where (iota = broadcast %t) (broadcast %dy) 0
//
// which a kernel computes in passing.
func (s *simplifier) pickScatter(n *ir.Node, a ir.IndexAttr) *ir.Node {
	x := n.Args[0]
	at := make([]int, a.Vars) // the result's axis of each variable
	var seen axes
	type datum struct{ axis, arg int }
	var picked []datum
	for axis, e := range a.Out {
		if k, ok := mapVar(e.Name); ok && e.Op == index.Var && !seen.has(k) && x.Type.Dims[k].Equal(a.Shape[axis]) {
			seen |= axesOf(k)
			at[k] = axis
			continue
		}
		k, ok := mapData(e.Name)
		if !ok || e.Op != index.Var || n.Args[k].Type.Elem != loop.I32 {
			return nil
		}
		picked = append(picked, datum{axis, k})
	}
	if seen != allAxes(a.Vars) || len(picked) != 1 {
		return nil
	}
	p := picked[0]
	spread := func(y *ir.Node) *ir.Node { return s.simplify(s.b.Broadcast(y, a.Shape, at...)) }
	here := s.make(ir.OpEq, nil, s.b.Iota(a.Shape, p.axis), spread(n.Args[p.arg]))
	return s.make(ir.OpWhere, nil, here, spread(x), s.b.Const(n.Type, 0))
}
