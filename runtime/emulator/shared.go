package emulator

// An actor is in whose name memory is accessed: a thread's, or that of something which it
// has started and which runs beside it, in the asynchronous proxy.
type actor struct {
	me    stamp
	async bool
}

// by is a lane itself.
func (w *warp) by(in *inst, lane int) actor { return actor{me: w.stamp(lane, in.pc)} }

// Addresses of shared memory: the highest byte of 32 bits is 0 for the block's own, or
// 1 + the rank of a block in the cluster.
const (
	rankShift  = 24
	sharedMask = 1<<rankShift - 1
)

// sharedAt finds the block whose shared memory an address is in, and the place there; nil after a fault.
func (w *warp) sharedAt(in *inst, lane int, s space, addr uint64, n int, what string, me stamp) (*block, uint64) {
	b := w.blk
	if rank := addr >> rankShift; rank != 0 {
		if rank > uint64(len(b.blocks)) {
			w.fault(in, lane, OutOfBounds, "a %s of %d bytes at shared address %#x, which is of no block of the cluster", what, n, addr)
			return nil, 0
		}
		addr &= sharedMask
		if other := b.blocks[rank-1]; other != b {
			if s == spaceShared {
				w.fault(in, lane, OutOfBounds, "a %s of %d bytes at %s, which takes .shared::cluster", what, n, w.sharedName(other, addr))
				return nil, 0
			}
			if !w.visit(in, lane, other, what, me) {
				return nil, 0
			}
			b = other
		}
	}
	if addr >= uint64(len(b.shared)) || addr+uint64(n) > uint64(len(b.shared)) {
		w.fault(in, lane, OutOfBounds, "a %s of %d bytes at %s", what, n, w.sharedName(b, addr))
		return nil, 0
	}
	return b, addr
}

// sharedName writes a place in a block's shared memory for people.
func (w *warp) sharedName(b *block, addr uint64) string {
	name := b.name(spaceShared, addr)
	if b != w.blk {
		name += " of block " + triple(b.id)
	}
	return name
}

func (w *warp) readShared(in *inst, lane int, s space, addr uint64, n int, by actor) []byte {
	b, addr := w.sharedAt(in, lane, s, addr, n, "read", by.me)
	if b == nil || !w.readCells(in, lane, b, addr, n, by) {
		return nil
	}
	return b.shared[addr : addr+uint64(n)]
}

func (w *warp) writeShared(in *inst, lane int, s space, addr uint64, n int, by actor) []byte {
	b, addr := w.sharedAt(in, lane, s, addr, n, "write", by.me)
	if b == nil || !w.markCells(in, lane, b, addr, n, by) {
		return nil
	}
	return b.shared[addr : addr+uint64(n)]
}

// readCells checks and notes a read of a block's shared memory.
func (w *warp) readCells(in *inst, lane int, b *block, addr uint64, n int, by actor) bool {
	t, v := w.thread(lane), w.views[lane]
	for i := addr >> b.sharedG; i <= (addr+uint64(n)-1)>>b.sharedG; i++ {
		c := &b.cells[i]
		if c.w == 0 || c.w&stampFlight != 0 {
			w.badCell(in, lane, b, c.w, addr, n, "read")
			return false
		}
		if other, ok := c.read(by.me, t, v, &b.readers); !ok {
			w.race(in, lane, other, "read", "written", w.sharedName(b, addr))
			return false
		}
		if by.async && !b.fenced(v, c.w) {
			w.unfenced(in, lane, c.w, "read", "written", w.sharedName(b, addr))
			return false
		}
	}
	return true
}

// markCells notes a write to a block's shared memory or, with the flight bit, that a copy is under way.
func (w *warp) markCells(in *inst, lane int, b *block, addr uint64, n int, by actor) bool {
	if len(b.mbarriers) > 0 {
		for at := addr &^ 7; at < addr+uint64(n); at += 8 {
			if b.mbarriers[at] != nil {
				w.fault(in, lane, BadBarrier, "a write of %d bytes over the mbarrier at %s", n, w.sharedName(b, at))
				return false
			}
		}
	}
	if b.tags != nil {
		clear(b.tags[addr/pieceBytes : (addr+uint64(n)-1)/pieceBytes+1])
	}
	t, v := w.thread(lane), w.views[lane]
	for i := addr >> b.sharedG; i <= (addr+uint64(n)-1)>>b.sharedG; i++ {
		c := &b.cells[i]
		if c.w&stampFlight != 0 {
			w.badCell(in, lane, b, c.w, addr, n, "write")
			return false
		}
		before, read := c.w, stamp(0)
		if by.async {
			read = b.unfencedRead(c, v)
		}
		if other, ok := c.write(by.me, t, v, &b.readers); !ok {
			was := "read"
			if other == before {
				was = "written"
			}
			w.race(in, lane, other, "written", was, w.sharedName(b, addr))
			return false
		}
		if by.async && before != 0 && !b.fenced(v, before) {
			w.unfenced(in, lane, before, "written", "written", w.sharedName(b, addr))
			return false
		}
		if read != 0 {
			w.unfenced(in, lane, read, "written", "read", w.sharedName(b, addr))
			return false
		}
	}
	return true
}

func (w *warp) badCell(in *inst, lane int, b *block, s stamp, addr uint64, n int, what string) {
	where := w.sharedName(b, addr)
	switch {
	case s == stampGap:
		w.fault(in, lane, OutOfBounds, "a %s of %d bytes at %s", what, n, where)
	case s == 0:
		w.fault(in, lane, Uninitialised, "a read of %d bytes at %s, which nothing has written yet", n, where)
	default:
		other := b.k.place(s.pc())
		w.faultAt(in.pc, lane, InFlight, &other, "a %s of %d bytes at %s, where an asynchronous copy of %s has not been waited for", what, n, where, b.who(s))
	}
}

func (w *warp) race(in *inst, lane int, other stamp, now, was, where string) {
	b := w.blk
	p := b.k.place(other.pc())
	between := "and no barrier is between"
	if other.thread() >= b.threads {
		between = agentNames[b.agents[other.thread()-b.threads]].wait
	}
	w.faultAt(in.pc, lane, Race, &p, "%s is %s here and %s by %s, %s", where, now, was, b.who(other), between)
}

// who names the thread of an access.
func (b *block) who(s stamp) string {
	if s.thread() >= b.threads {
		return agentNames[b.agents[s.thread()-b.threads]].name
	}
	name := "thread " + triple(b.threadID(s.thread()%b.l.threads))
	if other := b.blocks[s.thread()/b.l.threads]; other != b {
		name += " of block " + triple(other.id)
	}
	return name
}
