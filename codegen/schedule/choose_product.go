package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

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

// tiles is how many register blocks rows and columns have.
func (p *product) tiles() (rows, cols int) {
	return (p.rows() + p.tile.Rows - 1) / p.tile.Rows, (p.cols() + p.tile.Cols - 1) / p.tile.Cols
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
