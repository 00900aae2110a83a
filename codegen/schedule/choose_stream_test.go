package schedule

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// TestStreams: outputs as large as caches, in whole lines, are streamed; others are not.
func TestStreams(t *testing.T) {
	for _, c := range []struct {
		rows, cols int
		want       bool
	}{{4096, 1024, true}, {4095, 1024, false}, {8192, 520, true}, {8192, 1025, true}, {16, 1024, false}} {
		ks, err := loop.Parse("twice", fmt.Sprintf(`kernel twice(in X: f32[%[1]d,%[2]d], out Y: f32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d
  Y[i,j] = X[i,j] + X[i,j]
}`, c.rows, c.cols))
		require.NoError(t, err)
		opts, err := Choose(ks[0], AVX2)
		require.NoError(t, err)
		require.Equal(t, c.want, len(ofKind(opts, Stream)) == 1, "%d x %d", c.rows, c.cols)
	}
}
