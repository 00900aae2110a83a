package emulator

import (
	"syscall"
	"testing"
)

// The figures to look at are by second of processor time, so that a busy machine does not matter.
func BenchmarkEmulator(b *testing.B) {
	text := read(b, "gemm_bf16.sm_80.ptx")
	rows := read(b, "softmax.sm_80.ptx")
	x := floats(64*4096, 1)
	half := func(n int) []uint16 {
		out := make([]uint16, n)
		for i, f := range floats(n, 2) {
			out[i] = uint16(bf16.encode(float64(f), toEven))
		}
		return out
	}
	m, w := half(256*512), half(512*256)
	for _, c := range []struct {
		name string
		macs int
		run  func(d *Device) (Stats, error)
	}{
		{"gemm", 256 * 256 * 512, func(d *Device) (Stats, error) {
			return d.Launch(kernelOf(b, text, "gemm"), [3]int{4, 4, 1}, [3]int{128, 1, 1}, 3*8192, d.with("A", m), d.with("B", w), d.Alloc("C", 4*256*256), 256, 256, 512)
		}},
		{"softmax", 0, func(d *Device) (Stats, error) {
			return d.Launch(kernelOf(b, rows, "softmax"), [3]int{64, 1, 1}, [3]int{128, 1, 1}, 0, d.with("x", x), d.Alloc("y", 4*len(x)), 4096)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n, macs, start := int64(0), 0, processorSeconds()
			for b.Loop() {
				s, err := c.run(&Device{Workers: 1})
				if err != nil {
					b.Fatal(err)
				}
				n += s.Instructions
				macs += c.macs
			}
			spent := processorSeconds() - start
			b.ReportMetric(float64(n)/1e6/spent, "Minstr/cpu-s")
			b.ReportMetric(float64(macs)/1e6/spent, "Mmac/cpu-s")
		})
	}
}

func processorSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()) / 1e9
}
