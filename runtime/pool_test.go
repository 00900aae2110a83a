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
