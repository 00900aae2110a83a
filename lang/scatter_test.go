package lang

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// A sum where data equals an index of the left side is a scatter, and equals the sum over all pairs, as do the first two gradients.
func TestSumsWhereDataEqualsAnIndexAreScatters(t *testing.T) {
	for _, c := range []struct {
		name, scatter, dense string
		none                 bool // no scatter
	}{
		{"rows", "y[i < 4, c] = sum[e where k[e] == i] x[e, c]", "y[i < 4, c] = sum[e] (where k[e] == i then x[e, c] else 0)", false},
		{"the other way round", "y[c, i < 4] = sum[e where i == k[e]] x[e, c]", "y[c, i < 4] = sum[e] (where k[e] == i then x[e, c] else 0)", false},
		{"products", "y[i < 4, c] = sum[e where k[e] == i] x[e, c] * x[e, 0] * (i + 1) / x[e, 1]", "y[i < 4, c] = sum[e] (where k[e] == i then x[e, c] * x[e, 0] * (i + 1) / x[e, 1] else 0)", false},
		{"a condition", "y[i < 4] = sum[e, c where x[e, c] > 0 and k[e] == i and c > 0] x[e, c]", "y[i < 4] = sum[e, c] (where x[e, c] > 0 and k[e] == i and c > 0 then x[e, c] else 0)", false},
		{"two places", "y[i < 4, j < 3] = sum[e where k[e] == i and k[e] - 1 == j] x[e, 1]", "y[i < 4, j < 3] = sum[e] (where k[e] == i and k[e] - 1 == j then x[e, 1] else 0)", false},
		{"means", "y[i < 3, c] = mean[e where k[e] == i] x[e, c]", "y[i < 3, c] = (sum[e] (where k[e] == i then x[e, c] else 0)) / (sum[e] (where k[e] == i then 1 else 0))", false},
		{"a batch", "y[c, i < 4] = sum[e where k[e] + c == i] x[e, c]", "y[c, i < 4] = sum[e] (where k[e] + c == i then x[e, c] else 0)", false},
		{"what depends on the place", "y[i < 4] = sum[e where k[e] == i] (x[e, 0] + i)", "y[i < 4] = sum[e] (where k[e] == i then x[e, 0] + i else 0)", true},
		{"no data", "y[i < 4, c] = sum[e where e == i] x[e, c]", "y[i < 4, c] = sum[e] (where e == i then x[e, c] else 0)", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := build(t, fmt.Sprintf(`data d = npy("x")
eval e {
  each x: f32[7, 2], k: i32[7] from d.train
  %s
  g = grad(sum(y^3), x)
  h = grad(sum(g^2), x)
  show y  show g  show h
  %s
  zg = grad(sum(z^3), x)
  zh = grad(sum(zg^2), x)
  show z  show zg  show zh
}`, c.scatter, strings.Replace(c.dense, "y", "z", 1)))
			g := entryOf(t, m, ir.EntryEval, "e").Graph
			require.NotEqual(t, c.none, strings.Contains(g.String(), "= scatter "))
			in := values{"x": random(rand.New(rand.NewSource(4)), 7, 2), "k": ir.Ints(loop.I32, []int64{1, 3, 0, 1, 2, -1, 4}, 7)}
			if c.name != "means" {
				in["k"].I[4] = 3
			}
			out := evaluate(t, g, in, nil)
			for _, pair := range [][2]string{{"y", "z"}, {"g", "zg"}, {"h", "zh"}} {
				for i := range out[pair[0]].F {
					require.InDelta(t, out[pair[1]].F[i], out[pair[0]].F[i], 1e-9, "%s %d", pair[0], i)
				}
			}
		})
	}
}

// A count is whole.
func TestCountsByScatter(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each k: i32[5] from d.train
  y[i < 3] = sum[e where k[e] == i] 1
  z[i < 1] = sum[e where k[e] == i] (k[e] == 0)
  show y  show z
}`, values{"k": ir.Ints(loop.I32, []int64{2, 0, 2, 2, 9}, 5)})
	require.Equal(t, []int64{1, 0, 3}, out["y"].I)
	require.Equal(t, []int64{1}, out["z"].I)
}
