package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Which axes of a product are the rows and columns of its register block. Columns are lanes, which should be where the result is
// contiguous, and rows should lie near each other in their operand. A convolution has several of each: batch and places on one
// side, channels on the other.

// longSum is how many summands are worth that lanes of their result lie apart: each is stored by itself then.
const longSum = 64

// lanesOf is the axis that lanes are along, nil where it does not matter: where the result is contiguous, unless few lie there
// and another axis, which can be packed, fills them, or twice as many or more in panels. So the taps of a convolution's weight are no lanes in
// its gradient: its channels are. Where the sum is long, places that fill no more than a register, or that a window with a stride moves along,
// are no lanes either.
func (c *chooser) lanesOf(stores []*loop.Store, d *loop.Value) *loop.Axis {
	unit := unitAxis(stores, d)
	rounds := c.apart && c.m.Round > 0 // of blocks of rows, so these are no lanes
	if unit == nil || rounds {
		return unit
	}
	shape := shapeOf(d)
	few := unit.Max <= c.m.Lanes/2
	if c.m.Processors == 0 && sizeOf(shape.over) >= longSum {
		few = few || unit.Max <= c.m.Lanes || slidesFar(d.Args[0], unit) || slidesFar(d.Args[1], unit)
	}
	if !few {
		return unit
	}
	best, most, full := unit, min(2*unit.Max, c.m.Lanes)-1, c.m.Lanes-1
	if c.m.Processors > 0 { // whose lanes load one by one where they lie apart
		most = full
	}
	for _, lanes := range []func(*loop.Value, []*loop.Axis) *loop.Axis{panelLanes, standingLanes} {
		for i, axes := range [][]*loop.Axis{shape.cols, shape.rows} {
			a := lanes(d.Args[1-i], axes)
			if filled := min(maxOf(a), c.m.Lanes); filled > most {
				best, most = a, filled
			}
		}
		most = max(most, full) // what stands is packed in whole registers
	}
	return best
}

// panelLanes is the widest of the axes that operand v alone has, if v can be packed in panels along it.
func panelLanes(v *loop.Value, axes []*loop.Axis) *loop.Axis {
	if len(axes) == 1 || fitsPanels(v) {
		return widest(axes)
	}
	return nil
}

// standingLanes is the widest of the axes that operand v alone has and that do not slide, if v is a window, which can be packed along it, or
// has been.
func standingLanes(v *loop.Value, axes []*loop.Axis) *loop.Axis {
	if w := windowOf(v); w != nil {
		return w.standing(axes)
	}
	if !isPacked(v) {
		return nil
	}
	_, terms := affine(address(newIndices(), v.Buf, v.Args))
	for _, a := range axes {
		if terms[a.Name] == 1 {
			return a
		}
	}
	return nil
}

// slidesFar reports whether what v reads moves by several places along a.
func slidesFar(v *loop.Value, a *loop.Axis) bool {
	far, x := false, newIndices()
	walk([]*loop.Value{v}, func(v *loop.Value) {
		if v.Op == loop.Load {
			for _, i := range v.Args {
				_, terms := affine(x.of(i))
				far = far || terms[a.Name] > 1
			}
		}
	})
	return far
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
			read += x.Buf.Bytes() / x.Elem.Size()
		}
	})
	return pointsOf(newDepends(), v) <= 2*read
}
