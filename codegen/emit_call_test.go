package codegen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
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

// Neighbours of a draw are the words of a counter: four registers take one call, with the evaluator's bits, where the rows are
// whole counters and whole registers; else each register calls for itself.
func TestWordsAreDealt(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		for _, c := range []struct {
			rows, cols int
			counter    string
			calls      int
		}{
			{3, 256, "(i*256 + j) / 4", 1},
			{2, 77, "(i*77 + j) / 4", 2},       // an edge
			{2, 100, "(i*100 + j) / 4", 2},     // an edge of whole counters
			{3, 130, "(i*130 + j + 2) / 4", 8}, // begins amid a counter
			{3, 256, "(i*256 + j * 2) / 4", 4},
		} {
			word := strings.TrimSuffix(c.counter, " / 4")
			k := parseKernel(t, fmt.Sprintf(`kernel draw(in K: u32[2], out Y: f32[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[2]d
  Y[i,j] = f32(philox(K[0], K[1], u32(%[3]s), u32(3), u32(5), u32(0), u32((%[4]s) %% 4)) >> u32(8)) * 5.9604645e-8
}`, c.rows, c.cols, c.counter, strings.Trim(word, "()")))
			steps, err := schedule.Run(k, target.Machine)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			e, err := Emit(last, target)
			require.NoError(t, err)
			calls := 0
			for _, f := range e.funcs {
				calls += strings.Count(f.text, "call x86_regcallcc [4 x <"+fmt.Sprint(target.Lanes()))
			}
			require.Equal(t, c.calls, calls, "%v", c)
			key := loop.Ints(loop.U32, []int64{7, 1 << 31}, 2)
			args := map[string]*loop.Data{"K": key, "Y": loop.Floats(loop.F32, nil, c.rows, c.cols)}
			y := aligned(4 * c.rows * c.cols)
			load(t, target, last)[0].run([][]byte{memoryOf(key), y})
			require.NoError(t, loop.Eval(k, args, loop.EvalOptions{Typed: true}))
			equalBits(t, c.counter, args["Y"], y)
		}
	})
}

// Registers that are no neighbours in a draw call for themselves.
func TestWordsApart(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		for step, want := range map[int]int{target.Lanes(): 1, 64: 4} {
			k := parseKernel(t, fmt.Sprintf(`kernel apart(in K: u32[2], out Y: u32[4,%[1]d]) guarded {
  axis r: 4 reg, l: %[1]d lane
  Y[r,l] = philox(K[0], K[1], u32((r*%[2]d + l) / 4), u32(3), u32(5), u32(0), u32((r*%[2]d + l) %% 4))
}`, target.Lanes(), step))
			e, err := Emit(k, target)
			require.NoError(t, err)
			calls := 0
			for _, f := range e.funcs {
				calls += strings.Count(f.text, "call x86_regcallcc [4 x <")
			}
			require.Equal(t, want, calls, "%d apart", step)
			key := loop.Ints(loop.U32, []int64{7, 1 << 31}, 2)
			args := map[string]*loop.Data{"K": key, "Y": loop.NewData(loop.U32, 4, target.Lanes())}
			y := aligned(4 * args["Y"].Len())
			load(t, target, k)[0].run([][]byte{memoryOf(key), y})
			require.NoError(t, loop.Eval(k, args, loop.EvalOptions{Typed: true}))
			equalBits(t, fmt.Sprint(step), args["Y"], y)
		}
	})
}
