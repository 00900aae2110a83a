package emulator

import (
	"fmt"
	"math/bits"
)

// An mbarrier is a barrier in shared memory. Its phase is complete when all that it
// expects have arrived and the bytes of all transactions are there. What arrives hands
// over what it has done, and who finds a phase complete takes it.
type mbarrier struct {
	blk               *block
	at                uint64 // in its shared memory
	made              stamp
	shown             uint32 // the clock of who made it when it was shown to copies; 0 = not yet
	expected, pending int
	bytes             int // of transactions: announced and not yet there
	phase             int
	meeting           meeting // of the phase that goes on
	done              view    // of the phase before
	agent             int     // who copies that complete here count as, in views
	clock             uint32  // of the agent
}

// Bounds of the counts that an mbarrier can hold.
const (
	maxArrivals     = 1<<20 - 1
	maxTransactions = 1<<20 - 1
)

var mbarrierBuilders = map[string]func(d *decoder){"mbarrier": mbarrierOp}

// mbarrierOperands are the rows of an mbarrier instruction.
type mbarrierOperands struct {
	at     access
	count  int32 // arrivals, or the row of a phase or parity; -1 = none
	tx     int32
	parity bool
	drop   bool
}

func mbarrierOp(d *decoder) {
	m, args := d.s.mods, d.s.args
	d.needs("b64")
	if m.has("noComplete") {
		d.fail("this form is not supported")
	}
	m.one("release", "acquire") // as without
	m.one("cta", "cluster")
	if m.has("relaxed") && (m.one("expect_tx", "complete_tx") == "" || m.has("arrive")) {
		d.fail(".relaxed is not supported: nothing would be ordered")
	}
	o := &mbarrierOperands{count: -1, tx: -1, parity: m.has("parity"), drop: m.has("arrive_drop")}
	o.at.space = d.space()
	if o.at.space != generic && o.at.space != spaceShared && o.at.space != spaceCluster {
		d.fail("an mbarrier is in shared memory")
	}
	u, state := elems["u32"], elems["b64"]
	in := inst{op: opRun}
	switch name := m.one("init", "inval", "arrive", "arrive_drop", "complete_tx", "expect_tx", "test_wait", "try_wait"); name {
	case "init":
		d.args(2)
		d.addressOf(args[0], &o.at)
		o.count = d.src(args[1], u, false)
		in.run = func(w *warp, in *inst, m uint32) { w.initMbarrier(in, o, m) }
	case "inval":
		d.addressOf(d.args(1)[0], &o.at)
		in.run = func(w *warp, in *inst, m uint32) { w.invalidate(in, o, m) }
	case "arrive", "arrive_drop":
		if len(args) < 2 || len(args) > 3 {
			d.fail("needs 2 or 3 operands, not %d", len(args))
		}
		if o.at.space == spaceCluster && args[0].kind != argSink {
			d.fail("an arrival at another block gives no state: its result is _")
		}
		in.d = d.dst(args[0], state, false)
		d.addressOf(args[1], &o.at)
		if m.has("expect_tx") {
			o.tx = d.src(d.args(3)[2], u, false)
		} else if len(args) == 3 {
			o.count = d.src(args[2], u, false)
		}
		in.run = func(w *warp, in *inst, m uint32) { w.arriveAt(in, o, m) }
	case "expect_tx":
		d.args(2)
		d.addressOf(args[0], &o.at)
		o.tx = d.src(args[1], u, false)
		in.run = func(w *warp, in *inst, m uint32) { w.expectBytes(in, o, m) }
	case "complete_tx":
		d.args(2)
		d.addressOf(args[0], &o.at)
		o.tx = d.src(args[1], u, false)
		in.run = func(w *warp, in *inst, m uint32) { w.completeBytes(in, o, m) }
	case "test_wait", "try_wait":
		if len(args) != 3 && (name != "try_wait" || len(args) != 4) { // the fourth is a time limit
			d.fail("needs 3 operands, not %d", len(args))
		}
		in.d = d.predDst(args[0])
		d.addressOf(args[1], &o.at)
		if o.parity {
			o.count = d.src(args[2], u, false)
		} else {
			o.count = d.src(args[2], state, false)
		}
		in.run = func(w *warp, in *inst, m uint32) { w.testMbarrier(in, o, m) }
	default:
		d.fail("this form is not supported")
	}
	d.narrow(spaceShared, 8)
	d.k.mbarriers = true
	in.mem = &o.at
	d.emit(in)
}

// mbarrierAt finds the barrier at a lane's address, which must be made, and made known to the lane.
func (w *warp) mbarrierAt(in *inst, lane int, at *access) *mbarrier {
	s, addr := settle(at.space, w.regs[at.addr][lane]+at.offset)
	return w.findMbarrier(in, lane, s, addr, w.stamp(lane, in.pc))
}

// findMbarrier finds the barrier at an address, for the lane itself or, with the flight bit in visit, for a copy
// that it starts.
func (w *warp) findMbarrier(in *inst, lane int, s space, addr uint64, visit stamp) *mbarrier {
	if addr&7 != 0 {
		w.misaligned(in, lane, spaceShared, addr, 8)
		return nil
	}
	by := w.by(in, lane)
	b, addr := w.sharedAt(in, lane, s, addr, 8, "use of an mbarrier", visit)
	if b == nil || !w.readCells(in, lane, b, addr, 8, by) {
		return nil
	}
	m := b.mbarriers[addr]
	if m == nil {
		w.fault(in, lane, BadBarrier, "there is no mbarrier at %s", w.sharedName(b, addr))
	}
	return m
}

// shownTo tells whether copies that a lane starts see an mbarrier, and reports it if not.
func (m *mbarrier) shownTo(w *warp, in *inst, lane int) bool {
	v, maker := w.views[lane], m.made.thread()
	if w.blk.fenced(v, m.made) || m.shown != 0 && (maker == w.thread(lane) || v[maker] >= m.shown) {
		return true
	}
	p := w.blk.k.place(m.made.pc())
	w.faultAt(in.pc, lane, Unfenced, &p, "the mbarrier at %s counts the bytes of this copy and was made by %s: a fence.mbarrier_init or fence.proxy.async is missing after that", w.sharedName(m.blk, m.at), w.blk.who(m.made))
	return false
}

// operandsKnown reports operands of an mbarrier instruction that hold nothing.
func (w *warp) operandsKnown(in *inst, o *mbarrierOperands, m uint32) bool {
	return !(w.undefined(in, o.at.addr, m, "the address of the mbarrier") || o.count >= 0 && w.undefined(in, o.count, m, "an operand of the mbarrier") || o.tx >= 0 && w.undefined(in, o.tx, m, "the number of bytes"))
}

func (w *warp) initMbarrier(in *inst, o *mbarrierOperands, m uint32) {
	if !w.operandsKnown(in, o, m) {
		return
	}
	b := w.blk
	for l := range eachLane(m) {
		n := w.regs[o.count][l]
		_, addr := settle(o.at.space, w.regs[o.at.addr][l]+o.at.offset)
		if addr&7 != 0 {
			w.misaligned(in, l, spaceShared, addr, 8)
			return
		}
		if n < 1 || n > maxArrivals {
			w.fault(in, l, BadBarrier, "an mbarrier cannot expect %d arrivals", n)
			return
		}
		if w.writeShared(in, l, spaceShared, addr, 8, w.by(in, l)) == nil {
			return
		}
		if b.mbarriers == nil {
			b.mbarriers = map[uint64]*mbarrier{}
		}
		agent := w.newAgent(in, l, ofMbarrier) // of those that were made and are no more, too
		if agent < 0 {
			return
		}
		b.mbarriers[addr] = &mbarrier{blk: b, at: addr, made: w.stamp(l, in.pc), expected: int(n), pending: int(n), agent: agent, clock: 1}
	}
}

func (w *warp) invalidate(in *inst, o *mbarrierOperands, m uint32) {
	if !w.operandsKnown(in, o, m) {
		return
	}
	for l := range eachLane(m) {
		b := w.mbarrierAt(in, l, &o.at)
		if b == nil {
			return
		}
		delete(b.blk.mbarriers, b.at)
		if w.writeShared(in, l, spaceShared, b.at, 8, w.by(in, l)) == nil {
			return
		}
	}
}

func (w *warp) arriveAt(in *inst, o *mbarrierOperands, m uint32) {
	if !w.operandsKnown(in, o, m) {
		return
	}
	for l := range eachLane(m) {
		b := w.mbarrierAt(in, l, &o.at)
		if b == nil {
			return
		}
		n := uint64(1)
		if o.count >= 0 {
			n = w.regs[o.count][l]
		}
		if o.tx >= 0 && !w.announce(in, l, b, w.regs[o.tx][l]) {
			return
		}
		if n < 1 || n > uint64(b.pending) {
			w.fault(in, l, BadBarrier, "%d arrivals where the phase of the mbarrier waits for %d more of %d", n, b.pending, b.expected)
			return
		}
		w.regs[in.d][l] = uint64(b.phase)
		w.def[in.d] |= 1 << l
		b.meeting.release(w, 1<<l)
		b.pending -= int(n)
		if o.drop {
			b.expected -= int(n)
		}
		b.advance(w.blk.cluster)
	}
}

func (w *warp) expectBytes(in *inst, o *mbarrierOperands, m uint32) {
	if !w.operandsKnown(in, o, m) {
		return
	}
	for l := range eachLane(m) {
		b := w.mbarrierAt(in, l, &o.at)
		if b == nil || !w.announce(in, l, b, w.regs[o.tx][l]) {
			return
		}
	}
}

// completeBytes is mbarrier.complete_tx: bytes are there that no copy has brought.
func (w *warp) completeBytes(in *inst, o *mbarrierOperands, m uint32) {
	if !w.operandsKnown(in, o, m) {
		return
	}
	for l := range eachLane(m) {
		b := w.mbarrierAt(in, l, &o.at)
		if b == nil {
			return
		}
		b.bytes -= int(w.regs[o.tx][l])
		b.advance(w.blk.cluster)
	}
}

// announce adds the bytes of transactions to what a phase waits for.
func (w *warp) announce(in *inst, lane int, b *mbarrier, n uint64) bool {
	if n > maxTransactions || b.bytes+int(n) > maxTransactions {
		w.fault(in, lane, BadBarrier, "an mbarrier cannot wait for %d bytes", uint64(b.bytes)+n)
		return false
	}
	b.bytes += int(n)
	return true
}

// advance completes the phase if nothing is missing, and wakes who polls.
func (b *mbarrier) advance(blk *cluster) {
	if b.pending > 0 || b.bytes != 0 {
		return
	}
	b.phase++
	b.pending, b.done, b.meeting = b.expected, b.meeting.v, meeting{}
	b.clock++
	blk.idle = 0
	blk.wake()
}

// wake lets the splits that poll an mbarrier try again.
func (b *cluster) wake() {
	for _, w := range b.every {
		for _, s := range w.splits {
			if s.wait == waitPoll {
				s.wait = running
			}
		}
	}
}

// testMbarrier is test_wait and try_wait. Lanes that find the phase complete go on in
// the order that it gives. A split with one that does not is put aside until some
// phase completes: polling is no progress.
func (w *warp) testMbarrier(in *inst, o *mbarrierOperands, m uint32) {
	if !w.operandsKnown(in, o, m) {
		return
	}
	var yes uint32
	for l := range eachLane(m) {
		b := w.mbarrierAt(in, l, &o.at)
		if b == nil {
			return
		}
		if b.blk != w.blk {
			w.fault(in, l, BadOperand, "a thread can wait for mbarriers of its own block only")
			return
		}
		v := w.regs[o.count][l]
		complete := v&1 != uint64(b.phase&1)
		if !o.parity {
			if v > uint64(b.phase) || v+1 < uint64(b.phase) {
				w.fault(in, l, BadBarrier, "the wait is for phase %d of the mbarrier, which is in phase %d", v, b.phase)
				return
			}
			complete = v < uint64(b.phase)
		} else if v > 1 {
			w.fault(in, l, BadOperand, "a parity is 0 or 1, not %d", v)
			return
		}
		if complete {
			yes |= 1 << l
			w.learn(l, b.done)
		}
	}
	w.setPred(in.d, m, yes, m)
	if yes != m {
		w.parked = waitPoll
	}
}

// learn adds v to what a lane has seen.
func (w *warp) learn(lane int, v view) {
	own := w.views[lane]
	if v == nil || &own[0] == &v[0] {
		return
	}
	// Lanes of a warp mostly share a view: they shall share the new one.
	if w.learnt.from == &own[0] && w.learnt.with == &v[0] {
		w.views[lane] = w.learnt.to
		return
	}
	to := make(view, len(v))
	for t := range to {
		to[t] = max(own[t], v[t])
	}
	w.learnt = learnt{&own[0], &v[0], to}
	w.views[lane] = to
}

// learnt remembers the views that were joined last.
type learnt struct {
	from, with *uint32
	to         view
}

// polled says for a report what a split that polls an mbarrier waits for.
func (s *split) polled() string {
	b := s.w.blk
	in, lane := &b.k.code[s.at.pc], bits.TrailingZeros32(s.ready)
	_, addr := settle(in.mem.space, s.w.regs[in.mem.addr][lane]+in.mem.offset)
	m := b.mbarriers[addr]
	if m == nil {
		return "an mbarrier that is no more"
	}
	bytes := fmt.Sprintf("%d bytes are missing", m.bytes)
	if m.bytes < 0 {
		bytes = fmt.Sprintf("no bytes are missing, %d have come that were not expected,", -m.bytes)
	}
	return fmt.Sprintf("the mbarrier at %s (%d of %d arrivals and %s in phase %d)", b.name(spaceShared, addr), m.pending, m.expected, bytes, m.phase)
}
