package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Products. The schedule is that of example (c): the column operand in panels of the row's
// width, packed in a phase of its own; the row operand read in place by scalars; blocks of
// rows and columns parallel; per point a loop over column panels around one over row tiles, so

// gemm is the schedule of a page with one product, as far as it is decided.
type gemm struct {
	*product
	stores      []*loop.Store
	want, least int         // how many parallel points there shall be, and how many at least where axes allow
	points      int         // that there are, without those of blocks
	outer, sums []string    // loops around those over tiles: over what is not summed, and over what is
	again       []string    // over what goes over the same columns
	tiled       [2][]string // over tiles of rows and of columns
	blocks      [2]int      // parallel ones of rows and of columns
	own         [2]*ownPack // what each block packs for itself
}

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
	g := &gemm{product: p, stores: stores, least: 2, points: 1}
	g.want = min(max(2*sizeOf(p.shape.over)*p.rows()*p.cols()*extents(p.shape, p.row, p.col)/c.m.ProductChunk, c.matrixPoints(p)), c.m.Points)
	image := c.ownImage(p)
	if c.inBlock != nil || image != nil {
		g.want, g.least = 0, 0
	}
	c.bindOthers(g, image)
	c.blocks(g)
	blocks := c.kBlocks(p)
	for _, a := range c.outside(p, len(blocks) > 0) {
		c.do(Bind, a.Name, 0, "loop")
		g.sums = append(g.sums, a.Name)
	}
	g.sums = slices.Concat(g.sums, blocks, g.again)
	c.tileSide(g, 1)
	c.transposedSums(g)
	c.tileSide(g, 0)
	c.orderLoops(g, len(blocks) > 0)
	if g.own[1] == nil && image == nil {
		c.follows(d.Args[1], g.tiled[0])
	}
	c.streams(stores)
	for i, name := range g.outer {
		c.do(Order, name, i, "")
	}
	c.endsTaps(d)
	c.do(Mma, d.Name, 0, p.tile.String())
	c.promotes(p)
}

// bindOthers binds the axes besides those of the register block: as points, as many as are wanted, else as loops. An image is a point in any case.
func (c *chooser) bindOthers(g *gemm, image *loop.Axis) {
	repeats := c.repeats(g.product, g.stores, g.want)
	for _, a := range slices.Concat(g.shape.batch, g.shape.rows, g.shape.cols) {
		switch {
		case a == g.row || a == g.col || a.Bind != loop.Open:
		case a == image:
			c.do(Bind, a.Name, 0, "par")
			c.ownBlock(c.own, a)
		case loop.Has(repeats, a):
			c.do(Bind, a.Name, 0, "loop")
			g.again = append(g.again, a.Name)
		case everywhere(g.stores, a) && g.points < max(g.want, g.least):
			c.do(Bind, a.Name, 0, "par")
			g.points *= a.Max
		default:
			c.do(Bind, a.Name, 0, "loop")
			g.outer = append(g.outer, a.Name)
		}
	}
}

// tileSide cuts the rows (0) or columns (1) in blocks and tiles. Columns are lanes; of tensor cores both are fragments, and rows bring the summands with them.
func (c *chooser) tileSide(g *gemm, side int) {
	a, size := [2]*loop.Axis{g.row, g.col}[side], [2]int{g.tile.Rows, g.tile.Cols}[side]
	if a == nil {
		return
	}
	rows, cols := g.tiles()
	inner, loops := c.tiles(a, size, [2]int{rows, cols}[side], g.blocks[side], g.apart(side))
	g.tiled[side] = loops
	c.ownBlock(g.own[side], a)
	switch {
	case !g.fragments() && side == 1:
		c.do(Vec, inner.Name, c.m.Lanes, "")
	case g.fragments() && side == 1:
		c.fragment(c.warps(inner, size, g.tile.Warps[1]), fragmentCols, loop.FragCol)
	case g.fragments():
		c.fragment(c.warps(inner, size, g.tile.Warps[0]), fragmentRows, loop.FragRow)
		if k := c.slots(g.product, g.stores); g.tile.Tensor {
			c.fragment(k, fragmentSums, loop.FragSum)
		}
	}
}

// transposedSums puts summands in registers where the columns are read along them.
func (c *chooser) transposedSums(g *gemm) {
	if !c.transposes(g.product) {
		return
	}
	k := g.shape.last()
	if n := len(g.tiled[1]); n > 0 && g.far.Bytes() > c.m.L2 { // a machine has to find so many rows anew in each turn
		c.do(Prefetch, g.far.Name, 0, g.tiled[1][n-1])
	}
	if k.Max > c.m.Lanes {
		c.do(Cut, k.Name, c.m.Lanes, "")
		_, k = piecesNamed(c.k, k)
	}
	c.do(Bind, k.Name, 0, "reg")
}

// apart reports whether the tiles of rows (0) or columns (1) are points of their own.
func (g *gemm) apart(side int) bool {
	return g.fragments() && everywhere(g.stores, [2]*loop.Axis{g.row, g.col}[side])
}

// orderLoops says which loop is around which.
func (c *chooser) orderLoops(g *gemm, blocks bool) {
	d := g.dot
	switch panels := d.Args[1]; {
	case !blocks && updates(g.stores, g.product) && sizeOf(g.shape.over)*g.cols()*d.Elem.Size() <= c.m.L2/2:
		g.outer = slices.Concat(g.outer, g.sums, g.tiled[0], g.tiled[1])
	case blocks && isPacked(panels): // which are read from end to end then
		g.outer = slices.Concat(g.outer, g.tiled[1], g.sums, g.tiled[0])
	default:
		g.outer = slices.Concat(g.outer, g.sums, g.tiled[1], g.tiled[0])
	}
}

// blocks says in how many parallel blocks rows and columns are cut, so that with the points that there are already some want points come about: as
// many as there are panels of what points pack for themselves, and of tensor cores a point a tile.
func (c *chooser) blocks(g *gemm) {
	rowTiles, colTiles := g.tiles()
	points := g.points
	g.blocks = [2]int{1, 1}
	if g.row != nil && everywhere(g.stores, g.row) && g.want/points > 1 {
		n := (g.rows() + c.m.BlockRows - 1) / c.m.BlockRows
		if g.col == nil || colTiles == 1 {
			n = max(n, g.want/points)
		}
		g.blocks[0] = min(n, rowTiles)
		points *= g.blocks[0]
	}
	if g.col != nil && everywhere(g.stores, g.col) && g.want > points {
		g.blocks[1] = min((g.want+points-1)/points, colTiles)
	}
	g.own = [2]*ownPack{c.ownOperand(g.product, 0), c.ownOperand(g.product, 1)}
	if own := g.own[0]; own != nil {
		g.blocks = [2]int{own.points, min(g.blocks[1], max(g.cols()/ownWide, 1))}
	}
	if own := g.own[1]; own != nil {
		g.blocks = [2]int{1, own.points}
	}
	for side, tiles := range [2]int{rowTiles, colTiles} {
		if g.apart(side) {
			g.blocks[side] = tiles
		}
	}
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
