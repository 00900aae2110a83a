package codegen

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// microCases are products, and the micro-kernels that they call: their names tell what is not an argument.
var microCases = []struct{ name, text, calls string }{
	{"rows apart and a packed panel", `kernel mm(in X: f32[4,30], in W: f32[30,16], out Y: f32[4,16]) guarded {
  axis i: 4 reg, jr: 2 reg, jl: 8 lane, k: 30
  Y[i,jr*8+jl] = dot[k](X[i,k], W[k,jr*8+jl]) @fma
}`, "dot8.1_f32.4a.s1_f32v.0.8.s16_.0.0.0.1.1.0.1.1.2.0.2.1.3.0.3.1"},
	{"the columns are the outer ones", `kernel tall(in X: f32[4,30], in W: f32[30,16], out Y: f32[16,4]) guarded {
  axis jr: 2 reg, i: 4 reg, jl: 8 lane, k: 30
  Y[jr*8+jl,i] = dot[k](X[i,k], W[k,jr*8+jl]) @fma
}`, "dot8.1_f32.4a.s1_f32v.0.8.s16_.0.0.0.1.1.0.1.1.2.0.2.1.3.0.3.1"},
	{"rows apart, and one that is guarded away", `kernel three(in X: f32[3,30], in W: f32[30,8], out Y: f32[4,8]) guarded {
  axis i: 4 reg, jl: 8 lane, k: 30
  Y[i,jl] = dot[k](X[i,k; i < 3], W[k,jl]) @fma
}`, "dot8.1_f32.4a.z3.s1_f32v.0.s8_.0.0.1.0.2.0.3.0"},
	{"other sizes have the same", `kernel more(in X: f32[9,64], in W: f32[60,16], out Y: f32[4,16]) guarded {
  axis i: 4 reg, jr: 2 reg, jl: 8 lane, k: 60
  Y[i,jr*8+jl] = dot[k](X[i*2,k], W[k,jr*8+jl]) @fma
}`, "dot8.1_f32.4a.s1_f32v.0.8.s16_.0.0.0.1.1.0.1.1.2.0.2.1.3.0.3.1"},
	{"columns that are not packed", `kernel wide(in X: f32[9,64], in W: f32[64,3,16], out Y: f32[4,3,16]) guarded {
  axis p: 3 par, i: 4 reg, jr: 2 reg, jl: 8 lane, k: 60
  Y[i,p,jr*8+jl] = dot[k](X[i*2,k], W[k,p,jr*8+jl]) @fma
}`, "dot8.1_f32.4a.s1_f32v.0.8.s_.0.0.0.1.1.0.1.1.2.0.2.1.3.0.3.1"},
	{"loops that neither side goes on evenly through, the innermost of three turns", `kernel conv(in X: f32[7,7,3], in F: f32[3,3,3,8], out Y: f32[5,5,8]) guarded {
  axis p: 5 par, q: 5 reg, o: 8 lane, c: 3, r: 3, s: 3
  Y[p,q,o] = dot[c,r,s](X[p+r,q+s,c], F[r,s,c,o]) @fma
}`, "dot8.3.t3_f32.5a.s_f32v.0.s_.0.0.1.0.2.0.3.0.4.0"},
	{"loops that both go on evenly through are one", `kernel flat(in X: f32[3,5,6], in W: f32[5,6,8], out Y: f32[3,8]) guarded {
  axis i: 3 reg, o: 8 lane, j: 5, k: 6
  Y[i,o] = dot[j,k](X[i,j,k], W[j,k,o]) @fma
}`, "dot8.1_f32.3a.s1_f32v.0.s8_.0.0.1.0.2.0"},
	{"halves", `kernel half(in X: bf16[3,40], in W: f16[40,8], out Y: f32[3,8]) guarded {
  axis i: 3 reg, o: 8 lane, k: 40
  Y[i,o] = dot[k](f32(X[i,k]), f32(W[k,o])) @fma
}`, "dot8.1_bf16.3a.s1_f16v.0.s8_.0.0.1.0.2.0"},
	{"registers that are guarded away, and uneven ones", `kernel edge(in X: f32[30], in W: f32[20,8], out Y: f32[4,8]) guarded {
  axis i: 4 reg, o: 8 lane, k: 20
  Y[i,o] = dot[k](X[k+i*i; i < 3], W[k,o]) @fma
}`, "dot8.1_f32.0.1.4.z.s1_f32v.0.s8_.0.0.1.0.2.0.3.0"},
	{"an axis outside that steps the start, and a length from memory", `kernel len(in L: i64[], in X: f32[3,5,90], in W: f32[5,90,8], out Y: f32[3,8]) guarded {
  axis i: 3 par, o: 8 lane, j: 5, k: L[] <= 90
  Y[i,o] = dot[j,k](X[i,j,k], W[j,k,o], 0.5) @fma
}`, "dot8.2_f32.0.s1_f32v.0.s8_.0.0"},
	{"data that picks a row outside of the loop", `kernel pick(in I: i32[4], in X: f32[30,20], in W: f32[20,8], out Y: f32[4,8]) guarded {
  axis i: 4 par, o: 8 lane, k: 20
  Y[i,o] = dot[k](X[i64(I[i]) % 30,k], W[k,o]) @fma
}`, "dot8.1_f32.0.s1_f32v.0.s8_.0.0"},
	{"data that picks in the loop", `kernel picks(in I: i32[20], in X: f32[30], in W: f32[20,8], out Y: f32[8]) guarded {
  axis o: 8 lane, k: 20
  Y[o] = dot[k](X[i64(I[k]) % 30], W[k,o]) @fma
}`, ""},
	{"a guard in the loop", `kernel pad(in X: f32[20], in W: f32[20,8], out Y: f32[8]) guarded {
  axis o: 8 lane, k: 20
  Y[o] = dot[k](X[k; k < 17], W[k,o]) @fma
}`, ""},
	{"a quotient of the loop", `kernel quo(in X: f32[20], in W: f32[20,8], out Y: f32[8]) guarded {
  axis o: 8 lane, k: 20
  Y[o] = dot[k](X[k / 3], W[k,o]) @fma
}`, ""},
	{"operands that are computed", `kernel relu(in X: f32[20], in W: f32[20,8], out Y: f32[8]) guarded {
  axis o: 8 lane, k: 20
  Y[o] = dot[k](max(X[k], 0.0), W[k,o]) @fma
}`, ""},
	{"lines far apart, fetched ahead", `kernel far(in X: f32[80,20], in W: f32[80,8], out Y: f32[2,8]) guarded {
  axis i: 2 reg, o: 8 lane, k: 80
  Y[i,o] = dot[k](X[k,i], W[k,o]) @fma
}`, "dot8.1_f32.0.1.s_f32v.0.s8.a_.0.0.1.0"},
	{"lines far apart, of each register another", `kernel rows(in X: f32[80,20,16], in W: f32[80,8], out Y: f32[2,8]) guarded {
  axis i: 2 reg, o: 8 lane, k: 80
  Y[i,o] = dot[k](X[k,i,3], W[k,o]) @fma
}`, "dot8.1_f32.2a.s_f32v.0.s8_.0.0.1.0"},
	{"lines far apart, but few", `kernel near(in X: f32[40,20], in W: f32[40,8], out Y: f32[2,8]) guarded {
  axis i: 2 reg, o: 8 lane, k: 40
  Y[i,o] = dot[k](X[k,i], W[k,o]) @fma
}`, "dot8.1_f32.0.1.s_f32v.0.s8_.0.0.1.0"},
	{"too few turns", `kernel few(in X: f32[3], in W: f32[3,8], out Y: f32[8]) guarded {
  axis o: 8 lane, k: 3
  Y[o] = dot[k](X[k], W[k,o]) @fma
}`, ""},
	{"bytes", `kernel bytes(in X: i8[20], in W: i8[20,8], out Y: i32[8]) guarded {
  axis o: 8 lane, k: 20
  Y[o] = dot[k](X[k], W[k,o])
}`, ""},
}

func TestMicroKernels(t *testing.T) {
	target := leastTarget(t)
	var kernels []*loop.Kernel
	for _, c := range microCases {
		k := schedule.Expand(parseKernel(t, c.text))
		kernels = append(kernels, k)
		e, err := Emit(k, target)
		require.NoError(t, err)
		var calls []string
		for _, f := range e.funcs {
			if name, ok := strings.CutPrefix(f.name, "mdlc."); ok {
				calls = append(calls, name)
			}
		}
		require.Equal(t, c.calls, strings.Join(calls, " "), c.name)
	}
	eachLevel(t, func(t *testing.T, target *Target) {
		for i, m := range load(t, target, kernels...) {
			t.Run(microCases[i].name, func(t *testing.T) { checkKernel(t, m) })
		}
	})
}

// TestMoreAccumulatorsThanHanded: those that no register hands over come and go in memory.
func TestMoreAccumulatorsThanHanded(t *testing.T) {
	target := hostTarget(t)
	lanes := target.Lanes()
	for _, c := range []struct{ rows, regs int }{{target.Accumulators / 4, 4}, {target.Accumulators / 2, 2}} {
		k := parseKernel(t, strings.NewReplacer("ROWS", strconv.Itoa(c.rows), "REGS", strconv.Itoa(c.regs), "LANES", strconv.Itoa(lanes)).Replace(`
kernel mm(in X: f32[ROWS,41], in W: f32[41,REGS,LANES], inout Y: f32[ROWS,REGS,LANES]) guarded {
  axis i: ROWS reg, jr: REGS reg, jl: LANES lane, k: 41
  Y[i,jr,jl] = dot[k](X[i,k], W[k,jr,jl], Y[i,jr,jl]) @fma
}`))
		e, err := Emit(k, target)
		require.NoError(t, err)
		require.Len(t, e.funcs, 3)
		text := e.funcs[0].text + e.funcs[1].text + e.funcs[2].text
		require.Equal(t, c.rows*c.regs > registersHanded, strings.Contains(text, "alloca"))
		checkKernel(t, load(t, target, k)[0])
	}
}
