package schedule

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// A bias that is added to a product under the product's own name, as in `y = y + b`, does not hide it from the opts: they name y.
// The columns of the product are the store's outer axis, so rows and columns are exchanged.
func TestValuesOfOneName(t *testing.T) {
	k := parse(t, `kernel biased(in X: f32[50,40], in W: f32[40,70], in B: f32[70], out Y: f32[70,50]) {
  axis i: 50, j: 70, k: 40
  y = dot[k](X[i,k], W[k,j])
  v = y + B[j]
  Y[j,i] = where(v <= 0.0, 0.0, v)
}`)
	eachStmt(k.Body, func(_ loop.Stmt, vs []*loop.Value) {
		walk(vs, func(v *loop.Value) {
			if v.Name == "v" {
				v.Name = "y"
			}
		})
	})
	steps, err := Run(k, AVX2)
	require.NoError(t, err)
	require.Contains(t, steps[len(steps)-1].Kernel.Opts, opt(Swap, "y", 0, ""))
}
