package schedule

import "mdlc/ir/loop"

// leastRow is the bytes of a row from which on fetching the next one ahead pays: the machine
// finds short rows, of which some lie on a page, by itself.
const leastRow = 2048

// prefetches proposes to fetch the next row of an operand while the dearest sweep over the present
// one runs: a kernel with several sweeps reads memory in the first of them only, and a machine does
// not guess across pages.
func (c *chooser) prefetches(n *nest) {
	if !n.row || len(n.sequence) < 2 {
		return
	}
	x := newIndices()
	row := n.sequence[len(n.sequence)-2]
	leaves := newDepends().axis(n.lane)
	lane := leaves[len(leaves)-1].Name
	done := map[*loop.Buffer]bool{}
	walk(roots(n.stores), func(v *loop.Value) {
		if v.Op != loop.Load || v.Buf.Mode != loop.In || done[v.Buf] || v.Buf.Bytes() <= c.m.L2 {
			return
		}
		_, terms := affine(address(x, v.Buf, v.Args))
		if step := terms[row] * v.Buf.Elem.Size(); terms[lane] == 1 && step >= leastRow && 2*step <= c.m.L2 {
			done[v.Buf] = true
			c.do(Prefetch, v.Buf.Name, 0, row)
		}
	})
}

// follows proposes to fetch, while rows of a product pass over a block of a column panel, what follows in the packed operand, where it is more
// than L2 holds: the block is read from L1 or L2 until the last row has passed, and the next one would be waited for.
func (c *chooser) follows(panels *loop.Value, rowLoops []string) {
	if isPacked(panels) && len(rowLoops) == 1 && panels.Buf.Bytes() > c.m.L2 {
		c.do(Follow, panels.Buf.Name, 0, rowLoops[0])
	}
}
