package codegen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
	"mdlc/runtime/emulator"
)

// tensorProducts are kernels that tensor cores take, for m rows, n columns and k summands of element type e.
var tensorProducts = map[string]string{
	"plain": `kernel p(in A: e[m,k], in B: e[k,n], out C: f32[m,n]) {
  axis i: m, j: n, l: k
  C[i,j] = dot[l](A[i,l], B[l,j])
}`,
	"first_transposed": `kernel p(in A: e[k,m], in B: e[k,n], out C: f32[m,n]) {
  axis i: m, j: n, l: k
  C[i,j] = dot[l](A[l,i], B[l,j])
}`,
	"second_transposed": `kernel p(in A: e[m,k], in B: e[n,k], out C: f32[m,n]) {
  axis i: m, j: n, l: k
  C[i,j] = dot[l](A[i,l], B[j,l])
}`,
	"both_transposed": `kernel p(in A: e[k,m], in B: e[n,k], out C: e[m,n]) {
  axis i: m, j: n, l: k
  C[i,j] = e(dot[l](A[l,i], B[j,l]))
}`,
	"result_transposed": `kernel p(in A: e[m,k], in B: e[k,n], out C: f32[n,m]) {
  axis i: m, j: n, l: k
  C[j,i] = dot[l](A[i,l], B[l,j])
}`,
	"batched": `kernel p(in A: e[3,m,k], in B: e[3,k,n], out C: e[m,3,n]) {
  axis b: 3, i: m, j: n, l: k
  C[i,b,j] = e(dot[l](A[b,i,l], B[b,l,j]))
}`,
	"prologue_and_epilogue": `kernel p(in A: f32[m,k], in B: e[k,n], in S: f32[k], in D: f32[n], in R: f32[m,n], out C: f32[m,n], out Z: e[m,n]) {
  axis i: m, j: n, l: k
  z = dot[l](e(A[i,l] / S[l]), B[l,j]) + D[j]
  Z[i,j] = e(z)
  C[i,j] = z * (0.5 + 0.5 * tanh(z)) + R[i,j]
}`,
	"second_computed": `kernel p(in A: e[m,k], in B: f32[k,n], in S: f32[k], out C: f32[m,n]) {
  axis i: m, j: n, l: k
  C[i,j] = dot[l](A[i,l], e(B[l,j] / S[l]))
}`,
	"update": `kernel p(in A: e[k,m], in B: e[k,n], inout W: f32[m,n], inout V: f32[m,n]) {
  axis i: m, j: n, l: k
  g = dot[l](A[l,i], B[l,j])
  v = 0.9 * V[i,j] + g
  V[i,j] = v
  W[i,j] = W[i,j] - 0.1 * v
}`,
	"two_summed_axes": `kernel p(in A: e[4,m,k], in B: e[4,k,n], out C: f32[m,n]) {
  axis b: 4, i: m, j: n, l: k
  C[i,j] = dot[b,l](A[b,i,l], B[b,l,j])
}`,
	"convolution": `kernel p(in X: e[2,m,9,k], in F: e[3,3,k,n], out Y: f32[2,m,9,n]) {
  axis b: 2, i: m, q: 9, j: n, r: 3, s: 3, l: k
  y = i + r - 1
  x = q + s - 1
  Y[b,i,q,j] = dot[r,s,l](X[b,y,x,l; y >= 0 & y < m & x >= 0 & x < 9], F[r,s,l,j])
}`,
	"convolution_weight": `kernel p(in X: e[2,m,9,k], in D: e[2,m,9,n], out F: f32[3,3,k,n]) {
  axis b: 2, i: m, q: 9, j: n, r: 3, s: 3, l: k
  y = i + r - 1
  x = q + s - 1
  F[r,s,l,j] = dot[b,i,q](X[b,y,x,l; y >= 0 & y < m & x >= 0 & x < 9], D[b,i,q,j])
}`,
}

// tensorProduct is one of tensorProducts with its sizes and type.
func tensorProduct(t testing.TB, name, elem string, m, n, k int) *loop.Kernel {
	text := tensorProducts[name]
	words := map[string]string{"m": fmt.Sprint(m), "n": fmt.Sprint(n), "k": fmt.Sprint(k), "e": elem}
	var out, word strings.Builder
	flush := func() {
		w := word.String()
		if to, ok := words[w]; ok {
			w = to
		}
		out.WriteString(w)
		word.Reset()
	}
	for _, c := range text {
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			word.WriteRune(c)
			continue
		}
		flush()
		out.WriteRune(c)
	}
	flush()
	kernel := parseKernel(t, out.String())
	kernel.Name = fmt.Sprintf("%s_%s_%d_%d_%d", name, elem, m, n, k)
	return kernel
}

// onTensorCores schedules k and requires that its product is of tensor cores.
func onTensorCores(t testing.TB, k *loop.Kernel, machine *schedule.Machine) *loop.Kernel {
	steps, err := schedule.Run(k, machine)
	require.NoError(t, err)
	last := steps[len(steps)-1].Kernel
	require.Contains(t, last.String(), "@"+loop.MMA, k.Name)
	return last
}

// The products of tensor cores are those of the evaluator: to the bit where the emulator adds in its order, and
// near it where it adds in another that the manual allows.
func TestTensorCores(t *testing.T) {
	target := gpuTarget(t, gpuArch())
	rng := rand.New(rand.NewPCG(1, 2))
	var equations, kernels []*loop.Kernel
	add := func(name, elem string, m, n, k int) {
		p := tensorProduct(t, name, elem, m, n, k)
		equations = append(equations, schedule.Expand(p))
		kernels = append(kernels, onTensorCores(t, p, target.Machine))
	}
	for name := range tensorProducts {
		for _, elem := range []string{"bf16", "f16"} {
			add(name, elem, 16, 8*(1+rng.IntN(3)), 16)
			m := 9 + rng.IntN(40)
			if strings.HasPrefix(name, "convolution") {
				m = 9 + rng.IntN(6)
			}
			add(name, elem, m, 9+rng.IntN(80), 9+rng.IntN(40))
		}
	}
	for name := range tensorProducts { // tiles that the warps of a block share, whole and not
		k := 64 + rng.IntN(40)
		if strings.HasPrefix(name, "convolution") {
			add(name, "bf16", 8, 64, 64)
			add(name, "f16", 9, 65+rng.IntN(9), k/2)
			continue
		}
		add(name, "bf16", 8*(9+rng.IntN(9)), 8*(9+rng.IntN(9)), 8*(9+rng.IntN(3)))
		add(name, "f16", 65+rng.IntN(40), 65+rng.IntN(40), k)
	}
	add("plain", "bf16", 256, 128, 96)
	staged := 0
	for _, k := range kernels {
		if slices.ContainsFunc(k.Opts, func(o loop.Opt) bool { return o.Kind == schedule.Stage }) {
			staged++
		}
	}
	require.Greater(t, staged, 2*len(tensorProducts)-1, "products whose operands wait in shared memory")
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			checkAgainst(t, equations[i], m, -5)
			for _, approx := range []emulator.Approx{emulator.Low, emulator.High} {
				m := *m.(*emulated)
				m.device = &emulator.Device{Seed: 1, Approx: approx}
				checkNear(t, equations[i], &m)
			}
		})
	}
}

// Products of f32 whose tiles warps share have the evaluator's bits.
func TestSharedTilesOfF32(t *testing.T) {
	target := gpuTarget(t, "sm_80")
	rng := rand.New(rand.NewPCG(3, 4))
	var equations, kernels []*loop.Kernel
	for name := range tensorProducts {
		for i := range 2 {
			m, n, k := 64, 8*(8+rng.IntN(9)), 4*(9+rng.IntN(9))
			if i > 0 {
				m, n, k = 65+rng.IntN(70), 65+rng.IntN(70), 33+rng.IntN(40)
			}
			if strings.HasPrefix(name, "convolution") {
				m, k = 5+i*rng.IntN(5), k/2
			}
			p := tensorProduct(t, name, "f32", m, n, k)
			steps, err := schedule.Run(p, target.Machine)
			require.NoError(t, err)
			last := steps[len(steps)-1].Kernel
			require.Contains(t, last.String(), "Stage", "%s", p.Name)
			equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
		}
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) { checkAgainst(t, equations[i], m, -5) })
	}
}

// A product inside a loop fills its slots again: not before all warps have read what they held.
func TestSharedTilesInALoop(t *testing.T) {
	target := gpuTarget(t, "sm_80")
	var equations, kernels []*loop.Kernel
	for _, elem := range []string{"bf16", "f32"} {
		p := tensorProduct(t, "batched", elem, 64, 64, 128) // the last turn is of a slot that the next product fills first
		steps, err := schedule.Run(p, target.Machine)
		require.NoError(t, err)
		opts := slices.Clone(steps[len(steps)-1].Kernel.Opts)
		b := slices.Index(opts, loop.Opt{Kind: schedule.Bind, Axis: "b", Word: "par"})
		require.GreaterOrEqual(t, b, 0)
		opts[b].Word = "loop"
		steps, err = schedule.Apply(steps[0].Kernel, append(opts, loop.Opt{Kind: schedule.Order, Axis: "b"}, loop.Opt{Kind: schedule.Order, Axis: "l0", Arg: 1}))
		require.NoError(t, err)
		equations, kernels = append(equations, schedule.Expand(p)), append(kernels, steps[len(steps)-1].Kernel)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) { checkAgainst(t, equations[i], m, -5) })
	}
}

// checkNear is checkAgainst where sums may be made in another order.
func checkNear(t *testing.T, k *loop.Kernel, m runner) {
	beside(t, k, m, -5, func(b *loop.Buffer, want *loop.Data, got []byte) {
		if b.Mode == loop.In {
			return
		}
		bound := 1.0 / 256 // of a few hundred products of about 1
		if b.Elem.Size() == 2 {
			bound = 1.0 / 64
		}
		differ := 0
		for i, w := range want.F {
			g := elementAt(b.Elem, got, i)
			require.InDelta(t, w, g, bound*(1+math.Abs(w)), "%s[%d]", b.Name, i)
			if w != g {
				differ++
			}
		}
		if b.Elem == loop.F32 {
			require.NotZero(t, differ, "the order of sums made no difference in %s", b.Name)
		}
	})
}
