package schedule

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// TestRepeats: the taps of a weight's gradient are loops inside those of the sums where the other operand is more than L2 holds
// and the rows are points enough; else each tap is a point.
func TestRepeats(t *testing.T) {
	for _, c := range []struct {
		channels, size int
		inside         bool
	}{{64, 32, true}, {64, 4, false}, {16, 32, false}} {
		ks, err := loop.Parse("taps", fmt.Sprintf(`kernel taps(in X: f32[32,%[1]d,%[2]d,%[2]d], in D: f32[32,64,%[2]d,%[2]d], out G: f32[64,%[1]d,3,3]) {
  axis i: 64, j: %[1]d, k: 3, l: 3, m: 32, n: %[2]d, o: %[2]d
  v: bool[k,l,n,o] = n + k - 1 >= 0 & n + k - 1 < %[2]d & o + l - 1 >= 0 & o + l - 1 < %[2]d
  G[i,j,k,l] = dot[m,n,o](where(v, X[m,j,n + k - 1,o + l - 1; v], 0.0), D[m,i,n,o])
}`, c.channels, c.size))
		require.NoError(t, err)
		steps, err := Run(ks[0], AVX512)
		require.NoError(t, err)
		opts := steps[len(steps)-2].Kernel.Opts
		bound := map[string]string{}
		for _, o := range opts {
			if o.Kind == Bind {
				bound[o.Axis] = o.Word
			}
		}
		want := "par"
		if c.inside {
			want = "loop"
		}
		require.Equal(t, []string{want, want}, []string{bound["k"], bound["l"]}, "%d channels of %d: %v", c.channels, c.size, opts)
	}
}
