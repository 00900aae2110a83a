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

// narrowed is an operand of d that a GPU makes of what stands still and has more bytes, and how it is packed. It is made once, since a product
// of few rows takes as long as its matrix takes to read: weights of f32 that products take in bf16 are half as many bytes so. Where
// the threads of a warp can share a column's sum out, it lies along the summands: then no sums of parts are to be added in another launch.
func (c *chooser) narrowed(d *loop.Value) (v *loop.Value, along string) {
	if c.m.Processors == 0 || c.inBlock != nil {
		return nil, ""
	}
	k := shapeOf(d).last()
	for _, v := range d.Args[:2] {
		narrow, reads := !isSimple(v) && !reduces(v), 0 // bytes: what is of indices alone is made as it is read
		walk([]*loop.Value{v}, func(x *loop.Value) {
			if x.Op == loop.Load {
				narrow, reads = narrow && x.Buf.Still, reads+x.Buf.Bytes()
			}
		})
		axes, packed := newDepends().value(v), v.Elem.Size()
		for _, a := range axes {
			packed *= a.Max
		}
		switch {
		case !narrow || packed >= reads:
		case constantExtent(k) && k.Max >= wideBytes/v.Elem.Size()*c.m.Lanes && k.Max%(wideBytes/v.Elem.Size()) == 0 && loop.Has(axes, k):
			return v, k.Name
		default:
			return v, "phase"
		}
	}
	return nil, ""
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
