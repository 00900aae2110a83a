package passes

import (
	"slices"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// Bounds adds results by which the driver sees that an index which is data led
// outside, or that something minimized was infinite or NaN, or a state that is assigned without a loss NaN:
//
//	%2 = index %0, %1 {(i0) -> ($1)} [6] : f32[6]
//	value %2
//
// becomes
//
//	%2 = index %0, %1 {(i0) -> ($1)} [6] : f32[6]
//	%3 = cast %1 u32 : u32[6]
//	%4 = reduce %3 max [0] : u32[]
//	value %2
//	bound embed axis 0 of [256] %4
//
// As u32 a negative index is larger than every axis. Indices that are known to be
// inside (bounds_range.go) need no check, and those with an outside value are never wrong. In
// a loop a check is an output of each turn, or, where turns may not be made, a carry.
func Bounds(g *ir.Graph) (*ir.Graph, error) {
	c, err := checked(g, nil, nil)
	if err != nil {
		return nil, err
	}
	c.states(g)
	return c.b.Finish(append(c.results(g), c.checks...)...), nil
}

// checker rebuilds one graph with its checks.
type checker struct {
	b       *ir.Builder
	m       ir.Mapping
	ranges  ranges // of the old nodes
	varying varyingAxes
	checks  []ir.Result      // the larger the value, the worse
	moved   map[*ir.Node]int // loops: carries added, behind which the other values moved
}

func checked(g *ir.Graph, outer *ir.Builder, known ranges) (*checker, error) {
	c := &checker{b: ir.Reopen(g, outer), m: ir.Mapping{}, ranges: known, varying: varyingAxes{}, moved: map[*ir.Node]int{}}
	if c.ranges == nil {
		c.ranges = ranges{}
	}
	for i, p := range g.Params {
		c.m[p] = c.b.Params()[i]
	}
	for _, n := range g.Nodes() {
		if c.m[n] != nil {
			continue
		}
		if err := c.node(g, n); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *checker) node(g *ir.Graph, n *ir.Node) error {
	switch a := n.Attr.(type) {
	case ir.LoopAttr:
		return c.loop(n, a)
	case ir.GetAttr:
		if by := c.moved[n.Args[0]]; by > 0 && a.I >= n.Args[0].Attr.(ir.LoopAttr).Carry {
			c.m[n] = ir.Named(c.b.Get(c.m[n.Args[0]], a.I+by), n.Name)
			return nil
		}
	}
	if _, err := c.m.Copy(c.b, n, nil); err != nil {
		return err
	}
	c.b.Pos, c.b.Gen = n.Pos, 0
	switch {
	case n.Op == ir.OpIndex:
		c.index(n)
	case n.Op == ir.OpGrad:
		c.finite(g, n)
	}
	return nil
}

// results is the results of the old graph.
func (c *checker) results(g *ir.Graph) []ir.Result {
	results := slices.Clone(g.Results)
	for i := range results {
		results[i].Value = c.m[results[i].Value]
	}
	return results
}

// add adds a check, unless there is an equal one.
func (c *checker) add(k ir.Result) {
	same := func(o ir.Result) bool {
		return o.Value == k.Value && o.Kind == k.Kind && o.Limit() == k.Limit()
	}
	if !slices.ContainsFunc(c.checks, same) {
		c.checks = append(c.checks, k)
	}
}

// loop rebuilds a loop so that the checks of its turns leave it.
func (c *checker) loop(n *ir.Node, a ir.LoopAttr) error {
	region := n.Regions[0]
	r, err := checked(region, c.b, c.ranges.inLoop(n, a))
	if err != nil {
		return err
	}
	c.b.Pos, c.b.Gen = n.Pos, n.Gen
	args, results := c.m.Args(n), r.results(region)
	var params []*ir.Node
	more := make([]ir.Result, len(r.checks))
	for i, k := range r.checks {
		more[i] = ir.Result{Kind: ir.ResultValue, Value: k.Value, Pos: k.Pos}
		if a.While {
			p := r.b.Param(ir.ParamValue, "worst", ir.TensorOf(loop.U32))
			params = append(params, p)
			more[i].Value = r.b.Op("max", p, k.Value)
			args = slices.Insert(args, a.Carry+i, c.b.Const(p.Type, 0))
		}
	}
	first := len(results)
	attr := a
	if a.While {
		first = a.Carry
		attr.Carry += len(more)
		c.moved[n] = len(more)
	}
	g := r.b.Finish(slices.Insert(results, first, more...)...)
	if a.While {
		own := len(region.Params)
		g.Params = slices.Concat(g.Params[:1+a.Carry], params, g.Params[1+a.Carry:own])
	}
	l, err := c.b.TryMakeWith(n.Op, attr, []*ir.Graph{g}, args...)
	if err != nil {
		return err
	}
	c.m[n] = ir.Named(l, n.Name)
	c.b.Gen = 0
	for i, k := range r.checks {
		c.b.Pos = k.Pos
		k.Value = c.b.Get(l, first+i)
		if !a.While {
			k.Value = c.b.Reduce(ir.Max, []int{0}, k.Value)
		}
		c.add(k)
	}
	return nil
}
