package emulator

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// barrierUse is what an instruction does at a barrier of the block.
type barrierUse struct {
	id, count  int32 // rows; count -1 = all threads
	arriveOnly bool
	reduce     string // of bar.red: "popc", "and", "or"
	pred       int32
	inv        bool
}

// barrierCall is what lanes ask of a barrier.
type barrierCall struct {
	id, count  int // count 0 = all threads
	arriveOnly bool
	reduce     string
}

// A barrier is one of the sixteen of a block. It counts warps: an instruction waits
// for the lanes of its warp first.
type barrier struct {
	call    barrierCall // of those who have come
	arrived int         // threads
	warps   uint32
	meeting meeting
	waiting []*split
	votes   int // of bar.red: threads whose predicate held
	voters  int
}

const blockBarriers = 16

// barrierCall reads the barrier's number and count, which must be the same in all lanes.
func (w *warp) barrierCall(in *inst, m uint32) (barrierCall, bool) {
	use, name := in.sync.barrier, in.sync.name
	if w.undefined(in, use.id, m, "the number of the barrier") || use.count >= 0 && w.undefined(in, use.count, m, "the number of threads") {
		return barrierCall{}, false
	}
	lane := bits.TrailingZeros32(m)
	id, count := w.regs[use.id][lane], uint64(0)
	if use.count >= 0 {
		count = w.regs[use.count][lane]
		if count == 0 || count%lanes != 0 {
			w.fault(in, lane, BadBarrier, "%s: the number of threads is %d, not a multiple of %d", name, count, lanes)
			return barrierCall{}, false
		}
	}
	for l := range eachLane(m) {
		if w.regs[use.id][l] != id || use.count >= 0 && w.regs[use.count][l] != count {
			w.fault(in, l, BadBarrier, "%s: lanes of one warp name different barriers", name)
			return barrierCall{}, false
		}
	}
	if id >= blockBarriers {
		w.fault(in, lane, BadBarrier, "%s: there is no barrier %d", name, id)
		return barrierCall{}, false
	}
	return barrierCall{int(id), int(count), use.arriveOnly, use.reduce}, true
}

// blockSync takes a warp, all of whose lanes have come, to a barrier of the block.
func (w *warp) blockSync(in *inst, at rendezvous, m uint32) {
	call, name, lane := at.barrier, in.sync.name, bits.TrailingZeros32(m)
	bar := &w.blk.barriers[call.id]
	switch before := bar.call; {
	case bar.warps == 0:
	case before.count != call.count:
		w.fault(in, lane, BadBarrier, "%s: barrier %d waits for %s here and for %s elsewhere", name, call.id, threadCount(call.count), threadCount(before.count))
		return
	case before.reduce != call.reduce:
		w.fault(in, lane, BadBarrier, "%s: barrier %d is used with a reduction and without, or with two", name, call.id)
		return
	case bar.warps>>w.index&1 != 0:
		w.fault(in, lane, BadBarrier, "%s: warp %d comes to barrier %d again before the barrier is complete", name, w.index, call.id)
		return
	}
	bar.call = call
	bar.warps |= 1 << w.index
	bar.arrived += bits.OnesCount32(m)
	if call.count > 0 { // counted by warps
		bar.arrived += lanes - bits.OnesCount32(m)
	}
	if call.count > 0 && bar.arrived > call.count {
		w.fault(in, lane, BadBarrier, "%s: %d threads come to barrier %d, which waits for %d", name, bar.arrived, call.id, call.count)
		return
	}
	bar.meeting.release(w, m)
	for _, s := range w.splits {
		if s.wait != waitWarp || s.at != at {
			continue
		}
		if call.reduce != "" {
			use := w.blk.k.code[s.pc].sync.barrier
			if und := s.ready &^ w.pdef[use.pred]; und != 0 {
				w.faultAt(s.pc, bits.TrailingZeros32(und), Undefined, nil, "%s: the predicate depends on what was never written", name)
				return
			}
			p := w.preds[use.pred] ^ allOf(use.inv)
			bar.votes += bits.OnesCount32(p & s.ready)
			bar.voters += bits.OnesCount32(s.ready)
		}
		if call.arriveOnly {
			s.wait = running
			s.pc++
			continue
		}
		s.wait = waitBlock
		bar.waiting = append(bar.waiting, s)
	}
	w.blk.recheckBarrier(call.id)
}

func threadCount(n int) string {
	if n == 0 {
		return "all threads"
	}
	return fmt.Sprintf("%d threads", n)
}

func (b *block) recheckBarriers() {
	for id := range b.barriers {
		if b.barriers[id].arrived > 0 {
			b.recheckBarrier(id)
		}
	}
}

// recheckBarrier lets the waiting go on if all have come.
func (b *block) recheckBarrier(id int) {
	bar := &b.barriers[id]
	if bar.arrived == 0 || bar.arrived < b.wanted(bar) {
		return
	}
	for _, s := range bar.waiting {
		in := &b.k.code[s.pc]
		bar.meeting.acquire(s.w, s.ready)
		s.w.barrierResult(in, s.ready, bar)
		s.wait = running
		s.pc++
	}
	*bar = barrier{waiting: bar.waiting[:0]}
}

// wanted is how many threads a barrier waits for.
func (b *block) wanted(bar *barrier) int {
	if bar.call.count == 0 {
		return b.alive
	}
	return bar.call.count
}

// barrierResult gives lanes the outcome of a bar.red.
func (w *warp) barrierResult(in *inst, m uint32, bar *barrier) {
	switch in.sync.barrier.reduce {
	case "popc":
		for l := range eachLane(m) {
			w.regs[in.d][l] = uint64(bar.votes)
		}
		w.def[in.d] |= m
	case "and":
		w.setPred(in.d, m, allOf(bar.votes == bar.voters), m)
	case "or":
		w.setPred(in.d, m, allOf(bar.votes > 0), m)
	}
}

func allOf(b bool) uint32 {
	if b {
		return ^uint32(0)
	}
	return 0
}

// stuck reports why nothing in the block can go on: lanes that miss others of their
// warp first, then who polls an mbarrier, then who waits otherwise.
func (b *cluster) stuck() {
	var waits [waitings]*split // the first of each kind
	for _, w := range b.every {
		for _, s := range w.splits {
			if waits[s.wait] == nil {
				waits[s.wait] = s
			}
		}
	}
	switch {
	case waits[waitWarp] != nil:
		waits[waitWarp].reportMissing()
	case waits[waitRegisters] != nil:
		s := waits[waitRegisters]
		s.w.faultAt(s.at.pc, 0, Deadlock, nil, "the block's pool does not get the registers that are asked for: %s", b.whoWaits())
	case waits[waitPoll] != nil:
		s := waits[waitPoll]
		s.w.faultAt(s.at.pc, bits.TrailingZeros32(s.ready), Deadlock, nil, "nothing can go on: %s", b.whoWaits())
	case waits[waitCluster] != nil:
		s := waits[waitCluster]
		s.w.faultAt(s.at.pc, bits.TrailingZeros32(s.ready), Deadlock, nil, "not all threads come to the cluster's barrier: %s", b.whoWaits())
	case waits[waitGroup] != nil:
		s := waits[waitGroup]
		s.w.faultAt(s.at.pc, 0, Deadlock, nil, "not all warps of the warpgroup come here: %s", b.whoWaits())
	case waits[waitBlock] != nil:
		s := waits[waitBlock]
		bar := &s.w.blk.barriers[s.at.barrier.id]
		s.w.faultAt(s.pc, bits.TrailingZeros32(s.ready), Deadlock, nil, "barrier %d has %d of %d threads and no more can come: %s", s.at.barrier.id, bar.arrived, s.w.blk.wanted(bar), b.whoWaits())
	}
}

// reportMissing says which lanes do not come to an instruction that needs them, and where they are.
func (s *split) reportMissing() {
	w, k := s.w, s.w.blk.k
	missing := s.at.mask & w.alive &^ s.ready
	where := "elsewhere"
	for _, t := range w.splits {
		if t.mask&missing != 0 {
			where = "at " + k.place(t.pc).String()
		}
	}
	for _, j := range w.joins {
		if j.arrived&missing != 0 {
			where = "past it, at " + k.place(j.pc).String()
		}
	}
	w.faultAt(s.pc, bits.TrailingZeros32(s.ready), Divergence, nil, "%s is executed by lanes %s of warp %d; it needs lanes %s too, which wait %s", k.code[s.pc].sync.name, laneSet(s.ready), w.index, laneSet(missing), where)
}

// whoWaits lists what is waited for, and by which warps.
func (b *cluster) whoWaits() string {
	var whats []string
	warps := map[string][]string{}
	for _, w := range b.every {
		for _, s := range w.splits {
			what := s.waitsFor()
			if len(b.blocks) > 1 {
				what += " in block " + triple(w.blk.id)
			}
			if warps[what] == nil {
				whats = append(whats, what)
			}
			warps[what] = append(warps[what], fmt.Sprint(w.index))
		}
	}
	var lines []string
	for _, what := range whats {
		if len(lines) == 8 {
			lines = append(lines, "…")
			break
		}
		name := "warps "
		if len(warps[what]) == 1 {
			name = "warp "
		}
		lines = append(lines, name+strings.Join(slices.Compact(warps[what]), ", ")+" "+what)
	}
	return strings.Join(lines, "; ")
}

// waitsFor says what a split waits for.
func (s *split) waitsFor() string {
	k := s.w.blk.k
	switch s.wait {
	case waitPoll:
		return fmt.Sprintf("at %s, %s", s.polled(), k.place(s.at.pc))
	case waitCluster:
		return fmt.Sprintf("at the cluster's barrier, %s", k.place(s.at.pc))
	case waitGroup:
		return fmt.Sprintf("at a product, for the rest of the warpgroup, %s", k.place(s.at.pc))
	case waitRegisters:
		g := s.w.blk.groups[s.w.index/warpgroup]
		return fmt.Sprintf("at setmaxnreg, for %d registers a thread, %s", g.wants, k.place(s.at.pc))
	}
	return fmt.Sprintf("at barrier %d, %s", s.at.barrier.id, k.place(s.pc))
}
