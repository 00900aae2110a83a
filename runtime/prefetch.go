package runtime

import "sync"

// prefetch fills the batches of a train block ahead of the steps that use them.
type prefetch struct {
	in    *inputs
	ready chan [][]byte
	free  chan [][]byte
	quit  chan struct{}
	done  sync.WaitGroup
}

// ahead is the number of batches that may wait.
const ahead = 2

// startPrefetch makes batches lo, lo+1, … ready, up to hi.
func startPrefetch(in *inputs, lo, hi int) *prefetch {
	p := &prefetch{in: in, ready: make(chan [][]byte, ahead), free: make(chan [][]byte, ahead), quit: make(chan struct{})}
	for range ahead {
		var batch [][]byte
		for _, f := range in.feeds {
			batch = append(batch, make([]byte, f.size))
		}
		p.free <- batch
	}
	p.done.Go(func() {
		for n := lo; n < hi; n++ {
			select {
			case batch := <-p.free:
				in.fill(batch, n)
				p.ready <- batch
			case <-p.quit:
				return
			}
		}
	})
	return p
}

// next puts the next batch where the block reads it.
func (p *prefetch) next() {
	batch := <-p.ready
	for i, mem := range batch {
		copy(p.in.into[i], mem)
	}
	p.free <- batch
}

func (p *prefetch) stop() {
	close(p.quit)
	p.done.Wait()
}
