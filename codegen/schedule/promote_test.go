package schedule

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

const bytesKernel = `kernel k(in A: f8e4m3[%[1]d,%[3]d], in B: f8e4m3[%[2]d,%[3]d], out C: f32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d, l: %[3]d
  C[i,j] = dot[l](A[i,l], B[j,l])
}`

// Floats of 8 bits are multiplied as what a machine has for them: themselves where they fill a tile of Hopper's, else bf16 or f32.
func TestTypesOfBytes(t *testing.T) {
	for _, c := range []struct {
		m                *Machine
		rows, cols, sums int
		want             loop.Elem
	}{
		{SM90, 64, 64, 256, loop.F8E4M3}, {SM90, 63, 64, 256, loop.BF16}, {SM90, 64, 63, 256, loop.BF16}, {SM90, 64, 64, 255, loop.BF16}, {SM90, 1, 512, 512, loop.BF16},
		{SM80, 256, 256, 256, loop.BF16}, {AVX2, 256, 256, 256, loop.F32}, {AVX512, 9, 9, 9, loop.F32},
	} {
		k := parse(t, fmt.Sprintf(bytesKernel, c.rows, c.cols, c.sums))
		steps, err := Run(k, c.m)
		require.NoError(t, err)
		var d *loop.Value
		walkBody(steps[1].Kernel.Body, func(v *loop.Value) {
			if v.Op == loop.Dot {
				d = v
			}
		})
		require.Equal(t, c.want, d.Args[0].Elem, "%s %d", c.m.Name, c.rows)
		require.Equal(t, c.want == loop.F8E4M3, ofKind(steps[len(steps)-1].Kernel.Opts, Promote) != nil)
		near(t, k, steps[len(steps)-1].Kernel, inputs(k, 5))
	}
	k := parse(t, `kernel k(in A: f8e4m3[64,256], in B: f8e4m3[256,256], in D: f8e4m3[256,64], out C: f32[64,64]) {
  axis i: 64, j: 256, k: 256, l: 64
  C[i,l] = dot[j](f8e4m3(dot[k](A[i,k], B[j,k])), D[j,l])
}`)
	steps, err := Run(k, SM90)
	require.NoError(t, err)
	require.NotContains(t, steps[1].Kernel.String(), "z_a: f8e4m3", "products that are chained may stay on the chip, as bf16")
}

// A sum is added up by threads where a loop goes over turns, and each has more than one summand.
func TestPromoteRefuses(t *testing.T) {
	k := parse(t, fmt.Sprintf(bytesKernel, 64, 64, 400))
	steps, err := Run(k, SM90)
	require.NoError(t, err)
	opts := steps[len(steps)-1].Kernel.Opts
	at := slices.IndexFunc(opts, func(o loop.Opt) bool { return o.Kind == Promote })
	require.Equal(t, opt(Promote, "l0", 0, "z"), opts[at])
	for _, c := range []struct {
		of   loop.Opt
		want string
	}{
		{opt(Promote, "i0", 0, "z"), "z is no product whose slowest loop is that over i0"},
		{opt(Promote, "l0", 0, "y"), "there is no value y"},
		{opt(Promote, "l0", 0, "z_a"), "z_a is no product whose slowest loop"},
	} {
		other := slices.Clone(opts)
		other[at] = c.of
		_, err := Apply(steps[0].Kernel, other)
		require.ErrorContains(t, err, c.want)
	}
	other := slices.Clone(opts)
	other[at], other[0] = other[0], other[at] // before its axis is cut
	_, err = Apply(steps[0].Kernel, other)
	require.ErrorContains(t, err, "there is no axis l0")
}
