package lang

import (
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

// running is what a cumulative reducer gives, one element after the other.
func running(name string, x []float64) []float64 {
	out := make([]float64, len(x))
	acc := map[string]float64{"cumsum": 0, "cumprod": 1, "cummax": math.Inf(-1), "cummin": math.Inf(1), "cumlogsumexp": math.Inf(-1)}[name]
	for i, v := range x {
		switch name {
		case "cumsum":
			acc += v
		case "cumprod":
			acc *= v
		case "cummax":
			acc = max(acc, v)
		case "cummin":
			acc = min(acc, v)
		case "cumlogsumexp":
			if top := max(acc, v); !math.IsInf(top, -1) {
				acc = top + math.Log(math.Exp(acc-top)+math.Exp(v-top))
			}
		}
		out[i] = acc
	}
	return out
}

var cumulativeNames = []string{"cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"}

func same(t *testing.T, want, got float64, what string) {
	t.Helper()
	switch {
	case math.IsNaN(want):
		require.True(t, math.IsNaN(got), "%s: %v, not NaN", what, got)
	case math.IsInf(want, 0):
		require.Equal(t, want, got, what)
	default:
		require.InDelta(t, want, got, 1e-12*(1+math.Abs(want)), what)
	}
}

func TestCumulative(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	rows := [][]float64{{3}, {2, 2, 1, 2, 5, 5}, {-inf, -inf, 1, -inf}, {1, nan, 3}, {nan, 2}, {-inf, -1e30, -inf, 4}, {1e38, 1e38, -1e38}, {-2, -3, 0, 1, -0.5, 7, -7}}
	r := rand.New(rand.NewSource(5))
	for _, n := range []int{1, 2, 3, 7, 8, 13, 64, 65, 512, 513, 1100, runInSteps*runBlock + 5} {
		rows = append(rows, random(r, n).F)
	}
	for _, row := range rows {
		n := len(row)
		for _, name := range cumulativeNames {
			m := build(t, fmt.Sprintf(`data d = npy("x")
eval e {
  each x: f32[2, %d] from d.train
  y = %s(x, axis: 1)
  z[i, b] = %[2]s[i where i %% 2 == 0] x[b, i]
  show y
  show z
}`, n, name))
			x := ir.Floats(append(append([]float64{}, row...), row...), 2, n)
			out := evaluate(t, entryOf(t, m, ir.EntryEval, "e").Graph, values{"x": x}, nil)
			want := running(name, row)
			var even []float64
			for i := 0; i < n; i += 2 {
				even = append(even, row[i])
			}
			some := running(name, even)
			for i := range n {
				if v := row[i]; name == "cumlogsumexp" && v != v || i > 0 && math.IsNaN(want[i-1]) {
					want[i] = nan
				}
				same(t, want[i], out["y"].F[n+i], fmt.Sprintf("%s of %v at %d", name, row[:min(n, 16)], i))
				if !math.IsNaN(some[i/2]) {
					same(t, some[i/2], out["z"].F[2*i], fmt.Sprintf("%s of the even of %v at %d", name, row[:min(n, 16)], i))
				}
			}
		}
	}
}

// Long axes are cut in blocks, also where the run says how long they are, and whichever axis it is.
func TestCumulativeOfRunLengths(t *testing.T) {
	r := rand.New(rand.NewSource(6))
	for _, name := range cumulativeNames {
		m := build(t, fmt.Sprintf("sample s(x: f32[N]) {\n  both[i, k < 2] = x[i] * (1 - 2 * k)\n  y = %s(both, axis: 0)\n  show y\n}", name))
		for _, n := range []int{0, 1, 31, 32, 33, 700, 4096} {
			x := random(r, n)
			y := evaluate(t, entryOf(t, m, ir.EntrySample, "s").Graph, values{"x": x}, map[string]int{"len.x": n})["y"]
			for k, sign := range []float64{1, -1} {
				row := make([]float64, n)
				for i := range row {
					row[i] = sign * x.F[i]
				}
				for i, want := range running(name, row) {
					same(t, want, y.F[2*i+k], fmt.Sprintf("%s of %d at %d", name, n, i))
				}
			}
		}
	}
}

// What the blocks of a long axis hand on has its gradient: of sums what comes after, of extremes the first of equals.
func TestGradientsOfLongAxes(t *testing.T) {
	n := 2*runInSteps + 3
	m := build(t, fmt.Sprintf(`data d = npy("x")
eval e {
  each x: f32[%d], w: f32[%[1]d] from d.train
  sums = grad(sum(w * cumsum(x)), x)
  tops = grad(sum(w * cummax(x)), x)
  logs = grad(sum(w * cumlogsumexp(x)), x)
  show sums  show tops  show logs
}`, n))
	r := rand.New(rand.NewSource(7))
	x, w := random(r, n), random(r, n)
	for i := range x.F {
		x.F[i] = math.Floor(10*x.F[i]) / 10 // some are equal
	}
	out := evaluate(t, entryOf(t, m, ir.EntryEval, "e").Graph, values{"x": x, "w": w}, nil)
	sums, tops, logs := make([]float64, n), make([]float64, n), make([]float64, n)
	all, top, first := running("cumlogsumexp", x.F), math.Inf(-1), 0
	for i := range n {
		if x.F[i] > top {
			top, first = x.F[i], i
		}
		tops[first] += w.F[i]
		for j := range i + 1 {
			sums[j] += w.F[i]
			logs[j] += w.F[i] * math.Exp(x.F[j]-all[i])
		}
	}
	for i := range n {
		for name, want := range map[string][]float64{"sums": sums, "tops": tops, "logs": logs} {
			require.InDelta(t, want[i], out[name].F[i], 1e-9, "%s at %d", name, i)
		}
	}
}

// Of narrow floats sums are made in f32, and nothing overflows on the way.
func TestNarrowFloatsAreSummedInF32(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each v: f32[1] from d.train
  x: bf16[700] = 1.01
  low[i < 4] = where i < 2 then -inf else v[0]
  same = f32(cumsum(x)[698]) - f32(sum(x[:699]))
  runs = cumlogsumexp(f16(low))
  whole = logsumexp(f16(low[:2]))
  soft = softmax(f16(low + 1e4), axis: 0)
  show same  show runs  show whole  show soft
}`, values{"v": ir.Floats([]float64{0}, 1)})
	near(t, []float64{0}, out["same"].F)
	near(t, []float64{math.Inf(-1), math.Inf(-1), 0, 0.693359375}, out["runs"].F)
	near(t, []float64{math.Inf(-1)}, out["whole"].F)
	near(t, []float64{0, 0, 0.5, 0.5}, out["soft"].F)
}
