package schedule

import (
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mdlc/ir/loop"
)

// A fixed seed by default, so that a run says something of the change and not of luck; -rapid.seed=N explores.
func init() { _ = flag.Set("rapid.seed", "1") }

// shapes are kernels of each class for any sizes a, b, c.
var shapes = map[string]func(a, b, c int) string{
	"map": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[2]d,%[3]d], in Z: f32[%[3]d], in W: f32[%[2]d,%[1]d], inout Y: f32[%[1]d,%[2]d,%[3]d]) {
  axis i: %[1]d, j: %[2]d, l: %[3]d
  Y[i,j,l] = X[i,j,l] * Z[l] + W[j,i] + Y[i,j,l]
}`, a, b, c)
	},
	"row": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[2]d,%[3]d], in Z: f32[%[3]d], out Y: f32[%[1]d,%[2]d,%[3]d], out S: f32[%[1]d,%[2]d], out I: i32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d, l: %[3]d
  x = X[i,j,l] * Z[l]
  m = max[l](x)
  e = exp(x - m)
  s = sum[l](e)
  Y[i,j,l] = e / s
  S[i,j] = m + log(s)
  I[i,j] = argmin[l](x)
}`, a, b, c)
	},
	"row of two axes": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[2]d,%[3]d], out Y: f32[%[2]d,%[1]d,%[3]d], out S: f32[%[1]d]) {
  axis i: %[1]d, j: %[2]d, l: %[3]d
  x = X[i,j,l]
  s = sum[j,l](x)
  Y[j,i,l] = x - s
  S[i] = s
}`, a, b, c)
	},
	"column": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[3]d], in Z: f32[%[1]d,%[3]d], out Y: f32[%[3]d], out M: f32[%[3]d]) {
  axis p: %[4]d, r: 64, i: %[1]d = p*64 + r, j: %[3]d
  Y[j] = seqsum[p](seqsum[r](X[i,j]*Z[i,j]))
  M[j] = max[i](X[i,j]) * 2.0
}`, a, b, c, (a+63)/64)
	},
	"mixed": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[3]d], in G: f32[%[3]d], out DX: f32[%[1]d,%[3]d], out DG: f32[%[3]d], out DB: f32[%[3]d]) {
  axis p: %[4]d, r: 64, i: %[1]d = p*64 + r, j: %[3]d
  x = X[i,j]
  t = tanh(x * G[j])
  DX[i,j] = t - sum[j](t) * x
  DG[j] = seqsum[p](seqsum[r](t * x)) * 2.0
  DB[j] = seqsum[p](seqsum[r](x))
}`, a, b, c, (a+63)/64)
	},
	"mixed as lowered": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[2]d,%[3]d], in G: f32[%[3]d], out DX: f32[%[1]d,%[2]d,%[3]d], out DG: f32[%[3]d], out DB: f32[%[3]d]) {
  axis i: %[1]d, j: %[2]d, l: %[3]d, p: %[4]d, r: 64, n: %[5]d = p*64 + r, q: %[4]d, s: 64, m: %[5]d = q*64 + s
  t = X[i,j,l] * G[l]
  DX[i,j,l] = t - sum[l](t)
  DG[l] = seqsum[p](seqsum[r](X[n/%[2]d,n %% %[2]d,l] * G[l]))
  DB[l] = seqsum[q](seqsum[s](X[m/%[2]d,m %% %[2]d,l]))
}`, a, b, c, (a*b+63)/64, a*b)
	},
	"product": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[3]d], in W: f32[%[3]d,%[2]d], in B: f32[%[2]d], out Y: f32[%[1]d,%[2]d], out Z: f32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d, k: %[3]d
  z = dot[k](X[i,k], W[k,j]) + B[j]
  Y[i,j] = max(z, 0.0)
  Z[i,j] = z
}`, a, b, c)
	},
	"product with prologues": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[3]d,%[1]d], in W: f32[%[2]d,%[3]d], in M: i32[%[3]d], out Y: f32[%[2]d,%[1]d]) {
  axis i: %[1]d, j: %[2]d, k: %[3]d
  Y[j,i] = dot[k](exp(X[k,i]), where(M[k] < 3, W[j,k], 0.0)) * 0.5
}`, a, b, c)
	},
	"product in batches": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[3,%[1]d,2,%[3]d], in W: f32[3,%[2]d,2,%[3]d], out Y: f32[3,2,%[1]d,%[2]d]) {
  axis n: 3, h: 2, i: %[1]d, j: %[2]d, k: %[3]d
  Y[n,h,i,j] = where(j <= i, dot[k](X[n,i,h,k], W[n,j,h,k]), 0.0)
}`, a, b, c)
	},
	"product over two axes": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[3,2,%[3]d,%[1]d], in W: f32[3,%[3]d,2,%[2]d], out Y: f32[2,%[1]d,%[2]d]) {
  axis n: 3, h: 2, i: %[1]d, j: %[2]d, k: %[3]d
  Y[h,i,j] = dot[n,k](X[n,h,k,i], W[n,k,h,j])
}`, a, b, c)
	},
	"product and its rows": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[3]d], in W: f32[%[3]d,%[2]d], out Y: f32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d, k: %[3]d
  z = dot[k](X[i,k], W[k,j])
  Y[i,j] = z - sum[j](z)
}`, a, b, c)
	},
	"attention": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in Q: f32[%[1]d,2,%[2]d], in K: f32[%[3]d,2,%[2]d], in V: f32[%[3]d,2,%[2]d], out O: f32[%[1]d,2,%[2]d], out L: f32[2,%[1]d]) {
  axis h: 2, t: %[1]d, s: %[3]d, d: %[2]d, e: %[2]d
  x = where(s <= t, dot[d](Q[t,h,d], K[s,h,d]), -1.0)
  m = max[s](x)
  l = sum[s](exp(x - m))
  O[t,h,e] = dot[s](exp(x - m) / l, V[s,h,e])
  L[h,t] = m + log(l)
}`, min(a, 40), b%9+1, c)
	},
	"gradient of attention": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in Q: f32[%[1]d,4,%[2]d], in K: f32[%[3]d,4,%[2]d], in V: f32[%[3]d,4,%[2]d], in L: f32[4,%[1]d], in DO: f32[%[1]d,4,%[2]d], out DQ: f32[%[1]d,4,%[2]d], out DK: f32[%[3]d,4,%[2]d], out DV: f32[%[3]d,4,%[2]d]) {
  axis h: 4, t: %[1]d, s: %[3]d, d: %[2]d, e: %[2]d, f: %[2]d, g: %[2]d, i: %[2]d
  p = exp(dot[d](Q[t,h,d], K[s,h,d]) - L[h,t])
  dp = dot[e](DO[t,h,e], V[s,h,e])
  ds = p * (dp - sum[s](p * dp))
  DQ[t,h,f] = dot[s](ds, K[s,h,f])
  DK[s,h,i] = dot[t](ds, Q[t,h,i])
  DV[s,h,g] = dot[t](p, DO[t,h,g])
}`, min(a, 40), b%9+1, min(c, 40))
	},
	"results of products": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in Q: f32[%[1]d,4,%[2]d], in K: f32[%[3]d,4,%[2]d], out DQ: f32[%[1]d,4,%[2]d], out EQ: f32[%[1]d,4,%[2]d], out DK: f32[%[3]d,4,%[2]d], out EK: f32[%[3]d,4,%[2]d], out FK: f32[%[3]d,4,%[2]d]) {
  axis h: 4, t: %[1]d, s: %[3]d, d: %[2]d, f: %[2]d, i: %[2]d
  p = exp(dot[d](Q[t,h,d], K[s,h,d]))
  q = dot[s](p, K[s,h,f])
  k = dot[t](p, Q[t,h,i])
  DQ[t,h,f] = q
  EQ[t,h,f] = exp(q) + tanh(Q[t,h,f])
  DK[s,h,i] = k
  EK[s,h,i] = k + K[s,h,i]
  FK[s,h,i] = exp(k) * tanh(k + K[s,h,i])
}`, min(a, 40), b%9+1, min(c, 40))
	},
	"vector products": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[3]d], in W: f32[%[3]d,%[2]d], in V: f32[%[2]d], out Y: f32[%[2]d], out Z: f32[]) {
  axis j: %[2]d, k: %[3]d, l: %[2]d
  Y[j] = dot[k](X[k], W[k,j])
  Z[] = dot[l](V[l], V[l])
}`, a, b, c)
	},
	"rank": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[3]d], out R: i32[%[1]d,%[3]d]) {
  axis n: %[1]d, i: %[3]d, l: %[3]d
  R[n,i] = sum[l](where(X[n,l] < X[n,i] | (X[n,l] == X[n,i] & l < i), i32(1), i32(0)))
}`, a, b, c)
	},
	"sum of row sums": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in X: f32[%[1]d,%[3]d], out L: f32[], out M: f32[]) {
  axis i: %[1]d, j: %[3]d
  L[] = sum[i](log(sum[j](exp(X[i,j]))))
  M[] = max[i,j](X[i,j])
}`, a, b, c)
	},
	"gather": func(a, b, c int) string {
		return fmt.Sprintf(`kernel k(in E: f32[5,%[3]d], in T: i32[%[1]d,%[2]d], out Y: f32[%[1]d,%[2]d,%[3]d]) {
  axis i: %[1]d, j: %[2]d, d: %[3]d
  Y[i,j,d] = E[i64(T[i,j]),d]
}`, a, b, c)
	},
}

// A few draws in each run; -rapid.checks=100 makes more.
func init() { _ = flag.Set("rapid.checks", "6") }

// anyMachine is a machine of which every block is small.
func anyMachine(t *rapid.T) *Machine {
	lanes := rapid.SampledFrom([]int{8, 16}).Draw(t, "lanes")
	return &Machine{
		Name: "any", Lanes: lanes,
		L2:           rapid.SampledFrom([]int{0, 1000, 1 << 20}).Draw(t, "L2"),
		Rows:         []Row{{Rows: rapid.IntRange(1, 7).Draw(t, "tile"), Cols: lanes * rapid.IntRange(1, 3).Draw(t, "vectors"), Speed: 100}},
		Block:        rapid.IntRange(2, 50).Draw(t, "block"),
		StridedBlock: rapid.IntRange(2, 50).Draw(t, "strided"),
		BlockRows:    rapid.IntRange(1, 40).Draw(t, "rows"),
		PackRows:     rapid.IntRange(1, 40).Draw(t, "pack"),
		Chunk:        rapid.IntRange(100, 100000).Draw(t, "chunk"),
		ProductChunk: rapid.IntRange(100, 100000).Draw(t, "work"),
	}
}

func TestAnyShapeOnAnyMachine(t *testing.T) {
	sizes := []int{1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 24}
	long := append([]int{64, 65, 70, 130}, sizes...)
	for name, text := range shapes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				k := parse(t, text(rapid.SampledFrom(long).Draw(t, "a"), rapid.SampledFrom(sizes).Draw(t, "b"), rapid.SampledFrom(long).Draw(t, "c")))
				steps, err := Run(k, anyMachine(t))
				require.NoError(t, err)
				right(t, k, steps, rapid.Uint64().Draw(t, "seed"))
				again, err := loop.Parse("again", steps[len(steps)-1].Kernel.String())
				require.NoError(t, err)
				require.Equal(t, steps[len(steps)-1].Kernel.String(), again[0].String())
			})
		})
	}
}
