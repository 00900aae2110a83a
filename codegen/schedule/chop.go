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
// or, where the second operand lies along k, after Chop z 8 lanes, each lane of a warp adding up neighbours that it reads at once:
//
//	z = sum[l](dot[k0,k1](A[k,i], B[k,j])), k = k0*256 + l*8 + k1
//
// Both add in another order than the product. So they are for operands that tensor cores multiply, whose order is not known anyway: a
// product of floats of 16 or 8 bits has no order of the contract on a GPU, however many rows it has. That of f32 has, and is never chopped.

const chopLeast = 1024 // summands of a part at least

// chop makes product d a sum over parts of n summands.
func chop(k *loop.Kernel, d *loop.Value, n int, word string) error {
	if d.Op != loop.Dot || len(d.Over) != 1 || d.Over[0].Def != nil || n < 1 {
		return fmt.Errorf("%s is no product over one axis", d.Name)
	}
	if word == lanesWord {
		return chopLanes(k, d, n)
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

const lanesWord = "lanes"

// chopLanes makes product d a sum over lanes, each of which adds up every 32nd of blocks of n summands.
func chopLanes(k *loop.Kernel, d *loop.Value, n int) error {
	a := d.Over[0]
	blocks := a
	var over []*loop.Axis
	if n > 1 {
		if err := cut(k, a, n, false); err != nil {
			return err
		}
		outer, inner := piecesNamed(k, a)
		if outer == inner {
			return fmt.Errorf("%s has no two blocks of %d", a.Name, n)
		}
		blocks, over = outer, append(over, inner)
	}
	if err := cut(k, blocks, WarpThreads, false); err != nil {
		return err
	}
	outer, lane := piecesNamed(k, blocks)
	if outer != lane {
		over = append([]*loop.Axis{outer}, over...)
	}
	if over == nil {
		return fmt.Errorf("a lane has one summand of %s", d.Name)
	}
	part := *d
	part.Over = over
	*d = loop.Value{Op: loop.ReduceSum, Elem: d.Elem, Over: []*loop.Axis{lane}, Args: []*loop.Value{&part}, Name: freshValue(k, d.Name+"_sum"), Pos: d.Pos}
	return nil
}

// reorders reports whether the contract leaves the order of additions of p open on a GPU.
func (p *product) reorders() bool {
	a, b := p.dot.Args[0].Elem, p.dot.Args[1].Elem
	return a == b && a.IsFloat() && a.Size() < 4
}

// chopped is in how many parts p, of so many tiles, shares what it sums up among blocks; less than 2: in none.
func (m *Machine) chopped(p *product, tiles int) int {
	return min(m.Processors/tiles, p.shape.over[0].Max/chopLeast)
}

// chops proposes to share what p sums up among blocks, where its tiles are fewer than half of those that run at a time.
func (c *chooser) chops(p *product) bool {
	if c.apart || len(p.shape.over) != 1 || p.dot.Instr != "" || !p.staged() || !p.tile.Tensor {
		return false
	}
	k := p.shape.over[0]
	rows, cols := p.tiles()
	parts := c.m.chopped(p, extents(p.shape, p.row, p.col)*rows*cols)
	if _, constant := k.Extent.IntConst(); parts < 2 || !constant || k.Def != nil {
		return false
	}
	c.do(Chop, p.dot.Name, multiple((k.Max+parts-1)/parts, p.slotSums()), "")
	return true
}
