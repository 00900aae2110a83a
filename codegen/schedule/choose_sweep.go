package schedule

import "mdlc/ir/loop"

// Products of one row on a CPU: a vector times a matrix. They take as long as the matrix takes to read, and a machine reads the faster the
// further it goes along a row. So sweptRows of them are read from end to end, while the sums wait in a panel that L1 holds:
//
//	for j0 { for i1 { acc[i1] = fma(x[4*j0 + 3], W[4*j0 + 3,i1], … fma(x[4*j0], W[4*j0,i1], acc[i1])) } }
//
// With a few columns through all rows, whose sums would stay in registers, each row is a short run: on Zen 3 a vector times 4096² takes 9.9
// ms of a core so and 4.5 in sweeps, as in OpenBLAS. Runs of 8 KB take 5.6 ms, of 4 KB 7.8, of 2 KB 10; two, four or six rows are alike, one
// and sixteen are slower. So points that a thread gets go through the rows together (Together): a run is as long as a thread's share.
//
// Of elements that are narrower than the sums a line has so many that a core does not come to the next lines while it waits for the first: these
// are fetched. (768² of i8: 3.2 instead of 4.5 ms. Of f32 fetching is slower, 5.9 instead of 5.2 ms for 4096².) Of bf16 eight rows at a time
// are slower, 360 instead of 310 ms.

const (
	sweptRows      = 8 // that are read at a time, where they come out even and elements are not of two bytes, else leastSwept
	leastSwept     = 4
	sweptRegisters = 4         // of columns, each of which has a sum
	sweptPanel     = 32 << 10  // bytes of sums at most
	sweptPoint     = 256 << 10 // bytes that a point reads at least
	sweptTiles     = 4         // of sweptRegisters that a point has at least
)

// sweptMatrix is the operand of p, if that is a product of one row, that lies along the columns and is more than caches have of it when
// it is read again; nil if there is none.
func (c *chooser) sweptMatrix(p *product, stores []*loop.Store) *loop.Value {
	s := p.shape
	if c.m.Processors > 0 || c.inBlock != nil || len(s.rows)+len(s.batch) > 0 || len(s.cols) != 1 || len(s.over) != 1 || !everywhere(stores, p.col) {
		return nil
	}
	k := s.last()
	if !constantExtent(k) || k.Def != nil || k.Max%leastSwept > 0 {
		return nil
	}
	var found *loop.Value
	walk(p.dot.Args[1:2], func(w *loop.Value) {
		if w.Op == loop.Load && w.Buf.Mode != loop.Work && strideOf(w, p.col) == 1 && sweptBytes(w, k) > c.keeps(w, p) {
			found = w
		}
	})
	return found
}

// keeps is how many bytes of w a core reads no slower in another order: a share of L2 where elements are narrow, since others like it are
// read before it is again. Of f32 it is more than L2 has: GPT-2 of 10.8M, whose matrices are 0.6 and 2.4 MB, takes 109 instead of
// 137 ms for 128 tokens so (Zen 5), and one of 124M, of 2.4 and 9.4 MB, as long as it took.
func (c *chooser) keeps(w *loop.Value, p *product) int {
	if w.Elem.Size() < p.dot.Elem.Size() {
		return c.m.L2 / 4
	}
	return 4 * c.m.L2
}

// rowsAtATime is how many rows of w, which are indices of k, are read at a time.
func rowsAtATime(w *loop.Value, k *loop.Axis) int {
	if w.Elem.Size() != 2 && k.Max%sweptRows == 0 {
		return sweptRows
	}
	return leastSwept
}

// sweptBytes is what w has in all of its rows, which are indices of k.
func sweptBytes(w *loop.Value, k *loop.Axis) int { return k.Max * strideOf(w, k) * w.Elem.Size() }

// strideOf is how many elements apart neighbours along a are in what w loads.
func strideOf(w *loop.Value, a *loop.Axis) int {
	_, terms := affine(address(newIndices(), w.Buf, w.Args))
	return terms[a.Name]
}

// sweep cuts and binds the axes of a page with product p, whose operand w is read row by row.
func (c *chooser) sweep(p *product, w *loop.Value) {
	k, col := p.shape.last(), p.col
	width := min(sweptRegisters*c.m.Lanes, multiple(p.cols(), c.m.Lanes))
	tiles, sums := multiple(p.cols(), width)/width, p.cols()*p.dot.Elem.Size()
	points := max(min(sweptBytes(w, k)/sweptPoint, tiles/sweptTiles), 1)
	together := sums <= sweptPanel
	if !together {
		points = multiple(sums, sweptPanel) / sweptPanel
	}
	c.do(Cut, k.Name, rowsAtATime(w, k), "")
	rows, row := piecesNamed(c.k, k)
	c.do(Bind, rows.Name, 0, loop.Loop.String())
	c.do(Bind, row.Name, 0, loop.Reg.String())
	c.do(Order, rows.Name, 0, "")
	if size := multiple(tiles, points) / points * width; size < p.cols() {
		c.do(Cut, col.Name, size, "")
		point, share := piecesNamed(c.k, col)
		c.do(Bind, point.Name, 0, loop.Par.String())
		if together {
			c.do(Together, point.Name, 0, rows.Name)
		}
		col = share
	}
	if !constantExtent(col) || col.Max != width {
		c.do(Cut, col.Name, width, "")
		tile, inner := piecesNamed(c.k, col)
		c.do(Bind, tile.Name, 0, loop.Loop.String())
		c.do(Order, tile.Name, 1, "")
		col = inner
	}
	c.do(Vec, col.Name, c.m.Lanes, "")
	if w.Elem.Size() < p.dot.Elem.Size() {
		c.do(Prefetch, w.Buf.Name, 0, rows.Name)
	}
	c.do(Mma, p.dot.Name, 0, Row{Rows: 1, Cols: width}.String())
}
