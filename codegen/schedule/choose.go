package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// What decides beside the machine, in multiplications: what makes a second phase worth its
// start, from where on storing and loading a value is cheaper than computing it again.
const (
	evenChunks  = 4
	farBelow    = 8 // how many times a length that the launch gives may be below what it could be: there shall be points enough all the same
	spillCost   = 10
	dearPoint   = 60 // from where on neither more registers nor a loop without guards pay for their code
	sumPartials = 64 // of the numeric contract
)

// Choose decides the schedule of k on m. It is a function of the kernel's text and the machine only.
func Choose(k *loop.Kernel, m *Machine) ([]loop.Opt, error) {
	if opts, ok := chooseScores(k, m); ok {
		return opts, nil
	}
	if opts, ok := chooseBlocks(k, m); ok {
		return opts, nil
	}
	if opts, ok := chooseBoxes(k, m); ok {
		return opts, nil
	}
	c := &chooser{k: clone(k), m: m}
	return c.finish(k)
}

// finish decides all that is not decided yet: k is the kernel that is chosen for.
func (c *chooser) finish(k *loop.Kernel) ([]loop.Opt, error) {
	c.splits()
	for _, page := range pages(c.k.Body) {
		if _, ok := equations(page); !ok {
			c.deals(page)
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	for _, page := range pages(c.k.Body) {
		stores, ok := equations(page)
		switch m := c.group.member(stores); {
		case m != nil:
			c.rowBlock(m)
		case ok && c.scoresIn(stores) != nil:
			c.scorePage(c.scoresIn(stores))
		case ok && c.own.packedIn(stores):
			c.ownPage(stores)
		case ok && len(stores) > 0:
			c.page(stores)
		default:
			c.scheduled(page)
		}
	}
	c.skews(k)
	c.evicts(k)
	c.bulks(k)
	return c.opts, c.err
}

// chooser collects opts, applying those of the steps split and axes to its copy as it goes.
type chooser struct {
	k       *loop.Kernel
	m       *Machine
	opts    []loop.Opt
	err     error
	apart   bool              // pages keep their axes apart, so that they can be compared
	group   *rowBlocks        // what goes through blocks of rows; nil: nothing
	scores  []*scores         // pages of attention on the chip
	own     *ownPack          // what points pack for themselves; nil: nothing
	inBlock *loop.Axis        // the rows of a block, while a page of these is scheduled
	boxes   map[string]bool   // products that are convolutions whose operands the hardware is to copy, and whether they have patches already; nil: there are none
	taps    map[string]string // by product: the flag that tells whether its zeros may be left out
	inRound *loop.Axis        // the same where blocks are launched in rounds: what it is cut into divides it, since the next rows are the next round's
}

func (c *chooser) do(kind, axis string, arg int, word string) {
	o := opt(kind, axis, arg, word)
	c.opts = append(c.opts, o)
	if c.err != nil {
		return
	}
	switch {
	case slices.Contains(splitting, kind):
		if c.err = applySplit(c.k, o); c.err == nil {
			finish(c.k)
		}
	case slices.Contains(cutting, kind):
		c.err = applyAxes(c.k, o)
	}
}

func pointsOf(deps *depends, v *loop.Value) int {
	n := 1
	for _, a := range append(slices.Clone(deps.value(v)), deps.over(v)...) {
		n *= max(a.Max, 1)
	}
	return n
}

// costOf is the modelled work of a page.
func costOf(stores []*loop.Store) float64 {
	deps := newDepends()
	total := 0.0
	walk(roots(stores), func(v *loop.Value) {
		if v.Elem == loop.I64 && v.Op != loop.Load {
			return
		}
		total += v.Op.Info().Cost * float64(pointsOf(deps, v))
	})
	for _, s := range stores {
		n := 1.0
		for _, a := range deps.store(s) {
			n *= float64(max(a.Max, 1))
		}
		total += n
	}
	return total
}

// pointCost is what the values cost at one point.
func pointCost(vs []*loop.Value) float64 {
	total := 0.0
	walk(vs, func(v *loop.Value) {
		if v.Elem != loop.I64 {
			total += v.Op.Info().Cost
		}
	})
	return total
}

// nest is a page without dot.
type nest struct {
	stores   []*loop.Store
	free     []*loop.Axis // in all stores and not reduced: these may be parallel
	other    []*loop.Axis // in some stores only
	reduced  []*loop.Axis // not on lanes
	lane     *loop.Axis
	row      bool // lane is reduced
	sequence []string

	transposed bool // loads are contiguous along another axis than lane
}

func (c *chooser) page(stores []*loop.Store) {
	if c.err != nil {
		return
	}
	if d := dotIn(stores); d != nil {
		c.gemm(stores, d)
		return
	}
	n := c.nest(stores)
	c.chunks(n)
	c.lanes(n)
	for i, name := range n.sequence {
		c.do(Order, name, i, "")
	}
	c.spills(n)
	c.streams(n.stores)
	c.prefetches(n)
}

func dotIn(stores []*loop.Store) *loop.Value {
	var d *loop.Value
	walk(roots(stores), func(v *loop.Value) {
		if v.Op == loop.Dot {
			d = v
		}
	})
	return d
}

// leafAxes are the free leaves of the stores: those of stores' indices in their order first.
func leafAxes(stores []*loop.Store) (free, reduced []*loop.Axis) {
	deps := newDepends()
	walk(roots(stores), func(v *loop.Value) {
		for _, a := range deps.over(v) {
			if !loop.Has(reduced, a) {
				reduced = append(reduced, a)
			}
		}
	})
	for _, s := range stores {
		for _, v := range append(slices.Clone(s.Index), s.Val) {
			for _, a := range deps.value(v) {
				if !loop.Has(free, a) {
					free = append(free, a)
				}
			}
		}
	}
	return free, reduced
}

func (c *chooser) nest(stores []*loop.Store) *nest {
	n := &nest{stores: stores}
	deps := newDepends()
	free, reduced := leafAxes(stores)
	n.lane = c.laneAxis(stores, free, reduced)
	n.row = loop.Has(reduced, n.lane)
	for _, a := range free {
		everywhere := !loop.Has(reduced, a)
		for _, s := range stores {
			everywhere = everywhere && loop.Has(deps.store(s), a)
		}
		switch {
		case a == n.lane:
		case everywhere:
			n.free = append(n.free, a)
		case !loop.Has(reduced, a):
			n.other = append(n.other, a)
		}
	}
	if n.lane != nil && !n.row {
		everywhere := true
		for _, s := range stores {
			everywhere = everywhere && loop.Has(deps.store(s), n.lane)
		}
		if everywhere {
			n.free = append(n.free, n.lane)
		}
	}
	for _, a := range inOrder(c.k, reduced) {
		if a != n.lane {
			n.reduced = append(n.reduced, a)
		}
	}
	if n.lane != nil && !n.row {
		c.transpose(n)
	}
	return n
}

// laneAxis is the axis of the row sums, or the one along which most accesses are contiguous.
func (c *chooser) laneAxis(stores []*loop.Store, free, reduced []*loop.Axis) *loop.Axis {
	deps := newDepends()
	var row *loop.Axis
	sequential := map[*loop.Axis]bool{}
	walk(roots(stores), func(v *loop.Value) {
		over := deps.over(v)
		if isRowSum(v) {
			row = over[len(over)-1]
		}
		if v.Op == loop.ReduceSeq {
			for _, a := range over {
				sequential[a] = true
			}
		}
	})
	if row != nil {
		return row
	}
	var best *loop.Axis
	most := -1.0
	for _, a := range append(slices.Clone(free), reduced...) {
		if sequential[a] || a.Bind != loop.Open {
			continue
		}
		score := c.contiguity(stores, a)
		if score > most || score == most && a.Max > best.Max {
			best, most = a, score
		}
	}
	return best
}

// contiguity counts the accesses along a that touch neighbours, stores more than loads. Where there are some and a fills lanes, those
// that stay at one place are no worse.
func (c *chooser) contiguity(stores []*loop.Store, a *loop.Axis) float64 {
	x, deps := newIndices(), newDepends()
	near, still := 0.0, 0.0
	look := func(buf *loop.Buffer, at []*loop.Value, weight float64) {
		if _, terms := affine(address(x, buf, at)); terms[a.Name] == 1 {
			near += weight
		} else if !slices.ContainsFunc(at, func(v *loop.Value) bool { return loop.Has(deps.value(v), a) }) {
			still += weight
		}
	}
	for _, s := range stores {
		look(s.Buf, s.Index, 1.5)
	}
	walk(roots(stores), func(v *loop.Value) {
		if v.Op == loop.Load {
			look(v.Buf, v.Args, 1)
		}
	})
	if near == 0 || a.Max < c.m.Lanes {
		return near
	}
	return near + still
}

// chunks binds parallel axes so that a point has some Chunk of work, at most as many as the machine can use.
func (c *chooser) chunks(n *nest) {
	most := c.m.Points
	if slices.ContainsFunc(n.free, func(a *loop.Axis) bool { return !constantExtent(a) }) {
		most *= farBelow
	}
	want := min(int(costOf(n.stores)/float64(c.m.Chunk)), most)
	if want > 1 { // few workers should have equal shares
		want = (want + evenChunks - 1) / evenChunks * evenChunks
	}
	if c.inBlock != nil {
		want = 0
	}
	block := c.laneBlock(n)
	points := 1
	var loops []string
	for _, a := range n.free {
		if a.Bind != loop.Open {
			continue
		}
		need := (want + points - 1) / points
		size := 1
		if need > 0 {
			size = max((a.Max+need-1)/need, 1)
		}
		for a == c.inRound && size < a.Max && a.Max%size != 0 {
			size++
		}
		if a == n.lane {
			size = (size + block - 1) / block * block
		}
		switch {
		case points >= want || need <= 1 || size >= a.Max:
			if a != n.lane {
				c.do(Bind, a.Name, 0, "loop")
				loops = append(loops, a.Name)
			}
		case size == 1:
			c.do(Bind, a.Name, 0, "par")
			points *= a.Max
		default:
			c.do(Cut, a.Name, size, "")
			outer, inner := piecesNamed(c.k, a)
			c.do(Bind, outer.Name, 0, "par")
			points *= outer.Max
			if a == n.lane {
				n.lane = inner
			} else {
				c.do(Bind, inner.Name, 0, "loop")
				loops = append(loops, inner.Name)
			}
		}
	}
	for _, a := range n.other {
		if a.Bind == loop.Open {
			c.do(Bind, a.Name, 0, "loop")
			loops = append(loops, a.Name)
		}
	}
	n.sequence = loops
}

// piecesNamed are the two pieces of an axis that was cut just now.
func piecesNamed(k *loop.Kernel, a *loop.Axis) (outer, inner *loop.Axis) {
	if a.Def == nil {
		return a, k.Axes[len(k.Axes)-1]
	}
	p := newDepends().axis(a)
	return p[0], p[len(p)-1]
}

// laneBlock is how many elements of the lane axis are in registers at a time.
func (c *chooser) laneBlock(n *nest) int {
	if n.lane == nil {
		return 1
	}
	l := c.m.Lanes
	most := 4 * l
	switch cost := pointCost(roots(n.stores)); {
	case n.row && hasRowSum(n.stores):
		most = sumPartials
	case c.m.Processors == 0 && draws(n.stores): // whose four registers are the words of one
	case n.transposed || cost > dearPoint: // one register has work enough to hide latencies
		most = l
	case cost > dearPoint/2:
		most = 2 * l
	}
	return min(most, max((n.lane.Max+l-1)/l, 1)*l) // an axis may be empty
}

// hasRowSum reports whether a page has a sum of floats along its rows: that needs all
// partials in registers, a max does not.
func hasRowSum(stores []*loop.Store) bool {
	found := false
	walk(roots(stores), func(v *loop.Value) { found = found || isRowSum(v) && v.Elem.IsFloat() })
	return found
}

// draws reports whether a page draws random numbers whose neighbours are words of one counter.
func draws(stores []*loop.Store) bool {
	found := false
	walk(roots(stores), func(v *loop.Value) {
		found = found || v.Op == loop.Philox && v.Args[6].Op != loop.Const
	})
	return found
}

// lanes cuts the lane axis and orders the loops.
func (c *chooser) lanes(n *nest) {
	var reduced []string
	for _, a := range n.reduced {
		if a.Bind == loop.Open {
			c.do(Bind, a.Name, 0, "loop")
			reduced = append(reduced, a.Name)
		}
	}
	if n.lane == nil {
		n.sequence = append(n.sequence, reduced...)
		return
	}
	block := c.laneBlock(n)
	lane := n.lane
	var blocks []string
	if _, constant := lane.Extent.IntConst(); !constant || lane.Max != block {
		c.do(Cut, lane.Name, block, "")
		outer, inner := piecesNamed(c.k, lane)
		if outer != inner {
			c.do(Bind, outer.Name, 0, "loop")
			blocks = append(blocks, outer.Name)
		}
		lane = inner
	}
	c.do(Vec, lane.Name, c.m.Lanes, "")
	switch {
	case n.row:
		n.sequence = append(append(n.sequence, reduced...), blocks...)
	case n.transposed:
		n.sequence = slices.Concat(blocks, n.sequence, reduced)
	default:
		n.sequence = append(append(n.sequence, blocks...), reduced...)
	}
}

// panelOf is the bytes of a row of v.
func (c *chooser) panelOf(v *loop.Value, n *nest) int {
	deps := newDepends()
	size := v.Elem.Size()
	for _, a := range deps.value(v) {
		if loop.Has(deps.axis(n.lane), a) || loop.Has(n.reduced, a) {
			size *= a.Max
		}
	}
	return size
}

// spills proposes what is dearer to compute again than to store and load.
func (c *chooser) spills(n *nest) {
	if !n.row {
		return
	}
	deps := newDepends()
	summed := map[*loop.Value]bool{}
	walk(roots(n.stores), func(v *loop.Value) {
		if isRowSum(v) {
			summed[v.Args[0]] = true
		}
	})
	walk(roots(n.stores), func(v *loop.Value) {
		if v.Name != "" && v.Op.Info().Cost >= spillCost && !isReduction(v) && c.panelOf(v, n) <= c.m.Panel && overlaps(deps.value(v), deps.axis(n.lane)) {
			word := ""
			if sumPartials >= 8*c.m.Lanes && summed[v] && c.panelOf(v, n) <= c.m.L2/16 { // the partial sums would take half of the registers
				word = "apart"
			}
			c.do(Spill, v.Name, 0, word)
		}
	})
}
