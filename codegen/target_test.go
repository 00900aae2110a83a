package codegen

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTargets(t *testing.T) {
	_, err := TargetNamed("sse2")
	require.EqualError(t, err, `unknown target "sse2"; there are avx512, avx2, sm_80, sm_90a`)
	for _, name := range TargetNames() {
		target, err := TargetNamed(name)
		require.NoError(t, err)
		require.Equal(t, target.Vector/4, target.Lanes())
	}
}

// TestEmitRefuses: what cannot be emitted is an error that names the kernel.
func TestEmitRefuses(t *testing.T) {
	target, err := TargetNamed("avx2")
	require.NoError(t, err)
	for _, c := range []struct{ text, want string }{
		{`kernel open(in X: f32[8], out Y: f32[8]) { axis i: 8   Y[i] = X[i] }`, "kernel open is not guarded: step edge has not run"},
		{`kernel inner(in X: f32[8], out Y: f32[8]) guarded { axis t: 8 loop, i: 8 lane   for t { Y[i] = X[i]   phase } }`, "kernel inner: a phase inside a loop is not supported"},
	} {
		_, err := Emit(parseKernel(t, c.text), target)
		require.EqualError(t, err, c.want)
	}
}

// Products of all rows call micro-kernels.
func TestRowsAreMicroKernels(t *testing.T) {
	for _, target := range targets {
		if target.GPU {
			continue
		}
		for _, r := range target.Machine.Rows {
			require.LessOrEqual(t, r.Rows*r.Cols/target.Lanes(), target.Accumulators, "%s %s", target.Name, r)
			require.Zero(t, r.Cols%target.Lanes(), "%s %s", target.Name, r)
		}
	}
}
