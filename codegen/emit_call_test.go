package codegen

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
)

// A normal number is made of two words of a counter: a CPU calls Philox once for both, and a GPU calls nothing.
func TestDrawsCall(t *testing.T) {
	hostTarget(t)
	page := parseKernel(t, `kernel normal(in K: u32[2], out Y: f32[512]) {
  axis i: 512
  u = philox(K[0], K[1], u32(i), u32(3), u32(5), u32(0), u32(0))
  v = philox(K[0], K[1], u32(i), u32(3), u32(5), u32(0), u32(1))
  Y[i] = sqrt(-2.0 * log1p(-(f32(u >> u32(8)) * 5.9604645e-8))) * cos(f32(v >> u32(8)) * 3.7450704e-7)
}`)
	for name, want := range map[string]string{"avx2": "mdlc.philox.8 mdlc.cos.8", "avx512": "mdlc.philox.16 mdlc.cos.16", "sm_80": ""} {
		target, err := TargetNamed(name)
		require.NoError(t, err)
		steps, err := schedule.Run(page, target.Machine)
		require.NoError(t, err)
		e, err := Emit(steps[len(steps)-1].Kernel, target)
		require.NoError(t, err)
		var calls []string
		for _, f := range e.funcs {
			if strings.HasPrefix(f.name, "mdlc.") {
				calls = append(calls, f.name)
			}
		}
		require.Equal(t, want, strings.Join(calls, " "), name)
		if target.GPU {
			continue
		}
		asm, err := Assembly([]*Emitted{e}, Options{Target: target})
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(asm, "callq\tmdlc.philox."), "%s\n%s", name, asm)
	}
}
