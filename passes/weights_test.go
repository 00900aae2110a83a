package passes

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// A graph whose weights are stored computes what the graph computes of weights that were rounded before.
func TestWeights(t *testing.T) {
	const text = `graph stored {
  %0 = param state w f32[2, 3, 70, 2]
  %1 = param state u f32[5, 40]
  %2 = param flag x f32[70]
  %3 = param flag i i32[70, 40]
  %4 = loop %2, %0 count(2) carry 1 xs 1 {
    %0 = param value turn i32[]
    %1 = param value x f32[70]
    %2 = param value w f32[3, 70, 2]
    %3 = loop %1, %2 count(3) carry 1 xs 1 {
      %0 = param value turn i32[]
      %1 = param value x f32[70]
      %2 = param value w f32[70, 2]
      %3 = dot %1, %2 {a,ab->b} : f32[2]
      %4 = index %3 {(i0) -> (i0%2)} [70] : f32[70]
      value %4
    } : (f32[70])
    %4 = get %3 0 : f32[70]
    value %4
  } : (f32[70])
  %5 = get %4 0 : f32[70]
  %6 = index %5 {(i0) -> (i0)} [40] : f32[40]
  %7 = dot %6, %1 {a,ba->b} : f32[5]
  %8 = index %1, %3 {(i0, i1) -> ($1, i1)} [70, 40] : f32[70, 40]
  report y %7
  report z %8
}`
	g, err := ir.ParseGraph(text)
	require.NoError(t, err)
	for _, elem := range []ir.Elem{loop.I8, loop.F8E4M3, loop.BF16, loop.F16} {
		t.Run(elem.String(), func(t *testing.T) {
			got, err := Weights(elem)(g)
			require.NoError(t, err)
			require.NoError(t, ir.Verify(got))
			run := func(g *ir.Graph, rounded bool) []*ir.Tensor {
				e := ir.Evaluator{Params: func(_ ir.ParamKind, name string) *ir.Tensor {
					for _, p := range g.Params {
						if a := p.Attr.(ir.ParamAttr); a.Name == name {
							x := randomTensor(a.Type, name, nil)
							if name == "w" || name == "u" {
								for i := range x.F { // a block of zeros, and one of numbers that are hardly any
									x.F[i] *= []float64{1, 0, 1e-36, 10}[i/700%4]
								}
								if rounded {
									roundWeights(x, map[string]int{"w": 2, "u": 1}[name], elem)
								}
							}
							return x
						}
					}
					return nil
				}}
				out, err := e.Run(g)
				require.NoError(t, err)
				return out
			}
			want := run(g, true)
			requireNear(t, want, run(got, false), 1e-5, "rounded weights")
			whole, furthest := run(g, false), 0.0
			for i, x := range whole[1].F {
				furthest = max(furthest, math.Abs(x-want[1].F[i]))
			}
			require.NotZero(t, furthest, "nothing was rounded")
			require.Less(t, furthest, map[bool]float64{false: 0.05, true: 0.2}[elem == loop.F8E4M3], "of eight bits four are the exponent's")
		})
	}
}

// Weights that some products read whole and others in loops that slice them, or permuted, or that loops slice for
// no product, have scales for all.
func TestWeightsOfSeveralUses(t *testing.T) {
	loops := func(w, body string) string {
		return `
  %10 = loop %1, ` + w + ` count(4) carry 1 xs 1 {
    %0 = param value turn i32[]
    %1 = param value x f32[64]
    %2 = param value w f32[64, 64]
    ` + body + `
    %5 = tanh %4 : f32[64]
    value %5
  } : (f32[64])
  %11 = get %10 0 : f32[64]
`
	}
	product := `%4 = dot %1, %2 {a,ab->b} : f32[64]`
	sum := `%3 = reduce %2 sum [0] : f32[64]
    %4 = add %1, %3 : f32[64]`
	whole := `  %2 = index %0 {(i0, i1) -> (2, i0, i1)} [64, 64] : f32[64, 64]
  %3 = dot %1, %2 {a,ab->b} : f32[64]`
	head := func(dims string) string {
		return "graph several {\n  %0 = param state w f32[" + dims + "]\n  %1 = param flag x f32[64]\n"
	}
	for name, c := range map[string]struct {
		text string
		dim  int // that products sum over; -1: nothing is stored
	}{
		"whole and sliced":             {head("4, 64, 64") + whole + loops("%0", product) + "  report y %3\n  report z %11\n}", 1},
		"whole and sliced for no sum":  {head("4, 64, 64") + whole + loops("%0", sum) + "  report y %3\n  report z %11\n}", 1},
		"a sum over what loops slice":  {head("64, 64, 64") + "  %3 = dot %1, %0 {a,abc->bc} : f32[64, 64]" + strings.Replace(loops("%0", sum), "count(4)", "count(64)", 1) + "  report y %3\n  report z %11\n}", -1},
		"permuted and sliced":          {head("64, 4, 64") + "  %2 = index %0 {(i0, i1, i2) -> (i1, i0, i2)} [4, 64, 64] : f32[4, 64, 64]" + loops("%2", product) + "  report y %11\n}", 0},
		"permuted, sliced, and sliced": {head("4, 64, 64") + "  %2 = index %0 {(i0, i1, i2) -> (i0, i2, i1)} [4, 64, 64] : f32[4, 64, 64]" + loops("%2", product) + strings.NewReplacer("%10", "%20", "%11", "%21").Replace(loops("%0", sum)) + "  report y %11\n  report z %21\n}", 2},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := ir.ParseGraph(c.text)
			require.NoError(t, err)
			got, err := Weights(loop.I8)(g)
			require.NoError(t, err)
			require.NoError(t, ir.Verify(got))
			require.Equal(t, c.dim < 0, got == g)
			requireNear(t, runRounded(t, g, c.dim), runRounded(t, got, -1), 1e-5, "rounded weights")
		})
	}
}

// runRounded runs g, with w rounded in blocks along axis d, if that is one.
func runRounded(t *testing.T, g *ir.Graph, d int) []*ir.Tensor {
	e := ir.Evaluator{Params: func(_ ir.ParamKind, name string) *ir.Tensor {
		for _, p := range g.Params {
			if a := p.Attr.(ir.ParamAttr); a.Name == name {
				x := randomTensor(a.Type, name, nil)
				if name == "w" {
					for i := range x.F { // blocks differ
						x.F[i] *= 0.1 + float64(i/97%13)
					}
					if d >= 0 {
						roundWeights(x, d, loop.I8)
					}
				}
				return x
			}
		}
		return nil
	}}
	out, err := e.Run(g)
	require.NoError(t, err)
	return out
}

// roundWeights rounds x, whose axis d products sum over, as stored in elem.
func roundWeights(x *ir.Tensor, d int, elem ir.Elem) {
	greatest, scaled := byteMax[elem]
	if !scaled {
		for i, v := range x.F {
			x.F[i] = loop.RoundTo(elem, v)
		}
		return
	}
	stride := 1
	for _, n := range x.Dims[d+1:] {
		stride *= n
	}
	n := x.Dims[d]
	for first := range x.F {
		k := first / stride % n
		if k%weightBlock != 0 {
			continue
		}
		count := min(weightBlock, n-k)
		most := 0.0
		for i := range count {
			most = max(most, math.Abs(x.F[first+i*stride]))
		}
		scale := most / greatest
		for i := range count {
			v := &x.F[first+i*stride]
			switch {
			case scale < leastScale:
				*v = 0
			case elem.IsInt():
				*v = math.RoundToEven(*v/scale) * scale
			default:
				*v = loop.RoundTo(elem, *v/scale) * scale
			}
		}
	}
}
