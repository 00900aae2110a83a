package schedule

import "mdlc/ir/loop"

// repeats are the row axes besides the tile's of a product whose columns do not stay in L2 for all summands: as loops inside those
// of the sums, all of them go over the columns that are there. The taps of a convolution are such axes of its weight's gradient,
// which takes a third less time so. The accumulators of their turns are a panel.
func (c *chooser) repeats(p *product, stores []*loop.Store, want int) []*loop.Axis {
	if c.m.Processors > 0 || c.inBlock != nil || p.row == nil || p.col == nil || !everywhere(stores, p.row) || len(c.outside(p, false)) == 0 {
		return nil
	}
	var out []*loop.Axis
	panel := p.tile.Rows * p.tile.Cols * p.dot.Elem.Size()
	for _, a := range p.shape.rows {
		if a != p.row && a.Bind == loop.Open {
			out = append(out, a)
			panel *= a.Max
		}
	}
	if rowTiles, _ := p.tiles(); rowTiles < min(want, leastRowBlocks) || panel > c.m.L2/8 {
		return nil
	}
	return out
}

// leastRowBlocks are points enough for a product whose other axes are loops.
const leastRowBlocks = 8
