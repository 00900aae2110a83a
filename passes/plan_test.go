package passes

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

var updatePlans = flag.Bool("update", false, "write golden files")

func TestPlanGolden(t *testing.T) {
	files, err := filepath.Glob("../testdata/plan/*.graph")
	require.NoError(t, err)
	fused, err := filepath.Glob("../testdata/plan/clusters/*.graph")
	require.NoError(t, err)
	require.NotEmpty(t, fused)
	again, err := filepath.Glob("../testdata/plan/again/*.graph") // of entries that may run again before states change
	require.NoError(t, err)
	require.NotEmpty(t, again)
	files = append(append(files, fused...), again...)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			g, err := ir.ParseGraph(string(text))
			require.NoError(t, err)
			require.NoError(t, ir.Verify(g))
			by := around{again: slices.Contains(again, file)}
			got := planGraph(g, by).String()
			golden := strings.TrimSuffix(file, ".graph") + ".plan"
			if *updatePlans {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
			for range 3 {
				require.Equal(t, got, planGraph(g, by).String(), "the same graph gives the same plan")
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
	p := &planner{plan: planGraph(g, around{})}
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

// What a later `every` block reads of the step outlives the blocks that run before it.
func TestPlanEveryKeepsClearOfLaterReads(t *testing.T) {
	step := ir.NewBuilder("step")
	x := step.Param(ir.ParamFeed, "x", ir.TensorOf(loop.F32, 64))
	g := step.Finish(ir.Result{Kind: ir.ResultKept, Name: "first", Value: ir.Named(step.Op("exp", x), "kept")},
		ir.Result{Kind: ir.ResultKept, Name: "second", Value: ir.Named(step.Op("tanh", x), "kept")})
	block := func(reads string) *ir.Every {
		b := ir.NewBuilder("every")
		y := b.Op("exp", b.Param(ir.ParamValueOf, reads, ir.TensorOf(loop.F32, 64)))
		return &ir.Every{N: 1, Graph: b.Finish(ir.Result{Kind: ir.ResultReport, Name: "y", Value: y})}
	}
	for _, names := range [][2]string{{"first", "second"}, {"second", "first"}} {
		e := &ir.Entry{Kind: ir.EntryTrain, Graph: g, Every: []*ir.Every{block(names[0]), block(names[1])}}
		require.NoError(t, Plan(&ir.Module{Entries: []*ir.Entry{e}}))
		second := e.Every[1].Graph.Plan
		var kept *ir.PlanBuf
		for _, b := range second.Bufs {
			if b.Name == "kept" {
				kept = b
			}
		}
		require.NotNil(t, kept, second)
		result := e.Every[0].Graph.Plan.Results[0].Buf
		written := e.Every[0].Graph.Plan.Bufs[result]
		require.True(t, end(written) <= kept.Offset || end(kept) <= written.Offset, "%s\n%s", e.Every[0].Graph.Plan, second)
	}
}

// A batch that an `every` block reads of its step is copied: the memory of inputs is the step's own.
func TestPlanEveryReadsABatch(t *testing.T) {
	step := ir.NewBuilder("step")
	x := step.Param(ir.ParamFeed, "x", ir.TensorOf(loop.F32, 64))
	g := step.Finish(ir.Result{Kind: ir.ResultKept, Name: "batch", Value: x})
	b := ir.NewBuilder("every")
	y := b.Op("exp", b.Param(ir.ParamValueOf, "batch", ir.TensorOf(loop.F32, 64)))
	e := &ir.Entry{Kind: ir.EntryTrain, Graph: g, Every: []*ir.Every{{N: 1, Graph: b.Finish(ir.Result{Kind: ir.ResultReport, Name: "y", Value: y})}}}
	require.NoError(t, Plan(&ir.Module{Entries: []*ir.Entry{e}}))
	for _, buf := range e.Every[0].Graph.Plan.Bufs {
		require.NotEqual(t, ir.PlanInput, buf.Home, buf.Name)
	}
}

// Values of a step are told apart by their buffers, whatever their names end in.
func TestPlanEveryTellsValuesApart(t *testing.T) {
	step, every := ir.NewBuilder("step"), ir.NewBuilder("every")
	x := step.Param(ir.ParamFeed, "x", ir.TensorOf(loop.F32, 64))
	var kept, shown []ir.Result
	for i := range 12 {
		name := map[int]string{1: "v1", 11: "v"}[i] // buffers 2 and 12
		x = ir.Named(step.Op("tanh", x), name)
		kept = append(kept, ir.Result{Kind: ir.ResultKept, Name: fmt.Sprint("kept", i), Value: x})
		shown = append(shown, ir.Result{Kind: ir.ResultReport, Name: fmt.Sprint("out", i), Value: every.Param(ir.ParamValueOf, fmt.Sprint("kept", i), ir.TensorOf(loop.F32, 64))})
	}
	e := &ir.Entry{Kind: ir.EntryTrain, Graph: step.Finish(kept...), Every: []*ir.Every{{N: 1, Graph: every.Finish(shown...)}}}
	require.NoError(t, Plan(&ir.Module{Entries: []*ir.Entry{e}}))
	seen := map[int]bool{}
	for _, r := range e.Every[0].Graph.Plan.Results {
		require.False(t, seen[r.Buf], e.Every[0].Graph.Plan)
		seen[r.Buf] = true
	}
}
