package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Blocks of rows. What passes from one product to the next, as the scores of attention do, is as large as rows times columns:
// more than a cache holds. A block of rows goes through all pages instead before the next one begins, and the pages pass panels on.
// Pages that sum over the rows take them block by block, in a loop around all of the pages, so that only
// the axes of a batch are parallel.

const (
	leastBlocks = 2 // of rows, to be worth a loop
	leastBatch  = 4 // points without which a loop over blocks of rows leaves workers idle
)

// rowBlocks are the pages that go through blocks of rows together.
type rowBlocks struct {
	members []*member
	rows    int      // of a block
	loops   bool     // some sum over the rows: blocks are turns of a loop
	flags   []string // of operands that are not finite: no columns are left out then
}

// member is a page of a rowBlocks.
type member struct {
	stores []*loop.Store
	batch  []*loop.Axis // parallel axes, in the order of the first member's; none where pages are launches
	row    *loop.Axis
	column *loop.Axis // what ends with a block of rows; nil: nothing does
	sums   bool       // over the rows
}

// chains reports whether the result of one product may be an operand of another.
func chains(k *loop.Kernel) bool {
	dots := 0
	walkBody(k.Body, func(v *loop.Value) {
		if v.Op == loop.Dot && v.Instr == "" {
			dots++
		}
	})
	return dots > 1
}

// chooseBlocks decides the schedule with blocks of rows; ok is false where they do not pay. What is no legal schedule after all
// is left to blocks of all columns, and then to pages.
func chooseBlocks(k *loop.Kernel, m *Machine) (opts []loop.Opt, ok bool) {
	if m.L2 == unlimited && m.Round == 0 || !chains(k) {
		return nil, false
	}
	for _, limits := range []bool{true, false} {
		c := &chooser{k: clone(k), m: m, apart: true}
		if !c.splitBlocks() {
			return nil, false
		}
		if limits && (m.Round > 0 || !c.limitColumns()) {
			continue
		}
		c.apart = false
		if opts, err := c.finish(k); err == nil {
			if _, err := loops(k, opts); err == nil {
				return opts, true
			}
		}
	}
	return nil, false
}

// splitBlocks makes the pages and finds those that go through blocks of rows; false where there are none.
func (c *chooser) splitBlocks() bool {
	for {
		c.splits()
		if c.err != nil {
			return false
		}
		if c.group = c.findBlocks(); c.group == nil {
			return false
		}
		if c.m.Round == 0 || !c.sumsApart(c.group) {
			return true
		}
	}
}

// findBlocks is the group of pages that saves the most memory, if it pays.
func (c *chooser) findBlocks() *rowBlocks {
	var ps [][]*loop.Store
	for _, page := range pages(c.k.Body) {
		stores, ok := equations(page)
		if !ok {
			return nil
		}
		ps = append(ps, stores)
	}
	same := sameAxes(ps)
	var best *rowBlocks
	most := 0
	for _, stores := range ps {
		d := dotIn(stores)
		if d == nil {
			continue
		}
		for _, row := range shapeOf(d).rows {
			if g, saved := c.groupOf(ps, same, stores, row); saved > most {
				best, most = g, saved
			}
		}
	}
	return best
}

// groupOf are the pages that go through blocks of axis row of the page first together, and the bytes that the buffers between them have.
func (c *chooser) groupOf(ps [][]*loop.Store, same axisClasses, first []*loop.Store, row *loop.Axis) (*rowBlocks, int) {
	g := &rowBlocks{}
	var batch []*loop.Axis
	for _, a := range shapeOf(dotIn(first)).batch {
		if c.m.Round == 0 && everywhere(first, a) {
			batch = append(batch, a)
		}
	}
	var members, sums, others, after [][]loop.Stmt
	for _, stores := range ps {
		body := stmts(stores)
		m := c.memberOf(stores, same, batch, row)
		switch late := conflict(body, slices.Concat(sums, after)...); {
		case m != nil && !late:
			g.members = append(g.members, m)
			g.loops = g.loops || m.sums
			members = append(members, body)
			if m.sums {
				sums = append(sums, body)
			}
			continue
		case late || conflict(body, members...):
			after = append(after, body)
		}
		others = append(others, body)
	}
	saved := 0
	for _, b := range c.k.Bufs {
		mentions := func(p []loop.Stmt) bool { return mentionsBuffer(p, b) }
		if b.Mode == loop.Work && slices.ContainsFunc(members, mentions) && !slices.ContainsFunc(others, mentions) && !slices.ContainsFunc(sums, func(p []loop.Stmt) bool { return writes(p, b) }) {
			saved += b.Bytes()
		}
	}
	if c.m.Round > 0 {
		if g.rows = c.roundRows(g, saved, row); g.rows == 0 {
			return nil, 0
		}
		return g, saved
	}
	points := sizeOf(batch)
	most := 2 * row.Max / c.m.BlockRows // blocks: in smaller ones, operands are fetched too often
	if saved <= c.m.L2/4 || most < leastBlocks || g.loops && points < leastBatch {
		return nil, 0
	}
	if g.loops { // and what sums over rows is fetched and stored for each block
		most = max(most/2, leastBlocks)
	}
	shape := shapeOf(dotIn(first))
	tile := c.m.best(c.m.Rows, row.Max, maxOf(widest(shape.cols)), sizeOf(shape.over)).Rows
	count := min(max(leastBlocks, 2*saved/points/max(c.m.L2, 1)), most)
	g.rows = multiple((row.Max+count-1)/count, tile)
	if row.Max <= g.rows {
		return nil, 0
	}
	return g, saved
}

// memberOf is a page in blocks of the rows that are row's; nil where it cannot be.
func (c *chooser) memberOf(stores []*loop.Store, same axisClasses, batch []*loop.Axis, row *loop.Axis) *member {
	m := &member{stores: stores}
	for _, a := range batch {
		b := same.in(stores, a)
		if b == nil || !everywhere(stores, b) {
			return nil
		}
		m.batch = append(m.batch, b)
	}
	m.row = same.in(stores, row)
	if m.row == nil || m.row.Def != nil || m.row.Bind != loop.Open || definesOthers(c.k, m.row) {
		return nil
	}
	free, reduced := leafAxes(stores)
	if loop.Has(reduced, m.row) {
		d := dotIn(stores)
		m.sums = d != nil && shapeOf(d).over[0] == m.row && !loop.Has(free, m.row)
		deps := newDepends()
		walk(roots(stores), func(v *loop.Value) { m.sums = m.sums && (v == d || !loop.Has(deps.over(v), m.row)) })
		if !m.sums {
			return nil
		}
		return m
	}
	if !everywhere(stores, m.row) {
		return nil
	}
	if d := dotIn(stores); d != nil && !loop.Has(shapeOf(d).rows, m.row) || d == nil && c.laneAxis(stores, free, reduced) == m.row {
		return nil
	}
	return m
}

// axisClasses are axes of several pages that are indices of one dimension of a work buffer, by one of them.
type axisClasses map[*loop.Axis]*loop.Axis

func (s axisClasses) of(a *loop.Axis) *loop.Axis {
	for s[a] != nil {
		a = s[a]
	}
	return a
}

// in is the axis of a page that is in the class of a, if there is exactly one.
func (s axisClasses) in(stores []*loop.Store, a *loop.Axis) *loop.Axis {
	var found *loop.Axis
	free, reduced := leafAxes(stores)
	for _, b := range append(free, minus(reduced, free)...) {
		if s.of(b) != s.of(a) {
			continue
		}
		if found != nil {
			return nil
		}
		found = b
	}
	return found
}

// sameAxes finds which axes of pages index what one of them writes and another one reads.
func sameAxes(ps [][]*loop.Store) axisClasses {
	s := axisClasses{}
	written := map[*loop.Buffer]*loop.Store{}
	for _, stores := range ps {
		for _, st := range stores {
			if st.Buf.Mode == loop.Work {
				written[st.Buf] = st
			}
		}
		walk(roots(stores), func(v *loop.Value) {
			st := written[v.Buf]
			if v.Op != loop.Load || st == nil {
				return
			}
			for i, x := range v.Args {
				y := st.Index[i]
				if x.Op == loop.AxisIndex && y.Op == loop.AxisIndex && s.of(x.Axis) != s.of(y.Axis) {
					s[s.of(x.Axis)] = s.of(y.Axis)
				}
			}
		})
	}
	return s
}

// rowBlock decides the schedule of a page that goes through blocks of rows with others.
func (c *chooser) rowBlock(m *member) {
	if c.m.Round > 0 {
		c.round(m)
		return
	}
	for _, a := range m.batch {
		c.do(Bind, a.Name, 0, "par")
	}
	word, bind := "", "par"
	if m.sums {
		word = "tight"
	}
	if c.group.loops {
		bind = "loop"
	}
	c.do(Cut, m.row.Name, c.group.rows, word)
	if c.err != nil {
		return
	}
	outer, inner := piecesNamed(c.k, m.row)
	c.do(Bind, outer.Name, 0, bind)
	if c.group.loops {
		c.do(Order, outer.Name, 0, "")
	}
	if m.column != nil {
		c.do(Limit, m.column.Name, c.group.rows, outer.Name)
		for _, flag := range c.group.flags {
			c.do(Unless, m.column.Name, 0, flag)
		}
	}
	m.batch = append(m.batch, outer)
	for i, a := range m.batch {
		if first := c.group.members[0]; m != first {
			c.do(Block, a.Name, 0, first.batch[i].Name)
		}
	}
	c.inBlock = inner
	c.page(m.stores)
	c.inBlock = nil
}

// member is the member that a page is.
func (g *rowBlocks) member(stores []*loop.Store) *member {
	if g != nil {
		for _, m := range g.members {
			if slices.Equal(m.stores, stores) {
				return m
			}
		}
	}
	return nil
}
