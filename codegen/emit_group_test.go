package codegen

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// What is only stored leaves the registers of a product at once, however much its place is computed; a dear epilogue is a loop over memory.
func TestRolledStores(t *testing.T) {
	target, err := TargetNamed("avx512")
	require.NoError(t, err)
	for _, c := range []struct {
		epilogue string
		rolled   bool
	}{{"z", false}, {"exp(z)", true}} {
		k := schedule.Expand(parseKernel(t, `kernel mm(in X: f32[64,30], in W: f32[2,30,32], out Y: f32[64,64]) guarded {
  axis p: 4 par, q: 2 loop, r: 8 reg, v: 2 loop, c: 2 reg, l: 16 lane, k: 30, i: 64 = p*16 + q*8 + r, j: 64 = v*32 + c*16 + l
  for q { for v { z = dot[k](X[i,k], W[v,k,c*16+l]) @fma   Y[i,j] = `+c.epilogue+` } }
}`))
		e, err := Emit(k, target)
		require.NoError(t, err)
		text := ""
		for _, f := range e.funcs {
			text += f.text
		}
		require.Equal(t, c.rolled, strings.Contains(text, "alloca"), c.epilogue)
	}
}

// Registers of a long chain are made side by side where they fit: an operation of each, then the next.
func TestSideBySide(t *testing.T) {
	k := schedule.Expand(parseKernel(t, `kernel e(in X: f32[64], out Y: f32[64]) guarded {
  axis r: 4 reg, l: 16 lane, i: 64 = r*16 + l
  Y[i] = exp(X[i])
}`))
	for name, beside := range map[string]bool{"avx512": true, "avx2": false} {
		target, err := TargetNamed(name)
		require.NoError(t, err)
		e, err := Emit(k, target)
		require.NoError(t, err)
		ops := regexp.MustCompile(`= (load|fsub|fmul|call <16 x float> @llvm.fma)`).FindAllStringSubmatch(e.funcs[0].text, -1)
		run, longest := 0, 0
		for i := range ops {
			if run++; i > 0 && ops[i][1] != ops[i-1][1] || ops[i][1] == "load" {
				run = 1
			}
			longest = max(longest, run)
		}
		require.Equal(t, beside, longest >= 4*6, "%s: %d in a row", name, longest)
	}
}

// textOf is the text of the functions of a kernel, without those that it shares.
func textOf(e *Emitted, kernel string) string {
	text := ""
	for _, f := range e.funcs {
		if strings.HasPrefix(f.name, kernel) {
			text += f.text
		}
	}
	return text
}

// What is computed of a product is loaded after it, and fetched before.
func TestLoadsWaitForProducts(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		k := parseKernel(t, fmt.Sprintf(`kernel step(inout W: f32[4,%[1]d], in X: f32[32,4], in P: f32[32,%[1]d]) guarded {
  axis i: 4 reg, j0: 2 reg, j1: %[2]d lane, j: %[1]d = j0*%[2]d + j1, k: 32
  w = W[i,j]
  z = dot[k](X[k,i], P[k,j]) @fma
  W[i,j] = w - z
}`, 2*target.Lanes(), target.Lanes()))
		e, err := Emit(k, target)
		require.NoError(t, err)
		text := textOf(e, "step")
		before, after, ok := strings.Cut(text, "@mdlc.dot")
		require.True(t, ok, text)
		loads := fmt.Sprintf("load <%d x float>", target.Lanes())
		require.Equal(t, 8*target.Lanes()*4/cacheLine, strings.Count(before, "@llvm.prefetch"))
		require.NotContains(t, before, loads)
		require.Equal(t, 8, strings.Count(after, loads))
		args := map[string]*loop.Data{}
		mem := [][]byte{}
		for _, b := range k.Bufs {
			d := loop.NewData(b.Elem, b.Dims...)
			for i := range d.F {
				d.F[i] = float64(i%7) - 3
			}
			args[b.Name], mem = d, append(mem, memoryOf(d))
		}
		machine := load(t, target, k)[0]
		machine.run(mem)
		require.NoError(t, loop.Eval(k, args, loop.EvalOptions{Typed: true}))
		equalBits(t, "W", args["W"], mem[0])
	})
}

// What is added to a product in its store is fetched before it where it is large and has a number for each result; what the next
// product reads is not.
func TestProductsFetchWhatIsAdded(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		n := 2 * target.Lanes()
		for added, lines := range map[string]int{"B[i0,i,j]": 8 * target.Lanes() * 4 / cacheLine, "S[i,j]": 0, "V[j]": 0, "B[i64(I[i0]),i,j]": 0} {
			k := parseKernel(t, fmt.Sprintf(`kernel step(in X: f32[32,4], in P: f32[32,%[1]d], in B: f32[%[4]d,4,%[1]d], in S: f32[4,%[1]d], in V: f32[%[1]d], in I: i32[4], out Y: f32[4,4,%[1]d]) guarded {
  axis i0: 4 loop, i: 4 reg, j0: 2 reg, j1: %[2]d lane, j: %[1]d = j0*%[2]d + j1, k: 32
  for i0 {
    z = dot[k](X[k,i], P[k,j]) @fma
    Y[i0,i,j] = z + %[3]s
  }
}`, n, target.Lanes(), added, farBytes/(4*4*n)))
			e, err := Emit(k, target)
			require.NoError(t, err)
			text := textOf(e, "step")
			before, _, ok := strings.Cut(text, "@mdlc.dot")
			require.True(t, ok, text)
			require.Equal(t, lines, strings.Count(before, "@llvm.prefetch"), added)
		}
	})
}
