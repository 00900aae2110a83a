package schedule

import (
	"slices"

	"mdlc/ir/loop"
)

// What a tile of rows and blocks of columns take on the chip, where scores stay there.

// scoreTiles are the tiles of scores of warps that multiply for themselves, the best first: what is read of a block serves all rows, and what turns begin
// with all columns. A warp has 32 rows in the first two.
var scoreTiles = []scoreTile{{128, 64, false}, {128, 32, false}, {64, 64, false}, {64, 32, false}, {64, 16, false}, {32, 64, false}, {32, 32, false}}

// groupTiles are those of groups of warps, each of which has 64 rows.
var groupTiles = []scoreTile{{128, 64, true}, {128, 32, true}, {64, 64, true}, {64, 32, true}}

// scoreRegisters are what results, scores and operands may have of the registers of a thread. The others are for addresses and for what is computed of a score.
const scoreRegisters = 176

// fits decides on the tile, and reports whether there is one: whose registers and slots there are, of which there are enough for half of
// the processors at least, whose rows are more than half of them, and columns for some turns.
func (s *scores) fits(m *Machine) bool {
	summed := false
	walk(roots(s.stores), func(v *loop.Value) { summed = summed || v.Op == loop.ReduceSum })
	dear := afterCost(s.stores, s.firsts[0]) > scoreCost
	all := scoreTiles
	if m.Group != nil {
		all = slices.Concat(groupTiles, scoreTiles)
	}
	for _, t := range all {
		tiles := sizeOf(s.others) * (multiple(s.row.Max, t.rows) / t.rows)
		many := t.rows > scoreWarps*fragmentRows // fragments a warp, or groups of warps
		switch {
		case many && (dear && !t.group && t.cols == 64 || tiles < m.Processors || s.row.Max <= t.rows/2):
		case summed && t.cols < scoreColumns:
		case s.registers(t) > scoreRegisters || s.bytes(t) > m.Slots:
		default:
			s.tile = t
			return s.row.Max > scoreWarps*fragmentRows/2 && s.col.Max > scoreColumns && 2*tiles >= m.Processors
		}
	}
	return false
}

// registers are those of a thread that results, scores and operands have. Of scores and what is made of them not all are there at a time.
func (s *scores) registers(t scoreTile) int {
	cols := 3 * (2*len(s.firsts) + len(s.seconds)) * t.cols / 8
	if !t.group {
		cols += 32 // fragments of operands
	}
	for _, d := range s.seconds {
		cols += s.out(d).Max
	}
	if len(s.seconds) == 0 {
		cols += t.cols // partial sums
	}
	return t.rows / t.warps() * cols / WarpThreads
}

// out is what a row of second product d results in.
func (s *scores) out(d *loop.Value) *loop.Axis { return common(newDepends().value(d), s.outs)[0] }

// bytes are those of the slots of rows and blocks of columns. Two products may read one block.
func (s *scores) bytes(t scoreTile) int {
	slot := func(rows, sums, sum int) int { // of either order
		sums = multiple(sums, sum)
		if t.group {
			const row = loop.SwizzleBytes / 2
			return 2 * max(rows*multiple(sums, row), sums*multiple(rows, row))
		}
		const chunk = chunkBytes / 2
		return 2 * max(rows*(sums+chunk), sums*(rows+chunk))
	}
	total := 0
	var blocks []*loop.Value
	block := func(v *loop.Value, bytes int) {
		if !slices.ContainsFunc(blocks, func(b *loop.Value) bool { return s.alike(b, v) }) {
			blocks = append(blocks, v)
			total += t.stages() * bytes
		}
	}
	deps := newDepends()
	for _, d := range s.firsts {
		sum := d.Over[0].Max
		total += slot(t.rows, sum, fragmentSums)
		at := slices.IndexFunc(d.Args[:2], func(v *loop.Value) bool { return loop.Has(deps.value(v), s.col) })
		block(d.Args[at], slot(t.cols, sum, fragmentSums))
	}
	for _, d := range s.seconds {
		at := slices.IndexFunc(d.Args[:2], func(v *loop.Value) bool { return !s.scored(v) })
		block(d.Args[at], slot(multiple(s.out(d).Max, fragmentCols), t.cols, fragmentSums))
	}
	return total
}

// alike reports whether operands a and b are the same block of columns, what one product sums up being what another one results in.
func (s *scores) alike(a, b *loop.Value) bool {
	deps := newDepends()
	inner := func(v *loop.Value) *loop.Axis {
		for _, x := range deps.value(v) {
			if loop.Has(s.sums, x) || loop.Has(s.outs, x) {
				return x
			}
		}
		return nil
	}
	x, y := inner(a), inner(b)
	if x == nil || y == nil || multiple(x.Max, fragmentSums) != multiple(y.Max, fragmentSums) {
		return false
	}
	c := newCloner()
	c.axes[y] = x
	return sameValue(a, c.value(b))
}

// loopSlots are the bytes of the slots that the loop with the most of them reads, or the loops of a role, with what lies between them and the barriers of rings.
func loopSlots(k *loop.Kernel) int {
	const atom, barriers = 8 * loop.SwizzleBytes, 16
	most, rings := 0, 0
	for _, r := range k.Rings {
		rings += barriers * r.Depth
	}
	for _, s := range k.Body {
		switch s.(type) {
		case *loop.For, *loop.Role:
			bytes, unit := rings, 64
			reads, _ := buffersOf([]loop.Stmt{s})
			for b := range reads {
				if b.Swizzle {
					unit = atom
				}
			}
			for b := range reads {
				if b.Mode == loop.Local {
					bytes += multiple(b.Bytes(), unit)
				}
			}
			most = max(most, bytes)
		}
	}
	return most
}
