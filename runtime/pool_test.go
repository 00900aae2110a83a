package runtime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
		require.NoError(t, b.run(m.pool, nil))
	}
	for i := range 48 {
		require.Equal(t, 60.0, readElem(loop.F32, b.bufs[0], i), "x[%d]", i)
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
	b := m.entries[0].block
	for range 300 {
		require.NoError(t, b.run(p, nil))
	}
	for i := range 48 {
		require.Equal(t, 300.0, readElem(loop.F32, b.bufs[0], i))
	}
}
