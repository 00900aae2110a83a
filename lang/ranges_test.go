package lang

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// An index that is compared with places on an axis runs over that axis.
func TestIndexComparedWithPlaces(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each x: f32[3, 4] from d.train
  pick = top_k(x, k: 2)
  load[e] = sum[b, j where pick[b, j] == e] 1
  used[b, e] = any[j] (e == pick[b, j])
  best = argmax(x, axis: 0)
  rows[r] = sum[c where best[c] == r] 1
  other[b, e] = all[j] (pick[:, 1:][b, j] != e)
  show load show used show rows show other
}`, values{"x": ir.Floats([]float64{1, 9, 2, 8, 7, 3, 6, 1, 0, 5, 1, 4}, 3, 4)})
	require.Equal(t, []int64{1, 2, 1, 2}, out["load"].I)
	require.Equal(t, loop.Bool, out["used"].Elem)
	require.Equal(t, []int64{0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1}, out["used"].I)
	require.Equal(t, []int64{2, 2, 0}, out["rows"].I)
	require.Equal(t, []int64{1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0}, out["other"].I)
}
