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
	image  string // the axis of the product that they are for, an image of a convolution each; "": a block of rows or columns each
	points int    // how many there are
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
	c.packedOwn(p, 0, nil)
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

// ownsWindow is the axis of images if each point copies an image with its margin for itself, and multiplies while L2 has it; else nil. 32 images of 64 × 32 × 32 have 9 MB.
func (c *chooser) ownsWindow(p *product, w *window, stores []*loop.Store) *loop.Axis {
	if c.own != nil || c.apart || c.inBlock != nil || c.m.OwnRows == 0 || len(w.axes) == 0 || updates(stores, p) {
		return nil
	}
	image := inOrder(c.k, w.axes)[0]
	if image == p.row || image == p.col || !loop.Has(slices.Concat(p.shape.rows, p.shape.cols, p.shape.batch), image) || image.Bind != loop.Open || image.Def != nil || !everywhere(stores, image) || !constantExtent(image) {
		return nil
	}
	bytes := p.dot.Elem.Size()
	for _, a := range w.axes {
		bytes *= a.Max
	}
	for _, e := range w.sums {
		_, n := w.reach(e)
		bytes *= n
	}
	if image.Max < ownPoints || bytes <= c.m.L2 || bytes/image.Max > c.m.L2/2 {
		return nil
	}
	return image
}

// packedOwn notes that each point has the operand of a side of p for itself, which is packed now: of an image, or nil of a block of rows or columns.
func (c *chooser) packedOwn(p *product, side int, image *loop.Axis) {
	if c.err != nil {
		return
	}
	d, err := valueNamed(c.k, p.dot.Name)
	if err != nil {
		c.err = err
		return
	}
	packed := d.Args[side]
	o := &ownPack{buf: packed.Buf.Name, side: side}
	counts := func(x *loop.Value) bool { return x.Op == loop.Div }
	if image != nil {
		o.image = image.Name
		counts = func(x *loop.Value) bool { return x.Op == loop.AxisIndex && x.Axis.Name == o.image }
	}
	if o.at = slices.IndexFunc(packed.Args, counts); o.at < 0 {
		return // of one block or image, which is no axis
	}
	o.points = packed.Buf.Dims[o.at]
	c.own = o
}

// ownOperand is what the points of p pack of one side, a block each; nil: nothing.
func (c *chooser) ownOperand(p *product, side int) *ownPack {
	if c.own != nil && c.own.side == side && c.own.image == "" && c.own.isOf(p) {
		return c.own
	}
	return nil
}

// ownImage is the axis of p for each of whose places a point packs an operand; nil: there is none.
func (c *chooser) ownImage(p *product) *loop.Axis {
	if c.own == nil || c.own.image == "" || !c.own.isOf(p) {
		return nil
	}
	for _, a := range slices.Concat(p.shape.batch, p.shape.rows, p.shape.cols) {
		if a.Name == c.own.image && a != p.row && a != p.col {
			return a
		}
	}
	return nil
}

// isOf reports whether p multiplies what o is.
func (o *ownPack) isOf(p *product) bool {
	a := p.dot.Args[o.side]
	return a.Op == loop.Load && a.Buf.Name == o.buf
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
