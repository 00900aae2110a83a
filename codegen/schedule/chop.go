package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/loop"
)

// Chop, before: a product with few results and much to sum up, which few blocks of a GPU could share
//
//	z = dot[k](A[k,i], B[k,j])
//
// after Chop z 1024:
//
//	z = seqsum[k0](dot[k1](A[k,i], B[k,j])), k = k0*1024 + k1
//
// It adds in another order than the product, so it is for tensor cores only, whose order is not known anyway.

const chopLeast = 1024 // summands of a part at least

// chop makes product d a sum over parts of n summands.
func chop(k *loop.Kernel, d *loop.Value, n int) error {
	if d.Op != loop.Dot || len(d.Over) != 1 || d.Over[0].Def != nil || n < 1 {
		return fmt.Errorf("%s is no product over one axis", d.Name)
	}
	a := d.Over[0]
	if err := cut(k, a, n, false); err != nil {
		return err
	}
	outer, inner := piecesNamed(k, a)
	at := slices.Index(k.Axes, outer)
	k.Axes = slices.Insert(slices.Delete(k.Axes, at, at+1), 0, outer) // parts lie one after the other
	part := *d
	part.Over = []*loop.Axis{inner}
	*d = loop.Value{Op: loop.ReduceSeq, Elem: d.Elem, Over: []*loop.Axis{outer}, Args: []*loop.Value{&part}, Name: freshValue(k, d.Name+"_sum"), Pos: d.Pos}
	return nil
}

// chops proposes to share what p sums up among blocks, where its tiles are fewer than half of those that run at a time.
func (c *chooser) chops(p *product) bool {
	if len(p.shape.over) != 1 || p.dot.Instr != "" || !p.staged() || !p.tile.Tensor {
		return false
	}
	k := p.shape.over[0]
	rows, cols := p.tiles()
	tiles := extents(p.shape, p.row, p.col) * rows * cols
	parts := min(c.m.Processors/tiles, k.Max/chopLeast)
	if _, constant := k.Extent.IntConst(); parts < 2 || !constant || k.Def != nil {
		return false
	}
	c.do(Chop, p.dot.Name, multiple((k.Max+parts-1)/parts, p.slotSums()), "")
	return true
}
