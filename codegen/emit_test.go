package codegen

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// emitCases are kernels in scheduled form; each must give the typed evaluator's bits.
var emitCases = []struct{ name, text string }{
	{"softmax rows with a ragged edge", `kernel softmax(in X: f32[5,77], out Y: f32[5,77]) guarded {
  axis i: 5 par, j0: 2 loop, jr: 8 reg, jl: 8 lane, j: 77 = j0*64 + jr*8 + jl
  local E: f32[128] in panel
  mv = for j0 carry a = -inf { yield max(a, where(j < 77, X[i,j; j < 77], -inf)) }
  m = max[jr,jl](mv)
  lv = for j0 carry s = 0.0 { e = where(j < 77, exp(X[i,j; j < 77] - m), 0.0)   E[j] = e   yield s + e }
  d = sum[jr,jl](lv)
  for j0 { Y[i,j; j < 77] = E[j] / d }
}`},
	{"layer norm with main and edge loops", `kernel layernorm(in X: f32[3,200], in G: f32[200], in B: f32[200], out Y: f32[3,200], out MU: f32[3]) guarded {
  axis i: 3 par, j0: 4 loop, jr: 8 reg, jl: 8 lane, j: 200 = j0*64 + jr*8 + jl, z: 1 loop
  s0 = for j0 in 0..3 carry s = 0.0 { yield s + X[i,j] }
  s1 = for j0 in 3..4 carry s2 = s0 { yield s2 + X[i,j; j < 200] }
  mu = sum[jr,jl](s1) / 200.0
  v0 = for j0 carry v = 0.0 { c = where(j < 200, X[i,j; j < 200] - mu, 0.0)   yield v + c*c }
  rs = rsqrt(sum[jr,jl](v0) / 200.0 + 1e-5)
  for j0 { Y[i,j; j < 200] = (X[i,j; j < 200] - mu) * rs * G[j; j < 200] + B[j; j < 200] }
  MU[i] = mu
}`},
	{"bf16 in and out", `kernel half(in X: bf16[100], in Z: f16[100], out Y: bf16[100], out W: f16[100], out V: f32[100]) guarded {
  axis i0: 7 par, ir: 2 reg, il: 8 lane, i: 100 = i0*16 + ir*8 + il
  x = X[i; i < 100]   z = Z[i; i < 100]
  Y[i; i < 100] = bf16(f32(x) * 1.7)   W[i; i < 100] = z * f16(x)   V[i; i < 100] = f32(x * x + x) + f32(z)
}`},
	{"integers and conversions", `kernel ints(in A: i32[40], in B: u8[40], in C: i8[40], in P: bool[40], in F: f32[40], out R: i32[40], out S: u8[40], out T: bool[40], out U: i64[40], out V: i32[40]) guarded {
  axis i0: 5 par, il: 8 lane, i: 40 = i0*8 + il
  a = A[i]   c = i32(C[i])
  R[i] = a / 7 + a % -5 + c / 4 + c % 8 + where(P[i], i32(B[i]), i32(i))
  S[i] = u8(i32(F[i] * 10.0)) + B[i]
  T[i] = P[i] & (a > c) | !(F[i] < 0.5)
  U[i] = i64(a) * 100000 + i64(c) + (i*i) / 3
  V[i] = (a >> 3) ^ (c << 2) & i32(F[i] * 1000000000000.0)
}`},
	{"gather and scattered store", `kernel gather(in X: f32[20,6], in I: i32[32], out Y: f32[8,32], out Z: f32[32,3]) guarded {
  axis i0: 4 par, il: 8 lane, i: 32 = i0*8 + il, c: 3 reg
  r = i64(I[i])
  Y[i0 + c, i; i0 + c < 8] = X[r % 20, c*2] + X[i % 20, 1]
  Z[i,c] = X[r % 20, c; r % 2 == 0]
}`},
	{"reductions of registers and lanes", `kernel reds(in X: f32[4,64], out S: f32[4], out P: f32[4], out M: f32[4], out N: f32[4], out Q: f32[4,8], out A: i32[4,8]) guarded {
  axis i: 4 par, jr: 8 reg, jl: 8 lane, j: 64 = jr*8 + jl
  x = X[i,j]
  S[i] = sum[jr,jl](x)   P[i] = prod[jr,jl](1.0 + x*0.01)   M[i] = max[jr,jl](x)   N[i] = min[jr,jl](x)
  Q[i,jl] = seqsum[jr](x) + sum[jr](x)
  A[i,jl] = argmax[jr](x) + 10 * argmin[jr](x)
}`},
	{"column sums with a carry of registers", `kernel cols(in X: f32[70,24], out Y: f32[24]) guarded {
  axis j0: 2 par, jr: 2 reg, jl: 8 lane, j: 24 = j0*16 + jr*8 + jl, b: 2 loop, r: 64 loop, n: 70 = b*64 + r
  t = for b carry total = 0.0 {
    s = for r in 0..min(64, 70 - b*64) carry p = 0.0 { yield p + X[n,j; j < 24] }
    yield total + s
  }
  Y[j; j < 24] = t
}`},
	{"random numbers", `kernel drop(in X: f32[64], in K: u32[2], out Y: f32[64], out W: u32[64]) guarded {
  axis i0: 8 par, il: 8 lane, i: 64 = i0*8 + il
  w = philox(K[0], K[1], u32(i / 4), u32(3), u32(5), u32(0), u32(i % 4))
  W[i] = w
  Y[i] = where(f32(w >> u32(8)) * 5.9604645e-8 < 0.1, 0.0, X[i])
}`},
	{"in place with lets before stores", `kernel adam(in G: f32[50], inout W: f32[50], inout M: f32[50], inout V: f32[50]) guarded {
  axis i0: 4 par, ir: 2 reg, il: 8 lane, i: 50 = i0*16 + ir*8 + il
  g = G[i; i < 50]   m = 0.9*M[i; i < 50] + 0.1*g   v = 0.95*V[i; i < 50] + 0.05*g*g
  M[i; i < 50] = m   V[i; i < 50] = v
  W[i; i < 50] = W[i; i < 50] - 0.001 * m / (sqrt(v) + 1e-8)
}`},
	{"phases, unrolled loops and conditions", `kernel scan(in X: f32[4,9], out Y: f32[4,9], work P: f32[4]) guarded {
  axis i: 4 par, k: 9 unroll, h: 4 loop, n: 4 par
  t = for k carry s = 0.0 { Y[i,k] = s   yield s + X[i,k] }
  P[i] = t
  phase
  b = for h carry c = 0.0 { yield where(h < n, c + P[h], c) }
  if n > 1 { for k { Y[n,k] = Y[n,k] + b } }
}`},
	{"lengths from memory", `kernel lens(in L: i64[], in X: f32[90], out Y: f32[2]) guarded {
  axis p: 2 par, j0: (L[] + 63) / 64 <= 2 loop, jr: 8 reg, jl: 8 lane, j: L[] <= 90 = j0*64 + jr*8 + jl
  s = for j0 carry a = 0.0 { yield a + where(j < L[], X[j; j < L[]], 0.0) }
  Y[p] = sum[jr,jl](s) * f32(p + 1)
}`},
	{"a dot with several k axes, batch in registers", `kernel conv(in X: f32[2,7,7,3], in F: f32[3,3,3,16], out Y: f32[2,5,5,16]) guarded {
  axis n: 2 par, p: 5 par, q: 5 reg, or: 2 reg, ol: 8 lane, o: 16 = or*8 + ol, r: 3, s: 3, c: 3
  y = dot[r,s,c](X[n,p+r,q+s,c], F[r,s,c,o], 0.0) @fma
  Y[n,p,q,o] = y * (1.0 + erf(y))
}`},
	{"masked bytes under every operation", `kernel masked(in P: bool[20], in I: u8[20], in U: u8[20], in X: f32[32], out Y: f32[20], out D: i32[20], out M: u32[20], out G: f32[20], out C: bool[20]) guarded {
  axis i0: 3 par, il: 8 lane, i: 20 = i0*8 + il
  n = I[i; i < 20]   k = i64(U[i; i < 20])
  Y[i; i < 20] = where(P[i; i < 20], X[i; i < 20], 2.0)
  D[i; i < 20] = i32(n) / (i32(U[i; i < 20]) + 1)
  M[i; i < 20] = mulhi(u32(n) << u32(24), u32(U[i; i < 20]) << u32(24))
  G[i; i < 20] = X[(i + k) % 32]
  C[i; i < 20] = k < i + i0
}`},
	{"choices between bits and what they are made of", `kernel choices(in A: i32[40], in B: i32[40], in P: bool[40], out R: i32[40], out S: i32[40], out T: i32[40], out U: i32[40], out V: f32[40], out W: f32[40]) guarded {
  axis i0: 3 par, il: 16 lane, i: 40 = i0*16 + il
  a = A[i; i < 40]   b = B[i; i < 40]
  R[i; i < 40] = where(a < b, a / 4 * 4 + b % 4, a)
  S[i; i < 40] = where(a < b, (a & 7) | (b & -8), a)
  T[i; i < 40] = where(a < b, b, (a & 6) | (b & -7))
  U[i; i < 40] = where(P[i; i < 40], a, (a & -6) | (b & 5))
  V[i; i < 40] = where(a < b, bitcast[f32]((a & -16) | (b & 15)), bitcast[f32](a))
  W[i; i < 40] = where(P[i; i < 40], bitcast[f32](a), bitcast[f32]((a & -32) | (b & 31)))
}`},
	{"choices between wide bits", `kernel wide(in A: i64[40], in B: i64[40], in P: bool[40], out R: i64[40], out S: i64[40], out T: i64[40]) guarded {
  axis i0: 5 par, il: 8 lane, i: 40 = i0*8 + il
  R[i] = where(A[i] < B[i], (A[i] & -4) | (B[i] & 3), A[i])
  S[i] = where(A[i] < B[i], (A[i] & 7) | (B[i] & -8), A[i])
  T[i] = where(P[i], A[i], (A[i] & -8) | (B[i] & 7))
}`},
	{"bytes in a dot", `kernel qdot(in X: i8[4,30], in W: u8[30,8], in V: i8[30,8], out Y: i32[4,8]) guarded {
  axis i: 4 reg, jl: 8 lane, k: 30
  Y[i,jl] = dot[k](X[i,k], V[k,jl]) + i32(W[i,jl])
}`},
}

// fill gives a buffer of some dims values that suit its type, and its memory the same.
// Integers are in -ints/2 … ints/2, or if ints is negative in 0 … -ints.
func fill(r *rand.Rand, b *loop.Buffer, dims []int, ints int64) (*loop.Data, []byte) {
	d := loop.NewData(b.Elem, dims...)
	for i := range d.Len() {
		switch {
		case b.Elem.IsFloat():
			d.F[i] = r.NormFloat64()
		case b.Name == "L":
			d.I[i] = 70
		case b.Elem == loop.Bool:
			d.I[i] = r.Int64N(2)
		case ints < 0:
			d.I[i] = r.Int64N(-ints)
		default:
			d.I[i] = r.Int64N(ints) - ints/2
		}
	}
	if b.Name == "start" || b.Name == "S" && !b.Elem.IsFloat() { // where groups begin
		slices.Sort(d.I)
	}
	d.Round()
	return d, memoryOf(d)
}

// memoryOf writes data as a kernel sees it.
func memoryOf(d *loop.Data) []byte {
	mem := aligned(d.Len() * d.Elem.Size())
	for i := range d.Len() {
		bits := uint64(0)
		if d.Elem.IsFloat() {
			bits = loop.ToBits(d.Elem, d.F[i])
		} else {
			bits = uint64(d.I[i])
		}
		for k := range d.Elem.Size() {
			mem[i*d.Elem.Size()+k] = byte(bits >> (8 * k))
		}
	}
	return mem
}

// equalBits compares memory with data; NaNs of any payload are equal.
func equalBits(t *testing.T, name string, want *loop.Data, mem []byte) {
	t.Helper()
	size := want.Elem.Size()
	expect := memoryOf(want)
	for i := range want.Len() {
		if want.Poison != nil && want.Poison[i] {
			continue
		}
		bits := bitsAt(want.Elem, mem, i)
		if want.Elem.IsFloat() {
			got := loop.FromBits(want.Elem, bits)
			if math.IsNaN(got) && math.IsNaN(want.F[i]) {
				continue
			}
			require.Equal(t, expect[i*size:(i+1)*size], mem[i*size:(i+1)*size], "%s[%d]: evaluator %g, machine %g", name, i, want.F[i], got)
			continue
		}
		require.Equal(t, expect[i*size:(i+1)*size], mem[i*size:(i+1)*size], "%s[%d]: evaluator %d, machine bits %x", name, i, want.I[i], bits)
	}
}

// bitsAt are the bits of element i.
func bitsAt(elem loop.Elem, mem []byte, i int) (bits uint64) {
	size := elem.Size()
	for k := size - 1; k >= 0; k-- {
		bits = bits<<8 | uint64(mem[i*size+k])
	}
	return bits
}

// elementAt is the value of element i, a float.
func elementAt(elem loop.Elem, mem []byte, i int) float64 {
	return loop.FromBits(elem, bitsAt(elem, mem, i))
}

// checkKernel runs k on the machine and in the typed evaluator.
func checkKernel(t *testing.T, m *machine) {
	t.Helper()
	checkAgainst(t, m.k, m, 200)
}

// checkTexts runs kernels as they are scheduled for a target, and compares what they compute with their equations.
func checkTexts(t *testing.T, target *Target, texts ...string) {
	t.Helper()
	var equations, kernels []*loop.Kernel
	for _, text := range texts {
		k := parseKernel(t, text)
		steps, err := schedule.Run(k, target.Machine)
		require.NoError(t, err)
		equations, kernels = append(equations, schedule.Expand(k)), append(kernels, steps[len(steps)-1].Kernel)
	}
	for i, m := range runners(t, target, kernels...) {
		checkAgainst(t, equations[i], m, 100)
	}
}

// checkAgainst runs m and evaluates k, which has the same parameters but for Work buffers.
func checkAgainst(t *testing.T, k *loop.Kernel, m runner, ints int64) {
	t.Helper()
	beside(t, k, m, ints, func(b *loop.Buffer, want *loop.Data, got []byte) { equalBits(t, b.Name, want, got) })
}

// beside runs m and evaluates k, which has the same parameters but for Work buffers, and calls look for what both computed.
func beside(t *testing.T, k *loop.Kernel, m runner, ints int64, look func(b *loop.Buffer, want *loop.Data, got []byte)) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	args := map[string]*loop.Data{}
	var bufs [][]byte
	for _, b := range m.kernel().Bufs {
		if b.Mode == loop.Local {
			continue
		}
		dims, err := b.Sizes(args)
		require.NoError(t, err)
		d, mem := fill(r, b, dims, ints)
		if b.Mode == loop.In || b.Mode == loop.InOut {
			args[b.Name] = d
		} else {
			for i := range mem {
				mem[i] = 0xff
			}
		}
		bufs = append(bufs, mem)
	}
	require.NoError(t, loop.Eval(k, args, loop.EvalOptions{Typed: true, Seed: 1}))
	if e, ok := m.(*emulated); ok {
		e.keep(t, bufs, args)
	}
	m.run(bufs)
	i := 0
	for _, b := range m.kernel().Bufs {
		if b.Mode == loop.Local {
			continue
		}
		if d := args[b.Name]; d != nil && b.Mode != loop.Work {
			look(b, d, bufs[i])
		}
		i++
	}
}

func TestKernelsEqualEvaluator(t *testing.T) { eachLevel(t, checkKernels) }

func checkKernels(t *testing.T, target *Target) {
	var kernels []*loop.Kernel
	for _, c := range emitCases {
		kernels = append(kernels, schedule.Expand(parseKernel(t, c.text)))
	}
	for i, m := range load(t, target, kernels...) {
		t.Run(emitCases[i].name, func(t *testing.T) { checkKernel(t, m) })
	}
}
