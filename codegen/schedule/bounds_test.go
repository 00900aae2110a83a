package schedule

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// TestExponentsOfOneSign: what cannot be positive has the cheaper exponential.
func TestExponentsOfOneSign(t *testing.T) {
	for arg, want := range map[string]bool{
		"x - max[j](x)":               true,
		"min[j](x) - x":               true,
		"x - max(-1.0, max[j](x))":    true,
		"x - min(max[j](x), 1.0)":     false,
		"x - max[j](y)":               false,
		"x - min[j](x)":               false,
		"max[j](x) - x":               false,
		"-abs(x)":                     true,
		"-(x * x)":                    true,
		"-(x * y)":                    false,
		"min(x, 0.0)":                 true,
		"min(x, 1.0)":                 false,
		"min(-x, x)":                  true,
		"min(-x, y)":                  false,
		"where(x < y, -exp(x), -1.0)": true,
		"tanh(x) - 1.0":               true,
		"sigmoid(x) * -abs(y)":        true,
		"-x":                          false,
	} {
		ks, err := loop.Parse("k", fmt.Sprintf(`kernel k(in X: f32[8,64], in Z: f32[8,64], out Y: f32[8,64]) {
  axis i: 8, j: 64
  x = X[i,j]
  y = Z[i,j]
  Y[i,j] = exp(%s)
}`, arg))
		require.NoError(t, err, arg)
		k, err := prepare(ks[0], AVX2)
		require.NoError(t, err)
		found := false
		eachStmt(k.Body, func(_ loop.Stmt, vs []*loop.Value) {
			walk(vs, func(v *loop.Value) { found = found || v.Op == loop.ExpNeg })
		})
		require.Equal(t, want, found, arg)
	}
}
