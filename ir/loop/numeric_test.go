package loop

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func store1(t *testing.T, typed bool, text string, args buffers) *Data {
	t.Helper()
	k := one(t, text)
	require.NoError(t, Verify(k))
	return eval(t, k, args, EvalOptions{Typed: typed})["Y"]
}

// The three orders of additions differ in f32, and are those of the numeric contract.
func TestOrderOfAdditions(t *testing.T) {
	x := newSource(12).floats(F32, 200)
	for i := range x.F {
		x.F[i] = float64(float32(x.F[i] * math.Ldexp(1, i%17)))
	}
	args := buffers{"X": x}
	var seq, dot float32
	var p [64]float32
	for i, v := range x.F {
		seq += float32(v)
		dot = float32(v*v + float64(dot)) // v*v is exact, and so is the sum of these
		p[i%64] += float32(v)
	}
	for r := 16; r < 64; r += 16 {
		for l := range 16 {
			p[l] += p[r+l]
		}
	}
	for h := 8; h > 0; h /= 2 {
		for l := range h {
			p[l] += p[l+h]
		}
	}
	head := "kernel k(in X: f32[200], out Y: f32[]) { axis i: 200 Y[] = "
	require.Equal(t, float64(p[0]), store1(t, true, head+"sum[i](X[i]) }", args).F[0])
	require.Equal(t, float64(seq), store1(t, true, head+"seqsum[i](X[i]) }", args).F[0])
	require.InDelta(t, float64(dot), store1(t, true, head+"dot[i](X[i], X[i]) }", args).F[0], math.Abs(float64(dot))*1e-6)
	require.NotEqual(t, p[0], seq)
}

func TestReductions(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	args := buffers{"X": Floats(F32, []float64{3, -1, 7, 7, -inf}, 5), "N": Floats(F32, []float64{3, nan, 7, nan, -inf}, 5)}
	for expr, want := range map[string]float64{
		"max[i](X[i])": 7, "min[i](X[i])": -inf, "prod[i](where(X[i] > 0.0, X[i], 1.0))": 147,
		"f32(argmax[i](X[i]))": 2, "f32(argmin[i](X[i]))": 4, "f32(argmax[i](N[i]))": 1, "f32(argmin[i](N[i]))": 1, // where max and min are NaN, too
		"max[i](N[i])": nan, "min[i](N[i])": nan, "sum[i](2.0)": 10,
		"f32(sum[i](i))": 10, "f32(sum[i](where(i == 3, i32(2147483647), i32(1))))": -2147483648,
	} {
		got := store1(t, true, "kernel k(in X: f32[5], in N: f32[5], out Y: f32[]) { axis i: 5 Y[] = "+expr+" }", args).F[0]
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(got), expr)
		} else {
			require.Equal(t, want, got, expr)
		}
	}
}

func TestScalarOps(t *testing.T) {
	args := buffers{"a": Ints(I64, []int64{-7}), "u": Ints(U32, []int64{0xfffffff0}), "x": Floats(F32, []float64{2.5})}
	for expr, want := range map[string]float64{
		"f32(a[] / 2)": -4, "f32(a[] % 2)": 1, "f32(a[] / -2)": 3, "f32(a[] % -2)": -1, "round(x[])": 2, "floor(-x[])": -3,
		"f32(i32(a[]) >> 1)": -4, "f32(u[] >> 28)": 15, "f32(u[] + 17)": 1, "f32(mulhi(u[], 16))": 15, "f32(i8(a[]) << 4)": -112,
		"bitcast[f32](bitcast[u32](x[]) + 0)": 2.5, "f32(!(a[] == -7))": 0, "f32(!i32(a[]))": 6, "abs(-x[])": 2.5,
		"f32(f16(x[] * 0.1))": 0.25, "f32(bf16(1.00390625))": 1, "f32(true & a[] < 0 | false)": 1, "f32(a[] ^ 1)": -8,
		"fma(x[], 2.0, -5.0)": 0, "f32(bool(x[]))": 1, "f32(i32(-x[]))": -2, "min(x[], -0.0)": 0, "where(a[] < 0, x[], inf)": 2.5,
	} {
		got := store1(t, true, "kernel k(in a: i64[], in u: u32[], in x: f32[], out Y: f32[]) { Y[] = "+expr+" }", args).F[0]
		require.Equal(t, want, got+0, expr)
	}
}

// What is undefined is poison; it may not reach a store.
func TestPoison(t *testing.T) {
	args := buffers{"a": Ints(I64, []int64{0})}
	for expr, ok := range map[string]bool{
		"1 / a[]": false, "1 % a[]": false, "1 << a[] + 64": false, "where(a[] == 0, 5, 1 / a[])": true,
		"i64(a[] == 0 | 1 / a[] == 0)": true, "i64(a[] == 0 & 1 / a[] == 0)": false, "i64(1 / a[] == 0 & a[] > 0)": true,
	} {
		k := one(t, "kernel k(in a: i64[], out Y: i64[]) { Y[] = "+expr+" }")
		err := Eval(k, cloneAll(args), EvalOptions{})
		if ok {
			require.NoError(t, err, expr)
		} else {
			require.ErrorContains(t, err, "poison", expr)
		}
	}
	k := one(t, "kernel k(work W: f32[2], out Y: f32[2]) { axis i: 2 W[0] = 1.0 Y[i] = W[i] }")
	require.ErrorContains(t, Eval(k, buffers{}, EvalOptions{}), "poison is stored in Y[1] at i=1")
}

// What an asynchronous store copies is poison until a wait for its group, and so is what a younger one is to overwrite.
func TestAsynchronousStores(t *testing.T) {
	const text = `kernel k(in X: f32[2,4], out Y: f32[4]) guarded {
  axis t: 4 thread
  local S: f32[4] in panel
  S[t] = X[0,t] async
  commit
  %s
  Y[t] = S[t]
}`
	args := buffers{"X": newSource(1).floats(F32, 2, 4)}
	for body, want := range map[string]string{
		"wait 0": "", "commit wait 1": "", "": "poison", "wait 1": "poison",
		"S[t] = X[1,t] async commit wait 0": "", "S[t] = X[1,t] async commit wait 1": "poison",
	} {
		out := cloneAll(args)
		err := Eval(one(t, fmt.Sprintf(text, body)), out, EvalOptions{Seed: 1})
		if want == "" {
			require.NoError(t, err, body)
		} else {
			require.ErrorContains(t, err, want, body)
		}
	}
}

func TestPhasesInALoop(t *testing.T) {
	k := one(t, `kernel scan(inout X: f32[6], work T: f32[6]) { axis s: 3 loop, p: 6 par
		for s { T[p] = X[p] phase X[p] = T[p] + T[(p + 1) % 6] } }`)
	require.NoError(t, Verify(k))
	x := []float64{1, 2, 3, 4, 5, 6}
	out := eval(t, k, buffers{"X": Floats(F32, append([]float64(nil), x...), 6)}, EvalOptions{Seed: 3})["X"].F
	for range 3 {
		y := make([]float64, 6)
		for i := range y {
			y[i] = x[i] + x[(i+1)%6]
		}
		x = y
	}
	require.Equal(t, x, out)
}

func BenchmarkMatmul32(b *testing.B) {
	k := one(b, "kernel k(in X: f32[32,32], in W: f32[32,32], out Y: f32[32,32]) { axis i: 32, j: 32, k: 32 Y[i,j] = dot[k](X[i,k], W[k,j]) }")
	s := newSource(1)
	args := buffers{"X": s.floats(F32, 32, 32), "W": s.floats(F32, 32, 32)}
	for b.Loop() {
		require.NoError(b, Eval(k, args, EvalOptions{Typed: true}))
	}
}

func BenchmarkScheduledLinear(b *testing.B) {
	k := kernels(b, "linear.kir")["linear_gelu.cpu"]
	s := newSource(3)
	args := buffers{"X": s.floats(BF16, 9, 70), "W": s.ints(I8, -9, 9, 70, 70), "S": s.floats(F32, 5, 70), "B": s.floats(F32, 70)}
	for b.Loop() {
		require.NoError(b, Eval(k, args, EvalOptions{Typed: true}))
	}
}
