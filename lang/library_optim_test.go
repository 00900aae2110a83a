package lang

import (
	"fmt"
	"math"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// A rule is an optimiser in float64 for one parameter: the new p after step t (from 1) with gradient g.
type rule func(t float64, p, g []float64, matrix bool) []float64

// each makes a rule of one for single elements, which keep up to two numbers.
func each(f func(t, p, g float64, s *[2]float64, decay float64) float64) func() rule {
	return func() rule {
		var s [][2]float64
		return func(t float64, p, g []float64, matrix bool) (out []float64) {
			if s == nil {
				s = make([][2]float64, len(p))
			}
			decay := 0.0
			if matrix {
				decay = 1
			}
			for i := range p {
				out = append(out, f(t, p[i], g[i], &s[i], decay))
			}
			return out
		}
	}
}

func adamRule(b1, b2 float64, decay float64) func() rule {
	return each(func(t, p, g float64, s *[2]float64, matrix float64) float64 {
		s[0], s[1] = b1*s[0]+(1-b1)*g, b2*s[1]+(1-b2)*g*g
		return p - 0.01*(s[0]/(1-math.Pow(b1, t))/(math.Sqrt(s[1]/(1-math.Pow(b2, t)))+1e-8)+decay*matrix*p)
	})
}

var rules = map[string]func() rule{
	"sgd(lr: 0.01)": each(func(_, p, g float64, _ *[2]float64, _ float64) float64 { return p - 0.01*g }),
	"sgd(lr: 0.01, momentum: 0.9, weight_decay: 0.1)": each(func(_, p, g float64, s *[2]float64, _ float64) float64 {
		s[0] = 0.9*s[0] + g + 0.1*p
		return p - 0.01*s[0]
	}),
	"momentum(lr: 0.01)": each(func(_, p, g float64, s *[2]float64, _ float64) float64 {
		s[0] = 0.9*s[0] + g
		return p - 0.01*s[0]
	}),
	"momentum(lr: 0.01, nesterov: true)": each(func(_, p, g float64, s *[2]float64, _ float64) float64 {
		s[0] = 0.9*s[0] + g
		return p - 0.01*(g+0.9*s[0])
	}),
	"rmsprop(lr: 0.01)": each(func(_, p, g float64, s *[2]float64, _ float64) float64 {
		s[0] = 0.99*s[0] + 0.01*g*g
		return p - 0.01*g/(math.Sqrt(s[0])+1e-8)
	}),
	"adam(lr: 0.01)":                    adamRule(0.9, 0.999, 0),
	"adamw(lr: 0.01)":                   adamRule(0.9, 0.95, 0.1),
	"adam(lr: 0.01, clip_each: 0.2)":    clipped(adamRule(0.9, 0.999, 0), math.Inf(1), 0.2),
	"sgd(lr: 0.01, clip: 0.5)":          clipped(each(func(_, p, g float64, _ *[2]float64, _ float64) float64 { return p - 0.01*g }), 0.5, math.Inf(1)),
	"lion(lr: 0.01, weight_decay: 0.1)": lionRule,
	"muon(lr: 0.01, weight_decay: 0.1)": muonRule,
}

var lionRule = each(func(_, p, g float64, s *[2]float64, matrix float64) float64 {
	side := math.Copysign(1, 0.9*s[0]+0.1*g)
	s[0] = 0.99*s[0] + 0.01*g
	return p - 0.01*(side+0.1*matrix*p)
})

// clipped is a rule for the only parameter there is.
func clipped(of func() rule, norm, each float64) func() rule {
	return func() rule {
		inner := of()
		return func(t float64, p, g []float64, matrix bool) []float64 {
			total := 0.0
			for _, x := range g {
				total += x * x
			}
			scale := math.Min(1, norm/(math.Sqrt(total)+1e-6))
			cut := make([]float64, len(g))
			for i, x := range g {
				cut[i] = max(-each, min(each, x*scale))
			}
			return inner(t, p, cut, matrix)
		}
	}
}

func muonRule() rule {
	var v []float64
	return func(_ float64, p, g []float64, matrix bool) (out []float64) {
		if v == nil {
			v = make([]float64, len(p))
		}
		step := make([]float64, len(p))
		for i := range p {
			v[i] = 0.95*v[i] + g[i]
			step[i] = g[i] + 0.95*v[i]
		}
		decay := 0.0
		if matrix {
			step, decay = newtonSchulz(step, len(p)/3, 3), 0.1
		}
		for i := range p {
			out = append(out, p[i]-0.01*(step[i]+decay*p[i]))
		}
		return out
	}
}

// newtonSchulz is muon's five steps for x with more rows than columns: x (a + b xᵀx + c (xᵀx)²).
func newtonSchulz(x []float64, rows, cols int) []float64 {
	norm := 0.0
	for _, e := range x {
		norm += e * e
	}
	for i := range x {
		x[i] /= math.Sqrt(norm) + 1e-7
	}
	product := func(a, b []float64, n, k, m int) []float64 {
		out := make([]float64, n*m)
		for i := range n {
			for j := range m {
				for l := range k {
					out[i*m+j] += a[i*k+l] * b[l*m+j]
				}
			}
		}
		return out
	}
	for range 5 {
		t := make([]float64, len(x))
		for i := range rows {
			for j := range cols {
				t[j*rows+i] = x[i*cols+j]
			}
		}
		square := product(t, x, cols, rows, cols)
		mix := product(square, square, cols, cols, cols)
		for i := range mix {
			mix[i] = -4.775*square[i] + 2.0315*mix[i]
		}
		more := product(x, mix, rows, cols, cols)
		for i := range x {
			x[i] = 3.4445*x[i] + more[i]
		}
	}
	for i := range x {
		x[i] *= math.Sqrt(float64(rows) / float64(cols))
	}
	return x
}

// Four steps of every optimiser on sum(w^4) / 4, whose gradient is w^3, are those of its rule in float64.
func TestOptimisers(t *testing.T) {
	for call, make := range rules {
		for _, dims := range [][]int{{4, 3}, {3}} {
			shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(dims), " ", ", "), "[]")
			m := build(t, "use optim\nparam w: f32["+shape+"] = 0\ntrain for 9 { minimize sum(w^4) / 4 over w with optim."+call+" }")
			in := evaluate(t, entryOf(t, m, ir.EntryInit, "").Graph, values{}, nil)
			in["w"] = random(rand.New(rand.NewSource(5)), dims...)
			step := make()
			p := append([]float64{}, in["w"].F...)
			for n := range 4 {
				in["step"] = ir.IntScalar(loop.I32, int64(n))
				in = evaluate(t, entryOf(t, m, ir.EntryTrain, "").Graph, in, nil).with(in)
				g := append([]float64{}, p...)
				for i := range g {
					g[i] *= g[i] * g[i]
				}
				p = step(float64(n+1), p, g, len(dims) == 2)
				for i := range p {
					require.InDelta(t, p[i], in["w"].F[i], 2e-6*(1+math.Abs(p[i])), "%s, step %d, element %d of %v", call, n, i, dims)
				}
			}
		}
	}
}

// Schedules at their corners.
func TestSchedules(t *testing.T) {
	for call, want := range map[string]map[int]float64{
		"constant(0.2)":                                   {0: 0.2, 900: 0.2},
		"constant(0.2, warmup: 4)":                        {0: 0.05, 1: 0.1, 3: 0.2, 9: 0.2},
		"cosine(peak: 0.2, total: 100)":                   {0: 0.2, 50: 0.11, 100: 0.02, 500: 0.02},
		"cosine(peak: 1, total: 12, warmup: 4, floor: 0)": {0: 0.25, 3: 1, 4: 1, 8: 0.5, 12: 0},
		"multi_step(peak: 1, total: 100, warmup: 10)":     {0: 0.1, 9: 1, 79: 1, 80: 0.316, 89: 0.316, 90: 0.1},
		"inverse_sqrt(peak: 1, warmup: 4)":                {0: 0.25, 3: 1, 15: 0.5, 63: 0.25},
	} {
		m := build(t, "use optim\nparam w: f32 = 0\ntrain for 9 {\n  rate = optim."+call+"\n  minimize w over w with optim.sgd(lr: rate)\n  report rate\n}")
		in := evaluate(t, entryOf(t, m, ir.EntryInit, "").Graph, values{}, nil)
		for step, rate := range want {
			in["step"] = ir.IntScalar(loop.I32, int64(step))
			out := evaluate(t, entryOf(t, m, ir.EntryTrain, "").Graph, in, nil)
			require.InDelta(t, rate, out["rate"].F[0], 1e-6, "%s at step %d", call, step)
		}
	}
}

// A moving mean of a whole module.
func TestMovingMean(t *testing.T) {
	out := trainOnce(t, `use nn, optim
fast = nn.Linear(2, 1)
slow = copy(fast)
train for 1 { slow <- optim.ema(slow, fast, decay: 0.75) }`, values{
		"fast.weight": ir.Floats([]float64{4, 8}, 2, 1), "slow.weight": ir.Floats([]float64{0, 4}, 2, 1)})
	near(t, []float64{1, 5}, out["slow.weight"].F)
}
