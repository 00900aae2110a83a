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

// A panel is filled by a store without conditions, in loops that make all of their turns.
func TestFilledPanels(t *testing.T) {
	for text, filled := range map[string]bool{
		"for r { P[r] = X[r] }":                   true,
		"for r in 0..1 { P[r] = X[r] }":           false,
		"for r { if r < 2 { P[r] = X[r] } }":      false,
		"for r { P[r; r < 3] = X[r] }":            false,
		"for r { P[3 - r] = X[r] }":               false,
		"for i { P[i] = X[i] }":                   false, // a part of it
		"for q { for r { P[r] = X[r] } }":         true,
		"for q in 0..1 { for r { P[r] = X[r] } }": false,
	} {
		k := parse(t, `kernel k(in X: f32[4], out Y: f32[4]) {
  local P: f32[4] in panel
  axis i: 2 loop, q: 2 loop, r: 4 loop, s: 4 par
  `+text+`
  Y[s] = P[s]
}`)
		e := &edger{x: newIndices(), deps: newDepends(), k: k, passed: map[*loop.Buffer]bool{}}
		p := k.BufNamed("P")
		e.passed[p] = true
		e.findLimits(k)
		e.filled(k.Body)
		require.Equal(t, filled, !e.passed[p], text)
	}
}
