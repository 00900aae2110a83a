package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// What a point packs for itself. A row operand that lies along the other axis, as that of a weight's gradient does, has a line of memory for each
// summand, far from the next one, of which a tile reads a few elements: no machine sees what comes, and if the operand is more than L2 holds it comes from far.
// Each point copies its rows of it first, to a panel that stays in L2 while all columns pass. 1536 × 384 of 2048 summands took 22 ms with it and 32 without
// on Emerald Rapids, whose own MKL takes 22.

const (
	ownCols   = 256  // that a point has at least where it packs rows for itself, so that it is worth it
	ownBlock  = 1024 // columns, from where on points that share rows both pack them
	ownPoints = 8    // without which workers would be idle
)

// ownPack is an operand that each point packs for itself.
type ownPack struct {
	buf    string // that it is packed into
	points int    // panels, one for each block of rows
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
	if !far || len(p.shape.rows) > 1 || len(p.shape.batch) > 0 || p.cols() < ownCols || !everywhere(stores, p.row) || !constantExtent(p.row) || p.rows()*summands*a.Elem.Size() <= c.m.L2 {
		return false
	}
	rowTiles, _ := p.tiles()
	blocks := (p.rows() + c.m.OwnRows - 1) / c.m.OwnRows
	rows := (rowTiles + blocks - 1) / blocks * p.tile.Rows
	points := (p.rows() + rows - 1) / rows
	if rows*summands*a.Elem.Size() > c.m.L2 || points*max(p.cols()/ownBlock, 1) < ownPoints {
		return false
	}
	c.do(Pack, a.Name, rows, p.row.Name)
	if c.err != nil {
		return true
	}
	d, err := valueNamed(c.k, p.dot.Name)
	if err != nil {
		c.err = err
		return true
	}
	packed := d.Args[0]
	at := slices.IndexFunc(packed.Args, func(x *loop.Value) bool { return x.Op == loop.Div })
	c.own = &ownPack{buf: packed.Buf.Name, points: points, at: at}
	return true
}

// ownOperand is what packs the rows of p in its points; nil: nothing does.
func (c *chooser) ownOperand(p *product) *ownPack {
	if a := p.dot.Args[0]; c.own != nil && a.Op == loop.Load && a.Buf.Name == c.own.buf {
		return c.own
	}
	return nil
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
