package passes

import (
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// The cases are files of graphs, each followed by `---` and what Bounds makes of it.
func TestGoldenBounds(t *testing.T) {
	const file = "../testdata/passes/bounds/bounds.txt"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var out strings.Builder
	for _, c := range strings.Split(string(text), "=== ")[1:] {
		title, rest, _ := strings.Cut(c, "\n")
		before, after, _ := strings.Cut(rest, "---\n")
		t.Run(title, func(t *testing.T) {
			g, err := ir.ParseGraph(before)
			require.NoError(t, err)
			got, err := runPass(passNamed(t, "bounds"), g, Options{})
			require.NoError(t, err)
			if !*updatePlans {
				require.Equal(t, after, got.String())
			}
			again, err := ir.ParseGraph(got.String())
			require.NoError(t, err)
			require.Equal(t, got.String(), again.String())
			for seed := range int64(3) {
				shuffled, err := runPass(passNamed(t, "bounds"), g, Options{Shuffle: rand.New(rand.NewSource(seed))})
				require.NoError(t, err)
				require.Equal(t, got.String(), shuffled.String())
			}
			out.WriteString("=== " + title + "\n" + before + "---\n" + got.String())
		})
	}
	if *updatePlans && !t.Failed() {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(out.String()), 0o644))
	}
}

// outside runs Bounds and the other passes over a graph that reads x at a data
// operand's place, and gives the value of its first check.
func outside(t *testing.T, text string, data ...int64) (value int64, limit int) {
	g, err := ir.ParseGraph(text)
	require.NoError(t, err)
	for _, p := range Pipeline(Types{}) {
		g, err = runPass(p, g, Options{})
		require.NoError(t, err)
	}
	at := ir.NewTensor(loop.I32, len(data))
	copy(at.I, data)
	var check ir.Result
	for _, r := range g.Results {
		if r.Kind == ir.ResultBound {
			check = r
			break
		}
	}
	require.NotNil(t, check.Value, g)
	g.Results = []ir.Result{check} // the index itself would stop the evaluator
	e := ir.Evaluator{Lens: map[string]int{"T": 5}, Params: func(_ ir.ParamKind, name string) *ir.Tensor {
		if name == "at" {
			return at
		}
		return ir.NewTensor(loop.F32, 5)
	}}
	values, err := e.Run(g)
	require.NoError(t, err)
	return int64(int32(values[0].I[0])), check.Limit()
}

func TestBoundsTellTheWorstIndex(t *testing.T) {
	graph := func(axis, e string) string {
		return `graph g {
  sym T <= 10
  %0 = param value x f32[` + axis + `]
  %1 = param value at i32[3]
  %2 = index %0, %1 {(i0) -> (` + e + `)} [3]
  value %2
}`
	}
	for _, c := range []struct {
		axis, e     string
		data        []int64
		want, limit int64
	}{
		{"5", "$1", []int64{0, 4, 2}, 4, 5},
		{"5", "$1", []int64{0, 7, 9}, 9, 5},
		{"5", "$1", []int64{9, -2, 3}, -2, 5},
		{"5", "$1 + i0", []int64{4, 0, 1}, 0, 5},
		{"5", "$1 + i0", []int64{4, 4, 3}, 5, 5},
		{"5", "$1 - i0", []int64{4, 0, 1}, -1, 5},
		{"5", "$1*65536", []int64{65536, 0, 0}, 5, 5}, // the product wraps in 32 bits
		{"T<=10", "$1", []int64{4, 0, 1}, 0, 1},
		{"T<=10", "$1", []int64{4, 6, 1}, 6, 1},
	} {
		value, limit := outside(t, graph(c.axis, c.e), c.data...)
		require.Equal(t, c.want, value, "%s of %s at %v", c.e, c.axis, c.data)
		require.EqualValues(t, c.limit, limit)
	}
}

func TestFiniteTellsInfinityFromNaN(t *testing.T) {
	g, err := ir.ParseGraph(`graph g {
  %0 = param value x f32[1]
  %1 = log %0
  %2 = reduce %1 sum [0]
  %3 = grad %2, %0
  %4 = get %3 0
  value %4
  report loss %2
}`)
	require.NoError(t, err)
	for _, p := range Pipeline(Types{}) {
		g, err = runPass(p, g, Options{})
		require.NoError(t, err)
	}
	require.Equal(t, ir.ResultFinite, g.Results[2].Kind)
	require.Equal(t, "loss", g.Results[2].Name)
	for x, want := range map[float64]int64{1: 0, 0: 1, math.Inf(1): 1, -1: 2} {
		e := ir.Evaluator{Params: func(ir.ParamKind, string) *ir.Tensor {
			v := ir.NewTensor(loop.F32, 1)
			v.F[0] = x
			return v
		}}
		values, err := e.Run(g)
		require.NoError(t, err)
		require.Equal(t, want, values[2].I[0], "log of %g", x)
	}
}
