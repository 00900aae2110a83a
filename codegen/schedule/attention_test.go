package schedule_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// attentionText is causal attention of n heads over t rows of d columns, and its gradient.
func attentionText(n, t, d int, gradient bool) string {
	if gradient {
		return fmt.Sprintf(`kernel attention_grad(in Q: f32[%[1]d,%[2]d,%[3]d], in K: f32[%[1]d,%[2]d,%[3]d], in V: f32[%[1]d,%[2]d,%[3]d], in M: f32[%[1]d,%[2]d], in L: f32[%[1]d,%[2]d], in DO: f32[%[1]d,%[2]d,%[3]d], out DQ: f32[%[1]d,%[2]d,%[3]d], out DK: f32[%[1]d,%[2]d,%[3]d], out DV: f32[%[1]d,%[2]d,%[3]d]) {
  axis b: %[1]d, t: %[2]d, s: %[2]d, d: %[3]d, e: %[3]d, f: %[3]d, g: %[3]d, h: %[3]d
  z = dot[d](Q[b,t,d], K[b,s,d]) * 0.125
  p = exp(where(s <= t, z, -inf) - M[b,t]) / L[b,t]
  dp = dot[e](DO[b,t,e], V[b,s,e])
  ds = p * (dp - sum[s](p * dp)) * 0.125
  DQ[b,t,f] = dot[s](ds, K[b,s,f])
  DK[b,s,h] = dot[t](ds, Q[b,t,h])
  DV[b,s,g] = dot[t](p, DO[b,t,g])
}`, n, t, d)
	}
	return fmt.Sprintf(`kernel attention(in Q: f32[%[1]d,%[2]d,%[3]d], in K: f32[%[1]d,%[2]d,%[3]d], in V: f32[%[1]d,%[2]d,%[3]d], out O: f32[%[1]d,%[2]d,%[3]d]) {
  axis b: %[1]d, t: %[2]d, s: %[2]d, d: %[3]d, e: %[3]d
  z = dot[d](Q[b,t,d], K[b,s,d]) * 0.125
  x = where(s <= t, z, -inf)
  p = exp(x - max[s](x))
  O[b,t,e] = dot[s](p / sum[s](p), V[b,s,e])
}`, n, t, d)
}

// finishedFor is a kernel as it is scheduled for m.
func finishedFor(t testing.TB, text string, m *schedule.Machine) *loop.Kernel {
	ks, err := loop.Parse("attention", text)
	require.NoError(t, err)
	steps, err := schedule.Run(ks[0], m)
	require.NoError(t, err)
	return steps[len(steps)-1].Kernel
}

// TestBlocksOfLengths: rows as many as data say go through blocks, the last of which is short, and are summed.
func TestBlocksOfLengths(t *testing.T) {
	target, m := host(t)
	text, err := os.ReadFile("../../testdata/block/attention_lengths.kir")
	require.NoError(t, err)
	ks, err := loop.Parse("attention", string(text))
	require.NoError(t, err)
	equalsEvaluator(t, schedule.Expand(ks[0]), compile(t, target, finishedFor(t, string(text), m))[0])
}

// TestColumnsLeftOutBits: the machine computes what the evaluator does where blocks of rows end at their last column.
func TestColumnsLeftOutBits(t *testing.T) {
	target, m := host(t)
	text, err := os.ReadFile("../../testdata/block/causal.kir")
	require.NoError(t, err)
	ks, err := loop.Parse("causal", string(text))
	require.NoError(t, err)
	small := *m
	small.L2, small.BlockRows = 1<<15, 32
	k := finishedFor(t, string(text), &small)
	require.True(t, slices.ContainsFunc(k.Opts, func(o loop.Opt) bool { return o.Kind == schedule.Limit }))
	equalsEvaluator(t, schedule.Expand(ks[0]), compile(t, target, k)[0])
}

// BenchmarkAttention compares blocks of rows with pages that pass all scores through memory.
func BenchmarkAttention(b *testing.B) {
	target, m := host(b)
	whole := *m
	whole.L2 = 1 << 40
	for _, s := range []struct {
		n, t, d  int
		gradient bool
	}{{32, 64, 64, false}, {16, 128, 64, false}, {8, 256, 64, false}, {8, 1024, 64, false}, {8, 4096, 64, false}, {32, 64, 64, true}, {16, 128, 64, true}, {8, 256, 64, true}, {8, 1024, 64, true}, {8, 2048, 64, true}} {
		b.Run(fmt.Sprintf("%dx%dx%d gradient %v", s.n, s.t, s.d, s.gradient), func(b *testing.B) {
			text := attentionText(s.n, s.t, s.d, s.gradient)
			var took [2][]time.Duration
			cs := []*compiled{compile(b, target, finishedFor(b, text, m))[0], compile(b, target, finishedFor(b, text, &whole))[0]}
			for b.Loop() {
				for i, c := range cs {
					start := time.Now()
					c.run(constant)
					took[i] = append(took[i], time.Since(start))
				}
			}
			for i, unit := range []string{"ms/blocks", "ms/pages"} {
				slices.Sort(took[i])
				b.ReportMetric(took[i][0].Seconds()*1e3, unit)
			}
		})
	}
}
