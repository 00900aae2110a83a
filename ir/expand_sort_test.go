package ir

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// All ways to sort give the permutation of the evaluator: with equals, infinities and NaN, from both ends, of lengths at
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
			places, few := Dim{Size: (size + 1) / 2}, (size+2)/3
			g := b.Finish(
				Result{Kind: ResultReport, Name: "sort", Value: b.ArgSort(x)},
				Result{Kind: ResultReport, Name: "sort", Value: expandRanks(b, x, false, Dim{Size: size})},
				Result{Kind: ResultReport, Name: "sort", Value: expandNetwork(b, x, false, Dim{Size: size})},
				Result{Kind: ResultReport, Name: "top", Value: b.TopK(x, places.Size)},
				Result{Kind: ResultReport, Name: "top", Value: expandRanks(b, x, true, places)},
				Result{Kind: ResultReport, Name: "top", Value: expandNetwork(b, x, true, places)},
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

// Long axes take the network, those of runtime length cannot.
func TestWhichWayIsSorted(t *testing.T) {
	for size, loops := range map[int]bool{countedSort: false, countedSort + 1: true} {
		b := NewBuilder("main")
		y := expandSort(b, b.Const(TensorOf(loop.F32, size), 0), false, Dim{Size: size})
		require.Equal(t, loops, y.Args[0].Op == OpGet, size)
	}
	for _, c := range []struct {
		size, k int
		network bool // there is one
	}{{1 << 20, 40, false}, {50257, 40, false}, {50257, 1, false}, {1025, 64, false}, {1025, 300, true}, {1 << 20, 1 << 12, true}} {
		b := NewBuilder("main")
		expandSort(b, b.Const(TensorOf(loop.F32, c.size), 0), true, Dim{Size: c.k})
		network := false
		for _, n := range b.Nodes() {
			network = network || n.Op == OpLoop
		}
		require.Equal(t, c.network, network, c)
	}
	require.Equal(t, MaxRagged, Sortable(Dim{Size: 9, Len: Var(0)}))
	require.Equal(t, MaxSort, Sortable(Dim{Size: 9}))
}
