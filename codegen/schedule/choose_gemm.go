package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Products. The schedule is that of example (c): the column operand in panels of the row's
// width, packed in a phase of its own; the row operand read in place by scalars; blocks of
// rows and columns parallel; per point a loop over column panels around one over row tiles, so
// that a panel stays in L1; long contractions in blocks with the accumulators in a panel.

// splitDots puts into pages of their own: all dots but the last, what reduces a dot's result,
// and operands that must be packed.
func (c *chooser) splitDots(stores []*loop.Store) bool {
	last := dotIn(stores)
	if last == nil || last.Instr != "" {
		return false
	}
	if c.parts(last) {
		return true
	}
	deps := newDepends()
	shape := shapeOf(last)
	var pack *loop.Value
	walk(roots(stores), func(v *loop.Value) {
		switch {
		case pack != nil || v == last:
		case v.Op == loop.Dot:
			pack = v
		case v == laneSum(stores, last):
		case isReduction(v) && overlaps(deps.over(v), slices.Concat(shape.rows, shape.cols, shape.batch)):
			pack = last
		}
	})
	walkUnknown(roots(stores), map[*loop.Value]bool{last: true}, func(v *loop.Value) {
		ofLast := false
		walk(v.Args, func(x *loop.Value) { ofLast = ofLast || x == last })
		if pack == nil && isRowSum(v) && v.Elem.IsFloat() && !ofLast { // which wants the lanes for itself
			pack = last
		}
	})
	if pack == nil || pack == last && isOnlyStored(stores, last) {
		return c.packOperands(stores, last) || c.looksAtTaps(last)
	}
	if v := c.sharedOperand(stores, pack); v != nil {
		pack = v
	}
	c.do(Pack, pack.Name, 0, "phase")
	return true
}

// sharedOperand is an operand of d that a page is to compute anyway and that others need too, or what it sums up, so that it is there before
// them: else each page would compute its own.
func (c *chooser) sharedOperand(stores []*loop.Store, d *loop.Value) *loop.Value {
	others := map[*loop.Value]bool{}
	walkUnknown(roots(stores), map[*loop.Value]bool{d: true}, func(v *loop.Value) { others[v] = true })
	for _, v := range d.Args[:2] {
		if isSimple(v) || pointCost([]*loop.Value{v}) < spillCost && !reduces(v) {
			continue
		}
		shared := others[v]
		walk([]*loop.Value{v}, func(x *loop.Value) { shared = shared || others[x] && isReduction(x) })
		if shared {
			return v
		}
	}
	return nil
}

// product is what the schedule of a dot rests on.
type product struct {
	dot      *loop.Value
	shape    dotShape
	row, col *loop.Axis // the axes of the register block; nil where there is none
	tile     Row
	far      *loop.Buffer // the second operand where lanes lie apart in it, in memory that is read once; else nil
}

func (p *product) rows() int { return maxOf(p.row) }
func (p *product) cols() int { return maxOf(p.col) }

func maxOf(a *loop.Axis) int {
	if a == nil {
		return 1
	}
	return a.Max
}

func (c *chooser) product(stores []*loop.Store, d *loop.Value) *product {
	p := &product{dot: d, shape: shapeOf(d).open()}
	p.row = c.nearest(d.Args[0], p.shape.rows)
	p.col = widest(p.shape.cols)
	if lanes := c.lanesOf(stores, d); lanes != nil && loop.Has(p.shape.cols, lanes) {
		p.col = lanes
	}
	if c.blockTile(p, stores) {
		return p
	}
	rows := c.m.Rows
	if p.row != nil && p.row == c.inBlock { // the next block has rows of its own
		rows = slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return p.row.Max%r.Rows != 0 })
	}
	p.tile = c.m.best(rows, p.rows(), p.cols(), min(sizeOf(p.shape.over), c.m.Block))
	p.tile.Rows = min(p.tile.Rows, p.rows())
	p.tile.Cols = min(p.tile.Cols, multiple(p.cols(), c.m.Lanes))
	if sizeOf(p.shape.rows) <= p.tile.Rows && p.cols()*sizeOf(p.shape.over)*d.Elem.Size() > nearby {
		p.far = farBuffer(d.Args[1], p.col, p.shape.last())
	}
	if p.far != nil { // it is not packed
		p.tile.Cols = min(p.tile.Cols, farRegisters*c.m.Lanes)
		if c.transposes(p) {
			p.tile.Cols = min(p.tile.Cols, c.m.Lanes)
		}
	}
	return p
}

// Lanes that lie far apart fill farRegisters registers at a time: each reads a line of its own, which are as far apart as rows of the
// operand, so they share a few sets of the cache, and are to stay there until their last element is read. (1 × 768
// × 50257: 12 registers took 55 ms, 1 .. 4 take 17 .. 19.) An operand of nearby bytes stays in any case. Where the summed axis is one
// of whole registers, one register of columns is read for as many of its steps as there are lanes, and transposed.
const (
	farRegisters = 2
	nearby       = 32 << 10
)

// farBuffer is what v loads so that neighbours along axis a are no neighbours in it, and those along k are; nil: there is none.
func farBuffer(v *loop.Value, a, k *loop.Axis) (far *loop.Buffer) {
	walk([]*loop.Value{v}, func(x *loop.Value) {
		if a != nil && x.Op == loop.Load {
			if _, terms := affine(address(newIndices(), x.Buf, x.Args)); terms[a.Name] > 1 && terms[k.Name] == 1 {
				far = x.Buf
			}
		}
	})
	return far
}

// transposes reports whether the columns of p are read along the summed axis, so many steps at a time.
func (c *chooser) transposes(p *product) bool {
	k := p.shape.last()
	return p.far != nil && c.m.Processors == 0 && k.Def == nil && constantExtent(k) && k.Max%c.m.Lanes == 0
}

// multiple is the least multiple of n that is no less than x.
func multiple(x, n int) int { return (x + n - 1) / n * n }

// best is the one of a list of rows that takes the least time for rows × cols results of some summands.
func (m *Machine) best(list []Row, rows, cols, summands int) Row {
	best, least := Row{}, 0.0
	for _, r := range list {
		turns := max(summands, 1) + max(r.Rows*r.Cols/m.Lanes-m.Handed, 0)
		time := float64(multiple(rows, r.Rows)*multiple(cols, r.Cols)*turns) / r.Speed
		if least == 0 || time < least {
			best, least = r, time
		}
	}
	return best
}

// packOperands exchanges rows and columns where the result is contiguous along rows, and packs
// what the row of the dot would read badly or compute again.
func (c *chooser) packOperands(stores []*loop.Store, d *loop.Value) bool {
	if shape, lanes := shapeOf(d), c.lanesOf(stores, d); loop.Has(shape.rows, lanes) || len(shape.cols) == 0 && len(shape.rows) > 0 {
		c.do(Swap, d.Name, 0, "")
		return true
	}
	p := c.product(stores, d)
	if p.tile.Tensor || p.wide(stores, c.m) { // of narrow operands, or f32 that could be shared
		return c.packShared(p, stores)
	}
	if c.isGemv(p, stores) {
		return c.splitGemv(p, stores)
	}
	for i, v := range d.Args {
		if w := windowOf(v); w != nil && i == 1 && !p.panels() && p.col == w.standing(p.shape.cols) {
			c.do(Pack, v.Name, 0, "standing")
			return true
		} else if w != nil && !(i == 1 && p.panels()) {
			_, tiles := p.tiles()
			images := c.ownsWindow(p, w, stores)
			c.do(Pack, v.Name, i*(tiles*p.tile.Cols-p.cols()), "window") // the second operand has lanes
			if images != nil {
				c.packedOwn(p, i, images)
			}
			return true
		}
	}
	a, b := d.Args[0], d.Args[1]
	if !isSimple(a) || !isPacked(a) && c.aliases(a, p) {
		c.do(Pack, a.Name, 0, "phase")
		return true
	}
	if c.packsOwn(p, stores) {
		return true
	}
	if p.col == nil || sizeOf(p.shape.rows) <= p.tile.Rows || !p.panels() {
		if reduces(b) {
			c.do(Pack, b.Name, 0, "phase")
			return true
		}
		return false
	}
	if isPacked(b) {
		return false
	}
	x := newIndices()
	contiguous := false
	if isSimple(b) {
		_, terms := affine(address(x, b.Buf, b.Args))
		contiguous = terms[p.col.Name] == 1
	}
	if contiguous && !b.Buf.Still && sizeOf(p.shape.rows) < c.m.PackRows {
		return false
	}
	owns := c.ownsColumns(p, stores)
	c.do(Pack, b.Name, p.tile.Cols, p.col.Name)
	if owns {
		c.packedOwn(p, 1, nil)
	}
	return true
}

// aliases reports whether the rows of a are about a multiple of 2 KB apart, more of them than the machine bears, and read often:
// then their lines compete for few sets of L1, and a copy with padded rows pays.
func (c *chooser) aliases(a *loop.Value, p *product) bool {
	if p.row == nil || p.rows() < c.m.PackRows || p.cols() < 8*p.tile.Cols {
		return false
	}
	_, terms := affine(address(newIndices(), a.Buf, a.Args))
	k := p.shape.last()
	step := max(terms[p.row.Name], terms[k.Name])
	const line = 64
	step *= a.Elem.Size()
	same := p.tile.Rows // rows in a set
	if (step+line/2)%4096 > line {
		same = (same + 1) / 2
	}
	return step > 1024 && (step+line/2)%2048 <= line && same > c.m.SameSet
}

// isSimple reports whether a row can read v in place.
func isSimple(v *loop.Value) bool { return v.Op == loop.Load }

func isPacked(v *loop.Value) bool { return v.Op == loop.Load && v.Buf.Mode == loop.Work }

// gemm cuts and binds the axes of a page with one dot.
func (c *chooser) gemm(stores []*loop.Store, d *loop.Value) {
	p := c.product(stores, d)
	if c.isGemv(p, stores) {
		c.gemv(p, stores)
		return
	}
	if w := c.sweptMatrix(p, stores); w != nil {
		c.sweep(p, w)
		return
	}
	everywhere := func(a *loop.Axis) bool { return everywhere(stores, a) }
	contracted := 1
	for _, a := range p.shape.over {
		contracted *= a.Max
	}
	want := min(2*contracted*p.rows()*p.cols()*extents(p.shape, p.row, p.col)/c.m.ProductChunk, c.m.Points)
	least := 2
	image := c.ownImage(p)
	if c.inBlock != nil || image != nil {
		want, least = 0, 0
	}
	var outer, again []string
	points := 1
	repeats := c.repeats(p, everywhere, want)
	for _, a := range slices.Concat(p.shape.batch, p.shape.rows, p.shape.cols) {
		if a == p.row || a == p.col || a.Bind != loop.Open {
			continue
		}
		if a == image {
			c.do(Bind, a.Name, 0, "par")
			c.ownBlock(c.own, a)
			continue
		}
		if loop.Has(repeats, a) {
			c.do(Bind, a.Name, 0, "loop")
			again = append(again, a.Name)
			continue
		}
		if everywhere(a) && points < max(want, least) {
			c.do(Bind, a.Name, 0, "par")
			points *= a.Max
			continue
		}
		c.do(Bind, a.Name, 0, "loop")
		outer = append(outer, a.Name)
	}
	rowBlocks, colBlocks := c.blocks(p, everywhere, want, points)
	ownRows, ownCols := c.ownOperand(p, 0), c.ownOperand(p, 1)
	if ownRows != nil {
		rowBlocks, colBlocks = ownRows.points, min(colBlocks, max(p.cols()/ownWide, 1))
	}
	if ownCols != nil {
		rowBlocks, colBlocks = 1, ownCols.points
	}
	rowTiles, colTiles := p.tiles()
	if p.fragments() && everywhere(p.row) { // a point a tile
		rowBlocks = rowTiles
	}
	if p.fragments() && everywhere(p.col) {
		colBlocks = colTiles
	}
	blocks := c.kBlocks(p)
	var sums []string
	for _, a := range c.outside(p, len(blocks) > 0) {
		c.do(Bind, a.Name, 0, "loop")
		sums = append(sums, a.Name)
	}
	sums = slices.Concat(sums, blocks, again)
	var colLoops, rowLoops []string
	if p.col != nil {
		col, loops := c.tiles(p.col, p.tile.Cols, colTiles, colBlocks, p.fragments() && everywhere(p.col))
		colLoops = loops
		c.ownBlock(ownCols, p.col)
		if p.fragments() {
			c.fragment(c.warps(col, p.tile.Cols, p.tile.Warps[1]), fragmentCols, loop.FragCol)
		} else {
			c.do(Vec, col.Name, c.m.Lanes, "")
		}
	}
	if c.transposes(p) {
		k := p.shape.last()
		if n := len(colLoops); n > 0 && p.far.Bytes() > c.m.L2 { // a machine has to find so many rows anew in each turn
			c.do(Prefetch, p.far.Name, 0, colLoops[n-1])
		}
		if k.Max > c.m.Lanes {
			c.do(Cut, k.Name, c.m.Lanes, "")
			_, k = piecesNamed(c.k, k)
		}
		c.do(Bind, k.Name, 0, "reg")
	}
	if p.row != nil {
		row, loops := c.tiles(p.row, p.tile.Rows, rowTiles, rowBlocks, p.fragments() && everywhere(p.row))
		rowLoops = loops
		c.ownBlock(ownRows, p.row)
		if p.fragments() {
			c.fragment(c.warps(row, p.tile.Rows, p.tile.Warps[0]), fragmentRows, loop.FragRow)
			if k := c.slots(p, stores); p.tile.Tensor {
				c.fragment(k, fragmentSums, loop.FragSum)
			}
		}
	}
	switch panels := d.Args[1]; {
	case len(blocks) == 0 && updates(stores, p) && contracted*p.cols()*d.Elem.Size() <= c.m.L2/2:
		outer = slices.Concat(outer, sums, rowLoops, colLoops)
	case len(blocks) > 0 && isPacked(panels): // which are read from end to end then
		outer = slices.Concat(outer, colLoops, sums, rowLoops)
	default:
		outer = slices.Concat(outer, sums, colLoops, rowLoops)
	}
	if ownCols == nil && image == nil {
		c.follows(d.Args[1], rowLoops)
	}
	c.streams(stores)
	for i, name := range outer {
		c.do(Order, name, i, "")
	}
	c.endsTaps(d)
	c.do(Mma, d.Name, 0, p.tile.String())
}

// updates reports whether a product is stored into what it reads, as an optimiser does: that is
// more memory than the operands, and should pass in its order, row by row.
func updates(stores []*loop.Store, p *product) bool {
	for _, s := range stores {
		if s.Buf.Mode == loop.InOut && p.row != nil && p.col != nil && len(s.Index) > 1 && uses([]*loop.Store{s}, p.dot) {
			return true
		}
	}
	return false
}

// tiles is how many register blocks rows and columns have.
func (p *product) tiles() (rows, cols int) {
	return (p.rows() + p.tile.Rows - 1) / p.tile.Rows, (p.cols() + p.tile.Cols - 1) / p.tile.Cols
}

// blocks is in how many parallel blocks rows and columns are cut, so that with the points
// that there are already some want points come about.
func (c *chooser) blocks(p *product, everywhere func(*loop.Axis) bool, want, points int) (rowBlocks, colBlocks int) {
	rowTiles, colTiles := p.tiles()
	rowBlocks, colBlocks = 1, 1
	if p.row != nil && everywhere(p.row) {
		rowBlocks = (p.rows() + c.m.BlockRows - 1) / c.m.BlockRows
		if p.col == nil || colTiles == 1 {
			rowBlocks = max(rowBlocks, want/points)
		}
		rowBlocks = min(rowBlocks, rowTiles)
		if want/points <= 1 {
			rowBlocks = 1
		}
		points *= rowBlocks
	}
	if p.col != nil && everywhere(p.col) && want > points {
		colBlocks = min((want+points-1)/points, colTiles)
	}
	return rowBlocks, colBlocks
}

func extents(s dotShape, without ...*loop.Axis) int {
	n := 1
	for _, a := range slices.Concat(s.batch, s.rows, s.cols) {
		if !loop.Has(without, a) {
			n *= a.Max
		}
	}
	return n
}

// tiles cuts an axis in parallel blocks of tiles of n and returns what is left of it in a tile, and the loop over tiles, which
// apart are points of their own.
func (c *chooser) tiles(a *loop.Axis, n, tiles, blocks int, apart bool) (inner *loop.Axis, loops []string) {
	if blocks > 1 {
		size := (tiles + blocks - 1) / blocks * n
		for a == c.inRound && size < a.Max && a.Max%size != 0 {
			size += n
		}
		c.do(Cut, a.Name, size, "")
		outer, inner := piecesNamed(c.k, a)
		if outer != inner {
			c.do(Bind, outer.Name, 0, "par")
		}
		a = inner
	}
	_, constant := a.Extent.IntConst()
	if !constant || a.Max != n {
		c.do(Cut, a.Name, n, "")
		outer, inner := piecesNamed(c.k, a)
		switch {
		case outer == inner:
		case apart:
			c.do(Bind, outer.Name, 0, "par")
		default:
			c.do(Bind, outer.Name, 0, "loop")
			loops = append(loops, outer.Name)
		}
		a = inner
	}
	return a, loops
}

// kBlocks cuts a long contracted axis and returns the loop over its blocks.
func (c *chooser) kBlocks(p *product) []string {
	k := p.shape.last()
	block := c.m.Block
	if c.transposes(p) { // rows are read once, from end to end
		return nil
	}
	if a := p.dot.Args[0]; a.Op == loop.Load && k.Bind == loop.Open {
		if _, terms := affine(address(newIndices(), a.Buf, a.Args)); terms[k.Name] > 1 && p.rows() > p.tile.Rows {
			block = c.m.StridedBlock
		}
	}
	if k.Max <= block*3/2 {
		return nil
	}
	blocks := (k.Max + block - 1) / block
	c.do(Cut, k.Name, (k.Max+blocks-1)/blocks, "tight")
	outer, _ := piecesNamed(c.k, k)
	c.do(Bind, outer.Name, 0, "loop")
	return []string{outer.Name}
}

// outside are the contracted axes whose loops go around those over tiles: all but the last where that has blocks,
// else the slowest, so that a column panel over the rest stays in L2 while rows pass.
func (c *chooser) outside(p *product, blocks bool) []*loop.Axis {
	over := p.shape.over
	if blocks {
		return over[:len(over)-1]
	}
	size := p.tile.Cols * p.dot.Elem.Size()
	for _, a := range over {
		size *= a.Max
	}
	n := 0
	for ; n < len(over)-1 && p.rows() > p.tile.Rows && size > c.m.L2/2; n++ {
		size /= max(over[n].Max, 1)
	}
	return over[:n]
}

// scheduled gives lanes to a page that came with loops.
func (c *chooser) scheduled(page []loop.Stmt) {
	if c.err != nil || len(page) == 0 {
		return
	}
	var stores []*loop.Store
	loop.Walk(page, func(s loop.Stmt) {
		if s, ok := s.(*loop.Store); ok {
			stores = append(stores, s)
		}
	})
	free, _ := leafAxes(stores)
	var lane *loop.Axis
	most := 0.0
	if c.m.Processors > 0 { // lanes are threads, and any work is better shared among them
		most = -1
	}
	for _, a := range free {
		if score := c.contiguity(stores, a); a.Bind == loop.Open && (score > most || lane != nil && score == most && a.Max > lane.Max) {
			lane, most = a, score
		}
	}
	if lane != nil && (c.m.Processors > 0 && lane.Max > c.m.Lanes || !constantExtent(lane)) { // points are small there, and registers are a number that is known
		c.do(Cut, lane.Name, c.m.Lanes, "")
		outer, inner := piecesNamed(c.k, lane)
		c.do(Bind, outer.Name, 0, "par")
		lane = inner
	}
	for _, a := range free { // what stays open is each point's own
		if a != lane && a.Def == nil && a.Bind == loop.Open {
			c.do(Bind, a.Name, 0, "par")
		}
	}
	if lane == nil {
		return
	}
	if lane.Max%c.m.Lanes != 0 {
		c.do(Cut, lane.Name, (lane.Max+c.m.Lanes-1)/c.m.Lanes*c.m.Lanes, "")
		_, lane = piecesNamed(c.k, lane)
	}
	c.do(Vec, lane.Name, c.m.Lanes, "")
}
