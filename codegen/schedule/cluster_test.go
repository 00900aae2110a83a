package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Points share the columns where rows come in pairs of tiles, else the rows where columns do; what cannot be shared says why.
func TestClustersOfPoints(t *testing.T) {
	for _, c := range []struct {
		rows, cols, points int
		shared, want       string
	}{
		{500, 64, 2, "slot_1[", ""},  // columns in one block, of which each copies some summands
		{500, 136, 2, "slot_1[", ""}, //
		{300, 128, 2, "slot[", ""},   // three tiles below each other, two beside
		{300, 128, 3, "", "3 points are no clusters of 2"},
		{300, 64, 2, "", "tiles of z come in no multiples of 2"},
	} {
		k := parse(t, fmt.Sprintf(`kernel k(in A: bf16[%[1]d,136], in B: bf16[136,%[2]d], out C: f32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d, l: 136
  z = dot[l](A[i,l], B[l,j])
  C[i,j] = z
}`, c.rows, c.cols))
		steps, err := Run(k, withTile(SM90, fmt.Sprintf("wgmma128x64, %d processors", c.points)))
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		require.Len(t, ofKind(last.Opts, Persist), 1)
		if c.want == "" {
			require.Len(t, ofKind(last.Opts, Cluster), 1)
			for line := range strings.Lines(last.String()) {
				require.True(t, !strings.Contains(line, "multicast") || strings.Contains(line, c.shared), line)
			}
			require.Contains(t, last.String(), "multicast")
		} else {
			require.Empty(t, ofKind(last.Opts, Cluster))
			_, err = Apply(steps[0].Kernel, append(slices.Clone(last.Opts), opt(Cluster, "z", 2, "")))
			require.ErrorContains(t, err, c.want)
		}
		same(t, k, steps[len(steps)-2].Kernel, inputs(k, 3))
	}
	k := parse(t, `kernel k(in A: bf16[384,136], in B: bf16[136,128], in D: f32[128], out C: f32[384,128]) {
  axis i: 384, j: 128, l: 136
  z = dot[l](A[i,l], B[l,j])
  C[i,j] = z
}`)
	steps, err := Run(k, withTile(SM90, "wgmma128x64, 3 processors"))
	require.NoError(t, err)
	_, err = Apply(steps[0].Kernel, append(slices.Clone(steps[len(steps)-1].Kernel.Opts), opt(Cluster, "z", 3, "")))
	require.ErrorContains(t, err, "operand z_b has no 3 equal parts")
	k = parse(t, `kernel k(in A: bf16[128,136], in B: bf16[136,64], out C: f32[128,64]) {
  axis i: 128, j: 64, l: 136
  z = dot[l](A[i,l], B[l,j])
  C[i,j] = z
}`)
	steps, err = Run(k, withTile(SM90, "wgmma128x64"))
	require.NoError(t, err)
	last := steps[len(steps)-1].Kernel
	require.Len(t, ofKind(last.Opts, Roles), 1)
	_, err = Apply(steps[0].Kernel, append(slices.Clone(last.Opts), opt(Cluster, "z", 2, "")))
	require.ErrorContains(t, err, "z is no product whose operands are staged")
}
