package schedule_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// A matrix that stands still is packed for a tile of rows, in its own type, and panels are points; not one that caches hold, one that no
// loop keeps, or that lies along the summands. What is computed is the same.
func TestStandingPanels(t *testing.T) {
	target, m := host(t)
	for _, c := range []struct {
		name, elem, w    string
		rows, n, k, l2   int
		still            bool
		packed, parallel bool
	}{
		{"alone", "f32", "W[k,j]", 1, 70, 8, 1 << 9, true, true, false},
		{"points", "f32", "W[k,j]", 1, 1030, 268, m.L2 / 16, true, true, true},
		{"scales", "u8", "f32(W[k,j]) * S[k / 32,j]", 1, 2100, 512, m.L2, true, true, true},
		{"some", "f32", "W[k,j]", 3, 1030, 268, m.L2 / 16, true, true, true},
		{"some scales", "u8", "f32(W[k,j]) * S[k / 32,j]", 4, 2100, 517, m.L2, true, true, true},
		{"bytes", "u8", "f32(W[k,j])", 2, 515, 512, m.L2 / 16, true, true, false},
		{"near", "f32", "W[k,j]", 1, 300, 64, m.L2, true, false, false},
		{"new", "f32", "W[k,j]", 3, 1030, 268, m.L2 / 16, false, false, true},
		{"along", "f32", "W[j,k]", 1, 1030, 268, m.L2 / 16, true, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			shape := fmt.Sprintf("%d,%d", c.k, c.n)
			if c.name == "along" {
				shape = fmt.Sprintf("%d,%d", c.n, c.k)
			}
			ks, err := loop.Parse("stands", fmt.Sprintf(`kernel stands(in X: f32[%[1]d,%[3]d], in W: %[4]s[%[6]s], in S: f32[%[5]d,%[2]d], out Y: f32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d, k: %[3]d
  z = dot[k](X[i,k], %[7]s)
  Y[i,j] = z + S[0,j]
}`, c.rows, c.n, c.k, c.elem, (c.k+31)/32, shape, c.w))
			require.NoError(t, err)
			page := ks[0]
			if c.still {
				page = schedule.Still(page, map[string]bool{"W": true, "S": true})
			}
			machine := *m
			machine.L2 = c.l2
			steps, err := schedule.Run(page, &machine)
			require.NoError(t, err)
			k := steps[len(steps)-1].Kernel
			at := slices.IndexFunc(k.Bufs, func(b *loop.Buffer) bool { return b.Mode == loop.Work })
			require.Equal(t, c.packed, at >= 0)
			if c.packed {
				require.Equal(t, k.Bufs[1].Elem, k.Bufs[at].Elem, "the panels are of the matrix, not of what is computed of it")
			}
			done := compile(t, target, k)[0]
			require.Equal(t, c.parallel, len(done.phases[len(done.phases)-1].Points()) > 0)
			equalsEvaluator(t, schedule.Expand(ks[0]), done)
		})
	}
}
