package schedule

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// Extremes of lanes are of integers, and so is what turns carry to them, but where something else reads that.
func TestExtremesByIntegers(t *testing.T) {
	for turn, carried := range map[string]loop.Elem{
		"yield max(a, X[q,l])":                      loop.I32,
		"n = max(a, X[q,l])   yield n":              loop.I32,
		"n = max(a, X[q,l])   Y[q,l] = n   yield n": loop.F32,
	} {
		k := parse(t, `kernel k(in X: f32[3,16], out Y: f32[3,16], out Z: f32[]) guarded {
  axis q: 3 loop, l: 16 lane
  b = for q carry a = -inf { `+turn+` }
  Z[] = max[l](b)
}`)
		n := ByIntegers(k)
		var c *loop.Carry
		loop.Walk(n.Body, func(s loop.Stmt) {
			if f, ok := s.(*loop.For); ok {
				c = f.Carry[0]
			}
		})
		require.Equal(t, carried, c.In.Elem, "%s\n%s", turn, n)
		args := inputs(k, 1)
		want, got := outputs(t, k, args, loop.EvalOptions{Typed: true}), outputs(t, n, args, loop.EvalOptions{Typed: true})
		require.Equal(t, want, got, turn)
	}
}
