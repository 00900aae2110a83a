package schedule

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// productOf is the text of one whose row operand is X, at the given place.
func productOf(rows, cols, sums int, place, dims string) string {
	return fmt.Sprintf(`kernel gradient(in X: f32[%s], in D: f32[%[4]d,%[3]d], out W: f32[%[2]d,%[3]d]) {
  axis i: %[2]d, j: %[3]d, k: %[4]d
  W[i,j] = dot[k](X[%[5]s], D[k,j])
}`, dims, rows, cols, sums, place)
}

// smallCaches is a machine with the blocks of AVX512 for which little is much.
func smallCaches() *Machine {
	m := *AVX512
	m.L2, m.OwnRows = 1<<14, 12
	return &m
}

// Rows that lie along the summed axis are packed by each point, to a panel of its own.
func TestRowsThatPointsPack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for range 4 {
		rows, cols, sums := 140+r.IntN(40), 256+r.IntN(20), 40+r.IntN(30)
		in := parse(t, productOf(rows, cols, sums, "k,i", fmt.Sprintf("%d,%d", sums, rows)))
		steps, err := Run(in, smallCaches())
		require.NoError(t, err)
		k := steps[len(steps)-1].Kernel
		require.Len(t, ofKind(k.Opts, Block), 1, "%d × %d of %d", rows, cols, sums)
		require.Contains(t, k.String(), "local pack: f32[")
		right(t, in, steps, r.Uint64())
	}
}

// They are read in place where that is as good, where L2 holds all, where few columns would share them and where workers would be idle.
func TestRowsThatPointsRead(t *testing.T) {
	avx2, caches := *AVX2, smallCaches()
	avx2.L2 = caches.L2
	large, few := *caches, *caches
	large.L2, few.OwnRows = 1<<20, 24
	for name, c := range map[string]struct {
		text string
		m    *Machine
	}{
		"along the summed axis": {productOf(120, 260, 100, "i,k", "120,100"), caches},
		"two rows apart":        {productOf(120, 260, 100, "k,i*2", "100,240"), caches},
		"in cache":              {productOf(120, 260, 100, "k,i", "100,120"), &large},
		"few columns":           {productOf(120, 200, 100, "k,i", "100,120"), caches},
		"few points":            {productOf(120, 260, 100, "k,i", "100,120"), &few},
		"a panel too large":     {productOf(120, 260, 400, "k,i", "400,120"), caches},
		"AVX2":                  {productOf(120, 260, 100, "k,i", "100,120"), &avx2},
		"all that it takes":     {productOf(120, 260, 100, "k,i", "100,120"), caches},
	} {
		steps, err := Run(parse(t, c.text), c.m)
		require.NoError(t, err)
		blocks := ofKind(steps[len(steps)-1].Kernel.Opts, Block)
		require.Equal(t, name == "all that it takes", len(blocks) == 1, name)
	}
}

// Columns that few rows pass over are packed by each point, where all of them are more than L2 holds.
func TestColumnsThatPointsPack(t *testing.T) {
	few := func(rows, cols, sums int, masked bool) string {
		w := "W[k,j]"
		if masked {
			w = "where(P[k] <= R[j], W[k,j], 0.0)"
		}
		return fmt.Sprintf(`kernel few(in X: f32[%[1]d,%[3]d], in W: f32[%[3]d,%[2]d], in P: i32[%[3]d], in R: i32[%[2]d], out Y: f32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d, k: %[3]d
  Y[i,j] = max(dot[k](X[i,k], %[4]s), 0.0)
}`, rows, cols, sums, w)
	}
	caches := smallCaches()
	caches.OwnRows = 96
	for _, c := range []struct {
		rows, cols, sums int
		masked, packs    bool
		m                *Machine
	}{
		{33, 520, 28, false, true, caches},
		{33, 500, 28, true, true, caches},
		{200, 500, 28, false, false, caches}, // many rows
		{33, 150, 28, false, false, caches},  // few panels
		{33, 500, 7, false, false, caches},   // all is in L2
		{33, 500, 500, false, false, caches}, // a panel is not
		{33, 500, 28, false, false, AVX2},
	} {
		in := parse(t, few(c.rows, c.cols, c.sums, c.masked))
		steps, err := Run(in, c.m)
		require.NoError(t, err)
		k := steps[len(steps)-1].Kernel
		require.Equal(t, c.packs, len(ofKind(k.Opts, Block)) == 1, "%+v", c)
		if c.packs {
			require.Contains(t, k.String(), "pack[k,j1])")
			right(t, in, steps, 11)
		}
		if c.packs && !c.masked { // what stands still is packed before loops
			steps, err = Run(Still(in, map[string]bool{"W": true}), c.m)
			require.NoError(t, err)
			require.Empty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Block))
		}
	}
}

// Each point copies an image with its margin for itself where there are many, and all are more than L2 holds.
func TestImagesThatPointsCopy(t *testing.T) {
	conv := func(images, channels, outputs, size int, store string) string {
		return fmt.Sprintf(`kernel conv(in X: f32[%[1]d,%[2]d,%[4]d,%[4]d], in W: f32[%[3]d,%[2]d,3,3], in B: f32[%[1]d,%[3]d,%[4]d,%[4]d], out Y: f32[%[1]d,%[3]d,%[4]d,%[4]d]) {
  axis i: %[1]d, j: %[3]d, k: %[4]d, l: %[4]d, m: %[2]d, n: 3, o: 3
  v = k + n - 1 >= 0 & k + n - 1 < %[4]d & l + o - 1 >= 0 & l + o - 1 < %[4]d
  z = dot[m,n,o](where(v, X[i,m,k + n - 1,l + o - 1; v], 0.0), W[j,m,n,o])
  %[5]s
}`, images, channels, outputs, size, store)
	}
	caches := smallCaches()
	avx2, large := *AVX2, *caches
	avx2.L2, large.L2 = caches.L2, 1<<20
	for name, c := range map[string]struct {
		text   string
		m      *Machine
		copies bool
	}{
		"many":         {conv(9, 3, 10, 11, "Y[i,j,k,l] = z + B[i,j,k,l]"), caches, true},
		"whole tiles":  {conv(8, 4, 16, 16, "Y[i,j,k,l] = max(z, 0.0)"), caches, true},
		"few":          {conv(7, 4, 10, 11, "Y[i,j,k,l] = z"), caches, false},
		"all in cache": {conv(9, 3, 10, 11, "Y[i,j,k,l] = z"), &large, false},
		"one is large": {conv(9, 24, 10, 11, "Y[i,j,k,l] = z"), caches, false},
		"AVX2":         {conv(9, 3, 10, 11, "Y[i,j,k,l] = z"), &avx2, false},
	} {
		in := parse(t, c.text)
		steps, err := Run(in, c.m)
		require.NoError(t, err)
		k := steps[len(steps)-1].Kernel
		require.Equal(t, c.copies, len(ofKind(k.Opts, Block)) == 1, name)
		require.Equal(t, c.copies, strings.Contains(k.String(), "local window: f32["), name)
		right(t, in, steps, 7)
	}
}
