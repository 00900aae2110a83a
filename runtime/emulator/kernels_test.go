package emulator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// forTargets runs f on what LLVM wrote for both targets, under several seeds.
func forTargets(t *testing.T, name string, f func(t *testing.T, text string, d *Device)) {
	for _, cpu := range []string{"sm_80", "sm_90a"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%s/%d", cpu, seed), func(t *testing.T) {
				f(t, read(t, name+"."+cpu+".ptx"), &Device{Seed: seed})
			})
		}
	}
}

func floats(n int, seed uint64) []float32 {
	rnd := rand.New(rand.NewPCG(seed, 7))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rnd.NormFloat64())
	}
	return out
}

func TestAxpy(t *testing.T) {
	forTargets(t, "elementwise", func(t *testing.T, text string, d *Device) {
		n := 1000
		x, y := floats(n, 1), floats(n, 2)
		bx, by := d.with("x", x), d.with("y", y)
		_, err := d.Launch(kernelOf(t, text, "axpy"), [3]int{8, 1, 1}, [3]int{128, 1, 1}, 0, float32(1.5), bx, by, n)
		require.NoError(t, err)
		got := get[float32](t, by, n)
		for i := range got {
			// 1.5·x is exact in float64, and so the sum is rounded twice at most where it does not matter.
			require.Equal(t, float32(1.5*float64(x[i])+float64(y[i])), got[i])
		}
	})
}

func TestPairsOfBF16(t *testing.T) {
	forTargets(t, "elementwise", func(t *testing.T, text string, d *Device) {
		n := 64 * 8
		x := make([]uint16, n)
		for i, f := range floats(n, 3) {
			x[i] = uint16(bf16.encode(float64(f), toEven))
		}
		bx, by := d.with("x", x), d.Alloc("y", 2*n)
		_, err := d.Launch(kernelOf(t, text, "square_bf16"), [3]int{2, 1, 1}, [3]int{32, 1, 1}, 0, bx, by)
		require.NoError(t, err)
		for i, got := range get[uint16](t, by, n) {
			v := float64(math.Float32frombits(uint32(x[i]) << 16))
			require.Equal(t, uint16(reference(bf16, exactly(v*v, v), toEven)), got)
		}
	})
}

func TestSoftmax(t *testing.T) {
	for _, approx := range []Approx{Nearest, Low, High} {
		forTargets(t, "softmax", func(t *testing.T, text string, d *Device) {
			d.Approx = approx
			rows, n := 5, 300
			x := floats(rows*n, 4)
			bx, by := d.with("x", x), d.Alloc("y", 4*rows*n)
			_, err := d.Launch(kernelOf(t, text, "softmax"), [3]int{rows, 1, 1}, [3]int{128, 1, 1}, 0, bx, by, n)
			require.NoError(t, err)
			got := get[float32](t, by, rows*n)
			for r := range rows {
				top, sum := math.Inf(-1), 0.0
				for _, v := range x[r*n : r*n+n] {
					top = max(top, float64(v))
				}
				for _, v := range x[r*n : r*n+n] {
					sum += math.Exp(float64(v) - top)
				}
				for i, v := range x[r*n : r*n+n] {
					require.InEpsilon(t, math.Exp(float64(v)-top)/sum, got[r*n+i], 2e-6)
				}
			}
		})
	}
}

// Every intrinsic that the compiler may use is understood as LLVM writes it.
func TestIntrinsics(t *testing.T) {
	for _, cpu := range []string{"sm_80", "sm_90a"} {
		text := read(t, "intrinsics."+cpu+".ptx")
		m, err := Load(text)
		require.NoError(t, err)
		require.Len(t, m.Kernels(), 9)
		for _, name := range m.Kernels() {
			_, err := m.Kernel(name)
			require.NoError(t, err)
		}
	}
}

func TestTranspose(t *testing.T) {
	forTargets(t, "transpose", func(t *testing.T, text string, d *Device) {
		rows, cols := 50, 70
		x := make([]uint16, rows*cols)
		for i := range x {
			x[i] = uint16(i)
		}
		bx, by := d.with("x", x), d.Alloc("y", 2*rows*cols)
		_, err := d.Launch(kernelOf(t, text, "transpose"), [3]int{3, 2, 1}, [3]int{32, 8, 1}, 0, bx, by, rows, cols)
		require.NoError(t, err)
		got := get[uint16](t, by, rows*cols)
		for r := range rows {
			for c := range cols {
				require.Equal(t, x[r*cols+c], got[c*rows+r])
			}
		}
	})
}

func TestCalls(t *testing.T) {
	forTargets(t, "calls", func(t *testing.T, text string, d *Device) {
		x := floats(96, 5)
		bx, by := d.with("x", x), d.Alloc("y", 4*96)
		_, err := d.Launch(kernelOf(t, text, "polys"), [3]int{1, 1, 1}, [3]int{96, 1, 1}, 0, bx, by, 4)
		require.NoError(t, err)
		table := []float32{1, 2.5, -3, 4}
		poly := func(v float32, n int) float32 {
			s, p := float32(0), float32(1)
			for j := range n {
				s += float32(p * table[j])
				p *= v
			}
			return s
		}
		for i, got := range get[float32](t, by, 96) {
			f := poly(x[i], i%4+1)
			if i%4 == 1 {
				f = poly(f, 2)
			}
			require.Equal(t, f+[]float32{0.5, -0.25}[i%2], got, i)
		}
	})
}

// runGemm gives C and what C is, by the project's order: fma in float32, k ascending.
func runGemm(t testing.TB, text string, d *Device, m, n, k int) (Stats, error, []float32, []float32) {
	a, b := make([]uint16, m*k), make([]uint16, k*n)
	for i, f := range floats(m*k, 6) {
		a[i] = uint16(bf16.encode(float64(f), toEven))
	}
	for i, f := range floats(k*n, 7) {
		b[i] = uint16(bf16.encode(float64(f), toEven))
	}
	ba, bb, bc := d.with("A", a), d.with("B", b), d.Alloc("C", 4*m*n)
	s, err := d.Launch(kernelOf(t, text, "gemm"), [3]int{n / 64, (m + 63) / 64, 1}, [3]int{128, 1, 1}, 3*8192, ba, bb, bc, m, n, k)
	if err != nil {
		return s, err, nil, nil
	}
	want := make([]float32, m*n)
	for i := range m {
		for j := range n {
			c := float32(0)
			for l := range k {
				c = fma32(fl(uint64(a[i*k+l])<<16), fl(uint64(b[l*n+j])<<16), c)
			}
			want[i*n+j] = c
		}
	}
	return s, nil, get[float32](t, bc, m*n), want
}

func TestGemm(t *testing.T) {
	forTargets(t, "gemm_bf16", func(t *testing.T, text string, d *Device) {
		for _, k := range []int{32, 160} {
			_, err, got, want := runGemm(t, text, d, 100, 128, k)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
	text := read(t, "gemm_bf16.sm_80.ptx")
	for _, approx := range []Approx{Low, High} {
		_, err, got, want := runGemm(t, text, &Device{Approx: approx}, 64, 64, 64)
		require.NoError(t, err)
		require.NotEqual(t, want, got)
		for i := range got {
			require.InDelta(t, want[i], got[i], 1e-3)
		}
	}
}
