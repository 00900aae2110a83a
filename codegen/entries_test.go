package codegen

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/passes"
)

// Whichever entry gets ready first, kernels have the numbers, names and text that they get from a module
// that was ready as a whole. Most kernels of the second entry equal ones of the first but for names.
func TestEntriesGetReadyInAnyOrder(t *testing.T) {
	text, err := os.ReadFile("../testdata/lower/layers.graph")
	require.NoError(t, err)
	module := func() *ir.Module {
		g, err := ir.ParseGraph(string(text))
		require.NoError(t, err)
		m := moduleOf(g)
		other, err := ir.ParseGraph(strings.NewReplacer(`"x"`, `"y"`, `"loss"`, `"cost"`, "tanh", "sigmoid").Replace(string(text)))
		require.NoError(t, err)
		m.Entries = append(m.Entries, &ir.Entry{Kind: ir.EntryTrain, Name: "other", Graph: other, Feeds: m.Entries[0].Feeds})
		return m
	}
	target := hostTarget(t)
	machine := target.Machine
	planned := module()
	require.NoError(t, passes.Run(planned, passes.Options{}))
	require.NoError(t, passes.Plan(planned))
	want, err := Pages(planned)
	require.NoError(t, err)
	require.NoError(t, want.Schedule(machine))
	require.NoError(t, want.Emit(target))
	for first := range 2 {
		m := module()
		ready := func(e *ir.Entry) error {
			if e != m.Entries[first] {
				time.Sleep(50 * time.Millisecond)
			}
			return passes.Entry(m, e, passes.Options{})
		}
		got, err := Build(m, machine, Options{Target: target, Ready: ready})
		require.NoError(t, err)
		got.Program.Object = nil
		require.Equal(t, want.Program, got.Program)
		require.Equal(t, ModuleText(want.Emitted(), target), ModuleText(got.Emitted(), target))
	}
}
