package passes

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

func smallModule() *ir.Module {
	return &ir.Module{Entries: []*ir.Entry{{Kind: ir.EntryTrain, Graph: gpt(size{1, 4, 8, 2, 5})}}}
}

func TestRunDumpsAndTimesEveryPass(t *testing.T) {
	var dumped, timed []string
	require.NoError(t, Run(smallModule(), Options{
		Dump:   func(pass string, g *ir.Graph) { dumped = append(dumped, pass) },
		Timing: func(pass string, _ time.Duration) { timed = append(timed, pass) }, // there is one graph
	}))
	require.Equal(t, PassNames(), dumped)
	require.Equal(t, PassNames(), timed)
}

func TestRunStopsAfterAPass(t *testing.T) {
	m := smallModule()
	require.NoError(t, Run(m, Options{StopAfter: "unstop"}))
	for _, n := range m.Entries[0].Graph.Nodes() {
		require.NotEqual(t, ir.OpGrad, n.Op)
		require.NotEqual(t, ir.OpCluster, n.Op)
	}
	require.ErrorContains(t, Run(smallModule(), Options{StopAfter: "inline"}), `there is no pass "inline"; the passes are [`)
}

func TestAPassThatBreaksTheGraphIsNamed(t *testing.T) {
	g := gpt(size{1, 4, 8, 2, 5})
	broken := Pass{Name: "broken", Fn: func(g *ir.Graph) (*ir.Graph, error) {
		out := *g
		out.Params = nil
		return &out, nil
	}}
	defer func() {
		message := recover().(string)
		require.Contains(t, message, "after pass broken: ")
		require.Contains(t, message, "graph gpt {")
	}()
	_, _ = runPass(broken, g, Options{})
}

// Unfused, each kernel computes one value.
func TestSeparate(t *testing.T) {
	g := through(t, gpt(size{1, 4, 8, 2, 5}), Options{NoFusion: true}, false)
	for _, n := range g.Nodes() {
		if n.Op == ir.OpCluster {
			require.Len(t, n.Regions[0].Results, 1)
			computed := 0
			for _, x := range n.Regions[0].Nodes() {
				if x.Op.Class != ir.ClassLeaf && x.Op.Class != ir.ClassMovement {
					computed++
				}
			}
			require.LessOrEqual(t, computed, 1)
		}
	}
}
