package schedule

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mdlc/ir/loop"
)

// streaming is AVX2 on which stores to any buffer go past the caches.
func streaming() *Machine {
	m := *AVX2
	m.Stream = 1
	return &m
}

// TestSkewGolden: the comment of each case says whether it is skewed.
func TestSkewGolden(t *testing.T) {
	files, err := filepath.Glob("../../testdata/skew/*.kir")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			k := parse(t, string(text))
			steps, err := Run(k, streaming())
			require.NoError(t, err)
			right(t, k, steps, 7)
			i := slices.IndexFunc(steps, func(s Step) bool { return s.Name == "skew" })
			golden(t, file, steps[i-1:i+3])
			skewed := steps[i-1].Kernel.String() != steps[i].Kernel.String()
			require.Equal(t, !strings.Contains(string(text), "Not skewed"), skewed)
		})
	}
}

// TestSkewIsRefused: loops whose last sweep cannot run a row late.
func TestSkewIsRefused(t *testing.T) {
	for _, c := range []struct{ body, why string }{
		{"for j0 { Y[i,j] = X[i,j] }", "the loop has no two sweeps"},
		{"b = for j0 carry a = 0.0 { yield a + X[i,j] }  s = sum[j1](b)  for j0 { Y[i,j] = X[i,j] / s }  S[i] = s", "the loop does not end with a sweep that only stores"},
		{"b = for j0 carry a = 0.0 { yield a + X[i,j] }  c = for j0 carry a = 0.0 { Y[i,j] = X[i,j] / sum[j1](b)  yield a + X[i,j] }", "the loop does not end with a sweep that only stores"},
		{"b = for j0 in 0..1 carry a = 0.0 { yield a + X[i,j] }  s = sum[j1](b)  for j0 { Y[i,j] = X[i,j] / s }", "no other sweep makes the turns of the last one"},
		{"b = for j0 carry a = 0.0 { yield a + X[i,j] }  for j0 { Y[i,j] = X[i,j] / b }", "which is no single number"},
		{"for j0 in 0..min(i, 2) { E[j] = X[i,j] }  for j0 in 0..min(i, 2) { Y[i,j] = E[j] }", "the turns of the last sweep differ from row to row"},
		{"for j0 { Y[i,j] = exp(X[i,j]) }  for j0 { Y[i,j] = Y[i,j] * 2.0 }", "the row uses Y, which its last sweep stores"},
		{"for j0 { E[j] = E[j] + X[i,j] }  for j0 { Y[i,j] = E[j] }", "not every row fills E in a sweep before it is read"},
		{"for j0 { E[j; j < 40] = exp(X[i,j]) }  for j0 { Y[i,j] = E[j] }", "not every row fills E in a sweep before it is read"},
		{"for j0 { E[j] = exp(X[i,j]) }  for j0 { Y[i,j] = E[127 - j] }", "not every row fills E in a sweep before it is read"},
		{"for j0 { E[j] = exp(X[i,j]) }  for j0 in 0..1 { E[j] = 0.0 }  for j0 { Y[i,j] = E[j] }", "not every row fills E in a sweep before it is read"},
		{"b = for j0 carry a = 0.0 { yield a + E[j] }  for j0 { E[j] = exp(X[i,j]) }  s = sum[j1](b)  for j0 { Y[i,j] = E[j] * s }", "not every row fills E in a sweep before it is read"},
		{"for j0 { Z[i,j] = exp(X[i,j]) }  for j0 { Y[i,j] = Z[i,j] }", "not every row fills Z in a sweep before it is read"},
	} {
		k := parse(t, fmt.Sprintf(`kernel k(in X: f32[5,128], out Y: f32[5,128], out Z: f32[5,128], out S: f32[5]) guarded {
  axis i: 5 loop, j0: 2 loop, j1: 64, j: 128 = j0*64 + j1
  local E: f32[128] in panel
  for i { %s }
}`, c.body))
		require.ErrorContains(t, skew(k, "i"), c.why, c.body)
	}
	k := parse(t, `kernel k(in X: f32[5,128], out Y: f32[5,128]) guarded {
  axis i: 5 loop, g: 2 loop, j: 128 loop
  local E: f32[128] in panel
  for g { E[g] = 1.0 }
  c = for i carry a = 0.0 { for j { E[j] = X[i,j] }  for j { Y[i,j] = E[j] }  yield a + X[i,0] }
  for i { for j { E[j] = X[i,j] }  for j { Y[i,j] = E[j] } }
}`)
	require.ErrorContains(t, skew(k, "i"), "the loop carries values")
	k.Body = slices.Delete(k.Body, 1, 2)
	require.ErrorContains(t, skew(k, "i"), "E is used outside the loop")
	k = parse(t, `kernel k(in n: i32[], in X: f32[5,128], out Y: f32[5,128], out Z: f32[5,128]) guarded {
  axis i: min(i64(n[]), 5) <= 5 loop, j: 128 loop
  for i { for j { Z[i,j] = X[i,j] }  for j { Y[i,j] = X[i,j] } }
}`)
	require.ErrorContains(t, skew(k, "i"), "the loop may make no turn")
	require.ErrorContains(t, skew(k, "j"), "the loop has no two sweeps")
	require.ErrorContains(t, skew(k, "l"), "there is no axis l")
}

// rowKernels have last sweeps that take a panel, numbers, or both from their rows.
var rowKernels = []string{
	"e = exp(x - max[j](x))   Y[i,j] = e / sum[j](e)",
	"m = max[j](x)   l = m + log(sum[j](exp(x - m)))   Y[i,j] = x - l   S[i] = l",
	"c = x - sum[j](x) * 0.25   Y[i,j] = c * rsqrt(sum[j](c * c) + 1e-5) + G[j]",
	"a = argmin[j](x)   Y[i,j] = x - G[i64(a)]   S[i] = f32(a)",
	"y = G[j] * x   Y[i,j] = y * (x - sum[j](y * x))",
}

// TestAnySkew skews rows of any number and size, where costs do not ask for it too.
func TestAnySkew(t *testing.T) {
	for i, body := range rowKernels {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			skewed := 0
			rapid.Check(t, func(t *rapid.T) {
				rows := rapid.SampledFrom([]int{1, 2, 3, 5, 16, 17, 31, 70}).Draw(t, "rows")
				cols := rapid.SampledFrom([]int{1, 64, 65, 97, 130, 144, 200, 208}).Draw(t, "cols")
				k, err := prepare(parse(t, fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[2]d], in G: f32[%[2]d], out Y: f32[%[1]d,%[2]d], out S: f32[%[1]d]) {
  axis i: %[1]d, j: %[2]d
  x = X[i,j]   %[3]s
}`, rows, cols, body)), AVX2)
				require.NoError(t, err)
				opts, err := Choose(k, anyMachine(t))
				require.NoError(t, err)
				order := ofKind(opts, Order)
				if len(ofKind(opts, Skew)) == 0 && len(order) > 1 {
					more := append(slices.Clone(opts), opt(Skew, order[len(order)-2].Axis, 0, ""))
					if _, err := Apply(k, more); err == nil {
						opts = more
					} else {
						require.ErrorContains(t, err, "Skew")
					}
				}
				skewed += len(ofKind(opts, Skew))
				steps, err := Apply(k, opts)
				require.NoError(t, err)
				right(t, k, steps, rapid.Uint64().Draw(t, "seed"))
				again, err := loop.Parse("again", steps[len(steps)-1].Kernel.String())
				require.NoError(t, err)
				require.Equal(t, steps[len(steps)-1].Kernel.String(), again[0].String())
			})
			require.Positive(t, skewed)
		})
	}
}
