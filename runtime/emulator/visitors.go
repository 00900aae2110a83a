package emulator

// Blocks that reach into each other. A block's shared memory is there from its begin to its
// end: whoever reaches into it from elsewhere must know that it has begun, and it must know
// before it ends that they are through.

// A visitor is the last access of a thread of another block, or of a copy.
type visitor struct {
	w    *warp
	lane int
	s    stamp
}

// visit checks and notes that a lane reaches into another block.
func (w *warp) visit(in *inst, lane int, other *block, what string, me stamp) bool {
	if other.alive == 0 {
		w.fault(in, lane, Race, "a %s in the shared memory of block %s, which has ended: barrier.cluster is missing before its end", what, triple(other.id))
		return false
	}
	begun, first := false, other.rank*w.blk.l.threads
	for _, clock := range w.views[lane][first:][:w.blk.l.threads] {
		begun = begun || clock > 0
	}
	if !begun {
		w.fault(in, lane, Race, "a %s in the shared memory of block %s, which may not have begun: barrier.cluster is missing before", what, triple(other.id))
		return false
	}
	if me&stampFlight == 0 { // a copy visits when it lands
		other.note(visitor{w, lane, me})
	}
	return true
}

func (b *block) note(v visitor) {
	if b.visitors == nil {
		b.visitors = map[int]visitor{}
	}
	b.visitors[v.s.thread()] = v
}

// leave notes what lanes know that end now, and checks the block if they are its last.
func (w *warp) leave(pc int32, m uint32) {
	b := w.blk
	w.leaveProducts(pc)
	if len(b.blocks) == 1 && b.viewLength == b.numbers {
		return // nothing reaches into blocks here
	}
	b.leaving.release(w, m)
	if b.alive > 0 {
		return
	}
	place := b.k.place(pc)
	for _, f := range b.flights {
		if f.bar.blk == b && f.bulk {
			f.w.faultAt(f.pc, f.lane, InFlight, &place, "block %s ends, and this copy into its shared memory is not waited for", triple(b.id))
			return
		}
	}
	for t := range b.numbers {
		if v, ok := b.visitors[t]; ok && b.leaving.v[t] < v.s.clock() {
			v.w.faultAt(v.s.pc(), v.lane, Race, &place, "block %s ends and does not know that this access to its shared memory is through: barrier.cluster, or another wait, is missing before its end", triple(b.id))
			return
		}
	}
	w.leaveCopies(pc)
}
