package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Products of a GPU. Large ones are of tiles that the warps of a block share, whose operands wait in shared memory. Products
// of bf16 and f16 are made on tensor cores, small ones by a warp that reads the operands in place. Those of f32 are
// spread over threads as the fragments of tensor cores are, and add in the order of the contract.

// The fragments of tensor cores are 16 rows by 8 columns by 16 summands.
var (
	fragmentRows = loop.FragmentExtent(loop.FragRow)
	fragmentCols = loop.FragmentExtent(loop.FragCol)
	fragmentSums = loop.FragmentExtent(loop.FragSum)
)

const (
	slotBytes  = 64 // of the summands of a row in a slot, where it has no swizzle
	blockWarps = 4  // that run at a time on a processor, where they have the registers of a large tile

	groupStages = 4 // slots of an operand of a group of warps, at most
)

// staged reports whether the operands wait in memory that warps share.
func (p *product) staged() bool { return p.tile.Warps[0] > 0 }

// fragments reports whether rows and columns are spread over threads as fragments are.
func (p *product) fragments() bool { return p.tile.Tensor || p.staged() }

// slotSums is how many summands a slot has.
func (p *product) slotSums() int {
	if p.tile.Group {
		return loop.SwizzleBytes / p.dot.Args[0].Elem.Size()
	}
	return slotBytes / p.dot.Args[0].Elem.Size()
}

// blockTile finds the tile of p that takes the least time on a GPU, if p is one for shared tiles or tensor cores. A GPU runs so
// many blocks, of warps that share a tile or have one each, at a time, and the last ones of them alone.
func (c *chooser) blockTile(p *product, stores []*loop.Store) bool {
	narrow, shareable := c.m.Tensor != nil && p.narrow(), c.m.Tiles != nil && p.shareable(stores)
	bytes := p.bytes()
	others := extents(p.shape, p.row, p.col)
	least := 0.0
	try := func(r Row, warps int) {
		tiles := others * (multiple(p.rows(), r.Rows) / r.Rows) * (multiple(p.cols(), r.Cols) / r.Cols)
		parts := 1
		if c.boxes[p.dot.Name] { // few sums over many places, as of a weight's gradient, are of the largest tiles, in parts
			parts = max(c.m.chopped(p, tiles), 1)
		}
		time := float64(multiple(tiles*parts*warps, blockWarps*c.m.Processors)*r.Rows*r.Cols/warps) / float64(parts) / r.Speed
		if least == 0 || time < least {
			p.tile, least = r, time
		}
	}
	for _, r := range c.m.Tiles {
		if r.Tensor = narrow; shareable && !bytes && p.rows() > r.Rows/2 && p.cols() > r.Cols/2 {
			try(r, r.Warps[0]*r.Warps[1])
		}
	}
	if narrow && !bytes {
		for _, r := range c.m.Tensor {
			try(r, 1)
		}
	}
	if narrow && shareable {
		group := c.m.Group
		if bytes {
			group = c.m.Bytes
		}
		for _, r := range group {
			if p.rows() >= r.Rows && p.cols() >= r.Cols && p.shape.over[0].Max*p.dot.Args[0].Elem.Size() >= 2*loop.SwizzleBytes {
				try(r, blockWarps) // a block a processor, however many warps it has
			}
		}
	}
	if least > 0 && !p.staged() {
		p.tile.Rows = min(p.tile.Rows, multiple(p.rows(), fragmentRows))
		p.tile.Cols = min(p.tile.Cols, multiple(p.cols(), fragmentCols))
	}
	return least > 0
}

// narrow reports whether tensor cores multiply the operands and it is worth their while: fragments at least half full, once
// rows, columns and summed axes are one each.
func (p *product) narrow() bool {
	return p.reorders() &&
		sizeOf(p.shape.rows) >= fragmentRows/2 && sizeOf(p.shape.cols) >= fragmentCols/2 && sizeOf(p.shape.over) >= fragmentSums/2
}

// fillsBytes reports whether product d, of operands of 8 bits, fills a tile of m that multiplies such.
func (m *Machine) fillsBytes(d *loop.Value) bool {
	s := shapeOf(d)
	return slices.ContainsFunc(m.Bytes, func(r Row) bool {
		return sizeOf(s.rows) >= r.Rows && sizeOf(s.cols) >= r.Cols && sizeOf(s.over) >= 2*loop.SwizzleBytes
	})
}

// sizeOf is how many points axes have.
func sizeOf(axes []*loop.Axis) int {
	n := 1
	for _, a := range axes {
		n *= a.Max
	}
	return n
}

// isF32 reports whether the operands are f32.
func (p *product) isF32() bool {
	return p.dot.Args[0].Elem == loop.F32 && p.dot.Args[1].Elem == loop.F32
}

// bytes reports whether the operands are floats of 8 bits.
func (p *product) bytes() bool {
	e := p.dot.Args[0].Elem
	return e.IsFloat() && e.Size() == 1
}

// shareable reports whether the warps of a block can share a tile of p: all stores are of it, and there are turns to wait for.
func (p *product) shareable(stores []*loop.Store) bool {
	return everywhere(stores, p.row) && everywhere(stores, p.col) && len(p.shape.over) == 1 && p.shape.over[0].Max >= 2*p.slotSums() && (p.narrow() || p.isF32())
}

// wide reports whether p, of f32, could be shared once its rows, columns and summed axes are one each.
func (p *product) wide(stores []*loop.Store, m *Machine) bool {
	if m.Tiles == nil || !p.isF32() {
		return false
	}
	least := m.Tiles[len(m.Tiles)-1]
	for _, side := range []struct {
		axes  []*loop.Axis
		least int
		all   bool
	}{{p.shape.rows, least.Rows, true}, {p.shape.cols, least.Cols, true}, {p.shape.over, 2 * p.slotSums(), false}} {
		for _, a := range side.axes {
			_, constant := a.Extent.IntConst()
			if !constant || a.Def != nil || side.all && !everywhere(stores, a) {
				return false
			}
		}
		if sizeOf(side.axes) < side.least {
			return false
		}
	}
	return true
}

// everywhere reports whether all stores have axis a.
func everywhere(stores []*loop.Store, a *loop.Axis) bool {
	deps := newDepends()
	for _, s := range stores {
		if !loop.Has(deps.store(s), a) {
			return false
		}
	}
	return true
}

// packShared makes the summed axes of a product one, which slots and fragments cut, so those of rows and of columns that
// fill no tile, and packs operands that are dear, or sums themselves: they are computed for every tile that reads them. What groups of warps
// multiply is packed where it is computed at all and many tiles read it, as weights that are rounded are: the hardware copies it then; so is an
// operand of 8 bits whose summands do not lie side by side.
func (c *chooser) packShared(p *product, stores []*loop.Store) bool {
	fuse := func(axes []*loop.Axis) bool { return c.fuseInner(axes, stores, 0) }
	if c.boxes[p.dot.Name] {
		return c.packBeside(p) || c.chops(p)
	}
	const dear, enough, many = 8, 512, 4
	if c.fuseInner(p.shape.over, stores, c.slotBlock(p)) || p.rows() < enough && fuse(p.shape.rows) || p.cols() < enough && fuse(p.shape.cols) {
		return true
	}
	readers := [2]int{p.cols() / p.tile.Cols, p.rows() / p.tile.Rows}
	for i, v := range p.dot.Args[:2] {
		again := !isSimple(v) && (pointCost([]*loop.Value{v}) > dear || reduces(v))
		if again || p.tile.Group && readers[i] >= many && (!isSimple(v) || v.Elem.Size() == 1 && along(v, p.inner()) == 0) {
			c.do(Pack, v.Name, 0, "phase")
			return true
		}
	}
	return c.chops(p)
}

// slotBlock is the block that summands along the last axis of p should fill, so that a slot of a group of warps has none of two others: 0 where there is
// no such group, or where it would add much.
func (c *chooser) slotBlock(p *product) int {
	const little = 8
	k, n := p.shape.last().Max, loop.SwizzleBytes/p.dot.Args[0].Elem.Size()
	for _, r := range c.m.Group {
		if p.narrow() && p.rows() >= r.Rows && p.cols() >= r.Cols && (multiple(k, n)-k)*little <= k {
			return n
		}
	}
	return 0
}

// fuseInner proposes to make the last two axes of a product's rows, columns or summands one, the last with as many blocks as it has begun.
func (c *chooser) fuseInner(axes []*loop.Axis, stores []*loop.Store, block int) bool {
	if len(axes) < 2 {
		return false
	}
	a, b := axes[len(axes)-2], axes[len(axes)-1]
	if _, constant := a.Extent.IntConst(); !constant || !mayFuse(a, b, overLists(stores)) {
		return false
	}
	deps := newDepends()
	for _, s := range stores { // one that has only one of them would be made again and again
		if at := deps.store(s); loop.Has(at, a) != loop.Has(at, b) {
			return false
		}
	}
	if block > 0 && b.Max%block == 0 {
		block = 0
	}
	c.do(Fuse, a.Name, block, b.Name)
	return true
}

// reduces reports whether v is made of a sum or another reduction.
func reduces(v *loop.Value) bool {
	found := false
	loop.Visit(v, func(x *loop.Value) { found = found || isReduction(x) })
	return found
}

// warps shares a tile of n indices of an axis among warps, and returns what is left of it for each.
func (c *chooser) warps(a *loop.Axis, n, warps int) *loop.Axis {
	if warps <= 1 {
		return a
	}
	c.do(Cut, a.Name, n/warps, "")
	outer, inner := piecesNamed(c.k, a)
	c.do(Bind, outer.Name, 0, loop.Warp.String())
	return inner
}

// slots cuts the summed axis of a product whose operands wait in shared memory, and returns what is left of it in a turn.
func (c *chooser) slots(p *product, stores []*loop.Store) *loop.Axis {
	k := p.shape.over[len(p.shape.over)-1]
	if !p.staged() {
		return k
	}
	c.do(Cut, k.Name, p.slotSums(), "")
	outer, inner := piecesNamed(c.k, k)
	c.do(Bind, outer.Name, 0, "loop")
	stages := 3
	if p.tile.Group {
		stages = min(groupStages, c.m.Slots/((p.tile.Rows+p.tile.Cols)*loop.SwizzleBytes))
	}
	c.do(Stage, p.dot.Args[0].Name, stages, "")
	c.do(Stage, p.dot.Args[1].Name, stages, "")
	if afterCost(stores, p.dot) > viaCost {
		c.do(Via, p.dot.Name, 0, "")
	}
	return inner
}

// fragment binds the innermost n of an axis to the fragments of tensor cores.
func (c *chooser) fragment(a *loop.Axis, n int, bind loop.Bind) {
	if _, constant := a.Extent.IntConst(); !constant || a.Def != nil || a.Max != n {
		c.do(Cut, a.Name, n, "")
		_, a = piecesNamed(c.k, a)
	}
	c.do(Bind, a.Name, 0, bind.String())
}

// afterCost is what a point of a page costs once its product is there.
func afterCost(stores []*loop.Store, d *loop.Value) float64 {
	total := 0.0
	seen := map[*loop.Value]bool{d: true}
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if v == nil || seen[v] {
			return
		}
		seen[v] = true
		if v.Elem != loop.I64 && v.Op != loop.Load {
			total += v.Op.Info().Cost
		}
		for _, a := range v.Args {
			visit(a)
		}
		visit(v.Guard)
	}
	for _, v := range roots(stores) {
		visit(v)
	}
	return total
}
