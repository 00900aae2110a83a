package schedule

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// strided is the gradient of a convolution's input, each place of which sums up the taps of its residue, where a condition holds.
func strided(condition, otherwise string) string {
	return fmt.Sprintf(`kernel gradient(in DY: f32[3,5,6], in W: f32[5,18,5], out DX: f32[3,18,12]) {
  axis i: 3, j: 18, k: 12, o: 5, m: 3
  v = k / 2 - m + 1 >= 0 & k / 2 - m + 1 < 6
  DX[i,j,k] = dot[o,m](where(v, DY[i,o,k / 2 - m + 1; v], 0.0), where(%[1]s, W[o,j,min(k %% 2 + m*2, 4)], %[2]s))
}`, condition, otherwise)
}

// What has taps that are zeros for some residues leaves them out, with the same results, also where numbers are not finite.
func TestTapsEnd(t *testing.T) {
	m := *AVX2
	m.PackRows = 1
	in := parse(t, strided("k % 2 + m*2 < 5", "0.0"))
	steps, err := Run(in, &m)
	require.NoError(t, err)
	k := steps[len(steps)-1].Kernel
	require.Len(t, ofKind(k.Opts, Taps), 1)
	require.Len(t, ofKind(k.Opts, Finite), 1)
	right(t, in, steps, 7)
	for name, x := range map[string]float64{"DY": math.NaN(), "W": math.Inf(1)} {
		sameWith(t, in, steps[len(steps)-2].Kernel, name, 7, x)
	}
	sameWith(t, in, steps[len(steps)-2].Kernel, "DY", 3, math.Inf(-1))
}

// Taps stay where they may make a difference, or all residues have as many.
func TestTapsStay(t *testing.T) {
	m := *AVX2
	m.PackRows = 1
	for _, text := range []string{
		strided("k % 2 + m*2 < 5", "1.0"),  // they are no zeros
		strided("k % 2 + m*2 >= 1", "0.0"), // the first ones are
		strided("k % 2 + m*2 < 7", "0.0"),  // there are none
		strided("m*2 < 5", "0.0"),          // for no residue more than for another
	} {
		steps, err := Run(parse(t, text), &m)
		require.NoError(t, err)
		require.Empty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Taps, Finite), text)
	}
}
