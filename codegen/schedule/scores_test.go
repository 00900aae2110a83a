package schedule

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"mdlc/ir/loop"
)

// onePoint is a GPU that one tile of rows fills.
func onePoint() *Machine { return onePointOf(SM80) }

// onePointOf is m where one tile of rows fills it.
func onePointOf(m *Machine) *Machine {
	one := *m
	one.Processors = 1
	return &one
}

// anyGPU is a GPU that one tile or two fill, which decides how many rows a tile has.
func anyGPU(t *rapid.T) *Machine {
	m := onePointOf(rapid.SampledFrom([]*Machine{SM80, SM90}).Draw(t, "machine"))
	m.Processors = rapid.IntRange(1, 2).Draw(t, "processors")
	return m
}

// inOneLaunch requires that k is a launch in which scores never leave registers.
func inOneLaunch(t require.TestingT, k *loop.Kernel) {
	require.Len(t, pages(k.Body), 1)
	onTheChip(t, k)
	for _, b := range k.Bufs {
		require.NotEqual(t, loop.Work, b.Mode, b.Name)
	}
}

// onTheChip requires that k is launches in which scores never leave registers: what these pass on is no larger than what they read or give.
func onTheChip(t require.TestingT, k *loop.Kernel) {
	most := 0
	for _, b := range k.Bufs {
		require.False(t, b.Mode == loop.Local && b.Elem == loop.F32 && b.Dims[1] > 1, b.Name) // one of each column is no score
		if b.Mode != loop.Work && b.Mode != loop.Local {
			most = max(most, b.Bytes())
		}
	}
	for _, b := range k.Bufs {
		require.True(t, b.Mode != loop.Work || b.Bytes() <= most, b.Name)
	}
	for _, page := range pages(k.Body) {
		threads, warps := 0, 1
		for _, a := range leavesOf(page) {
			if a.Bind == loop.Warp {
				warps *= a.Max
			}
		}
		for _, a := range leavesOf(page) {
			if a.Bind == loop.Thread {
				threads++
				require.Equal(t, warps*WarpThreads, a.Max, a.Name)
			}
		}
		_, roles := page[len(page)-1].(*loop.Role)
		require.True(t, threads > 0 || warps == 1 || roles)
	}
	tensor := 0
	walkBody(k.Body, func(v *loop.Value) {
		if v.IsTensor() {
			tensor++
		}
	})
	require.Greater(t, tensor, 2, k)
}

// leavesOf are the leaf axes that a page mentions.
func leavesOf(page []loop.Stmt) []*loop.Axis {
	var out []*loop.Axis
	deps := newDepends()
	walkBody(page, func(v *loop.Value) { out = union(out, deps.value(v)) })
	loop.Walk(page, func(s loop.Stmt) {
		if s, ok := s.(*loop.Store); ok {
			out = union(out, deps.store(s))
		}
	})
	return out
}

// Attention is one launch that keeps the bits.
func TestGoldenScores(t *testing.T) {
	eachKernelFile(t, "scores", onePoint(), func(t *testing.T, file string, steps []Step) {
		onTheChip(t, steps[len(steps)-1].Kernel)
		golden(t, file, steps[:len(steps)-1])
	})
	eachKernelFile(t, "scores", onePointOf(SM90), func(t *testing.T, file string, steps []Step) {
		last := steps[len(steps)-1].Kernel
		onTheChip(t, last)
		byThreads := slices.DeleteFunc(slices.Clone(last.Opts), func(o loop.Opt) bool { return o.Kind == Roles })
		other, err := Apply(steps[0].Kernel, byThreads)
		require.NoError(t, err)
		if len(byThreads) < len(last.Opts) {
			right(t, steps[0].Kernel, other, 7)
		}
		stage := func(steps []Step) []Step {
			return []Step{steps[0], steps[slices.IndexFunc(steps, func(s Step) bool { return s.Name == "stage" })]}
		}
		switch name := strings.TrimSuffix(file, ".kir"); filepath.Base(name) {
		case "attention_128":
			golden(t, name+".groups.kir", stage(other))
			golden(t, name+".roles.kir", stage(steps))
		case "attention_64": // whose loops end with their rows
			golden(t, name+".roles.kir", stage(steps))
		}
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
		steps, err := Run(k, anyGPU(t))
		require.NoError(t, err)
		inOneLaunch(t, steps[len(steps)-1].Kernel)
		right(t, k, steps, rapid.Uint64().Draw(t, "seed"))
	})
}

// gradientText is the gradient of attention of any shape, with or without attention itself, with one of some masks, in one of some orders of memory.
func gradientText(t *rapid.T) string {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	n := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
	r, c, d, e := n("r", 65, 140), n("c", 65, 140), n("d", 16, 40), n("e", 16, 40)
	mask := pick("mask", "s <= t", "s < t", "i32(s) <= i32(t)", "s <= t & t < s + 40", "t <= s", "t < 200")
	key := pick("keys", "K[%s,%s]", "K[%[2]s,%[1]s]")
	dims := func(form string, a, b int) string { return fmt.Sprintf(form[1:], fmt.Sprint(a), fmt.Sprint(b)) }
	most, sum := "M[t]", "N[t]"
	if rapid.Bool().Draw(t, "statistics") {
		most, sum = "max[s](where(mask, z, -inf))", "sum[s](p)"
	}
	outputs, stores := "", ""
	if rapid.Bool().Draw(t, "forward") {
		outputs = fmt.Sprintf(", out O: f32[%d,%d], out L: f32[%[1]d]", r, e)
		stores = "O[t,u] = dot[s](half(w), V[s,u])\n  L[t] = m + log(l)"
	}
	text := fmt.Sprintf(`kernel gradient(in Q: half[%[1]d,%[3]d], in K: half%[5]s, in V: half[%[2]d,%[4]d], in M: f32[%[1]d], in N: f32[%[1]d], in D: half[%[1]d,%[4]d], out DQ: half[%[1]d,%[3]d], out DK: half[%[2]d,%[3]d], out DV: f32[%[4]d,%[2]d]%[6]s) {
  axis t: %[1]d, s: %[2]d, d: %[3]d, e: %[4]d, f: %[3]d, g: %[4]d, h: %[3]d, u: %[4]d
  z = %[7]s * 0.25
  m = %[8]s
  p = exp(where(mask, z, -inf) - max(m, -100.0))
  l = %[14]s
  w = p / max(l, 0.5)
  dp = where(mask, %[9]s, 0.0) / max(l, 0.5)
  c = sum[s](dp * w)
  ds = half(where(mask, (dp - c) * p, 0.0) * 0.25)
  DQ[t,f] = half(dot[s](ds, %[10]s))
  DK[s,h] = half(%[11]s)
  DV[g,s] = dot[t](%[12]s, D[t,g])
  %[13]s
}`, r, c, d, e, dims(key, c, d), outputs, pick("scores", "dot[d](Q[t,d], key)", "dot[d](key, Q[t,d])"), most, pick("of values", "dot[e](D[t,e], V[s,e])", "dot[e](V[s,e], D[t,e])"),
		fmt.Sprintf(key, "s", "f"), pick("of keys", "dot[t](ds, Q[t,h])", "dot[t](Q[t,h], ds)"), pick("weights", "half(where(mask, w, 0.0))", "half(w)"), stores, sum)
	return strings.NewReplacer("half", pick("elem", "bf16", "f16"), "mask", mask, "key", fmt.Sprintf(key, "s", "d")).Replace(text)
}

// The gradient of attention of any shape has the same bits in launches in which scores stay in registers.
func TestAnyGradientOfScores(t *testing.T) {
	begin := 0
	rapid.Check(t, func(t *rapid.T) {
		k := parse(t, gradientText(t))
		steps, err := Run(k, anyGPU(t))
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		onTheChip(t, last)
		require.NotEmpty(t, ofKind(last.Opts, Apart))
		begin += len(ofKind(last.Opts, Begins))
		right(t, k, steps, rapid.Uint64().Draw(t, "seed"))
	})
	require.Positive(t, begin)
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
		"no room":   func(m *Machine) { m.Slots = 8 << 10 },
	} {
		m := onePoint()
		change(m)
		steps, err := Run(k, m)
		require.NoError(t, err)
		require.Greater(t, len(pages(steps[len(steps)-1].Kernel.Body)), 1, name)
	}
}

// Groups of warps make products of scores where a tile of theirs fits, and a role asks for what is a box where two groups share a tile.
func TestScoresOfGroups(t *testing.T) {
	for name, c := range map[string]struct {
		rows, wide, processors, slots int
		keys                          string
		instr                         string
		roles                         int
	}{
		"two groups":                     {130, 64, 2, 227 << 10, "K[s,d]", loop.WGMMA, 1},
		"one group":                      {130, 64, 3, 227 << 10, "K[s,d]", loop.WGMMA, 0},
		"few rows":                       {64, 64, 1, 227 << 10, "K[s,d]", loop.WGMMA, 0},
		"keys that are computed":         {130, 64, 2, 227 << 10, "bf16(f32(K[s,d]) * 2.0)", loop.WGMMA, 1}, // they are packed before
		"no box":                         {130, 64, 2, 227 << 10, "K[(s + 1) % 100,d]", loop.WGMMA, 0},
		"heads are no rows of 128 bytes": {130, 48, 2, 227 << 10, "K[s,d]", loop.WGMMA, 0},
		"no room for four slots":         {130, 64, 2, 48 << 10, "K[s,d]", loop.MMA, 0},
		"rows that fill no group":        {33, 64, 1, 227 << 10, "K[s,d]", loop.WGMMA, 0},
	} {
		m := onePointOf(SM90)
		m.Processors, m.Slots = c.processors, c.slots
		k := parse(t, fmt.Sprintf(`kernel attention(in Q: bf16[%[1]d,%[2]d], in K: bf16[100,%[2]d], in V: bf16[100,64], out O: bf16[%[1]d,64]) {
  axis t: %[1]d, s: 100, d: %[2]d, e: 64
  z = dot[d](Q[t,d], %[3]s)
  p = exp(z - max[s](z))
  O[t,e] = bf16(dot[s](bf16(p / sum[s](p)), V[s,e]))
}`, c.rows, c.wide, c.keys))
		steps, err := Run(k, m)
		require.NoError(t, err, name)
		last := steps[len(steps)-1].Kernel
		require.Len(t, ofKind(last.Opts, Roles), c.roles, "%s: %v", name, last.Opts)
		for _, o := range ofKind(last.Opts, Mma) {
			require.Equal(t, c.instr, o.Word, name)
		}
		right(t, k, steps, 7)
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

// smallTiles are GPUs that two tiles of 64 rows fill.
func smallTiles() []*Machine {
	var out []*Machine
	for _, m := range []*Machine{SM80, SM90} {
		m = onePointOf(m)
		m.Processors = 2
		out = append(out, m)
	}
	return out
}

// Loops over columns end with a tile's rows where a mask leaves out what comes after, and the results are the same, also where inputs are not finite.
func TestScoresEndWithTheirRows(t *testing.T) {
	for _, m := range smallTiles() {
		for _, weights := range []string{"p / l", "where(i32(s) <= i32(t), p / l, 0.0)"} {
			k := parse(t, masked("i32(s) <= i32(t)", "-inf", weights))
			steps, err := Run(k, m)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			require.Len(t, ofKind(last.Opts, Ends), 1)
			require.Contains(t, last.String(), "axis t0: 2 = 1 - point", "points that take longest come first")
			inOneLaunch(t, last)
			right(t, k, steps, 7)
			for name, x := range map[string]float64{"Q": math.NaN(), "K": math.Inf(1), "V": math.NaN()} {
				sameWith(t, k, steps[len(steps)-2].Kernel, name, 99*16+3, x)
			}
			sameWith(t, k, steps[len(steps)-2].Kernel, "V", 149*16+3, math.Inf(-1))
		}
	}
}

// So do loops over rows, which begin with a tile's columns, also where inputs are not finite; and they do not where what comes before may count.
func TestScoresBeginWithTheirRows(t *testing.T) {
	const text = `kernel k(in Q: bf16[150,16], in K: bf16[130,16], in D: bf16[150,16], in L: f32[150], out DV: f32[130,16], out DK: f32[130,16]) {
  axis t: 150, s: 130, d: 16, e: 16, f: 16
  p = where(%[1]s, exp(dot[d](Q[t,d], K[s,d]) * 0.25 - L[t]), %[2]s)
  DV[s,e] = dot[t](bf16(p), D[t,e])
  DK[s,f] = dot[t](bf16(%[3]s), Q[t,f])
}`
	for _, c := range []struct {
		mask, other, second string
		begins              int
	}{
		{"s <= t", "0.0", "p * 2.0", 1},
		{"s <= t", "exp(-100.0 - L[t])", "p - L[t]", 1},
		{"s < t & t < s + 70", "0.0", "where(s < t, p, 1.0)", 1},
		{"s <= t", "0.0", "dot[d](Q[t,d], K[s,d])", 0},
		{"s >= t", "0.0", "p", 0},
		{"s <= t + 1", "0.0", "p", 0},
	} {
		for _, m := range smallTiles() {
			k := parse(t, fmt.Sprintf(text, c.mask, c.other, c.second))
			steps, err := Run(k, m)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			inOneLaunch(t, last)
			require.Len(t, ofKind(last.Opts, Begins), c.begins, c)
			if m.Group != nil { // products on their way go on with what one place has
				require.Equal(t, c.begins == 0, strings.Contains(last.String(), "settle 2"), last)
			}
			right(t, k, steps, 7)
			for name, x := range map[string]float64{"Q": math.NaN(), "K": math.Inf(1), "D": math.Inf(-1)} {
				sameWith(t, k, steps[len(steps)-2].Kernel, name, 99*16+3, x)
			}
		}
	}
}

// Only points of which it is known how many there are come in descending order.
func TestDescendRefuses(t *testing.T) {
	for says, name := range map[string]string{"": "i", "is no axis of points": "j", "there is no axis": "k"} {
		k := parse(t, `kernel k(in X: f32[8,8], out Y: f32[8]) {
  axis i: 8, j: 8
  Y[i] = sum[j](X[i,j])
}`)
		steps, err := Apply(k, []loop.Opt{opt(Bind, "i", 0, "par"), opt(Vec, "j", 8, ""), opt(Descend, name, 0, "")})
		if says != "" {
			require.ErrorContains(t, err, says)
			continue
		}
		require.NoError(t, err)
		require.Contains(t, steps[len(steps)-1].Kernel.String(), "axis i: 8 = 7 - point")
		right(t, k, steps, 7)
	}
}

// They do not where what comes after a row may count.
func TestScoresDoNotEnd(t *testing.T) {
	for _, text := range []string{
		masked("s >= t", "-inf", "p / l"),
		masked("s <= t", "-100.0", "p / l"),
		masked("s <= t", "-inf", "p / l + dot[d](Q[t,d], K[s,d])"),
		masked("s <= t + 1", "-inf", "p / l"),
	} {
		k := parse(t, text)
		steps, err := Run(k, smallTiles()[0])
		require.NoError(t, err)
		inOneLaunch(t, steps[len(steps)-1].Kernel)
		require.Empty(t, ofKind(steps[len(steps)-1].Kernel.Opts, Ends), text)
	}
	k := parse(t, masked("s <= t", "-inf", "p / l"))
	steps, err := Run(k, smallTiles()[0])
	require.NoError(t, err)
	opts := steps[len(steps)-1].Kernel.Opts
	for word, o := range map[string]loop.Opt{
		"there is no axis":   opt(Ends, "none", 64, "t0"),
		"are no blocks of":   opt(Ends, "s", 32, "t0"),
		"those of s no loop": opt(Ends, "s", 64, "t1"),
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

// Gradients that have no tile, or sums of another kind, go through rounds of rows, and are right.
func TestNoGradientOfScores(t *testing.T) {
	const text = `kernel gradient(in Q: bf16[100,%[1]d], in K: bf16[110,%[1]d], in V: bf16[110,32], in D: bf16[100,32], in L: f32[100], out DQ: f32[100,%[1]d], out DV: f32[110,32]) {
  axis t: 100, s: 110, d: %[1]d, e: 32, f: %[1]d, g: 32
  p = exp(dot[d](Q[t,d], K[s,d]) - L[t])
  ds = p * (dot[e](D[t,e], V[s,e]) - %[2]s)
  DQ[t,f] = dot[s](bf16(ds), K[s,f])
  DV[s,g] = dot[t](bf16(p), D[t,g])
}`
	few := func(n, slots int) *Machine {
		m := onePoint()
		m.Processors, m.Slots, m.Round = n, slots, 1
		return m
	}
	for name, c := range map[string]struct {
		m    *Machine
		wide int
		sum  string
		chip bool
	}{
		"a gradient":           {few(1, 99<<10), 32, "sum[s](p)", true},
		"few tiles":            {few(9, 99<<10), 32, "sum[s](p)", false},
		"no room":              {few(1, 8<<10), 32, "sum[s](p)", false},
		"too wide":             {few(1, 99<<10), 144, "sum[s](p)", false},
		"a sum over rows":      {few(1, 99<<10), 32, "seqsum[t](p)", false},
		"statistics of a sum":  {few(1, 99<<10), 32, "max[f](dot[s](bf16(p), K[s,f]))", false},
		"the least of columns": {few(1, 99<<10), 32, "min[s](p)", true},
	} {
		k := parse(t, fmt.Sprintf(text, c.wide, c.sum))
		steps, err := Run(k, c.m)
		require.NoError(t, err, name)
		last := steps[len(steps)-1].Kernel
		require.Equal(t, c.chip, len(ofKind(last.Opts, Apart)) > 0, "%s: %v", name, last.Opts)
		same(t, Expand(k), Expand(last), inputs(k, 7))
	}
}

// What is parted is there before the rest of its page.
func TestApartRefuses(t *testing.T) {
	const text = `kernel k(in X: f32[8,8], %s S: f32[8], out Y: f32[8]) {
  axis i: 8, j: 8
  S[i] = sum[j](X[i,j])
  Y[i] = %s
}`
	for of, says := range map[string]string{"X[i,0]": "", "S[i]": "what sums up j is not there before", "sum[j](X[j,i])": "nothing to do"} {
		mode := "out"
		if of == "S[i]" {
			mode = "inout"
		}
		k, err := prepare(parse(t, fmt.Sprintf(text, mode, of)), SM80)
		require.NoError(t, err)
		err = applySplit(k, opt(Apart, "j", 0, ""))
		if says == "" {
			require.NoError(t, err)
			require.Len(t, pages(k.Body), 2)
			continue
		}
		require.ErrorContains(t, err, says, of)
	}
}
