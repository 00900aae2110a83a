package schedule

import (
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// looksBack is a product over columns that other expressions choose or leave out.
func looksBack(condition, otherwise, sum string) string {
	return fmt.Sprintf(`kernel back(in Q: f32[4,136,8], in K: f32[4,136,8], in V: f32[4,136,8], in L: f32[4,136], out O: f32[4,136,8]) {
  axis b: 4, t: 136, s: 136, d: 8, e: 8
  z = abs(dot[d](Q[b,t,d], K[b,s,d]))
  O[b,t,e] = dot[s](where(%[1]s, z / sum[s](%[3]s), %[2]s), V[b,s,e])
}`, condition, otherwise, sum)
}

// threeBlocks is a machine on which 136 rows are three blocks.
func threeBlocks() *Machine {
	m := *AVX2
	m.L2, m.BlockRows = 1<<15, 32
	return &m
}

// sameWith requires the same results of k and of its schedule n, where an input has an element x.
func sameWith(t *testing.T, k, n *loop.Kernel, name string, at int, x float64) {
	args := inputs(k, 3)
	args[name].F[at] = x
	want, got := outputs(t, k, args, loop.EvalOptions{Typed: true}), outputs(t, n, args, loop.EvalOptions{Typed: true})
	for _, b := range k.Bufs {
		for i, w := range want[b.Name].F {
			g := got[b.Name].F[i]
			require.True(t, w == g || w != w && g != g, "%s[%d] with %s %v: %v, not %v", b.Name, i, name, x, g, w)
		}
	}
}

// Blocks of rows of attention that looks back end at their last column, and the results are the same, also where inputs are not finite.
func TestColumnsLeftOut(t *testing.T) {
	text, err := os.ReadFile("../../testdata/block/causal.kir")
	require.NoError(t, err)
	in := parse(t, string(text))
	steps, err := Run(in, threeBlocks())
	require.NoError(t, err)
	k := steps[len(steps)-1].Kernel
	require.Len(t, ofKind(k.Opts, Limit), 8)
	require.Len(t, ofKind(k.Opts, Finite), 4)
	right(t, in, steps, 7)
	for name, x := range map[string]float64{"Q": math.NaN(), "K": math.Inf(1), "V": math.NaN(), "G": math.Inf(-1)} {
		sameWith(t, in, steps[len(steps)-2].Kernel, name, 130*16+3, x) // of the first head, near its end
	}
}

// What columns beyond the row add up to is 0, or no number where 0 is divided by 0: that is not left out.
func TestColumnsBeyondAreNoNumber(t *testing.T) {
	in := parse(t, looksBack("s <= t", "0.0", "where(s <= t, z, 0.0) / L[b,t]"))
	steps, err := Run(in, threeBlocks())
	require.NoError(t, err)
	require.Len(t, ofKind(steps[len(steps)-1].Kernel.Opts, Limit), 3)
	sameWith(t, in, steps[len(steps)-2].Kernel, "L", 63, 0) // the last row of a block
}

// Columns stay where they may make a difference.
func TestColumnsStay(t *testing.T) {
	for _, text := range []string{
		looksBack("s >= t", "0.0", "where(s >= t, z, 0.0)"),   // they are before the row
		looksBack("s <= t", "1.0", "where(s <= t, z, 0.0)"),   // the product takes 1
		looksBack("s <= t", "0.0", "z"),                       // the sum takes them
		looksBack("s <= t", "0.0", "where(s <= t, z, 0.0)*z"), // 0 times what may be infinite differs from column to column
	} {
		steps, err := Run(parse(t, text), threeBlocks())
		require.NoError(t, err)
		require.Empty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Limit, Finite), text)
		require.NotEmpty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Block), text)
	}
}
