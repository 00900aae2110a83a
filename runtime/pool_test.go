package runtime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"mdlc/ir/index"

	"mdlc/ir/loop"
)

// Workers sleep between runs and wake for the next; no point is lost or done twice.
func TestWorkersParkAndWake(t *testing.T) {
	m := load(t, incrementer(t, 3), 2)
	b := m.entries[0].block
	for i := range 60 {
		if i%3 == 0 {
			time.Sleep(2 * spin)
		}
		require.NoError(t, b.run(nil))
	}
	for i := range 48 {
		require.Equal(t, 60.0, readElem(loop.F32, b.bufs[0].host, i), "x[%d]", i)
	}
}

// More workers than points, and more than processors.
func TestManyWorkers(t *testing.T) {
	m := load(t, incrementer(t, 3), 1)
	p, err := newPool(7, 100)
	require.NoError(t, err)
	defer p.close()
	for i, c := range p.calls {
		require.Zero(t, c[3]%alignment, "scratch of worker %d", i)
	}
	b, host := m.entries[0].block, m.device.(*cpu)
	b.device = &cpu{object: host.object, pool: p, faults: host.faults}
	for range 300 {
		require.NoError(t, b.run(nil))
	}
	for i := range 48 {
		require.Equal(t, 300.0, readElem(loop.F32, b.bufs[0].host, i))
	}
}

// A worker takes its share a quarter at a time, or all of it where points go together; what it has not taken others do.
func TestShares(t *testing.T) {
	for whole, want := range map[bool]int{false: 2, true: 8} {
		var s share
		s.rest.Store(4<<32 | 12)
		lo, hi := s.take(whole)
		require.Equal(t, []int{4, 4 + want}, []int{lo, hi})
	}
	var s share
	s.rest.Store(4<<32 | 12)
	lo, hi := s.steal()
	require.Equal(t, []int{8, 12}, []int{lo, hi})
	lo, hi = s.take(true)
	require.Equal(t, []int{4, 8}, []int{lo, hi})
	lo, hi = s.take(true)
	require.Equal(t, lo, hi)
}

// The scratch of all threads counts as memory that is needed, too.
func TestScratchCountsAsMemory(t *testing.T) {
	p := learner(t, "", index.C(1))
	small := load(t, p, 2).Memory()
	p = learner(t, "", index.C(1))
	p.Kernels[1].Local = 1 << 20
	require.Equal(t, small+int64(Threads(2))<<20, load(t, p, 2).Memory())
	p.Kernels[1].Local = 1 << 45
	_, err := Load(p, Setup{Threads: 1})
	require.ErrorContains(t, err, "this program needs 32768.0 GiB of memory and ")
}
