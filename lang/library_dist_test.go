package lang

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// replace is s with pairs of old and new.
func replace(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

// continuous are distributions with parameters p: f32[N] and q: f32[N], and an interval that holds all but 1e-9 of them.
var continuous = []struct {
	dist      string
	low, high float64
	entropy   bool
	params    string // what p and q are
}{
	{"uniform(p, q)", -0.5, 2, true, "-0.5 2"},
	{"normal(p, q)", -5, 8, true, "1.5 0.7"},
	{"exponential(q)", 0, 12, true, "0 2"},
	{"laplace(p, q)", -14, 16, true, "1 0.7"},
	{"logistic(p, q)", -14, 16, true, "1 0.7"},
	{"gumbel(p, q)", -3, 17, true, "1 0.7"},
	{"mixture(w, logistic(m, s))", -22, 22, false, "0 0"},
}

const densities = `
eval e {
  p: f32[N] = P
  q: f32[N] = Q
  w[n < N, k < 3] = 0.4 * k
  m[n < N, k < 3] = 2.0 * k - 2
  s[n < N, k < 3] = 0.3 + 0.2 * k
  x[n < N] = LOW + (n + 0.5) * STEP
  lp = DIST.log_prob(x)
  draw ~ DIST
  show x  show lp  show draw
  ENTROPY
}`

// Densities add up to 1, entropies are the mean of -log p, and the first moments of what is drawn are the density's.
func TestContinuousDistributions(t *testing.T) {
	const n = 20000
	for _, c := range continuous {
		t.Run(c.dist, func(t *testing.T) {
			step := (c.high - c.low) / n
			p, q, _ := strings.Cut(c.params, " ")
			entropy := ""
			if c.entropy {
				entropy = "h = " + c.dist + ".entropy()  show h"
			}
			out := run(t, replace(densities, "ENTROPY", entropy, "DIST", c.dist, "STEP", fmt.Sprint(step), "LOW", fmt.Sprint(c.low), "N", fmt.Sprint(n), "P", p, "Q", q), values{})
			var mass, mean, square, h float64
			for i, lp := range out["lp"].F {
				at := math.Exp(lp) * step
				mass += at
				mean += at * out["x"].F[i]
				square += at * out["x"].F[i] * out["x"].F[i]
				if at > 0 {
					h -= at * lp
				}
			}
			require.InDelta(t, 1, mass, 1e-5)
			if c.entropy {
				require.InDelta(t, h, out["h"].F[0], 1e-4)
			}
			var sum, squares float64
			for _, x := range out["draw"].F {
				require.False(t, math.IsInf(x, 0) || math.IsNaN(x))
				sum += x / n
				squares += x * x / n
			}
			variance := square - mean*mean
			require.InDelta(t, mean, sum, 4*math.Sqrt(variance/n))
			require.InEpsilon(t, variance, squares-sum*sum, 0.08)
		})
	}
}

// Probabilities of the discrete ones add up to 1, and draws follow them.
func TestDiscreteDistributions(t *testing.T) {
	out := run(t, `eval e {
  logits[n < 9000, k < 4] = 0.7 * k
  x ~ categorical(logits)
  y ~ categorical(logits, top_k: 2)
  z ~ categorical(logits, top_p: 0.9)
  half[n < 9000] = logits[n, 1]
  b ~ bernoulli(half)
  i ~ integers(-2, 3)[9000]
  few[r < 4, k < 4] = 0.7 * k
  classes[r < 4] = r
  lp = categorical(few).log_prob(classes)
  h = categorical(few).entropy()
  two[r < 2] = 0.7
  bit[r < 2] = f32(r)
  lb = bernoulli(two).log_prob(bit)
  hb = bernoulli(two).entropy()
  order ~ permutation[200, 3]
  show x  show y  show z  show b  show i  show lp  show h  show lb  show hb  show order
}`, values{})
	var p []float64
	total, h := 0.0, 0.0
	for _, lp := range out["lp"].F {
		p = append(p, math.Exp(lp))
		total += math.Exp(lp)
		h -= lp * math.Exp(lp)
	}
	require.InDelta(t, 1, total, 1e-9)
	require.InDelta(t, h, out["h"].F[0], 1e-9)
	follows := func(name string, first int64, want ...float64) {
		seen := make([]float64, len(want))
		for i := range out[name].Len() {
			seen[int64(out[name].At(i))-first] += 1 / float64(out[name].Len())
		}
		for k, w := range want {
			require.InDelta(t, w, seen[k], 4*math.Sqrt(w*(1-w)/9000), "%s is %d", name, k)
		}
	}
	follows("x", 0, p...)
	two, three := p[2]+p[3], p[1]+p[2]+p[3]
	follows("y", 0, 0, 0, p[2]/two, p[3]/two)
	follows("z", 0, 0, p[1]/three, p[2]/three, p[3]/three)
	follows("i", -2, 0.2, 0.2, 0.2, 0.2, 0.2)
	yes := 1 / (1 + math.Exp(-0.7))
	follows("b", 0, 1-yes, yes)
	near(t, []float64{math.Log(1 - yes), math.Log(yes)}, out["lb"].F)
	near(t, []float64{-yes*math.Log(yes) - (1-yes)*math.Log(1-yes)}, out["hb"].F[:1])
	orders := map[[3]int64]float64{}
	for i := range 200 {
		orders[[3]int64(out["order"].I[3*i:3*i+3])] += 1. / 200
	}
	require.Len(t, orders, 6)
	for o, share := range orders {
		require.InDelta(t, 1./6, share, 0.11, "%v", o)
	}
}

// Draws are differentiable in their parameters: location and scale.
func TestReparameterisedDraws(t *testing.T) {
	for _, d := range []string{"normal", "laplace", "logistic", "gumbel"} {
		out := run(t, `data d = npy("x")
eval e {
  m: f32[50] = 1
  s: f32[50] = 0.5
  x ~ `+d+`(m, s)
  by_mean = grad(sum(x), m)
  by_scale = grad(sum(x), s)
  show x  show by_mean  show by_scale
}`, values{})
		for i, x := range out["x"].F {
			require.InDelta(t, 1, out["by_mean"].F[i], 1e-9, d)
			require.InDelta(t, (x-1)/0.5, out["by_scale"].F[i], 1e-6, d)
		}
	}
}
