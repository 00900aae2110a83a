package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// What products read: which operands and which other products have pages of their own before.

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
		return c.slides(stores, last) || c.packOperands(stores, last) || c.looksAtTaps(last)
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

// packOperands exchanges rows and columns where the result is contiguous along rows, and packs
// what the row of the dot would read badly or compute again.
func (c *chooser) packOperands(stores []*loop.Store, d *loop.Value) bool {
	if shape, lanes := shapeOf(d), c.lanesOf(stores, d); loop.Has(shape.rows, lanes) || len(shape.cols) == 0 && len(shape.rows) > 0 {
		c.do(Swap, d.Name, 0, "")
		return true
	}
	if v, along := c.narrowed(d); v != nil {
		c.do(Pack, v.Name, 0, along)
		return true
	}
	p := c.product(stores, d)
	if p.tile.Tensor || p.bytes() || p.wide(stores, c.m) { // of narrow operands, or f32 that could be shared
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
	if w := c.standing(p); w != nil {
		c.do(Pack, w.Name, p.tile.Cols, p.col.Name)
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
