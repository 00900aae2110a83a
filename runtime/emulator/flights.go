package emulator

// A flight is copies whose end an mbarrier counts. They land when nothing else in the
// cluster can go on, one flight after the other in an order drawn at random, or under an odd seed at any
// time: then an mbarrier that is told too late what to wait for is complete too early. What
// they write counts as written by the agent of the mbarrier, so that only who has seen
// its phase complete may read it.
type flight struct {
	w      *warp
	lane   int
	bar    *mbarrier
	copies []pendingCopy
	bytes  int  // of a transaction
	arrive bool // count one arrival
	bulk   bool // of a copy that the block must wait for
	async  bool // in the asynchronous proxy
	pc     int32
}

// deliver lands one flight, if there is one.
func (c *cluster) deliver() bool {
	if len(c.flights) == 0 {
		return false
	}
	c.land(c.rnd.below(len(c.flights)))
	return true
}

// deliverOf lands all flights of a lane, which waits for its copies itself.
func (c *cluster) deliverOf(w *warp, lane int) {
	for i := len(c.flights) - 1; i >= 0; i-- {
		if f := &c.flights[i]; f.w == w && f.lane == lane && f.arrive {
			c.land(i)
		}
	}
}

func (c *cluster) land(i int) {
	f := c.flights[i]
	c.flights = append(c.flights[:i], c.flights[i+1:]...)
	m := f.bar
	m.blk.put(f.copies, m.agent, m.clock)
	if m.meeting.v == nil {
		m.meeting.v = make(view, c.viewLength)
	}
	m.meeting.v[m.agent] = m.clock
	if f.bulk {
		if f.async {
			m.meeting.v[c.numbers+m.agent] = m.clock // of reads, agents need no fence
		}
		m.blk.note(visitor{f.w, f.lane, makeStamp(m.agent, m.clock, f.pc)})
	}
	m.bytes -= f.bytes
	if f.arrive {
		if m.pending == 0 {
			f.w.faultAt(f.pc, f.lane, BadBarrier, nil, "the copies arrive where the phase of the mbarrier waits for no more arrivals of %d", m.expected)
			return
		}
		m.pending--
	}
	m.advance(c)
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

// fly marks where the pieces go, in the block that there names, and puts them on their way.
func (w *warp) fly(in *inst, lane int, m *mbarrier, there uint64, pieces []piece, data []pendingCopy) bool {
	f := flight{w: w, lane: lane, bar: m, bytes: pieceBytes * len(pieces), bulk: true, async: true, pc: in.pc, copies: append([]pendingCopy(nil), data...)}
	by := actor{me: stampFlight | w.stamp(lane, in.pc), async: true}
	w.blk.boxes++
	for i, p := range pieces {
		b, at := w.sharedAt(in, lane, spaceCluster, there|p.shared, pieceBytes, "write", by.me)
		if b == nil {
			return false
		}
		if b != m.blk {
			w.fault(in, lane, BadOperand, "the mbarrier of a copy is in the block that it goes to: %s is not", w.sharedName(m.blk, m.at))
			return false
		}
		if !w.markCells(in, lane, b, at, pieceBytes, by) {
			return false
		}
		f.copies[i].to = at
		if p.tag != (boxTag{}) {
			p.tag.box = w.blk.boxes
			b.tag(at, p.tag)
		}
	}
	w.blk.flights = append(w.blk.flights, f)
	return true
}
