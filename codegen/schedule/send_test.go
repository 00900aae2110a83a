package schedule

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// The hardware stores results that are boxes of tensors. What is none says why, and the schedule that is chosen does without.
func TestResultsAsBoxes(t *testing.T) {
	const plain = `kernel k(in A: bf16[72,136], in B: bf16[136,64], out C: f32[72,64]) {
  axis i: 72, j: 64, l: 136
  z = dot[l](A[i,l], B[l,j])
  C[i,j] = z
}`
	for _, c := range []struct{ name, old, new, want string }{
		{"whole", "", "", ""},
		{"rounded", "out C: f32[72,64]", "out C: bf16[72,64]", ""},
		{"added to what is there", "out C", "inout C", ""},
		{"a slice", "out C: f32[72,64]", "out C: f32[2,72,80]", ""},
		{"two results", "out C: f32[72,64]", "out C: f32[72,64], out D: f32[72,64]", ""},
		{"column by column", "out C: f32[72,64]", "out C: f32[64,72]", ""}, // the operands change places
		{"every other column", "out C: f32[72,64]", "out C: f32[72,128]", "dimension 1 of C does not step evenly"},
		{"rows not on a multiple of 16 bytes", "out C: f32[72,64]", "out C: f32[72,65]", "neighbours along dimension 0 of C are 260 bytes apart"},
		{"strides", "out C: f32[72,64]", "out C: f32[72,64] strides[68,1]", "C has more than 5 dimensions, or strides of its own"},
		{"every other row", "out C: f32[72,64]", "out C: f32[144,64]", "what is left out of C is not what is outside of a tensor"},
		{"results of two sizes", "out C: f32[72,64]", "out C: f32[72,64], out D: bf16[72,64]", "D and C have elements of different sizes"},
		{"dear", "C[i,j] = z", "C[i,j] = exp(z) / (1.0 + exp(z))", "results of z wait in shared memory for one thing"},
	} {
		text := strings.Replace(plain, c.old, c.new, 1)
		switch c.name {
		case "rounded":
			text = strings.Replace(text, "= z\n", "= bf16(z)\n", 1)
		case "added to what is there":
			text = strings.Replace(text, "= z\n", "= C[i,j] + z\n", 1)
		case "a slice":
			text = strings.Replace(text, "C[i,j]", "C[1,i,j + 4]", 1)
		case "two results":
			text = strings.Replace(text, "= z\n", "= z\n  D[i,j] = z + 1.0\n", 1)
		case "column by column":
			text = strings.Replace(text, "C[i,j]", "C[j,i]", 1)
		case "every other column":
			text = strings.Replace(text, "C[i,j]", "C[i,j*2]", 1)
		case "every other row":
			text = strings.Replace(text, "C[i,j]", "C[i*2,j]", 1)
		case "results of two sizes":
			text = strings.Replace(text, "= z\n", "= z\n  D[i,j] = bf16(z)\n", 1)
		}
		k := parse(t, text)
		steps, err := Run(k, SM90)
		require.NoError(t, err, c.name)
		last := steps[len(steps)-1].Kernel
		require.Len(t, ofKind(last.Opts, Bulk), 1, c.name)
		if c.want == "" {
			require.Contains(t, last.String(), "send {", c.name)
		} else {
			require.NotContains(t, last.String(), "send {", c.name)
			_, err = Apply(steps[0].Kernel, append(slices.Clone(last.Opts), opt(Via, ofKind(last.Opts, Mma)[0].Axis, 0, bulkWord)))
			require.ErrorContains(t, err, c.want, c.name)
		}
		same(t, k, steps[len(steps)-2].Kernel, inputs(k, 3))
	}
	k := parse(t, plain)
	_, err := Apply(k, []loop.Opt{opt(Via, "z", 0, bulkWord)})
	require.ErrorContains(t, err, "z is no product whose operands are staged")
	steps, err := Run(k, SM90)
	require.NoError(t, err)
	opts := slices.DeleteFunc(slices.Clone(steps[len(steps)-1].Kernel.Opts), func(o loop.Opt) bool { return o.Kind == Bulk })
	_, err = Apply(steps[0].Kernel, opts)
	require.ErrorContains(t, err, "z is not of a group of warps that have a ring")
}
