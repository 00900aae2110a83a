package codegen

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir"
	"mdlc/passes"
)

// Kernels over other shapes that come to the same loops have one code; others have their own.
func TestSharedCode(t *testing.T) {
	g, err := ir.ParseGraph(`graph train {
  %0 = param state a f32[4, 6]
  %1 = param state b f32[24]
  %2 = param state c f32[25]
  %3 = mul %0, %0 : f32[4, 6]
  %4 = mul %1, %1 : f32[24]
  %5 = mul %2, %2 : f32[25]
  report x %3
  report y %4
  report z %5
}`)
	require.NoError(t, err)
	m := moduleOf(g)
	require.NoError(t, passes.Run(m, passes.Options{NoFusion: true}))
	require.NoError(t, passes.Plan(m))
	b, err := Pages(m)
	require.NoError(t, err)
	machine, err := schedule.MachineNamed("avx2")
	require.NoError(t, err)
	require.NoError(t, b.Schedule(machine))
	require.NoError(t, b.Emit(hostTarget(t)))
	require.Len(t, b.Kernels, 3)
	require.Len(t, b.Emitted(), 2)
	symbols := map[string]int{}
	for _, k := range b.Program.Kernels {
		for _, ph := range k.Phases {
			symbols[ph.Symbol]++
		}
	}
	require.Len(t, symbols, 2)
	require.Contains(t, symbols, b.Kernels[0].Emitted.Name+"_p0")
	require.Equal(t, 2, symbols[b.Kernels[0].Emitted.Name+"_p0"])
}
