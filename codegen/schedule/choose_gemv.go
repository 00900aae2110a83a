package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// Products of few rows on a GPU: a vector times a matrix. They take as long as the matrix takes to read. So enough warps are to
// be at it at a time, each with enough bytes on their way, every thread reading 16 of them that lie side by side, or as many as
// do; and the matrix is read once. Where it lies along columns
//
//	Y[i,j] = dot[k](X[i,k], W[k,j])
//
// so do the lanes of a warp, and the sum is chopped into as many parts as warps are missing (Chop z n). Where it lies along the summands, W[j,k],
// the lanes share a column's sum out (Chop z n lanes). Where the order of additions is the contract's, a lane has a column from
// its first summand to its last, and warps may be few: narrower accesses make them more, and each has more bytes on their way.

const (
	gemvWarps  = 12  // a processor's, that together have some 32 KB on their way
	gemvLeast  = 64  // summands of a part at least: a sum, written and read again, is 8 bytes, summands 2 each
	gemvBytes  = 128 // that a thread has on their way
	gemvRows   = 8   // are for tensor cores: half of a fragment
	wideBytes  = 16  // of the widest access
	leastBytes = 4   // of an access, if narrower ones only make more points
	mostTurn   = 32  // summands of a turn at most: each is in the code
)

// FewWarps are so few on a processor that each thread has twice the bytes on their way, and the registers for them.
const FewWarps = 2

// isGemv reports whether p is one for this: few rows, all in registers, and columns for the lanes of a warp at least.
func (c *chooser) isGemv(p *product, stores []*loop.Store) bool {
	if c.m.Processors == 0 || p.fragments() || p.cols() < c.m.Lanes || sizeOf(p.shape.rows) >= gemvRows || !p.dot.Elem.IsFloat() {
		return false
	}
	for _, a := range p.shape.rows {
		if _, constant := a.Extent.IntConst(); !constant {
			return false
		}
	}
	lane := laneOf(stores, p.dot)
	for _, a := range slices.Concat(p.shape.rows, p.shape.batch, p.shape.cols) {
		if a != lane && (a.Bind != loop.Open || !everywhere(stores, a)) {
			return false
		}
	}
	if windowOf(p.dot.Args[0]) != nil || windowOf(p.dot.Args[1]) != nil {
		return false
	}
	return lane != nil || p.matrix() != nil
}

// laneSum is the sum over lanes that Chop made of product d, or nil.
func laneSum(stores []*loop.Store, d *loop.Value) *loop.Value {
	var found *loop.Value
	walk(roots(stores), func(v *loop.Value) {
		if v.Op == loop.ReduceSum && v.Args[0] == d && v.Over[0].Max == WarpThreads && len(v.Over) == 1 && isPiece(v.Over[0], d) {
			found = v
		}
	})
	return found
}

// isPiece reports whether a is a piece of an axis that d sums over.
func isPiece(a *loop.Axis, d *loop.Value) bool {
	deps := newDepends()
	found := false
	walk(d.Args, func(v *loop.Value) {
		if v.Op == loop.AxisIndex && v.Axis.Def != nil {
			leaves := deps.axis(v.Axis)
			found = found || loop.Has(leaves, a) && overlaps(leaves, deps.over(d))
		}
	})
	return found
}

// laneOf is the axis of laneSum.
func laneOf(stores []*loop.Store, d *loop.Value) *loop.Axis {
	if s := laneSum(stores, d); s != nil {
		return s.Over[0]
	}
	return nil
}

// matrix is the load of the operand that has columns, contiguous along these or along summands; nil if there is none.
func (p *product) matrix() *loop.Value {
	var found *loop.Value
	deps := newDepends()
	walk(p.dot.Args[1:2], func(v *loop.Value) {
		if v.Op == loop.Load && loop.Has(deps.value(v), p.col) && loop.Has(deps.value(v), p.inner()) && (along(v, p.col) > 0 || along(v, p.inner()) > 0) {
			found = v
		}
	})
	return found
}

// inner is the last summed axis.
func (p *product) inner() *loop.Axis { return p.shape.over[len(p.shape.over)-1] }

// along is how many elements that v loads lie side by side along leaf a and on a multiple of their size, 0 where none do.
func along(v *loop.Value, a *loop.Axis) int {
	c, terms := affine(address(newIndices(), v.Buf, v.Args))
	if terms[a.Name] != 1 {
		return 0
	}
	n := wideBytes / v.Elem.Size()
	fits := func(k int) bool { return k%n == 0 }
	for ; n > 1; n /= 2 {
		ok := fits(c) && fits(v.Buf.Bytes()/v.Elem.Size())
		for name, k := range terms {
			ok = ok && (name == a.Name || fits(k))
		}
		if ok {
			break
		}
	}
	return n
}

// gemvPoints is how many warps want to run.
func (c *chooser) gemvPoints() int { return c.m.Processors * gemvWarps }

// splitGemv fuses axes, packs operands and chops the sum of p.
func (c *chooser) splitGemv(p *product, stores []*loop.Store) bool {
	if laneOf(stores, p.dot) != nil {
		return false
	}
	if c.fuseInner(p.shape.over, stores, 0) || c.fuseInner(p.shape.cols, stores, 0) {
		return true
	}
	for i, v := range p.dot.Args[:2] {
		if reduces(v) || i == 0 && !isSimple(v) { // the matrix is computed once, as it is read
			c.do(Pack, v.Name, 0, "phase")
			return true
		}
	}
	k := p.inner()
	if _, constant := k.Extent.IntConst(); !p.reorders() || !constant || k.Def != nil || len(p.shape.over) > 1 {
		return false
	}
	w := p.matrix()
	if along(w, p.col) == 0 {
		if n := along(w, k); k.Max >= n*c.m.Lanes {
			c.do(Chop, p.dot.Name, n, lanesWord)
			return true
		}
		return false
	}
	width, points := c.gemvColumns(p)
	parts := min(c.gemvPoints()/points, k.Max/gemvLeast)
	if parts < 2 {
		return false
	}
	c.do(Chop, p.dot.Name, multiple((k.Max+parts-1)/parts, gemvTurn(width*w.Elem.Size())), "")
	return true
}

// gemvColumns is how many neighbouring columns a thread takes where the matrix lies along them, so many that there can be enough
// points, and how many points there are then.
func (c *chooser) gemvColumns(p *product) (width, points int) {
	w := p.matrix()
	parts := 1
	if _, constant := p.inner().Extent.IntConst(); constant && p.reorders() && len(p.shape.over) == 1 {
		parts = max(p.inner().Max/gemvLeast, 1)
	}
	most := max(along(w, p.col), 1)
	for width = most; ; width /= 2 {
		points = extents(p.shape, append(slices.Clone(p.shape.rows), p.col)...) * (multiple(p.cols(), width*c.m.Lanes) / (width * c.m.Lanes))
		if 2*points*parts >= c.gemvPoints() || width == 1 || width/2*w.Elem.Size() < leastBytes {
			return width, points
		}
	}
}

// gemvTurn is how many summands a turn has, of each of which a thread reads so many bytes at once.
func gemvTurn(bytes int) int { return min(gemvBytes/bytes, mostTurn) }

// gemv cuts and binds the axes of a page with one product of few rows.
func (c *chooser) gemv(p *product, stores []*loop.Store) {
	lane := laneOf(stores, p.dot)
	for _, a := range slices.Concat(p.shape.batch, p.shape.cols) {
		if a != p.col && a != lane {
			c.do(Bind, a.Name, 0, loop.Par.String())
		}
	}
	for _, a := range p.shape.rows {
		c.do(Bind, a.Name, 0, loop.Reg.String())
	}
	over, width, turn := p.shape.over, 0, 0
	if lane != nil {
		over, width, turn = c.gemvShared(p, lane)
	} else {
		width, turn = c.gemvOwn(p)
	}
	p.tile = Row{Rows: sizeOf(p.shape.rows), Cols: width}
	var loops []string
	for i, a := range over {
		if i < len(over)-1 {
			c.do(Bind, a.Name, 0, loop.Loop.String())
			loops = append(loops, a.Name)
		} else if outer := c.registers(a, turn); outer != nil {
			c.do(Bind, outer.Name, 0, loop.Loop.String())
			loops = append(loops, outer.Name)
		}
	}
	for i, name := range loops {
		c.do(Order, name, i, "")
	}
	c.do(Mma, p.dot.Name, 0, p.tile.String())
}

// gemvShared gives the columns of p, whose sums lanes share out, to warps: its summed axes in loops, the columns of a warp
// and the summands of a turn.
func (c *chooser) gemvShared(p *product, lane *loop.Axis) (over []*loop.Axis, cols, turn int) {
	over = p.shape.over
	bytes := p.dot.Args[1].Elem.Size()
	if w := p.matrix(); w != nil { // what a lane reads at once
		c.do(Bind, p.inner().Name, 0, loop.Reg.String())
		bytes *= p.inner().Max
		over = over[:len(over)-1]
	}
	c.do(Vec, lane.Name, c.m.Lanes, "")
	others := extents(p.shape, append(slices.Clone(p.shape.rows), p.col, lane)...)
	for cols = 4; cols > 1 && (p.cols()%cols > 0 || others*p.cols()/cols < c.gemvPoints()); cols /= 2 {
	}
	if outer := c.registers(p.col, cols); outer != nil {
		c.do(Bind, outer.Name, 0, loop.Par.String())
	}
	if len(over) > 0 {
		whole := over[0].Max // blocks; the last is not, if it needs guards
		if !c.exact(over[0]) {
			whole--
		}
		for turn = gemvTurn(bytes * cols); turn > 1 && whole%turn > 0; turn-- {
		}
	}
	return over, cols, turn
}

// exact reports whether the axes that a is a piece of end where their pieces do.
func (c *chooser) exact(a *loop.Axis) bool {
	x, deps := newIndices(), newDepends()
	for _, p := range c.k.Axes {
		if p.Def == nil || !loop.Has(deps.axis(p), a) {
			continue
		}
		n, constant := p.Extent.IntConst()
		if _, hi := x.rng(x.axis(p)); !constant || hi >= int(n) {
			return false
		}
	}
	return true
}

// gemvOwn gives the columns of p, each summed up by one thread, to lanes: the columns of a warp and the summands of a turn.
func (c *chooser) gemvOwn(p *product) (cols, turn int) {
	width, points := c.gemvColumns(p)
	k := p.inner()
	_, constant := k.Extent.IntConst()
	most := gemvTurn(width * p.matrix().Elem.Size())
	if points <= FewWarps*c.m.Processors {
		most *= 2
	}
	for turn = most; turn > most/4 && (!constant || k.Max%turn > 0); turn /= 2 {
	}
	cols = width * c.m.Lanes
	col := p.col
	if _, constant := col.Extent.IntConst(); !constant || col.Max != cols {
		c.do(Cut, col.Name, cols, "")
		outer, inner := piecesNamed(c.k, col)
		if outer != inner {
			c.do(Bind, outer.Name, 0, loop.Par.String())
		}
		col = inner
	}
	if width > 1 {
		col = c.registers(col, width)
	}
	c.do(Vec, col.Name, c.m.Lanes, "")
	return cols, turn
}

// registers binds the innermost n of an axis to registers, and returns the axis of blocks of them, nil if one holds all.
func (c *chooser) registers(a *loop.Axis, n int) *loop.Axis {
	if _, constant := a.Extent.IntConst(); constant && a.Max == n {
		c.do(Bind, a.Name, 0, loop.Reg.String())
		return nil
	}
	c.do(Cut, a.Name, n, "")
	outer, inner := piecesNamed(c.k, a)
	c.do(Bind, inner.Name, 0, loop.Reg.String())
	if outer == inner {
		return nil
	}
	return outer
}
