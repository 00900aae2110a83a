package emulator

import "math/bits"

// A block runs on one goroutine. Its parts are kept for the next block.
type block struct {
	k          *Kernel
	l          *launch
	id         [3]int
	number     int32
	threads    int
	viewLength int // threads, and room for the agents of mbarriers
	warps      []*warp
	alive      int
	shared     []byte
	cells      []cell // of shared, one for each granule
	readers    readers
	fresh      []cell // how cells begin
	sharedG    uint   // log2 of the granule
	barriers   [blockBarriers]barrier
	mbarriers  map[uint64]*mbarrier // by address in shared memory
	agents     int                  // mbarriers made so far
	flights    []flight
	idle       int // turns since a phase was completed in which all that could run polled
	rnd        random
	steps      int
	reads      Stats // of all blocks that it was
	laneSteps  int
	fault      *Fault
	ready      []*split
}

func newBlock(l *launch) *block {
	b := &block{k: l.k, l: l, threads: l.threads, readers: readers{threads: l.threads}}
	b.viewLength = b.threads
	if l.k.mbarriers {
		b.viewLength += maxMbarriers
	}
	b.sharedG = uint(bits.TrailingZeros(uint(l.k.granule[0])))
	end := 0
	for _, p := range l.k.shared {
		size := int(p.v.size)
		if p.v.external {
			size = l.sharedBytes
		}
		end = max(end, p.addr+size)
	}
	end += gap
	b.shared = make([]byte, end)
	b.fresh = make([]cell, (end+1<<b.sharedG-1)>>b.sharedG)
	for i := range b.fresh {
		b.fresh[i].w = stampGap
	}
	for _, p := range l.k.shared {
		size := int(p.v.size)
		if p.v.external {
			size = l.sharedBytes
		}
		for i := p.addr; i < p.addr+size; i++ {
			b.fresh[i>>b.sharedG].w = 0
		}
	}
	b.cells = make([]cell, len(b.fresh))
	for i := 0; i*lanes < l.threads; i++ {
		b.warps = append(b.warps, b.newWarp(i))
	}
	return b
}

func (b *block) newWarp(i int) *warp {
	k := b.k
	w := &warp{blk: b, index: i, first: i * lanes, regs: make([]row, k.rows), def: make([]uint32, k.rows), preds: make([]uint32, k.preds), pdef: make([]uint32, k.preds)}
	w.all = ^uint32(0)
	if left := b.threads - w.first; left < lanes {
		w.all = 1<<left - 1
	}
	for l := range lanes {
		w.local[l] = newLocal(k)
		w.frames[l] = newFrame(k)
	}
	return w
}

// reset makes the block ready to run as number n of the grid.
func (b *block) reset(n int) {
	g := b.l.grid
	b.number = int32(n)
	b.id = [3]int{n % g[0], n / g[0] % g[1], n / g[0] / g[1]}
	b.alive, b.steps, b.fault = b.threads, 0, nil
	b.rnd = random{b.l.seed ^ uint64(n)*0x9e3779b97f4a7c15}
	b.barriers = [blockBarriers]barrier{}
	b.mbarriers, b.agents, b.flights, b.idle = nil, 0, nil, 0
	copy(b.cells, b.fresh)
	b.readers.reset()
	start := make(view, b.viewLength)
	for _, w := range b.warps {
		w.reset(start)
	}
}

func (w *warp) reset(start view) {
	k := w.blk.k
	w.alive, w.splits, w.joins = w.all, nil, nil
	clear(w.def)
	clear(w.pdef)
	w.preds[trueRow], w.pdef[trueRow], w.def[zeroRow] = ^uint32(0), ^uint32(0), ^uint32(0)
	for _, c := range k.consts {
		v := c.value
		if c.at != nil {
			v = w.blk.l.globals[c.at].addr
		}
		r := &w.regs[c.row]
		for l := range r {
			r[l] = v
		}
		w.def[c.row] = ^uint32(0)
	}
	for _, s := range k.specs {
		r := &w.regs[s.row]
		for l := range r {
			r[l] = s.value(w, l)
		}
		w.def[s.row] = ^uint32(0)
	}
	for l := range lanes {
		w.views[l], w.clocks[l] = start, 1
		w.async[l].reset()
		w.local[l].reset()
		clear(w.frames[l].defined)
	}
	w.addSplit(0, w.all, nil)
}

func (b *block) threadID(t int) [3]int {
	s := b.l.block
	return [3]int{t % s[0], t / s[0] % s[1], t / s[0] / s[1]}
}

// maxIdle bounds the turns in which all that can run polls mbarriers in vain.
const maxIdle = 1000

// pollAgain wakes the splits that poll: what they do after a failed try may help others.
func (b *block) pollAgain() bool {
	b.idle++
	if b.idle > maxIdle {
		return false
	}
	any := false
	for _, w := range b.warps {
		for _, s := range w.splits {
			any = any || s.wait == waitPoll
		}
	}
	b.wake()
	return any
}

// run executes the block: again and again some split that can go on, for some
// number of instructions.
func (b *block) run() {
	for b.alive > 0 && b.fault == nil {
		b.ready = b.ready[:0]
		for _, w := range b.warps {
			for _, s := range w.splits {
				if s.wait == running {
					b.ready = append(b.ready, s)
				}
			}
		}
		if len(b.ready) == 0 {
			if !b.deliver() && !b.pollAgain() {
				b.stuck()
				return
			}
			continue
		}
		s := b.ready[b.rnd.below(len(b.ready))]
		fuel := 1 << b.rnd.below(12)
		s.w.run(s, fuel)
		if b.steps > b.l.limit && b.fault == nil {
			s.w.faultAt(s.pc, bits.TrailingZeros32(s.mask|1<<31), NoEnd, nil, "the block has run %d instructions and does not end: it loops, or waits for what does not come", b.steps)
		}
	}
}
