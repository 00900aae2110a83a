package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Which axes of a product are the rows and columns of its register block. Columns are lanes, which should be where the result is
// contiguous, and rows should lie near each other in their operand. A convolution has several of each: batch and places on one
// side, channels on the other.

// lanesOf is the axis that lanes are along, nil where it does not matter: where the result is contiguous, unless few lie there
// and another axis, which can be packed, fills them. So the taps of a convolution's weight are no lanes in its gradient: its
// channels are.
func (c *chooser) lanesOf(stores []*loop.Store, d *loop.Value) *loop.Axis {
	unit := unitAxis(stores, d)
	rounds := c.apart && c.m.Round > 0 // of blocks of rows, so these are no lanes
	if unit == nil || rounds || unit.Max > c.m.Lanes/2 {
		return unit
	}
	shape := shapeOf(d)
	for i, axes := range [][]*loop.Axis{shape.cols, shape.rows} {
		a := widest(axes)
		if a != nil && a.Max >= c.m.Lanes && (len(axes) == 1 || fitsPanels(d.Args[1-i])) {
			return a
		}
	}
	return unit
}

// widest is the axis with the most indices, the last of equals.
func widest(axes []*loop.Axis) *loop.Axis {
	var best *loop.Axis
	for _, a := range axes {
		if best == nil || a.Max >= best.Max {
			best = a
		}
	}
	return best
}

// unitAxis is the axis along which the store of a product is contiguous; of several, which
// there are where all but one have one index, the longest, a column axis rather than a row axis.
func unitAxis(stores []*loop.Store, d *loop.Value) *loop.Axis {
	x := newIndices()
	shape := shapeOf(d)
	for _, s := range stores {
		if !uses([]*loop.Store{s}, d) {
			continue
		}
		_, terms := affine(address(x, s.Buf, s.Index))
		var best *loop.Axis
		for _, a := range slices.Concat(shape.cols, shape.rows, shape.batch) {
			if terms[a.Name] == 1 && (best == nil || a.Max > best.Max) {
				best = a
			}
		}
		return best
	}
	return nil
}

// nearest is the axis of rows whose elements in operand v lie nearest to each other, so that those of a tile share cache lines, of
// those that nearly fill a tile; else the widest.
func (c *chooser) nearest(v *loop.Value, rows []*loop.Axis) *loop.Axis {
	best, least := widest(rows), 0
	if v.Op == loop.Where && isZero(v.Args[2]) {
		v = v.Args[1]
	}
	if v.Op != loop.Load || c.m.Processors > 0 {
		return best
	}
	_, terms := affine(address(newIndices(), v.Buf, v.Args))
	for _, a := range rows {
		if apart := terms[a.Name]; apart > 0 && 4*a.Max >= 3*c.m.Rows[0].Rows && (least == 0 || apart < least) {
			best, least = a, apart
		}
	}
	return best
}

// panels reports whether the column operand may be packed in panels: with several column axes that is as much as it
// reads, or little more, which the overlapping windows of a convolution are not.
func (p *product) panels() bool {
	return len(p.shape.cols) <= 1 || fitsPanels(p.dot.Args[1])
}

// fitsPanels reports whether v has hardly more points than what it reads has elements.
func fitsPanels(v *loop.Value) bool {
	read := 0
	walk([]*loop.Value{v}, func(x *loop.Value) {
		if x.Op == loop.Load && x.Elem.IsFloat() {
			read += bytesOf(x.Buf) / x.Elem.Size()
		}
	})
	return pointsOf(newDepends(), v) <= 2*read
}
