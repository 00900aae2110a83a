package schedule

import "mdlc/ir/loop"

// Products of so few rows that they are one tile, whose matrix stands still, on a CPU: a vector, or some, that each token multiplies by the
// same weights. They take as long as the matrix takes to read. In place a tile goes over a few columns of all rows, in runs of its width,
// or over all columns of some rows (choose_sweep.go); neither is what a machine reads fastest. So the matrix is packed in panels, each of which is read from end to end:
//
//	for v0 { for k { acc = fma(x[k], W'[v0,k,c], acc) } }
//
// GPT-2 of 10.8M writes 128 tokens in .47 of the time of sweeps on one thread and in .33 on two, which have panels of their own; one of 124M in .70 (Zen 4). Of weights
// that are narrower than the sums those are packed, not what is computed of them.

// standing is what product p reads of a matrix that stands still, more than caches have of it when it is read again; nil if there is none.
func (c *chooser) standing(p *product) (found *loop.Value) {
	s := p.shape
	if c.m.Processors > 0 || c.inBlock != nil || len(s.batch) > 0 || sizeOf(s.rows) > p.tile.Rows || len(s.cols) != 1 || len(s.over) != 1 || !constantExtent(s.last()) {
		return nil
	}
	walk(p.dot.Args[1:2], func(w *loop.Value) {
		if w.Op == loop.Load && w.Buf.Still && strideOf(w, p.col) == 1 && sweptBytes(w, s.last()) > c.m.L2/4 {
			found = w
		}
	})
	return found
}

// matrixPoints are as many points as a product of few rows wants, on a CPU, for the sake of the matrix that it reads.
func (c *chooser) matrixPoints(p *product) (points int) {
	if c.m.Processors == 0 && len(p.shape.batch) == 0 && sizeOf(p.shape.rows) <= p.tile.Rows {
		walk(p.dot.Args[1:2], func(w *loop.Value) {
			if w.Op == loop.Load {
				points = max(points, w.Buf.Bytes()/sweptPoint)
			}
		})
	}
	return points
}
