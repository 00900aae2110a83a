package schedule

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const cases = "../../testdata/schedule"

func parse(t require.TestingT, text string) *loop.Kernel {
	ks, err := loop.Parse("test.kir", text)
	require.NoError(t, err)
	require.Len(t, ks, 1)
	return ks[0]
}

// inputs makes data for the buffers that k reads; indices are small.
func inputs(k *loop.Kernel, seed uint64) map[string]*loop.Data {
	rng := rand.New(rand.NewPCG(seed, 1))
	args := map[string]*loop.Data{}
	for _, b := range k.Bufs {
		if b.Mode != loop.In && b.Mode != loop.InOut {
			continue
		}
		dims, err := b.Sizes(args)
		if err != nil {
			panic(err)
		}
		d := loop.NewData(b.Elem, dims...)
		for i := range d.F {
			d.F[i] = math.Abs(rng.NormFloat64())
			if b.Mode == loop.In && strings.ToUpper(b.Name) == b.Name {
				d.F[i] = rng.NormFloat64()
			}
		}
		for i := range d.I {
			d.I[i] = rng.Int64N(5)
			if b.Name == "L" {
				d.I[i] = 70
			}
		}
		if b.Name == "len" {
			d.I = []int64{3, 83}
		}
		if b.Name == "S" && !b.Elem.IsFloat() { // where groups begin
			slices.Sort(d.I)
			d.I[len(d.I)-1] += 5 // the last has more summands than there are slots
		}
		args[b.Name] = d
	}
	return args
}

func outputs(t require.TestingT, k *loop.Kernel, args map[string]*loop.Data, opt loop.EvalOptions) map[string]*loop.Data {
	own := map[string]*loop.Data{}
	for name, d := range args {
		own[name] = d.Clone()
	}
	require.NoError(t, loop.Eval(k, own, opt), k.String())
	return own
}

// same requires that n computes what k does: bit for bit as typed, nearly in float64.
func same(t require.TestingT, k, n *loop.Kernel, args map[string]*loop.Data) {
	for _, typed := range []bool{true, false} {
		want := outputs(t, k, args, loop.EvalOptions{Typed: typed, Seed: 1})
		got := outputs(t, n, args, loop.EvalOptions{Typed: typed, Seed: 2})
		for _, b := range k.Bufs {
			if b.Mode != loop.Out && b.Mode != loop.InOut {
				continue
			}
			w, g := want[b.Name], got[b.Name]
			for i := range w.F {
				if w.Poison != nil && w.Poison[i] {
					require.True(t, g.Poison[i], "%s[%d] is written", b.Name, i)
					continue
				}
				if typed {
					require.Equal(t, math.Float64bits(w.F[i]), math.Float64bits(g.F[i]), "%s[%d]: %v, not %v\n%s", b.Name, i, g.F[i], w.F[i], n)
				} else if w.F[i] != g.F[i] {
					require.InDelta(t, w.F[i], g.F[i], 1e-9*(1+math.Abs(w.F[i])), "%s[%d]", b.Name, i)
				}
			}
			require.Equal(t, w.I, g.I, b.Name)
		}
	}
}

// finished checks the rules of the finished kernel.
func finished(t require.TestingT, k *loop.Kernel) {
	require.True(t, k.Guarded)
	inner := dotAxes(k)
	for _, a := range k.Axes {
		require.False(t, a.Def == nil && a.Bind == loop.Open && !inner[a], "axis %s is open", a.Name)
	}
	require.NoError(t, loop.Verify(k), k.String())
	deps := newDepends()
	eachStmt(k.Body, func(s loop.Stmt, vs []*loop.Value) {
		if s, ok := s.(*loop.Store); ok {
			for _, a := range deps.store(s) {
				require.NotEqual(t, loop.Open, a.Bind, "axis %s is open where %s is stored", a.Name, s.Buf.Name)
			}
		}
		walk(vs, func(v *loop.Value) {
			lanes, points := 0, 1
			for _, a := range v.Axes {
				if a.Bind == loop.Lane {
					lanes++
				}
			}
			require.LessOrEqual(t, lanes, 1, "value %s", v.Name)
			for _, a := range v.Over {
				points *= a.Max
				if v.Op != loop.Dot {
					require.True(t, a.Bind == loop.Reg || a.Bind == loop.Lane || a.Bind == loop.FragSum)
				}
			}
			if v.Op == loop.Dot {
				require.Contains(t, []string{"fma", loop.MMA, loop.WGMMA}, v.Instr)
			} else {
				require.LessOrEqual(t, points, 64)
			}
		})
	})
}

// right requires that the schedule keeps the meaning of k.
func right(t require.TestingT, k *loop.Kernel, steps []Step, seed uint64) {
	n := len(steps)
	require.Equal(t, "expand", steps[n-1].Name)
	same(t, k, steps[n-2].Kernel, inputs(k, seed))
	same(t, Expand(k), Expand(steps[n-1].Kernel), inputs(k, seed))
	finished(t, steps[n-1].Kernel)
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob(cases + "/*.kir")
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".kir")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			k := parse(t, string(text))
			for _, m := range []*Machine{AVX2, AVX512} {
				steps, err := Run(k, m)
				require.NoError(t, err)
				right(t, k, steps, 7)
				if m == AVX2 {
					golden(t, file, steps[:len(steps)-1])
				}
			}
		})
	}
}

func golden(t *testing.T, file string, steps []Step) {
	var b strings.Builder
	before := ""
	for _, s := range steps[1:] {
		text := s.Kernel.String()
		if text != before { // a step without anything to do is left out
			b.WriteString("// " + s.Name + "\n" + text + "\n")
		}
		before = text
	}
	path := strings.TrimSuffix(file, ".kir") + ".steps"
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}
