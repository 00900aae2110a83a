package codegen

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/ir/loop"
)

// Buckets of rows of one block, of several and of a part of one are on the machine what the equations say. Many rows are many points.
func TestBuckets(t *testing.T) { eachTarget(t, checkBuckets) }

func checkBuckets(t *testing.T, target *Target) {
	var names []string
	var equations, kernels []*loop.Kernel
	for _, dims := range [][]int{{1}, {2}, {255}, {256}, {257}, {1100}, {3, 300}, {40, 17}, {2, 3, 513}} {
		for _, e := range []loop.Elem{loop.I32, loop.BF16} {
			b := ir.NewBuilder("bucket")
			n := b.Bucket(given(b, e, dims...), given(b, loop.U8, dims...))
			l := &ir.PlanLaunch{Node: n, Scope: b.Scope(), Type: n.Type, InPlace: []int{-1}}
			k := mustLower(t, l).kernel
			steps, err := schedule.Run(k, target.Machine)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			k.Name, last.Name = fmt.Sprint("k", len(names)), fmt.Sprint("k", len(names))
			names = append(names, n.Type.String())
			equations, kernels = append(equations, k), append(kernels, last)
		}
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(names[i], func(t *testing.T) { checkAgainst(t, equations[i], m, -256) })
	}
}
