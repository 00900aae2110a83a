package schedule

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// places are those of n tiles, in the order in which points make them.
func places(t *testing.T, extents []int, near int) [][]int {
	n, at := 1, newIndices()
	var values []*loop.Value
	for _, e := range extents {
		n *= e
		values = append(values, intValue(e))
	}
	digits := placesNear(axisValue(&loop.Axis{Name: "n", Max: n, Extent: intValue(n)}), values, near)
	out := make([][]int, n)
	for i := range n {
		for d, v := range digits {
			x := at.of(v).Eval(func(string) int { return i })
			require.Less(t, x, extents[d])
			require.GreaterOrEqual(t, x, 0)
			out[i] = append(out[i], x)
		}
	}
	return out
}

// Tiles are each of some place once, those that are near in number are near each other, and what follows a block begins where it ended.
func TestTilesNear(t *testing.T) {
	for _, extents := range [][]int{{7}, {3, 5}, {2, 32, 9}, {2, 3, 34, 4}, {17, 3}, {2, 35, 4}} {
		const near = 16
		seen := map[string]bool{}
		rows := map[int]bool{} // of the first tiles
		last := len(extents) - 1
		var before []int
		for i, at := range places(t, extents, near) {
			if last > 0 {
				if i < near {
					rows[at[last-1]] = true
				}
				if before != nil && slices.Equal(at[:last-1], before[:last-1]) {
					require.LessOrEqual(t, max(at[last]-before[last], before[last]-at[last]), 1, "%v", extents)
				}
			}
			require.False(t, seen[fmt.Sprint(at)], "%v %v", extents, at)
			seen[fmt.Sprint(at)] = true
			before = at
		}
		if last > 0 { // of a block of 16 rows
			require.Len(t, rows, min(near, extents[last-1]))
		}
	}
}

// readAtATime is what points read that make tiles of a grid in an order, no row and no column twice at a time: so many of either for each tile.
func readAtATime(order [][]int, points, below, beside int) int {
	total := 0
	for i := 0; i < len(order); i += points {
		rows, cols := map[int]bool{}, map[int]bool{}
		for _, at := range order[i:min(i+points, len(order))] {
			rows[at[0]], cols[at[1]] = true, true
		}
		total += len(rows)*below + len(cols)*beside
	}
	return total
}

// inBlocks is the order of tiles in blocks of near rows, each column by column from the first one on.
func inBlocks(rows, cols, near int) (out [][]int) {
	for first := 0; first < rows; first += near {
		for col := range cols {
			for row := first; row < min(first+near, rows); row++ {
				out = append(out, []int{row, col})
			}
		}
	}
	return out
}

// alongHilbert is the order of tiles along a Hilbert curve over the least square of a power of two around them, without what is outside.
func alongHilbert(rows, cols int) (out [][]int) {
	n := 1
	for n < max(rows, cols) {
		n *= 2
	}
	for d := range n * n {
		x, y, rest := 0, 0, d
		for s := 1; s < n; s *= 2 {
			rx := rest / 2 % 2
			ry := (rest ^ rx) % 2
			if ry == 0 {
				if rx == 1 {
					x, y = s-1-x, s-1-y
				}
				x, y = y, x
			}
			x, y = x+s*rx, y+s*ry
			rest /= 4
		}
		if x < rows && y < cols {
			out = append(out, []int{x, y})
		}
	}
	return out
}

// Blocks of rows, there and back, let the 132 processors of a Hopper, in pairs whose tiles lie below each other, read no more than along a Hilbert curve, and less
// than in blocks of 16 rows that all begin at the first column; in MiB, of 8 bits or 16.
func TestReadAtATime(t *testing.T) {
	for _, c := range []struct {
		m, n, k, bytes           int
		below, beside            int // of a pair
		near, old, hilbert, read int
	}{
		{4096, 4096, 4096, 2, 256, 256, 8, 142, 144, 140},
		{8192, 8192, 8192, 2, 256, 256, 8, 1168, 1252, 1144},
		{16384, 16384, 16384, 2, 256, 256, 8, 8872, 10000, 8720},
		{12288, 3072, 768, 2, 256, 256, 8, 70, 66, 65},
		{4096, 50304, 768, 2, 256, 256, 8, 308, 356, 307},
		{2304, 8192, 768, 2, 256, 256, 9, 37, 37, 30},
		{4352, 4352, 4352, 2, 256, 256, 9, 208, 210, 182},
		{6400, 4100, 4096, 2, 256, 256, 9, 280, 270, 248},
		{8192, 8192, 8192, 1, 256, 128, 6, 828, 936, 789},
		{4096, 7168, 2048, 1, 256, 128, 6, 90, 101, 85},
	} {
		const pairs, old = 66, 8
		rows, cols := multiple(c.m, c.below)/c.below, multiple(c.n, c.beside)/c.beside
		read := func(order [][]int) int { return readAtATime(order, pairs, c.below, c.beside) * c.k * c.bytes >> 20 }
		near := nearRows(rows, pairs, c.below, c.beside)
		require.Equal(t, c.near, near)
		require.Equal(t, []int{c.old, c.hilbert, c.read}, []int{read(inBlocks(rows, cols, old)), read(alongHilbert(rows, cols)), read(places(t, []int{rows, cols}, near))}, "%+v", c)
		require.LessOrEqual(t, c.read, min(c.old, c.hilbert))
	}
}
