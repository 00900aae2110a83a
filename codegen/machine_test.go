package codegen

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// machine is a kernel compiled and loaded into this process.
type machine struct {
	k       *loop.Kernel
	e       *Emitted
	entries []uintptr
	scratch []byte
}

func hostTarget(t testing.TB) *Target {
	target, err := HostTarget()
	if err != nil {
		t.Skip(err)
	}
	if _, err := FindTools(); err != nil {
		t.Skip(err)
	}
	return target
}

func parseKernel(t testing.TB, text string) *loop.Kernel {
	ks, err := loop.Parse("test.kir", text)
	require.NoError(t, err)
	require.Len(t, ks, 1)
	return ks[0]
}

// runners compiles kernels for a target, on which they then run, or on the emulator of it.
func runners(t testing.TB, target *Target, ks ...*loop.Kernel) []runner {
	var out []runner
	if target.GPU {
		for _, m := range emulate(t, target, ks...) {
			out = append(out, m)
		}
		return out
	}
	for _, m := range load(t, target, ks...) {
		out = append(out, m)
	}
	return out
}

// leastTarget is the level that every machine with kernels has: for what a test says of lanes and shares.
func leastTarget(t testing.TB) *Target {
	hostTarget(t)
	target, err := TargetNamed("avx2")
	require.NoError(t, err)
	return target
}

// eachLevel runs a test for every level of x86-64 that this machine has.
func eachLevel(t *testing.T, f func(t *testing.T, target *Target)) {
	hostTarget(t)
	for _, target := range HostTargets() {
		t.Run(target.Name, func(t *testing.T) { f(t, target) })
	}
}

// eachTarget runs a test for every level of this machine and for a GPU.
func eachTarget(t *testing.T, f func(t *testing.T, target *Target)) {
	eachLevel(t, f)
	t.Run("gpu", func(t *testing.T) { f(t, gpuTarget(t, gpuArch())) })
}

// load compiles kernels in one object.
func load(t testing.TB, target *Target, ks ...*loop.Kernel) []*machine {
	var out []*machine
	var emitted []*Emitted
	for _, k := range ks {
		e, err := Emit(k, target)
		require.NoError(t, err)
		emitted = append(emitted, e)
		out = append(out, &machine{k: k, e: e, scratch: make([]byte, e.Scratch+64)})
	}
	object, err := Compile(emitted, Options{Target: target})
	if err != nil {
		t.Log(ModuleText(emitted, target))
	}
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "k.so")
	require.NoError(t, os.WriteFile(file, object, 0o755))
	lib, err := purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_LOCAL)
	require.NoError(t, err)
	t.Cleanup(func() { purego.Dlclose(lib) })
	for _, m := range out {
		for _, p := range m.e.Phases {
			entry, err := purego.Dlsym(lib, p.Symbol)
			require.NoError(t, err)
			m.entries = append(m.entries, entry)
		}
	}
	return out
}

// aligned returns n bytes at a 64-byte boundary.
func aligned(n int) []byte {
	b := make([]byte, n+64)
	at := (64 - int(uintptr(unsafe.Pointer(&b[0]))%64)) % 64
	return b[at : at+n : at+n]
}

func (m *machine) kernel() *loop.Kernel { return m.k }

// run executes all phases; bufs are the memory of the buffers that are not Local.
func (m *machine) run(bufs [][]byte) {
	args := make([]unsafe.Pointer, len(bufs))
	for i, b := range bufs {
		if len(b) > 0 {
			args[i] = unsafe.Pointer(&b[0])
		}
	}
	scratch := uintptr(unsafe.Pointer(&m.scratch[0]))
	scratch += (64 - scratch%64) % 64
	for i, entry := range m.entries {
		points := 1
		for _, a := range m.e.Phases[i].Par {
			points *= a.Max
		}
		var first unsafe.Pointer
		if len(args) > 0 {
			first = unsafe.Pointer(&args[0])
		}
		purego.SyscallN(entry, uintptr(first), 0, uintptr(points), scratch)
	}
}

func f32s(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), len(b)/4)
}

// gemmText is a 6 x 16 micro-kernel (AVX2) on packed panels.
func gemmText(m, n, k int) string {
	return fmt.Sprintf(`kernel gemm(in X: f32[%[1]d,%[3]d], in W: f32[%[3]d,%[2]d], in B: f32[%[2]d], out Y: f32[%[1]d,%[2]d], work WP: f32[%[5]d,%[3]d,16]) guarded {
  axis i0: %[4]d par, i1: 16 loop, i2: 6 reg, i: %[1]d = i0*96 + i1*6 + i2,
       j1: %[5]d loop, jr: 2 reg, jl: 8 lane, j: %[2]d = j1*16 + jr*8 + jl,
       k0: %[6]d loop, k1: min(%[7]d, %[3]d - k0*%[7]d) <= %[7]d loop, k: %[3]d = k0*%[7]d + k1,
       v: %[5]d par, r: %[3]d loop, pr: 2 reg, pl: 8 lane, n: %[2]d = v*16 + pr*8 + pl,
       q: %[7]d loop
  local XP: f32[16,%[7]d,6] in panel
  for r { WP[v,r,pr*8 + pl] = W[r,n; n < %[2]d] }
  phase
  for k0 {
    for i1 { for k1 { XP[i1,k1,i2] = X[i,k; i < %[1]d] } }
    for j1 { for i1 {
      z = dot[k1](XP[i1,k1,i2], WP[j1,k,jr*8 + jl], Y[i,j; k0 > 0 & i < %[1]d & j < %[2]d]) @fma
      if k0 < %[6]d - 1 { Y[i,j; i < %[1]d & j < %[2]d] = z }
      if k0 == %[6]d - 1 { Y[i,j; i < %[1]d & j < %[2]d] = z + B[j; j < %[2]d] }
    } }
  }
}`, m, n, k, (m+95)/96, (n+15)/16, (k+255)/256, 256)
}

func TestGemmKernel(t *testing.T) { eachLevel(t, checkGemm) }

func checkGemm(t *testing.T, target *Target) {
	for _, s := range [][3]int{{96, 16, 256}, {100, 37, 300}, {7, 5, 3}} {
		m, n, k := s[0], s[1], s[2]
		mc := load(t, target, parseKernel(t, gemmText(m, n, k)))[0]
		x, w, b, y := aligned(4*m*k), aligned(4*k*n), aligned(4*n), aligned(4*m*n)
		wp := aligned(4 * k * 16 * ((n + 15) / 16))
		for i := range f32s(x) {
			f32s(x)[i] = float32(math.Sin(float64(i)))
		}
		for i := range f32s(w) {
			f32s(w)[i] = float32(math.Cos(float64(3 * i)))
		}
		for i := range f32s(b) {
			f32s(b)[i] = float32(i)
		}
		for i := range f32s(y) {
			f32s(y)[i] = float32(math.NaN())
		}
		mc.run([][]byte{x, w, b, y, wp})
		for i := range m {
			for j := range n {
				var c float32
				for l := range k {
					c = fma32(f32s(x)[i*k+l], f32s(w)[l*n+j], c)
				}
				require.Equal(t, c+f32s(b)[j], f32s(y)[i*n+j], "%d %d", i, j)
			}
		}
	}
}

// fma32 rounds x*y + z once: the f64 sum is made odd where it is inexact.
func fma32(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	s := p + float64(z)
	bb := s - p
	err := (p - (s - bb)) + (float64(z) - bb)
	if err != 0 && math.Float64bits(s)&1 == 0 {
		if (err > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}
