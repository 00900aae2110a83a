package passes

import (
	"slices"

	"mdlc/ir"
)

// aimAtStates decides which new states are written straight into the state's memory.
func (lv *level) aimAtStates() {
	for _, r := range lv.g.Results {
		if r.Kind != ir.ResultState {
			continue
		}
		v := valueOf(r.Value)
		to := ir.PlanRef{Buf: lv.p.state(r.Name, v.typ())}
		if _, taken := lv.aim[v]; taken || !writable(v) {
			continue
		}
		old, read := lv.oldState(r.Name)
		if !read || lv.takesOver(old, v) {
			lv.aim[v] = to
			if read {
				lv.over[v] = old
			}
		}
	}
}

// oldState is the parameter that holds the value of a state at the start.
func (lv *level) oldState(name string) (value, bool) {
	for _, p := range lv.g.Params {
		if a := p.Attr.(ir.ParamAttr); a.Kind == ir.ParamState && a.Name == name {
			return value{p, 0}, true
		}
	}
	return value{}, false
}

// storeStates copies the new states that were not written in place. A new value
// that is itself the old value of a state moves out of the way first.
func (lv *level) storeStates() {
	type move struct {
		t        ir.Type
		from, to ir.PlanRef
	}
	var moves []move
	for _, r := range lv.g.Results {
		if r.Kind != ir.ResultState {
			continue
		}
		v := valueOf(r.Value)
		to := ir.PlanRef{Buf: lv.p.state(r.Name, v.typ())}
		if isLeaf(v.node) {
			defer lv.emit(leafLaunch(v.node, to))
			continue
		}
		m := move{v.typ(), lv.ref(v), to}
		if v.node.Op == ir.OpParam && m.from != m.to {
			tmp := ir.PlanRef{Buf: lv.p.alloc(r.Name, m.t, 0, nil)}
			lv.copy(m.t, m.from, tmp)
			m.from = tmp
		}
		moves = append(moves, m)
	}
	for _, m := range moves {
		lv.copy(m.t, m.from, m.to)
	}
}

// leafLaunch computes a leaf at a place.
func leafLaunch(n *ir.Node, to ir.PlanRef) *ir.PlanLaunch {
	return &ir.PlanLaunch{Node: n, Type: n.Type, Results: []ir.PlanRef{to}, InPlace: []int{-1}}
}

// takesOver reports whether v may be written over old, a parameter: whether
// nobody reads old after v's launch, and that launch only where it writes.
// It fixes the order by which the other readers come first.
func (lv *level) takesOver(old, v value) bool {
	readers := lv.readers[old]
	switch isLoop := v.node.Op == ir.OpLoop; {
	case lv.isResult[old], isLoop && slices.Contains(readers, v.node), !isLoop && !pointwise(old, v):
		return false
	}
	var before []*ir.Node
	for _, n := range readers {
		if n == v.node {
			continue
		}
		if lv.reaches(v.node, n) {
			return false
		}
		before = append(before, n)
	}
	for _, n := range before {
		lv.after[v.node] = append(lv.after[v.node], n)
	}
	return true
}

// kept is a fixed place of the result v that lasts as long as it is read. The old value of a state and an input
// do not last, nor does a new one that an `every` block writes over, and the last carry of a loop may lie in either slot: they are copied.
func (lv *level) kept(v value) ir.PlanRef {
	r := lv.ref(v)
	_, fixed := offset(r).Const()
	b := lv.p.plan.Bufs[r.Buf]
	passing := v.node.Op == ir.OpParam && (b.Home == ir.PlanState || b.Home == ir.PlanInput) || b.Home == ir.PlanState && lv.p.states[b.Name]
	if fixed && !passing {
		return r
	}
	to := ir.PlanRef{Buf: lv.p.alloc(v.name(), v.typ(), 0, nil)}
	lv.copy(v.typ(), r, to)
	return to
}

// reaches reports whether to must come after from, by data or by an order already fixed.
func (lv *level) reaches(from, to *ir.Node) bool {
	seen := map[*ir.Node]bool{}
	var up func(n *ir.Node) bool
	up = func(n *ir.Node) bool {
		if n == from {
			return true
		}
		if seen[n] {
			return false
		}
		seen[n] = true
		for _, a := range n.Args {
			if up(a) {
				return true
			}
		}
		for _, b := range lv.after[n] {
			if up(b) {
				return true
			}
		}
		return false
	}
	return up(to)
}

// pointwise reports whether v's kernel reads old only at the element that it
// writes, in one sweep: everything that depends on old is element-wise of v's shape, or is one element as v is, and all
// results among it need the same reductions first.
func pointwise(old, v value) bool {
	t := v.typ()
	if !old.typ().Equal(t) {
		return false
	}
	var arg *ir.Node
	for _, a := range v.node.Args {
		if valueOf(a) != old {
			continue
		}
		if arg != nil && v.node.Op == ir.OpCluster {
			return false // read through two parameters
		}
		arg = a
	}
	if arg == nil {
		return true
	}
	if v.node.Op != ir.OpCluster {
		return v.node.Op.Class == ir.ClassElementwise
	}
	region := v.node.Regions[0]
	touched := map[*ir.Node]bool{}
	for i, a := range v.node.Args {
		touched[region.Params[i]] = a == arg
	}
	for _, n := range region.Nodes() {
		if n.Op == ir.OpParam {
			continue
		}
		for _, a := range n.Args {
			touched[n] = touched[n] || touched[a]
		}
		alone := isOne(t) && isOne(n.Type) && (n.Op.Class == ir.ClassElementwise || n.Op.Class == ir.ClassMovement)
		if touched[n] && !alone && (n.Op.Class != ir.ClassElementwise || !ir.SameDims(n.Type.Dims, t.Dims)) {
			return false
		}
	}
	needs := barriers(region)
	for _, r := range region.Results {
		if touched[r.Value] && !slices.Equal(needs[r.Value], needs[region.Results[v.k].Value]) {
			return false
		}
	}
	return true
}

// isOne reports whether a value has one element.
func isOne(t ir.Type) bool {
	return !t.IsTuple() && t.Size() == 1 && !slices.ContainsFunc(t.Dims, func(d ir.Dim) bool { return d.Len != nil })
}

// barriers are for each node of a region the reductions and products that it depends on.
func barriers(region *ir.Graph) map[*ir.Node][]int {
	out := map[*ir.Node][]int{}
	for i, n := range region.Nodes() {
		var set []int
		for _, a := range n.Args {
			if !slices.Equal(set, out[a]) {
				set = union(set, out[a])
			}
		}
		switch n.Op.Class {
		case ir.ClassElementwise, ir.ClassMovement, ir.ClassLeaf:
		default:
			set = union(set, []int{i})
		}
		out[n] = set
	}
	return out
}
