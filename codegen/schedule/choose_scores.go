package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Attention in one launch. Where a product on tensor cores multiplies what is computed of another product's results, its scores, the scores
// need not leave registers: the columns of the first product are the summands of the second one, and a thread has of both the same.
// A point makes a tile of rows: it goes over blocks of columns once for each reduction that depends on the one before, as the maximum of a row and
// then the sum of exponentials, and once for the second product, and computes the scores again each time.
//
//	for s0 { m = max(m, dot[d](Q[t,d], K[s,d])) }   for s0 { l += exp(dot[d](..) - m) }   for s0 { O += dot[s1](exp(dot[d](..) - m) / l, V[s,e]) }

const (
	scoreColumns = sumPartials // of a block, so that a thread has the same partial sums in all of them
	scoreWarps   = 4           // that share the blocks of columns, each with its own rows
	scoreWidth   = 128         // of what is summed in a score, and of what a row results in, at most: more is more than there are registers
	scoreStages  = 2           // slots of blocks of columns
	scoreCost    = 45          // of what is computed of a score, from where on a warp has no registers for more than one fragment of rows
)

// scores is a page with a product of another product's results.
type scores struct {
	stores        []*loop.Store
	first, second *loop.Value
	row, col      *loop.Axis // of the first product
	sum, out      *loop.Axis // what the first one sums up, and the columns of the second
	others        []*loop.Axis
	rows          int  // of a tile
	ends          bool // where columns are greater than rows, there is nothing
}

// chooseScores decides the schedule of attention in one launch; ok is false where k is none, or another schedule is better.
func chooseScores(k *loop.Kernel, m *Machine) (opts []loop.Opt, ok bool) {
	if m.Tensor == nil || !chains(k) {
		return nil, false
	}
	c := &chooser{k: clone(k), m: m}
	for c.scores = c.findScores(); c.scores != nil && c.turnScores(); c.scores = c.findScores() {
	}
	if c.scores == nil || c.err != nil {
		return nil, false
	}
	c.endsScores()
	opts, err := c.finish(k)
	if err != nil {
		return nil, false
	}
	if _, err := Apply(k, opts); err != nil {
		return nil, false
	}
	return opts, true
}

// findScores is the page of the kernel that has both products; nil where there is none, or it does not fit.
func (c *chooser) findScores() *scores {
	for _, page := range pages(c.k.Body) {
		stores, ok := equations(page)
		if !ok {
			continue
		}
		var dots []*loop.Value
		walk(roots(stores), func(v *loop.Value) {
			if v.Op == loop.Dot {
				dots = append(dots, v)
			}
		})
		if len(dots) == 2 && reads(dots[1], dots[0]) {
			s := &scores{stores: stores, first: dots[0], second: dots[1]}
			if s.shape() && s.reductions() && s.fits(c.m) {
				return s
			}
			return nil
		}
	}
	return nil
}

// is reports whether stores are the page; s may be nil.
func (s *scores) is(stores []*loop.Store) bool { return s != nil && slices.Equal(s.stores, stores) }

// shape finds the axes, and reports whether they are those of attention.
func (s *scores) shape() bool {
	for _, d := range []*loop.Value{s.first, s.second} {
		if p := (&product{dot: d}); d.Instr != "" || !p.reorders() || d.Elem != loop.F32 {
			return false
		}
	}
	a, b := shapeOf(s.first), shapeOf(s.second)
	if len(a.over) != 1 || len(b.over) != 1 {
		return false
	}
	s.sum, s.col = a.over[0], b.over[0]
	ins := s.second.Args
	if reads(ins[1], s.first) {
		ins = []*loop.Value{ins[1], ins[0]}
		b.rows, b.cols = b.cols, b.rows
	}
	if !loop.Has(a.cols, s.col) {
		a.rows, a.cols = a.cols, a.rows
	}
	if reads(ins[1], s.first) || len(a.cols) != 1 || a.cols[0] != s.col || len(b.cols) != 1 {
		return false
	}
	s.row, s.out = widest(common(a.rows, b.rows)), b.cols[0]
	if s.row == nil {
		return false
	}
	s.others = minus(slices.Concat(b.batch, b.rows), []*loop.Axis{s.row})
	for _, x := range append([]*loop.Axis{s.row, s.col, s.sum, s.out}, s.others...) {
		if x.Def != nil || x.Bind != loop.Open || !constantExtent(x) {
			return false
		}
	}
	return s.sum.Max <= scoreWidth && s.out.Max <= scoreWidth && s.sum.Max >= fragmentSums && s.out.Max >= fragmentCols
}

// reductions reports whether all that is reduced beside the products are rows of scores, and all that is stored is of rows.
func (s *scores) reductions() bool {
	ok, deps := true, newDepends()
	walk(roots(s.stores), func(v *loop.Value) {
		if isReduction(v) && v.Op != loop.Dot {
			float := v.Elem == loop.F32 && (v.Op == loop.ReduceMax || v.Op == loop.ReduceMin || v.Op == loop.ReduceSum)
			ok = ok && float && len(v.Over) == 1 && v.Over[0] == s.col && !loop.Has(deps.value(v), s.out)
		}
	})
	own := append([]*loop.Axis{s.row, s.out}, s.others...)
	for _, st := range s.stores {
		at := deps.store(st)
		ok = ok && len(minus(at, own)) == 0 && len(minus(append([]*loop.Axis{s.row}, s.others...), at)) == 0
	}
	return ok
}

// fits decides how many rows a tile has, two fragments a warp where there are registers and tiles enough, and reports whether there are tiles for half of
// the processors at least, whose rows are more than half of them, and columns for some turns, and slots have room.
func (s *scores) fits(m *Machine) bool {
	tiles := func() int { return sizeOf(s.others) * (multiple(s.row.Max, s.rows) / s.rows) }
	s.rows = 2 * scoreWarps * fragmentRows
	if s.out.Max > scoreWidth/2 || tiles() < m.Processors || s.row.Max <= s.rows/2 || afterCost(s.stores, s.first) > scoreCost {
		s.rows /= 2
	}
	slot := func(rows, sums, sum int) int { // of either order
		sums = multiple(sums, sum)
		const chunk = chunkBytes / 2
		return 2 * max(rows*(sums+chunk), sums*(rows+chunk))
	}
	width := multiple(s.out.Max, fragmentCols)
	bytes := slot(s.rows, s.sum.Max, fragmentSums) + scoreStages*(slot(scoreColumns, s.sum.Max, fragmentSums)+slot(width, scoreColumns, fragmentSums))
	return s.row.Max > scoreWarps*fragmentRows/2 && s.col.Max > scoreColumns && 2*tiles() >= m.Processors && bytes <= m.Slots
}

// turnScores makes the scores the first operand of the second product, and columns those of the first, and packs what is to be copied but is computed; false
// where all is so.
func (c *chooser) turnScores() bool {
	s := c.scores
	switch {
	case c.err != nil:
		return false
	case reads(s.second.Args[1], s.first):
		c.do(Swap, s.second.Name, 0, "")
		return true
	case loop.Has(shapeOf(s.first).rows, s.col):
		c.do(Swap, s.first.Name, 0, "")
		return true
	}
	for _, v := range []*loop.Value{s.first.Args[0], s.first.Args[1], s.second.Args[1]} {
		if !isSimple(v) {
			c.do(Pack, v.Name, 0, "phase")
			return true
		}
	}
	return false
}

// scorePage cuts and binds the axes of a page of scores.
func (c *chooser) scorePage(s *scores) {
	for _, a := range s.others {
		c.do(Bind, a.Name, 0, "par")
	}
	c.do(Cut, s.row.Name, s.rows, "")
	outer, row := piecesNamed(c.k, s.row)
	if outer != row {
		c.do(Bind, outer.Name, 0, "par")
	}
	c.fragment(c.warps(row, s.rows, scoreWarps), fragmentRows, loop.FragRow)
	if s.ends {
		c.do(Ends, s.col.Name, s.rows, outer.Name)
	}
	c.do(Cut, s.col.Name, scoreColumns, "")
	outer, col := piecesNamed(c.k, s.col)
	c.do(Bind, outer.Name, 0, "loop")
	c.fragment(col, fragmentSums, loop.FragSum)
	for _, a := range newDepends().axis(s.col) { // the summands of the second product are registers of the first
		if a.Bind == loop.Open {
			c.do(Bind, a.Name, 0, "reg")
		}
	}
	c.fragment(s.sum, fragmentSums, loop.FragSum)
	c.fragment(s.out, fragmentCols, loop.FragCol)
	c.do(Mma, s.first.Name, 0, loop.MMA)
	c.do(Mma, s.second.Name, 0, loop.MMA)
	c.do(Stage, s.first.Args[0].Name, 1, "")
	c.do(Stage, s.first.Args[1].Name, scoreStages, "")
	c.do(Stage, s.second.Args[1].Name, scoreStages, "")
}
