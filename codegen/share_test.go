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

// A phase that another kernel has too is that kernel's, whatever else the kernels do and wherever its buffers stand.
func TestSharedPhases(t *testing.T) {
	target := hostTarget(t)
	b := &Built{}
	for _, text := range []string{`kernel one(in X: f32[64], out Y: f32[8], work P: f32[64]) guarded {
  axis i0: 8 par, il: 8 lane, i: 64 = i0*8 + il, k: 8
  P[i] = X[i] + 1.0
  phase
  Y[il] = dot[k](X[k], P[k*8 + il]) @fma
}`, `kernel two(in A: f32[3], in X: f32[64], out Z: f32[64], work P: f32[64]) guarded {
  axis i0: 8 par, il: 8 lane, i: 64 = i0*8 + il
  P[i] = X[i] + 1.0
  phase
  Z[i] = P[i] * A[2]
}`} {
		b.Kernels = append(b.Kernels, &BuiltKernel{Emitted: emitText(t, target, text)})
	}
	b.share()
	var names []string
	for _, k := range b.Kernels {
		for _, f := range k.Emitted.funcs {
			names = append(names, f.name)
		}
	}
	// The entry points read their buffers from other places of the argument block.
	require.Equal(t, []string{"one_p0.body", "one_p0", "mdlc.dot8.1_f32.0.s1_f32v.0.s8_.0.0", "one_p1.body", "one_p1", "two_p0", "two_p1.body", "two_p1"}, names)
	require.Contains(t, b.Kernels[1].Emitted.funcs[0].text, "call void @one_p0.body(")
	_, err := Compile(b.Emitted(), Options{Target: target, Modules: 3})
	require.NoError(t, err)
}
