package ir

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// Both ways to sort give the permutation of the evaluator: with equals, infinities and NaN, from both ends, of lengths at
// and beside the powers of two, of floats and of integers.
func TestSortingByCountsAndByTheNetwork(t *testing.T) {
	for _, size := range []int{1, 2, 3, 5, 8, 9, 31, 64, 100} {
		for _, elem := range []Elem{loop.F32, loop.I32} {
			r := rand.New(rand.NewPCG(uint64(size), 7))
			values := make([]float64, 2*size)
			for i := range values {
				values[i] = float64(r.IntN(size) - size/2)
				if elem == loop.F32 && r.IntN(8) == 0 {
					values[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
				}
			}
			b := NewBuilder("main")
			x := b.Dense(TensorOf(elem, 2, size), values)
			places := Dim{Size: (size + 1) / 2}
			g := b.Finish(
				Result{Kind: ResultReport, Name: "sort", Value: b.ArgSort(x)},
				Result{Kind: ResultReport, Name: "sort", Value: expandRanks(b, x, false, Dim{Size: size})},
				Result{Kind: ResultReport, Name: "sort", Value: expandNetwork(b, x, false, Dim{Size: size})},
				Result{Kind: ResultReport, Name: "top", Value: b.TopK(x, places.Size)},
				Result{Kind: ResultReport, Name: "top", Value: expandRanks(b, x, true, places)},
				Result{Kind: ResultReport, Name: "top", Value: expandNetwork(b, x, true, places)})
			require.NoError(t, Verify(g))
			out, err := (&Evaluator{}).Run(g)
			require.NoError(t, err)
			for i := range out {
				require.Equal(t, out[i/3*3].I, out[i].I, fmt.Sprintf("%s %d, way %d: %v", elem, size, i, values))
			}
		}
	}
}

// Long axes take the network, those of runtime length cannot.
func TestWhichWayIsSorted(t *testing.T) {
	for size, loops := range map[int]bool{countedSort: false, countedSort + 1: true} {
		b := NewBuilder("main")
		y, err := expandSort(b, b.ArgSort(b.Const(TensorOf(loop.F32, size), 0)), false, Dim{Size: size})
		require.NoError(t, err)
		require.Equal(t, loops, y.Args[0].Op == OpGet, size)
	}
	require.Equal(t, MaxRagged, Sortable(Dim{Size: 9, Len: Var(0)}))
	require.Equal(t, MaxSort, Sortable(Dim{Size: 9}))
}
