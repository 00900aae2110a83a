package ir

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// All ways to sort give the permutation of the evaluator: with equals, infinities, NaN, both zeros and the ends of a type, from both
// ends, of any elements and lengths.
func TestAllWaysToSort(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5, 8, 9, 31, 64, 100} {
		for _, elem := range []Elem{loop.F32, loop.F64, loop.BF16, loop.F16, loop.I32, loop.U32, loop.I8, loop.U8} {
			values := sortedValues(elem, 2*size)
			b := NewBuilder("main")
			x := b.Dense(TensorOf(elem, 2, size), values)
			places, few := Dim{Size: (size + 1) / 2}, (size+2)/3
			g := b.Finish(
				Result{Kind: ResultReport, Name: "sort", Value: b.ArgSort(x)},
				Result{Kind: ResultReport, Name: "sort", Value: expandRanks(b, x, false, Dim{Size: size})},
				Result{Kind: ResultReport, Name: "sort", Value: expandDigits(b, x, false, Dim{Size: size})},
				Result{Kind: ResultReport, Name: "top", Value: b.TopK(x, places.Size)},
				Result{Kind: ResultReport, Name: "top", Value: expandRanks(b, x, true, places)},
				Result{Kind: ResultReport, Name: "top", Value: expandDigits(b, x, true, places)},
				Result{Kind: ResultReport, Name: "few", Value: b.TopK(x, few)},
				Result{Kind: ResultReport, Name: "few", Value: expandGroups(b, x, few, 2)},
				Result{Kind: ResultReport, Name: "few", Value: expandGroups(b, x, few, 3)})
			require.NoError(t, Verify(g))
			out, err := (&Evaluator{}).Run(g)
			require.NoError(t, err)
			for i := range out {
				require.Equal(t, out[i/3*3].I, out[i].I, fmt.Sprintf("%s %d, way %d: %v", elem, size, i, values))
			}
		}
	}
}

// sortedValues are numbers of a type, some of them equal, some at its ends.
func sortedValues(elem Elem, n int) []float64 {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	ends := map[Elem][]float64{
		loop.I32: {math.MinInt32, math.MaxInt32}, loop.U32: {0, math.MaxUint32}, loop.I8: {-128, 127}, loop.U8: {0, 255},
	}[elem]
	if elem.IsFloat() {
		ends = []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, math.Ldexp(1, -24), -math.Ldexp(1, -24), 1 + math.Ldexp(1, -7)}
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = float64(r.IntN(n/2+1) - n/4)
		if elem == loop.U32 || elem == loop.U8 {
			values[i] = float64(r.IntN(n/2 + 1))
		}
		if r.IntN(4) == 0 {
			values[i] = ends[r.IntN(len(ends))]
		}
	}
	return values
}

// Long axes are sorted by digits, of few of many only groups.
func TestWhichWayIsSorted(t *testing.T) {
	digits := func(b *Builder) bool {
		return slices.ContainsFunc(b.Nodes(), func(n *Node) bool { return n.Op == OpBucket })
	}
	for size, want := range map[int]bool{countedSort: false, countedSort + 1: true} {
		for _, ragged := range []bool{false, true} {
			b, dim := NewBuilder("main"), Dim{Size: size}
			if ragged {
				dim = DynDim(b.Sym("n", size, nil), size)
			}
			expandSort(b, b.Const(OfDims(loop.F32, []Dim{dim}), 0), false, dim)
			require.Equal(t, want, digits(b), size)
		}
	}
	for _, c := range []struct {
		size, k int
		digits  bool // all are sorted by them
	}{{1 << 20, 40, false}, {50257, 40, false}, {50257, 1, false}, {1025, 10, false}, {1025, 300, true}, {1 << 20, 1 << 12, true}} {
		b := NewBuilder("main")
		expandSort(b, b.Const(TensorOf(loop.F32, c.size), 0), true, Dim{Size: c.k})
		require.Equal(t, c.digits, digits(b), c)
	}
}
