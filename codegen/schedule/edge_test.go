package schedule

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// A turn that is partly outside one limit may be inside another: blocks of 24 leave 16 of r, and of i 20 in another turn.
func TestTwoLimitsOfALoop(t *testing.T) {
	k := parse(t, `kernel k(in X: f32[108], in Z: f32[64], out Y: f32[108]) {
  axis p: 2, r: 64, i: 108 = p*64 + r
  Y[i] = X[i] * Z[r]
}`)
	for _, block := range []int{8, 16, 24, 32, 40} {
		steps, err := Apply(k, []loop.Opt{
			opt(Cut, "r", block, ""), opt(Bind, "p", 0, "loop"), opt(Bind, "r0", 0, "loop"),
			opt(Vec, "r1", 8, ""), opt(Order, "p", 0, ""), opt(Order, "r0", 1, ""),
		})
		require.NoError(t, err)
		right(t, k, steps, 1)
	}
}
