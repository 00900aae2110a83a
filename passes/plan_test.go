package passes

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

var updatePlans = flag.Bool("update", false, "write golden files")

func TestPlanGolden(t *testing.T) {
	files, err := filepath.Glob("../testdata/plan/*.graph")
	require.NoError(t, err)
	fused, err := filepath.Glob("../testdata/plan/clusters/*.graph")
	require.NoError(t, err)
	require.NotEmpty(t, fused)
	files = append(files, fused...)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			g, err := ir.ParseGraph(string(text))
			require.NoError(t, err)
			require.NoError(t, ir.Verify(g))
			got := planGraph(g, nil).String()
			golden := strings.TrimSuffix(file, ".graph") + ".plan"
			if *updatePlans {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
			for range 3 {
				require.Equal(t, got, planGraph(g, nil).String(), "the same graph gives the same plan")
			}
		})
	}
}

// The check finds what it is there for: a buffer moved onto another that is live at the same time.
func TestPlanOverlap(t *testing.T) {
	text, err := os.ReadFile("../testdata/plan/stack.graph")
	require.NoError(t, err)
	g, err := ir.ParseGraph(string(text))
	require.NoError(t, err)
	p := &planner{plan: planGraph(g, nil)}
	p.checkArena()
	caught, moved := 0, 0
	for _, b := range p.plan.Bufs {
		if b.Home != ir.PlanArena || b.Offset == 0 {
			continue
		}
		old := b.Offset
		b.Offset -= align
		moved++
		func() {
			defer func() {
				if recover() != nil {
					caught++
				}
			}()
			p.checkArena()
		}()
		b.Offset = old
	}
	require.Positive(t, moved)
	require.Positive(t, caught)
}
