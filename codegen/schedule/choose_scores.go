package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Attention on the chip. Where a product on tensor cores multiplies what is computed of other products' results, its scores, the scores
// need not leave registers: the columns of the first product are the summands of the second one, and a thread has of both the same.
// A point makes a tile of rows: it goes over blocks of columns once for each reduction that depends on the one before, as the maximum of a row and
// then the sum of exponentials, and once for the second products, and computes the scores again each time.
//
//	for s0 { m = max(m, dot[d](Q[t,d], K[s,d])) }   for s0 { l += exp(dot[d](..) - m) }   for s0 { O += dot[s1](exp(dot[d](..) - m) / l, V[s,e]) }
//
// A gradient sums up rows as well as columns. So it is several pages: what a row needs of all columns comes first, then what sums up columns, and then what sums
// up rows: to that the columns of scores are the rows of a tile, which goes over blocks of the others.
//
//	D[t] = sum[s](p * dp)   phase   DQ[t,f] = dot[s](ds, K[s,f])   phase   DK[s,h] = dot[t](ds, Q[t,h])   DV[s,g] = dot[t](p, DO[t,g])

const (
	scoreColumns = sumPartials // of a block at most, so that a thread has the same partial sums in all of them
	scoreWarps   = 4           // that share the blocks of columns at most, each with its own rows
	scoreWidth   = 128         // of what is summed in a score, and of what a row results in, at most: more is more than there are registers
	scoreStages  = 2           // slots of blocks of columns, where warps multiply for themselves
	scoreCost    = 45          // of what is computed of a score, from where on a warp has no registers for more than one fragment of rows
)

// scores is a page with products of other products' results, or with what reduces these.
type scores struct {
	stores  []*loop.Store
	firsts  []*loop.Value // products of which scores are made
	seconds []*loop.Value // products of what is made of scores
	row     *loop.Axis    // of which a point makes some
	col     *loop.Axis    // of scores, which is summed up or reduced
	sums    []*loop.Axis  // what is summed in a score
	outs    []*loop.Axis  // of what a row results in
	others  []*loop.Axis
	tile    scoreTile
	ends    string // Ends or Begins where there is nothing in columns that are greater or less than rows
}

// scoreTile is how many rows a point makes, and how many columns it goes over at a time; it may be of groups of four warps.
type scoreTile struct {
	rows, cols int
	group      bool
}

// warps are those of a tile.
func (t scoreTile) warps() int {
	if t.group {
		return t.rows / fragmentRows
	}
	return min(t.rows/fragmentRows, scoreWarps)
}

// instr is the instruction row of its products.
func (t scoreTile) instr() string {
	if t.group {
		return loop.WGMMA
	}
	return loop.MMA
}

// stages are its slots of blocks of columns.
func (t scoreTile) stages() int {
	if t.group {
		return groupStages
	}
	return scoreStages
}

// chooseScores decides the schedule of attention on the chip; ok is false where k is none, or another schedule is better.
func chooseScores(k *loop.Kernel, m *Machine) (opts []loop.Opt, ok bool) {
	if m.Tensor == nil || !chains(k) {
		return nil, false
	}
	c := &chooser{k: clone(k), m: m}
	for c.partScores() {
	}
	for c.findScores(); c.turnScores(); c.findScores() {
	}
	if c.scores == nil || c.err != nil {
		return nil, false
	}
	for _, s := range c.scores {
		c.endsScores(s)
	}
	opts, err := c.finish(k)
	if err != nil {
		return nil, false
	}
	fits := func(opts []loop.Opt) bool {
		steps, err := Apply(k, opts)
		return err == nil && loopSlots(steps[len(steps)-1].Kernel) <= m.Slots
	}
	for _, s := range c.scores {
		if asks := append(slices.Clone(opts), opt(Roles, s.firsts[0].Name, 0, "")); s.tile.group && s.tile.rows > scoreWarps*fragmentRows && fits(asks) {
			opts = asks
		}
	}
	return opts, fits(opts)
}

// findScores are the pages of the kernel that have scores; none where one of them does not fit, or no product has scores.
func (c *chooser) findScores() {
	c.scores = nil
	var found []*scores
	products := 0
	for _, page := range pages(c.k.Body) {
		stores, ok := equations(page)
		if s := scoresOf(stores); ok && s != nil {
			if !s.shape() || !s.reductions() || !s.fits(c.m) {
				return
			}
			found = append(found, s)
			products += len(s.seconds)
		}
	}
	if products > 0 {
		c.scores = found
	}
}

// scoresOf are the products of a page; nil where nothing but them is there.
func scoresOf(stores []*loop.Store) *scores {
	s := &scores{stores: stores}
	read, reduced := map[*loop.Value]bool{}, false // what is computed of a product
	walk(roots(stores), func(v *loop.Value) {
		read[v] = slices.ContainsFunc(v.Args, func(x *loop.Value) bool { return read[x] || x.Op == loop.Dot })
		switch {
		case v.Op == loop.Dot && read[v]:
			s.seconds = append(s.seconds, v)
		case v.Op == loop.Dot:
			s.firsts = append(s.firsts, v)
		case isReduction(v):
			reduced = reduced || read[v]
		}
	})
	if len(s.seconds) == 0 && !reduced {
		return nil
	}
	return s
}

// scored reports whether v is made of a first product.
func (s *scores) scored(v *loop.Value) bool {
	return slices.ContainsFunc(s.firsts, func(d *loop.Value) bool { return reads(v, d) })
}

// ofPairs reports whether v is made of a first product, other than by a reduction.
func (s *scores) ofPairs(v *loop.Value) bool {
	rows := map[*loop.Value]bool{}
	walk([]*loop.Value{v}, func(x *loop.Value) { rows[x] = isReduction(x) && x.Op != loop.Dot })
	found := false
	walkUnknown([]*loop.Value{v}, rows, func(x *loop.Value) { found = found || x.Op == loop.Dot })
	return found
}

// scoresIn is the page of scores that stores are; nil where they are none.
func (c *chooser) scoresIn(stores []*loop.Store) *scores {
	for _, s := range c.scores {
		if slices.Equal(s.stores, stores) {
			return s
		}
	}
	return nil
}

// shape finds the axes, and reports whether they are those of attention.
func (s *scores) shape() bool {
	for _, d := range slices.Concat(s.firsts, s.seconds) {
		if p := (&product{dot: d}); d.Instr != "" || !p.reorders() || d.Elem != loop.F32 || len(shapeOf(d).over) != 1 {
			return false
		}
	}
	if s.col = s.columns(); s.col == nil {
		return false
	}
	var rows, all []*loop.Axis
	keep := func(shape dotShape) {
		if rows == nil {
			rows = shape.rows
		}
		rows = common(rows, shape.rows)
		all = append(append(all, shape.batch...), shape.rows...)
	}
	for _, d := range s.firsts {
		a := shapeOf(d)
		if !loop.Has(a.cols, s.col) {
			a.rows, a.cols = a.cols, a.rows
		}
		if len(a.cols) != 1 || a.cols[0] != s.col {
			return false
		}
		keep(a)
		s.sums = union(s.sums, a.over)
	}
	for _, d := range s.seconds {
		b, ins := shapeOf(d), d.Args[:2]
		if s.scored(ins[1]) {
			ins = []*loop.Value{ins[1], ins[0]}
			b.rows, b.cols = b.cols, b.rows
		}
		if s.scored(ins[1]) || slices.ContainsFunc(s.seconds, func(x *loop.Value) bool { return x != d && reads(d, x) }) || len(b.cols) != 1 || b.over[0] != s.col {
			return false
		}
		keep(b)
		s.outs = union(s.outs, b.cols)
	}
	if s.row = widest(rows); s.row == nil {
		return false
	}
	s.others = minus(union(nil, all), []*loop.Axis{s.row})
	for _, x := range slices.Concat([]*loop.Axis{s.row, s.col}, s.sums, s.outs, s.others) {
		if x.Def != nil || x.Bind != loop.Open || !constantExtent(x) {
			return false
		}
	}
	narrow := func(least int) func(a *loop.Axis) bool {
		return func(a *loop.Axis) bool { return a.Max < least || a.Max > scoreWidth }
	}
	return !slices.ContainsFunc(s.sums, narrow(fragmentSums)) && !slices.ContainsFunc(s.outs, narrow(fragmentCols))
}

// columns is the axis that second products sum up, or that reductions of a page without them are over.
func (s *scores) columns() (col *loop.Axis) {
	if len(s.seconds) > 0 {
		return shapeOf(s.seconds[0]).over[0]
	}
	walk(roots(s.stores), func(v *loop.Value) {
		if isReduction(v) && v.Op != loop.Dot && len(v.Over) > 0 {
			col = v.Over[0]
		}
	})
	return col
}

// union are the axes of a and those of b, each once.
func union(a, b []*loop.Axis) []*loop.Axis {
	for _, x := range b {
		if !loop.Has(a, x) {
			a = append(a, x)
		}
	}
	return a
}

// reductions reports whether all that is reduced beside the products are rows of scores, and all that is stored is of rows.
func (s *scores) reductions() bool {
	ok, deps := true, newDepends()
	walk(roots(s.stores), func(v *loop.Value) {
		if isReduction(v) && v.Op != loop.Dot {
			float := v.Elem == loop.F32 && (v.Op == loop.ReduceMax || v.Op == loop.ReduceMin || v.Op == loop.ReduceSum)
			ok = ok && float && len(v.Over) == 1 && v.Over[0] == s.col && !overlaps(deps.value(v), s.outs)
		}
	})
	rows := append([]*loop.Axis{s.row}, s.others...)
	for _, st := range s.stores {
		at := deps.store(st)
		ok = ok && len(minus(at, append(slices.Clone(rows), s.outs...))) == 0 && len(minus(rows, at)) == 0
	}
	return ok
}

// partScores makes pages of one whose scores are summed up along both of their axes: first what reduces them, the innermost first, since what sums
// up rows has no row for itself, then what sums up one axis, and at last what sums up the other one. False where there is none.
func (c *chooser) partScores() bool {
	for _, page := range pages(c.k.Body) {
		stores, ok := equations(page)
		s := scoresOf(stores)
		if !ok || s == nil || len(s.seconds) == 0 || c.err != nil {
			continue
		}
		col := s.seconds[0].Over[0]
		alike, reduced := true, (*loop.Value)(nil)
		walk(roots(stores), func(v *loop.Value) {
			if isReduction(v) && s.scored(v) && !slices.Contains(s.firsts, v) {
				alike = alike && len(v.Over) == 1 && v.Over[0] == col
				if reduced == nil && v.Op != loop.Dot {
					reduced = v
				}
			}
		})
		for _, st := range stores {
			alike = alike && slices.ContainsFunc(operands(st), s.scored)
		}
		switch {
		case alike || reduced != nil && isOnlyStored(stores, reduced): // the second is none of scores
			continue
		case reduced != nil:
			c.do(Pack, reduced.Name, 0, "phase")
		default:
			c.do(Apart, col.Name, 0, "")
		}
		return c.err == nil
	}
	return false
}

// turnScores makes the scores the first operand of a second product, and columns those of a first one, and packs what is to be copied but is computed; false
// where all is so.
func (c *chooser) turnScores() bool {
	for _, s := range c.scores {
		for _, d := range s.seconds {
			if s.scored(d.Args[1]) {
				c.do(Swap, d.Name, 0, "")
				return c.err == nil
			}
		}
		copied := make([]*loop.Value, 0, 8)
		for _, d := range s.firsts {
			if loop.Has(shapeOf(d).rows, s.col) {
				c.do(Swap, d.Name, 0, "")
				return c.err == nil
			}
			copied = append(copied, d.Args[:2]...)
		}
		for _, d := range s.seconds {
			copied = append(copied, d.Args[1])
		}
		for _, v := range copied {
			if !isSimple(v) {
				c.do(Pack, v.Name, 0, "phase")
				return c.err == nil
			}
		}
	}
	return false
}

// scorePage cuts and binds the axes of a page of scores.
func (c *chooser) scorePage(s *scores) {
	for _, a := range s.others {
		c.do(Bind, a.Name, 0, "par")
	}
	c.do(Cut, s.row.Name, s.tile.rows, "")
	outer, row := piecesNamed(c.k, s.row)
	if outer != row {
		c.do(Bind, outer.Name, 0, "par")
	}
	c.fragment(c.warps(row, s.tile.rows, s.tile.warps()), fragmentRows, loop.FragRow)
	if s.ends != "" {
		c.do(s.ends, s.col.Name, s.tile.rows, outer.Name)
	}
	if s.ends == Ends {
		c.do(Descend, outer.Name, 0, "")
	}
	c.do(Cut, s.col.Name, s.tile.cols, "")
	outer, col := piecesNamed(c.k, s.col)
	c.do(Bind, outer.Name, 0, "loop")
	c.fragment(col, fragmentSums, loop.FragSum)
	for _, a := range newDepends().axis(s.col) { // the summands of the second product are registers of the first
		if a.Bind == loop.Open {
			c.do(Bind, a.Name, 0, "reg")
		}
	}
	for _, a := range s.sums {
		c.fragment(a, fragmentSums, loop.FragSum)
	}
	for _, a := range s.outs {
		c.fragment(a, fragmentCols, loop.FragCol)
	}
	for _, d := range slices.Concat(s.firsts, s.seconds) {
		c.do(Mma, d.Name, 0, s.tile.instr())
	}
	for _, d := range s.firsts {
		c.do(Stage, d.Args[0].Name, 1, "")
		c.do(Stage, d.Args[1].Name, s.tile.stages(), "")
	}
	for _, d := range s.seconds {
		c.do(Stage, d.Args[1].Name, s.tile.stages(), "")
	}
}
