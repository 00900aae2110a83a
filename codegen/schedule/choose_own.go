package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// What a point packs for itself. A row operand that lies along the other axis, as that of a weight's gradient does, has a line of memory for each
// summand, far from the next one, of which a tile reads a few elements: no machine sees what comes, and if the operand is more than L2 holds it comes from far.
// Each point copies its rows of it first, to a panel that stays in L2 while all columns pass. 1536 × 384 of 2048 summands took 20.7 ms with it and 25.7 without
// on Emerald Rapids, where MKL took 20.0.

const (
	minColumns = 256  // that a point has at least where it packs rows for itself, so that it is worth it
	ownWide    = 1024 // columns of a point, at least, where several points pack the same rows
	ownPoints  = 8    // without which workers would be idle
)

// ownPack is an operand that each point packs for itself.
type ownPack struct {
	buf    string // that it is packed into
	side   int    // which operand of the product it is: 0 that of rows, 1 that of columns
	points int    // panels, one for each block of rows or columns
	at     int    // which index of the buffer counts them
	axis   string // that does so in the page that packs, which comes first
}

// packsOwn packs the rows of p in blocks if they are to be packed by each point.
func (c *chooser) packsOwn(p *product, stores []*loop.Store) bool {
	a := p.dot.Args[0]
	if c.own != nil || c.apart || c.inBlock != nil || c.m.OwnRows == 0 || p.row == nil || !isSimple(a) || isPacked(a) || updates(stores, p) {
		return false
	}
	_, terms := affine(address(newIndices(), a.Buf, a.Args))
	k := p.shape.last()
	summands := sizeOf(p.shape.over)
	far := terms[k.Name]*a.Elem.Size() > line && terms[p.row.Name] == 1
	if !far || len(p.shape.rows) > 1 || len(p.shape.batch) > 0 || p.cols() < minColumns || !everywhere(stores, p.row) || !constantExtent(p.row) || p.rows()*summands*a.Elem.Size() <= c.m.L2 {
		return false
	}
	rowTiles, _ := p.tiles()
	blocks := (p.rows() + c.m.OwnRows - 1) / c.m.OwnRows
	rows := (rowTiles + blocks - 1) / blocks * p.tile.Rows
	points := (p.rows() + rows - 1) / rows
	if rows*summands*a.Elem.Size() > c.m.L2 || points*max(p.cols()/ownWide, 1) < ownPoints {
		return false
	}
	c.do(Pack, a.Name, rows, p.row.Name)
	c.packedOwn(p, 0, points)
	return true
}

// ownsColumns reports whether each point packs its columns of p: where so few rows pass over them that packing takes long beside the product, and all columns are
// more than L2 holds, a panel is multiplied while it is there. 100 × 500 of 784 summands take a tenth less for it.
func (c *chooser) ownsColumns(p *product, stores []*loop.Store) bool {
	b := p.dot.Args[1]
	if c.own != nil || c.apart || c.inBlock != nil || c.m.OwnRows == 0 || len(p.shape.cols) > 1 || len(p.shape.batch) > 0 || !everywhere(stores, p.col) || !constantExtent(p.col) || updates(stores, p) {
		return false
	}
	still := false
	walk([]*loop.Value{b}, func(v *loop.Value) { still = still || v.Op == loop.Load && v.Buf.Still })
	rows, summands := sizeOf(p.shape.rows), sizeOf(p.shape.over)*p.dot.Elem.Size()
	_, tiles := p.tiles()
	return !still && rows <= 2*c.m.OwnRows && tiles >= ownPoints && p.cols()*summands > c.m.L2 && max(rows, p.tile.Cols)*summands <= c.m.L2/2
}

// packedOwn notes that each of some points has the operand of a side of p for itself, which is packed now.
func (c *chooser) packedOwn(p *product, side, points int) {
	if c.err != nil {
		return
	}
	d, err := valueNamed(c.k, p.dot.Name)
	if err != nil {
		c.err = err
		return
	}
	packed := d.Args[side]
	at := slices.IndexFunc(packed.Args, func(x *loop.Value) bool { return x.Op == loop.Div })
	c.own = &ownPack{buf: packed.Buf.Name, side: side, points: points, at: at}
}

// ownOperand is what the points of p pack of one side; nil: nothing.
func (c *chooser) ownOperand(p *product, side int) *ownPack {
	if a := p.dot.Args[side]; c.own != nil && c.own.side == side && a.Op == loop.Load && a.Buf.Name == c.own.buf {
		return c.own
	}
	return nil
}

// ownBlock makes the pieces of an axis the points that pack o; nil packs nothing.
func (c *chooser) ownBlock(o *ownPack, a *loop.Axis) {
	if o != nil {
		c.do(Block, o.axis, 0, newDepends().axis(a)[0].Name)
	}
}

// packedIn reports whether stores are the page that packs o, which may be nil.
func (o *ownPack) packedIn(stores []*loop.Store) bool {
	return o != nil && len(stores) > 0 && stores[0].Buf.Name == o.buf
}

// ownPage schedules that page: a panel is a point, that of the product later on.
func (c *chooser) ownPage(stores []*loop.Store) {
	panel := stores[0].Index[c.own.at].Axis
	c.own.axis = panel.Name
	c.do(Bind, panel.Name, 0, "par")
	c.inBlock = panel
	c.page(stores)
	c.inBlock = nil
}
