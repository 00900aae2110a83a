package codegen

import (
	"slices"

	"mdlc/ir"
)

// stacks are dimensions of a graph's values that count the equal modules of a list: those of the states of such modules, and
// what the flow of values makes equal to them. Element-wise kernels and reductions get that number as a length, and are code for any number of
// layers. A miss costs that, never meaning.
type stacks map[dimension]bool

// stackLeast is the capacity of a stack in kernels, at least; deeper ones have the next power of two.
const stackLeast = 128

// stackCapacity is how many modules kernels of a stack of n are made for: few numbers, so that they do not depend on n.
func stackCapacity(n int) int {
	most := stackLeast
	for most < n {
		most *= 2
	}
	return most
}

// stackFinder goes through a graph and its regions.
type stackFinder struct {
	classes
	splats [][2]dimension // of a splat, and of what is one with it
}

// findStacks finds the dimensions of g that count the modules of states.
func findStacks(g *ir.Graph, states []*ir.State) stacks {
	f := &stackFinder{classes: classes{}}
	f.graph(g)
	depth := map[string]int{}
	for _, x := range states {
		depth[x.Name] = len(x.Stack)
	}
	out := stacks{}
	mark := func(name string, n *ir.Node) {
		for d := range depth[name] {
			out[f.find(dimension{n, d})] = true
		}
	}
	for _, p := range g.Params {
		if a := p.Attr.(ir.ParamAttr); a.Kind == ir.ParamState {
			mark(a.Name, p)
		}
	}
	for _, r := range g.Results {
		if r.Kind == ir.ResultState {
			mark(r.Name, r.Value)
		}
	}
	for x := range f.classes {
		if out[f.find(x)] {
			out[x] = true
		}
	}
	for marks := -1; marks < len(out); { // splats of splats
		marks = len(out)
		for _, x := range f.splats {
			if out[x[1]] {
				out[x[0]] = true
			}
		}
	}
	return out
}

// has reports whether dimension d of n counts the modules of a stack.
func (s stacks) has(n *ir.Node, d int) bool {
	return s[dimension{n, d}] && n.Type.Dims[d].Len == nil && n.Type.Dims[d].Size > 1
}

// of are the classes of axes of a launch, whose region it is, that count modules. A product keeps numbers, which its tiles
// and packed operands are made for, and so does a scatter, what has layers inside of its rows, and what sums up columns of each layer, in
// parts, of which there is memory for the capacity.
func (s stacks) of(l *ir.PlanLaunch, region *ir.Graph, axes *axisClasses) map[dimension]bool {
	out := map[dimension]bool{}
	if len(s) == 0 || l.Node == nil {
		return out
	}
	for _, n := range region.Nodes() {
		if n.Op.Class == ir.ClassDot || n.Op.Class == ir.ClassScatter || sumsColumns(n) {
			return out
		}
	}
	mark := func(n, inside *ir.Node) {
		if len(inside.Type.Dims) > 0 && s.has(n, 0) && (n.Op != ir.OpConst || n == l.Node) {
			out[axes.find(dimension{inside, 0})] = true
		}
	}
	for i, p := range region.Params {
		mark(l.Node.Args[i], p)
	}
	for _, r := range region.Results {
		if l.Node.Op == ir.OpCluster {
			mark(r.Value, r.Value)
		} else {
			mark(l.Node, r.Value)
		}
	}
	for _, n := range region.Nodes() {
		for d := 1; d < len(n.Type.Dims); d++ {
			delete(out, axes.find(dimension{n, d}))
		}
	}
	return out
}

// sumsColumns reports whether n reduces an axis other than the first before one that stays.
func sumsColumns(n *ir.Node) bool {
	a, ok := n.Attr.(ir.ReduceAttr)
	if !ok {
		return false
	}
	for _, d := range a.Axes {
		for later := d + 1; d > 0 && later < len(n.Args[0].Type.Dims); later++ {
			if !slices.Contains(a.Axes, later) {
				return true
			}
		}
	}
	return false
}

func (f *stackFinder) graph(g *ir.Graph) {
	equalDims(g, f.equate)
	for _, n := range g.Nodes() {
		for _, r := range n.Regions {
			f.graph(r)
		}
		switch a := n.Attr.(type) {
		case ir.LoopAttr:
			f.loop(n, a)
		case ir.ClusterAttr:
			for i, x := range n.Args {
				f.same(x, 0, n.Regions[0].Params[i])
			}
		case ir.GetAttr:
			f.get(n, n.Args[0], a.I)
		}
	}
}

func (f *stackFinder) equate(x, y dimension) {
	switch {
	case isSplat(x):
		f.splats = append(f.splats, [2]dimension{x, y})
	case isSplat(y):
		f.splats = append(f.splats, [2]dimension{y, x})
	default:
		f.join(x, y)
	}
}

// isSplat reports whether all along a dimension is one: of a constant, or of what is repeated. Equal ones are one node, whatever they are for, so
// they make nothing else one.
func isSplat(x dimension) bool {
	a, ok := x.node.Attr.(ir.IndexAttr)
	if !ok || x.node.Op != ir.OpIndex {
		return x.node.Op == ir.OpConst
	}
	used := false
	for _, e := range a.Out {
		e.Vars(func(name string) { used = used || name == ir.Var(x.d).Name })
	}
	return !used
}

// same equates the dimensions of x, from first on, and those of y.
func (f *stackFinder) same(x *ir.Node, first int, y *ir.Node) {
	for d := range y.Type.Dims {
		f.equate(dimension{x, first + d}, dimension{y, d})
	}
}

// turns stands for the turns of a loop, which all that it takes and gives slice by slice has for its first dimension.
func turns(loop *ir.Node) dimension { return dimension{loop, -1} }

func (f *stackFinder) loop(n *ir.Node, a ir.LoopAttr) {
	region := n.Regions[0]
	for i, x := range n.Args {
		first := 0
		if i >= a.Carry && i < a.Carry+a.Xs {
			f.equate(dimension{x, 0}, turns(n))
			first = 1
		}
		f.same(x, first, region.Params[1+i])
	}
	for i := range a.Carry {
		f.same(region.Params[1+i], 0, region.Results[i].Value)
	}
}

// get equates n, result i of a cluster or a loop, and that result inside.
func (f *stackFinder) get(n, of *ir.Node, i int) {
	first := 0
	if a, ok := of.Attr.(ir.LoopAttr); ok && i >= a.Carry {
		f.equate(dimension{n, 0}, turns(of))
		first = 1
	}
	if len(of.Regions) == 1 {
		f.same(n, first, of.Regions[0].Results[i].Value)
	}
}
