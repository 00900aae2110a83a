package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Which pages a kernel has. A page has one product, or one axis on lanes; what else there is gets pages of its own.

// splits makes the pages.
func (c *chooser) splits() {
	for n := 0; c.split(); n++ {
		if n > 1000 {
			panic("schedule: Choose: kernel " + c.k.Name + " splits without end")
		}
	}
}

// split makes one more page, if some page needs it.
func (c *chooser) split() bool {
	if c.err != nil {
		return false
	}
	for _, page := range pages(c.k.Body) {
		stores, ok := equations(page)
		if !ok || c.group.member(stores) != nil || c.scoresIn(stores) != nil {
			continue
		}
		if !c.apart && !c.own.packedIn(stores) && c.fuse(stores) || c.join(stores) || c.splitDots(stores) || c.splitForeign(stores) || c.splitApart(stores) || c.splitSums(stores) || c.splitRows(stores) {
			return c.err == nil
		}
	}
	return false
}

// splitForeign puts a product and the stores of it in a page of their own where other stores have axes that it has not.
func (c *chooser) splitForeign(stores []*loop.Store) bool {
	d := dotIn(stores)
	if d == nil || d.Instr != "" {
		return false
	}
	deps := newDepends()
	own := deps.value(d)
	if !slices.ContainsFunc(stores, func(s *loop.Store) bool { return len(minus(deps.store(s), own)) > 0 }) {
		return false
	}
	c.do(Pack, d.Name, 0, "phase")
	return true
}

// apartAccesses is from how many on it is cheaper to store a product and to read it again than that what is made of it lies apart.
const apartAccesses = 3

// splitApart puts a product in a page of its own where its lanes are a line or more apart in what is stored of it, and what is made
// of it goes over so much memory besides that this is to have its own lanes: as an optimiser does with the gradient of a convolution's
// weight, which has channels for lanes and lies along taps.
func (c *chooser) splitApart(stores []*loop.Store) bool {
	d := dotIn(stores)
	if d == nil || d.Instr != "" || c.m.Processors > 0 || c.inBlock != nil || isOnlyStored(stores, d) {
		return false
	}
	unit, lanes := unitAxis(stores, d), c.lanesOf(stores, d)
	if unit == nil || unit == lanes {
		return false
	}
	x, accesses := newIndices(), 0
	count := func(b *loop.Buffer, at []*loop.Value) {
		if _, terms := affine(address(x, b, at)); terms[unit.Name] == 1 && terms[lanes.Name]*b.Elem.Size() >= line {
			accesses++
		}
	}
	for _, s := range stores {
		count(s.Buf, s.Index)
	}
	walkUnknown(roots(stores), map[*loop.Value]bool{d: true}, func(v *loop.Value) {
		if v.Op == loop.Load {
			count(v.Buf, v.Args)
		}
	})
	if accesses < apartAccesses {
		return false
	}
	c.do(Pack, d.Name, 0, lanes.Name)
	return true
}

// splitSums gives long column sums a second phase.
func (c *chooser) splitSums(stores []*loop.Store) bool {
	deps := newDepends()
	var at *loop.Axis
	walk(roots(stores), func(v *loop.Value) {
		if v.Op != loop.ReduceSeq || len(v.Over) != 1 || v.Args[0].Op != loop.ReduceSeq || at != nil {
			return
		}
		if p := v.Over[0]; p.Def == nil && p.Bind == loop.Open && p.Max > 1 && pointsOf(deps, v.Args[0].Args[0])*4 > c.m.Chunk {
			at = p
		}
	})
	if at == nil {
		return false
	}
	c.do(Split, at.Name, 0, "")
	return true
}

// splitRows puts row sums over different axes in pages of their own: a page has one lane axis. So it does with
// those over an axis that another sum of the page takes one by one.
func (c *chooser) splitRows(stores []*loop.Store) bool {
	var sums []*loop.Value
	deps := newDepends()
	sequential := map[*loop.Axis]bool{}
	walk(roots(stores), func(v *loop.Value) {
		if isRowSum(v) {
			sums = append(sums, v)
		}
		if v.Op == loop.ReduceSeq {
			for _, a := range deps.over(v) {
				sequential[a] = true
			}
		}
	})
	for _, v := range sums {
		last := sums[len(sums)-1]
		apart := len(v.Over) > 1 || !slices.Equal(v.Over, last.Over) || sequential[v.Over[0]]
		if apart && !isOnlyStored(stores, v) {
			c.do(Pack, v.Name, 0, "phase")
			return true
		}
		if n := len(v.Over); n > 1 { // axes that do not lie side by side, but the order wants one
			c.do(Fuse, v.Over[n-2].Name, 0, v.Over[n-1].Name)
			return true
		}
	}
	return false
}

// isOnlyStored reports whether v is all that a page computes.
func isOnlyStored(stores []*loop.Store, v *loop.Value) bool {
	return len(stores) == 1 && stores[0].Val == v
}

// isRowSum reports whether the order of v's additions needs its axis on lanes.
func isRowSum(v *loop.Value) bool { return v.Op == loop.ReduceSum || v.Op == loop.ReduceProd }
