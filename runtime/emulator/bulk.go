package emulator

// A flight is copies whose end an mbarrier counts. They land when nothing else in the
// block can go on, one flight after the other in an order drawn at random. What
// they write counts as written by the agent of the mbarrier, so that only who has seen
// its phase complete may read it.
type flight struct {
	w      *warp
	lane   int
	bar    *mbarrier
	copies []pendingCopy
	bytes  int  // of a transaction
	arrive bool // count one arrival
	pc     int32
}

// deliver lands one flight, if there is one.
func (b *cluster) deliver() bool {
	if len(b.flights) == 0 {
		return false
	}
	b.land(b.rnd.below(len(b.flights)))
	return true
}

// deliverOf lands all flights of a lane, which waits for its copies itself.
func (b *cluster) deliverOf(w *warp, lane int) {
	for i := len(b.flights) - 1; i >= 0; i-- {
		if f := &b.flights[i]; f.w == w && f.lane == lane && f.arrive {
			b.land(i)
		}
	}
}

func (b *cluster) land(i int) {
	f := b.flights[i]
	b.flights = append(b.flights[:i], b.flights[i+1:]...)
	m := f.bar
	f.w.blk.put(f.copies, m.agent, m.clock)
	if m.meeting.v == nil {
		m.meeting.v = make(view, b.viewLength)
	}
	m.meeting.v[m.agent] = m.clock
	m.bytes -= f.bytes
	if f.arrive {
		if m.pending == 0 {
			f.w.faultAt(f.pc, f.lane, BadBarrier, nil, "the copies arrive where the phase of the mbarrier waits for no more arrivals of %d", m.expected)
			return
		}
		m.pending--
	}
	m.advance(b)
}

// arriveWithCopies is cp.async.mbarrier.arrive: the mbarrier is arrived at when the
// thread's copies so far are there. Without .noinc that arrival is one more than it expects.
func arriveWithCopies(d *decoder) {
	d.needs("arrive", "b64")
	if d.s.mods.one("shared", "shared::cta") == "" {
		d.fail("an mbarrier is in shared memory of the block")
	}
	more := !d.s.mods.has("noinc")
	o := &mbarrierOperands{count: -1, tx: -1}
	o.at.space = spaceShared
	d.addressOf(d.args(1)[0], &o.at)
	d.narrow(spaceShared, 8)
	d.k.mbarriers = true
	d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) {
		if !w.operandsKnown(in, o, m) {
			return
		}
		for l := range eachLane(m) {
			bar := w.mbarrierAt(in, l, &o.at)
			if bar == nil {
				return
			}
			if more {
				bar.pending++
			}
			q := &w.async[l]
			f := flight{w: w, lane: l, bar: bar, arrive: true, pc: in.pc, copies: append([]pendingCopy(nil), q.copies...)}
			q.reset()
			w.blk.flights = append(w.blk.flights, f)
		}
	}})
}

// bulkCopy is cp.async.bulk from global to shared memory, which an mbarrier counts by bytes.
func bulkCopy(d *decoder) {
	mods := d.s.mods
	if mods.one("shared::cluster", "shared::cta") == "" || !mods.has("global") || !mods.has("mbarrier::complete_tx::bytes") {
		d.fail("bulk copies are supported from global to shared memory with an mbarrier only")
	}
	args := d.args(4)
	o := &mbarrierOperands{count: -1, tx: d.src(args[2], elems["u32"], false)}
	var to, from access
	to.space, from.space, o.at.space = spaceShared, spaceGlobal, spaceShared
	d.addressOf(args[0], &to)
	d.addressOf(args[1], &from)
	d.addressOf(args[3], &o.at)
	d.narrow(spaceShared, 8)
	d.narrow(spaceGlobal, 16)
	d.k.mbarriers = true
	d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) { w.issueBulk(in, &to, &from, o, m) }})
}

func (w *warp) issueBulk(in *inst, to, from *access, o *mbarrierOperands, m uint32) {
	if w.undefined(in, to.addr, m, "the destination") || w.undefined(in, from.addr, m, "the source") || !w.operandsKnown(in, o, m) {
		return
	}
	for l := range eachLane(m) {
		dst, src, n := w.regs[to.addr][l]+to.offset, w.regs[from.addr][l]+from.offset, w.regs[o.tx][l]
		if n%16 != 0 || n == 0 || n > maxShared {
			w.fault(in, l, BadOperand, "a bulk copy of %d bytes: it must be a multiple of 16", n)
			return
		}
		if dst&15 != 0 || src&15 != 0 {
			s, addr := spaceShared, dst
			if dst&15 == 0 {
				s, addr = spaceGlobal, src
			}
			w.misaligned(in, l, s, addr, 16)
			return
		}
		bar := w.mbarrierAt(in, l, &o.at)
		if bar == nil {
			return
		}
		f := flight{w: w, lane: l, bar: bar, bytes: int(n), pc: in.pc}
		me := stampFlight | w.stamp(l, in.pc)
		for at := uint64(0); at < n; at += 16 {
			c := pendingCopy{to: dst + at, n: 16, pc: in.pc}
			p := w.readGlobal(in, l, spaceGlobal, src+at, 16, false)
			if p == nil || !w.markShared(in, l, dst+at, 16, me) {
				return
			}
			copy(c.data[:], p)
			f.copies = append(f.copies, c)
		}
		w.blk.flights = append(w.blk.flights, f)
	}
}
