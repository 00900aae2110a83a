package codegen

import (
	"testing"
)

// BenchmarkGemm measures the micro-kernel with its packing on one core.
func BenchmarkGemm(b *testing.B) {
	target := hostTarget(b)
	for _, s := range []struct {
		name    string
		m, n, k int
	}{{"1024x1024x1024", 1024, 1024, 1024}, {"768x128x512", 768, 128, 512}} {
		b.Run(s.name, func(b *testing.B) {
			mc := load(b, target, parseKernel(b, gemmText(s.m, s.n, s.k)))[0]
			bufs := [][]byte{aligned(4 * s.m * s.k), aligned(4 * s.k * s.n), aligned(4 * s.n), aligned(4 * s.m * s.n), aligned(4 * s.k * 16 * ((s.n + 15) / 16))}
			for b.Loop() {
				mc.run(bufs)
			}
			b.ReportMetric(2*float64(s.m)*float64(s.n)*float64(s.k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

// BenchmarkPeak measures independent fused multiply-adds: the ceiling for BenchmarkGemm.
func BenchmarkPeak(b *testing.B) {
	target := hostTarget(b)
	const steps = 1 << 20
	mc := load(b, target, parseKernel(b, `kernel peak(in X: f32[8], out Y: f32[12,8]) guarded {
  axis i: 12 reg, j: 8 lane, t: 1048576 loop
  x = X[j]
  y = for t carry a = f32(i) * x { yield fma(a, x, x) }
  Y[i,j] = y
}`))[0]
	bufs := [][]byte{aligned(32), aligned(12 * 32)}
	for b.Loop() {
		mc.run(bufs)
	}
	b.ReportMetric(2*12*8*steps*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
