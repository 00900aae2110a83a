package passes

import (
	"fmt"
	"slices"

	"mdlc/ir"
)

// Forms of states, which are computed of states alone that the graph does not write, without products and loops, are the same in every
// run until something else writes those: weights in few bits, transposed or normalised ones. They are settled: they come first, and what the rest reads
// of them lies in memory that lasts from run to run, so that the runtime leaves them out where no state has changed. (What is multiplied or
// repeated, or only shown, is the work that a run is asked for, as where a text begins with a constant.)

// settled is the launches of a graph that are.
func settled(g *ir.Graph, runs []*ir.Node) map[*ir.Node]bool {
	out := map[*ir.Node]bool{}
	if slices.ContainsFunc(g.Results, func(r ir.Result) bool { return r.Kind == ir.ResultState }) {
		return out // every run would change states
	}
	lengths := map[string]bool{}
	for _, y := range g.Syms {
		lengths[y.Name] = true
	}
	for _, n := range runs { // each after what it takes
		known, ofStates := isForm(n, lengths), false
		for _, a := range n.Args {
			v := valueOf(a).node
			p, isParam := v.Attr.(ir.ParamAttr)
			switch {
			case out[v] || isParam && p.Kind == ir.ParamState:
				ofStates = true
			case v.Op == ir.OpParam || v.Op.Class != ir.ClassLeaf:
				known = false
			}
		}
		out[n] = known && ofStates
	}
	read := map[*ir.Node]bool{} // by the rest, or by what the rest reads
	for _, n := range slices.Backward(runs) {
		if out[n] && !read[n] {
			delete(out, n)
			continue
		}
		for _, a := range n.Args {
			read[valueOf(a).node] = true
		}
	}
	return out
}

// isForm reports whether a node, with those of its cluster, is neither product nor loop and depends on none of the lengths.
func isForm(n *ir.Node, lengths map[string]bool) bool {
	switch n.Op.Class {
	case ir.ClassElementwise, ir.ClassMovement, ir.ClassReduce, ir.ClassLeaf:
		return !readsSymbol(n, lengths)
	}
	return n.Op == ir.OpCluster && !slices.ContainsFunc(n.Regions[0].Nodes(), func(x *ir.Node) bool { return !isForm(x, lengths) })
}

// placeSettled emits what is settled.
func (lv *level) placeSettled() {
	lv.settled = settled(lv.g, lv.runs)
	mine := slices.DeleteFunc(slices.Clone(lv.runs), func(n *ir.Node) bool { return !lv.settled[n] })
	lv.runs = slices.DeleteFunc(lv.runs, func(n *ir.Node) bool { return lv.settled[n] })
	lv.placeAll(mine)
	lv.p.plan.Settled = len(lv.code)
}

// keep gives the buffers that what is settled leaves for the rest a place of their own.
func (p *planner) keep() {
	if p.plan.Settled == 0 {
		return
	}
	start := p.plan.Settled // of the rest
	for _, b := range p.plan.Bufs {
		if b.Home == ir.PlanArena && b.First >= 0 && b.First < start && b.Last >= start {
			b.Home, b.Offset = ir.PlanKept, p.plan.Kept
			p.plan.Kept = end(b)
		}
	}
	p.checkKept(p.plan.Code[p.plan.Settled:])
}

// checkKept proves that code writes nothing that is kept.
func (p *planner) checkKept(code []ir.PlanInstr) {
	for _, in := range code {
		if in.Loop != nil {
			p.checkKept(in.Loop.Code)
			continue
		}
		for _, r := range in.Launch.Results {
			if r.Buf != ir.NoBuf && p.plan.Bufs[r.Buf].Home == ir.PlanKept {
				panic(fmt.Sprintf("pass plan: graph %s: %s writes over buffer %d, which is kept", p.plan.Graph.Name, in.Launch.Title(), r.Buf))
			}
		}
	}
}
