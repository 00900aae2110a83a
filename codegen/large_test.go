package codegen

import (
	le "encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/runtime/emulator"
)

// Buffers of more elements than 32 bits count, read and written at their end and where data say: offsets have 64 bits. Little of
// their memory is ever touched.
func TestLargeBuffers(t *testing.T) {
	const rows, width, last = 5, 1 << 29, 64
	eachTarget(t, func(t *testing.T, target *Target) {
		k := parseKernel(t, fmt.Sprintf(`kernel large(in X: u8[%[1]d,%[2]d], in T: i32[%[1]d], out Y: i32[%[1]d,%[3]d], out Z: u8[%[1]d,%[2]d]) {
  axis i: %[1]d, j: %[3]d
  x = X[i,j + %[4]d]
  Y[i,j] = i32(x) + 256 * i32(X[i,i64(T[i])])
  Z[i,j + %[4]d] = x
}`, rows, width, last, width-last))
		steps, err := schedule.Run(k, target.Machine)
		require.NoError(t, err)
		scheduled := steps[len(steps)-1].Kernel
		type part struct {
			buf, at int
			bytes   []byte
		}
		var given, want []part
		for i := range rows {
			end, y := make([]byte, last), make([]byte, 4*last)
			for j := range end {
				end[j] = byte(7*i + j)
				le.LittleEndian.PutUint32(y[4*j:], uint32(end[j])+256*uint32(100+i))
			}
			index := le.LittleEndian.AppendUint32(nil, uint32(1000+i))
			given = append(given, part{0, i*width + width - last, end}, part{0, i*width + 1000 + i, []byte{byte(100 + i)}}, part{1, 4 * i, index})
			want = append(want, part{2, i * 4 * last, y}, part{3, i*width + width - last, end})
		}
		sizes := []int{rows * width, 4 * rows, 4 * rows * last, rows * width}
		var get func(p part) []byte
		if target.GPU {
			m := emulate(t, target, scheduled)[0]
			var bufs []*emulator.Buffer
			var args []any
			for _, n := range sizes {
				bufs = append(bufs, m.device.Alloc("", n))
				args = append(args, bufs[len(bufs)-1])
			}
			for _, p := range given {
				require.NoError(t, bufs[p.buf].Write(p.at, p.bytes))
			}
			ph := m.e.Phases[0]
			points := pointsOf(ph.Par)
			entry, err := m.module.Kernel(ph.Symbol)
			require.NoError(t, err)
			_, err = m.device.Launch(entry, [3]int{(points + ph.PerBlock - 1) / ph.PerBlock, 1, 1}, [3]int{ph.Threads, 1, 1}, ph.Shared, append(args, points)...)
			require.NoError(t, err)
			get = func(p part) []byte {
				out := make([]byte, len(p.bytes))
				require.NoError(t, bufs[p.buf].Peek(p.at, out))
				return out
			}
		} else {
			bufs := make([][]byte, len(sizes))
			for i, n := range sizes {
				bufs[i] = aligned(n)
			}
			for _, p := range given {
				copy(bufs[p.buf][p.at:], p.bytes)
			}
			load(t, target, scheduled)[0].run(bufs)
			get = func(p part) []byte { return bufs[p.buf][p.at:][:len(p.bytes)] }
		}
		for _, p := range want {
			require.Equal(t, p.bytes, get(p), "buffer %d from byte %d on", p.buf, p.at)
		}
	})
}
