package schedule

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mdlc/ir/loop"
)

// onePoint is a GPU that one tile of rows fills.
func onePoint() *Machine {
	m := *SM80
	m.Processors = 1
	return &m
}

// inOneLaunch requires that k is a launch in which scores never leave registers.
func inOneLaunch(t require.TestingT, k *loop.Kernel) {
	require.Len(t, pages(k.Body), 1)
	for _, b := range k.Bufs {
		require.NotEqual(t, loop.Work, b.Mode, b.Name)
		require.NotEqual(t, loop.F32, map[bool]loop.Elem{true: b.Elem}[b.Mode == loop.Local], b.Name)
	}
	tensor := 0
	walkBody(k.Body, func(v *loop.Value) {
		if v.IsTensor() {
			tensor++
		}
	})
	require.Greater(t, tensor, 2, k)
}

// Attention is one launch that keeps the bits.
func TestGoldenScores(t *testing.T) {
	eachKernelFile(t, "scores", onePoint(), func(t *testing.T, file string, steps []Step) {
		inOneLaunch(t, steps[len(steps)-1].Kernel)
		golden(t, file, steps[:len(steps)-1])
	})
}

// scoresText is attention of any shape, with one of some masks, in one of some orders of memory.
func scoresText(t *rapid.T) string {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	n := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
	b, r, c, d, e := n("b", 1, 2), n("r", 33, 140), n("c", 65, 150), n("d", 16, 40), n("e", 8, 40)
	elem := pick("elem", "bf16", "f16")
	key := pick("keys", "K[b,s,d]", "K[b,d,s]")
	keys := map[string]string{"K[b,s,d]": fmt.Sprintf("%d,%d,%d", b, c, d), "K[b,d,s]": fmt.Sprintf("%d,%d,%d", b, d, c)}[key]
	value := pick("values", "V[b,s,e]", "V[b,e,s]")
	values := map[string]string{"V[b,s,e]": fmt.Sprintf("%d,%d,%d", b, c, e), "V[b,e,s]": fmt.Sprintf("%d,%d,%d", b, e, c)}[value]
	mask := pick("mask", "z", "where(s <= t, z, -inf)", "where(s <= t & t < s + 40, z, -inf)", "z - f32(t - s) * 0.25")
	scores := pick("scores", "dot[d](Q[b,t,d], "+key+")", "dot[d]("+key+", Q[b,t,d])")
	weights := pick("weights", elem+"(p / l)", elem+"(p)")
	return fmt.Sprintf(`kernel attention(in Q: %[1]s[%[2]d,%[3]d,%[4]d], in K: %[1]s[%[5]s], in V: %[1]s[%[6]s], out O: %[1]s[%[2]d,%[3]d,%[7]d], out L: f32[%[2]d,%[3]d]) {
  axis b: %[2]d, t: %[3]d, s: %[8]d, d: %[4]d, e: %[7]d
  z = %[9]s * 0.25
  x = %[10]s
  m = max[s](x)
  p = exp(x - m)
  l = sum[s](p)
  O[b,t,e] = %[1]s(%[11]s)
  L[b,t] = m + log(l)
}`, elem, b, r, d, keys, values, e, c, scores, mask, pick("product", "dot[s]("+weights+", "+value+")", "dot[s]("+value+", "+weights+")"))
}

// Attention of any shape has the same bits in one launch.
func TestAnyScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := parse(t, scoresText(t))
		m := onePoint()
		m.Processors = rapid.IntRange(1, 2).Draw(t, "processors") // which decides how many rows a tile has
		steps, err := Run(k, m)
		require.NoError(t, err)
		inOneLaunch(t, steps[len(steps)-1].Kernel)
		right(t, k, steps, rapid.Uint64().Draw(t, "seed"))
	})
}

// What is no attention, or does not fit, has another schedule.
func TestNoScores(t *testing.T) {
	const text = `kernel attention(in Q: bf16[%d,40,%d], in K: bf16[%d,%d,%d], in V: bf16[%d,%d,32], out O: f32[%d,40,32], out P: f32[%d,40,%s]) {
  axis b: %d, t: 40, s: %d, d: %d, e: 32
  z = dot[d](Q[b,t,d], K[b,s,d])
  p = exp(z - max[%s](z))
  O[b,t,e] = dot[s](bf16(p), V[b,s,e])
  P[b,t%s] = %s
}`
	for name, c := range map[string]struct {
		batch, cols, width int
		over, at, stored   string
		one                bool
	}{
		"attention":           {1, 100, 32, "s", ",0", "max[s](z)", true},
		"scores are stored":   {1, 100, 32, "s", ",s", "p", false},
		"sums over rows":      {1, 100, 32, "t", ",0", "max[s](z)", false},
		"a single block":      {1, 64, 32, "s", ",0", "max[s](z)", false},
		"heads are too wide":  {1, 100, 144, "s", ",0", "max[s](z)", false},
		"another sum":         {1, 100, 32, "s", ",0", "seqsum[s](z)", false},
		"a sum of what comes": {1, 100, 32, "s", ",0", "sum[e](f32(V[b,0,e]))", false},
	} {
		dim := "1"
		if c.at == ",s" {
			dim = fmt.Sprint(c.cols)
		}
		b, s, d := c.batch, c.cols, c.width
		k := parse(t, fmt.Sprintf(text, b, d, b, s, d, b, s, b, b, dim, b, s, d, c.over, c.at, c.stored))
		steps, err := Run(k, onePoint())
		require.NoError(t, err, name)
		require.Equal(t, c.one, len(pages(steps[len(steps)-1].Kernel.Body)) == 1, name)
		same(t, Expand(k), Expand(steps[len(steps)-1].Kernel), inputs(k, 7))
	}
	k := parse(t, fmt.Sprintf(text, 1, 32, 1, 100, 32, 1, 100, 1, 1, "1", 1, 100, 32, "s", ",0", "max[s](z)"))
	for name, change := range map[string]func(m *Machine){
		"few tiles": func(m *Machine) { m.Processors = 7 },
		"no room":   func(m *Machine) { m.Slots = 24 << 10 },
	} {
		m := onePoint()
		change(m)
		steps, err := Run(k, m)
		require.NoError(t, err)
		require.Greater(t, len(pages(steps[len(steps)-1].Kernel.Body)), 1, name)
	}
}

// masked is attention in which a condition chooses scores and weights.
func masked(condition, lowest, weights string) string {
	return fmt.Sprintf(`kernel masked(in Q: bf16[100,16], in K: bf16[150,16], in V: bf16[150,16], out O: bf16[100,16], out L: f32[100]) {
  axis t: 100, s: 150, d: 16, e: 16
  x = where(%[1]s, dot[d](Q[t,d], K[s,d]) * 0.25, %[2]s)
  m = max[s](x)
  p = exp(x - m)
  l = sum[s](p)
  O[t,e] = bf16(dot[s](bf16(%[3]s), V[s,e]))
  L[t] = l
}`, condition, lowest, weights)
}

// smallTiles is a GPU that two tiles of 64 rows fill.
func smallTiles() *Machine {
	m := onePoint()
	m.Processors = 2
	return m
}

// Loops over columns end with a tile's rows where a mask leaves out what comes after, and the results are the same, also where inputs are not finite.
func TestScoresEndWithTheirRows(t *testing.T) {
	for _, weights := range []string{"p / l", "where(i32(s) <= i32(t), p / l, 0.0)"} {
		k := parse(t, masked("i32(s) <= i32(t)", "-inf", weights))
		steps, err := Run(k, smallTiles())
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		require.Len(t, ofKind(last.Opts, Ends), 1)
		inOneLaunch(t, last)
		right(t, k, steps, 7)
		for name, x := range map[string]float64{"Q": math.NaN(), "K": math.Inf(1), "V": math.NaN()} {
			sameWith(t, k, steps[len(steps)-2].Kernel, name, 99*16+3, x)
		}
		sameWith(t, k, steps[len(steps)-2].Kernel, "V", 149*16+3, math.Inf(-1))
	}
}

// They do not where what comes after a row may count.
func TestScoresDoNotEnd(t *testing.T) {
	for _, text := range []string{
		masked("s >= t", "-inf", "p / l"),
		masked("s <= t", "-100.0", "p / l"),
		masked("s <= t", "-inf", "p / l + f32(s)"),
		masked("s <= t + 1", "-inf", "p / l"),
	} {
		k := parse(t, text)
		steps, err := Run(k, smallTiles())
		require.NoError(t, err)
		inOneLaunch(t, steps[len(steps)-1].Kernel)
		require.Empty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Ends), text)
	}
	k := parse(t, masked("s <= t", "-inf", "p / l"))
	steps, err := Run(k, smallTiles())
	require.NoError(t, err)
	opts := steps[len(steps)-1].Kernel.Opts
	for word, o := range map[string]loop.Opt{
		"there is no axis":      opt(Ends, "none", 64, "t0"),
		"are no blocks of":      opt(Ends, "s", 32, "t0"),
		"are no blocks of rows": opt(Ends, "s", 64, "t1"),
	} {
		var changed []loop.Opt
		for _, x := range opts {
			if x.Kind == Ends {
				x = o
			}
			changed = append(changed, x)
		}
		_, err := Apply(steps[0].Kernel, changed)
		require.ErrorContains(t, err, word)
	}
}
