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
// always the same ones, so a worker's caches see the same data in each step.
type pool struct {
	workers int
	calls   [][]uintptr // of each worker: args, lo, hi, scratch, kept so that a call allocates nothing
	memory  *region

	// The phase that is running: written before turn, read after it.
	fn, args uintptr
	points   int

	_        [alignment]byte
	turn     atomic.Uint32 // counts launches; the others wait for it to change
	_        [alignment]byte
	pending  atomic.Uint32 // workers that have not finished
	_        [alignment]byte
	sleepers atomic.Int32 // workers parked, or about to be
	waiting  atomic.Bool  // worker 0 is parked, or about to be
	stopped  atomic.Bool
	done     sync.WaitGroup
}

// spin is how long a thread polls before it parks. Launches of one step follow
// each other within microseconds; between runs the threads should sleep.
const spin = 50 * time.Microsecond

// newPool starts a team whose workers have local bytes of scratch each. The
// caller's goroutine must be locked to its thread and is the only one to launch.
func newPool(workers int, local int64) (*pool, error) {
	each := alignUp(int(local), alignment) + alignment
	memory, err := newRegion(workers * each)
	if err != nil {
		return nil, err
	}
	p := &pool{workers: workers, memory: memory}
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
func (p *pool) launch(fn, args uintptr, points int) {
	if points <= 0 {
		return
	}
	if p.workers == 1 || points == 1 {
		p.call(0, fn, args, 0, points)
		return
	}
	p.fn, p.args, p.points = fn, args, points
	p.pending.Store(uint32(p.workers - 1))
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

// run calls the phase for the range of worker w.
func (p *pool) run(w int) {
	lo, hi := p.points*w/p.workers, p.points*(w+1)/p.workers
	if lo < hi {
		p.call(w, p.fn, p.args, lo, hi)
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
	for turn := uint32(0); ; turn++ {
		if !p.spinWhile(func() bool { return p.turn.Load() == turn }) {
			p.sleepers.Add(1)
			for p.turn.Load() == turn {
				futexWait(&p.turn, turn)
			}
			p.sleepers.Add(-1)
		}
		if p.stopped.Load() {
			return
		}
		p.run(w)
		if p.pending.Add(^uint32(0)) == 0 && p.waiting.Load() {
			futexWake(&p.pending)
		}
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
