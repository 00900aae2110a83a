package runtime

import (
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// pool is a team of threads that run a kernel phase together. The thread that
// launches is worker 0. The points of a launch are cut into one range a worker,
// always the same ones, so a worker's caches see the same data in each step; who
// is done early takes from the end of another's range, so that a thread that lost
// its CPU holds up no more than the points it is at.
type pool struct {
	workers int
	calls   [][]uintptr // of each worker: args, lo, hi, scratch, kept so that a call allocates nothing
	memory  *region

	// The phase that is running: written before the shares, read by who took points of one.
	fn, args uintptr
	whole    bool    // a worker takes its share at once
	shares   []share // of each worker

	_        [alignment]byte
	turn     atomic.Uint32 // counts launches; the others wait for it to change
	_        [alignment]byte
	pending  atomic.Uint32 // points that are not done
	_        [alignment]byte
	sleepers atomic.Int32 // workers parked, or about to be
	waiting  atomic.Bool  // worker 0 is parked, or about to be
	stopped  atomic.Bool
	done     sync.WaitGroup
}

// share is the range of points that a worker has not begun, as lo << 32 | hi.
type share struct {
	rest atomic.Uint64
	_    [alignment - 8]byte
}

// take takes points off the front of a worker's own share, or all of them.
func (s *share) take(whole bool) (lo, hi int) {
	for {
		old := s.rest.Load()
		first, end := old>>32, old&0xffffffff
		if first >= end {
			return 0, 0
		}
		n := max((end-first)/4, 1)
		if whole {
			n = end - first
		}
		if s.rest.CompareAndSwap(old, (first+n)<<32|end) {
			return int(first), int(first + n)
		}
	}
}

// steal takes points off the end of another's share.
func (s *share) steal() (lo, hi int) {
	for {
		old := s.rest.Load()
		first, end := old>>32, old&0xffffffff
		if first >= end {
			return 0, 0
		}
		n := (end - first + 1) / 2
		if s.rest.CompareAndSwap(old, first<<32|(end-n)) {
			return int(end - n), int(end)
		}
	}
}

// spin is how long a thread polls before it parks. Launches of one step follow
// each other within microseconds; between runs the threads should sleep.
const spin = 50 * time.Microsecond

// scratchOf is what a worker takes for local bytes of scratch: scratches share no cache line.
func scratchOf(local int64) int64 { return int64(alignUp(int(local), alignment) + alignment) }

// newPool starts a team whose workers have local bytes of scratch each. The
// caller's goroutine must be locked to its thread and is the only one to launch.
func newPool(workers int, local int64) (*pool, error) {
	each := int(scratchOf(local))
	memory, err := newRegion(workers * each)
	if err != nil {
		return nil, err
	}
	p := &pool{workers: workers, memory: memory, shares: make([]share, workers)}
	for range workers {
		p.calls = append(p.calls, append(make([]uintptr, 0, alignment/8), 0, 0, 0, addressOf(memory.take(each))))
	}
	// Spinning threads hold a processor of Go's scheduler each; the prefetcher needs another.
	if goruntime.GOMAXPROCS(0) < workers+2 {
		goruntime.GOMAXPROCS(workers + 2)
	}
	for w := 1; w < workers; w++ {
		p.done.Add(1)
		go p.work(w)
	}
	return p, nil
}

func (p *pool) close() {
	p.stopped.Store(true)
	p.publish()
	p.done.Wait()
	p.memory.free()
}

// launch runs points 0..points of a phase and returns when all are done.
func (p *pool) launch(fn, args uintptr, points int, whole bool) {
	if points <= 0 {
		return
	}
	if p.workers == 1 || points == 1 {
		p.call(0, fn, args, 0, points)
		return
	}
	p.fn, p.args, p.whole = fn, args, whole
	p.pending.Store(uint32(points))
	for w := range p.shares {
		p.shares[w].rest.Store(uint64(points*w/p.workers)<<32 | uint64(points*(w+1)/p.workers))
	}
	p.publish()
	p.run(0)
	if p.spinWhile(func() bool { return p.pending.Load() != 0 }) {
		return
	}
	p.waiting.Store(true)
	for n := p.pending.Load(); n != 0; n = p.pending.Load() {
		futexWait(&p.pending, n)
	}
	p.waiting.Store(false)
}

func (p *pool) publish() {
	p.turn.Add(1)
	if p.sleepers.Load() > 0 {
		futexWake(&p.turn)
	}
}

// run calls the phase for points of worker w's share, then of the others', until none is left.
func (p *pool) run(w int) {
	for i := 0; i < p.workers; {
		var lo, hi int
		if i == 0 {
			lo, hi = p.shares[w].take(p.whole)
		} else {
			lo, hi = p.shares[(w+i)%p.workers].steal()
		}
		if lo == hi {
			i++
			continue
		}
		p.call(w, p.fn, p.args, lo, hi)
		if p.pending.Add(-uint32(hi-lo)) == 0 && p.waiting.Load() {
			futexWake(&p.pending)
		}
	}
}

func (p *pool) call(w int, fn, args uintptr, lo, hi int) {
	c := p.calls[w]
	c[0], c[1], c[2] = args, uintptr(lo), uintptr(hi)
	purego.SyscallN(fn, c...)
}

func (p *pool) work(w int) {
	goruntime.LockOSThread()
	defer p.done.Done()
	for turn := uint32(0); ; {
		if !p.spinWhile(func() bool { return p.turn.Load() == turn }) {
			p.sleepers.Add(1)
			for p.turn.Load() == turn {
				futexWait(&p.turn, turn)
			}
			p.sleepers.Add(-1)
		}
		turn = p.turn.Load() // before stopped, which is set before the last turn
		if p.stopped.Load() {
			return
		}
		p.run(w)
	}
}

// spinWhile polls while busy holds and reports whether it ended within the limit.
func (p *pool) spinWhile(busy func() bool) bool {
	var limit time.Time
	for {
		for range 256 {
			if !busy() {
				return true
			}
		}
		now := time.Now()
		if limit.IsZero() {
			limit = now.Add(spin)
		} else if now.After(limit) {
			return false
		}
		unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // the thread that is waited for may need this CPU
	}
}

const (
	futexPrivateWait = 0 | 128
	futexPrivateWake = 1 | 128
)

// futexWait parks the thread unless *word has changed from old. It may wake for no reason.
func futexWait(word *atomic.Uint32, old uint32) {
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexPrivateWait, uintptr(old), 0, 0, 0)
}

func futexWake(word *atomic.Uint32) {
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexPrivateWake, 1<<30, 0, 0, 0)
}
