package emulator

import (
	"fmt"
	"math/bits"
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

// A barrier is one of the sixteen of a block.
type barrier struct {
	expect  int // threads, 0 = all that have not ended
	arrived int
	meeting meeting
	waiting []*split
	votes   int // of bar.red: threads whose predicate held
	voters  int
}

const blockBarriers = 16

// synchronise brings lanes m of s to an instruction that lanes execute together.
// It runs once all have come: those that the member mask names, or for aligned
// instructions all lanes of the warp.
func (w *warp) synchronise(s *split, in *inst, m uint32) {
	if m == 0 {
		s.pc++
		return
	}
	y := in.sync
	need := m
	switch {
	case y.aligned:
		need = w.all
		if m != s.mask {
			w.faultAt(s.pc, bits.TrailingZeros32(s.mask&^m), Divergence, nil, "%s is executed by some lanes of the warp only: its predicate holds in lanes %s, not in %s", y.name, laneSet(m), laneSet(s.mask&^m))
			return
		}
	case y.mask >= 0:
		if w.undefined(in, y.mask, m, "the member mask") {
			return
		}
		need = uint32(w.regs[y.mask][bits.TrailingZeros32(m)])
		for l := range eachLane(m) {
			if other := uint32(w.regs[y.mask][l]); other != need {
				w.faultAt(s.pc, l, BadOperand, nil, "%s: lanes have different member masks, %#x and %#x", y.name, need, other)
				return
			}
			if need>>l&1 == 0 {
				w.faultAt(s.pc, l, BadOperand, nil, "%s: the member mask %#x leaves out lane %d, which executes it", y.name, need, l)
				return
			}
		}
	}
	s.wait, s.need, s.ready = waitWarp, need, m
	w.gather(s.pc, need)
}

// meets tells whether s waits at pc for the lanes need to come together.
func (s *split) meets(pc int32, need uint32) bool {
	return s.wait == waitWarp && s.pc == pc && s.need == need
}

// gather runs the instruction at pc if all the lanes need that have not ended wait at it.
func (w *warp) gather(pc int32, need uint32) {
	var here uint32
	for _, s := range w.splits {
		if s.meets(pc, need) {
			here |= s.ready
		}
	}
	if here == 0 || need&w.alive&^here != 0 {
		return
	}
	in := &w.blk.k.code[pc]
	if in.op == opBlockSync {
		w.blockSync(pc, in, here, need)
		return
	}
	in.run(w, in, here)
	for _, s := range w.splits {
		if s.meets(pc, need) {
			s.wait = running
			s.pc++
		}
	}
	if w.held != nil {
		w.unhold()
	}
}

// gatherAll looks again at all that waits in the warp, after lanes have ended.
func (w *warp) gatherAll() {
	for i := 0; i < len(w.splits); i++ {
		if s := w.splits[i]; s.wait == waitWarp {
			w.gather(s.pc, s.need)
		}
	}
}

// blockSync takes lanes to a barrier of the block.
func (w *warp) blockSync(pc int32, in *inst, m, need uint32) {
	b, use, y := w.blk, in.sync.barrier, in.sync
	lane := bits.TrailingZeros32(m)
	if w.undefined(in, use.id, m, "the number of the barrier") || use.count >= 0 && w.undefined(in, use.count, m, "the number of threads") {
		return
	}
	id, count := w.regs[use.id][lane], uint64(0)
	if use.count >= 0 {
		count = w.regs[use.count][lane]
		if count == 0 || count%lanes != 0 {
			w.faultAt(pc, lane, BadBarrier, nil, "%s: the number of threads is %d, not a multiple of %d", y.name, count, lanes)
			return
		}
	}
	for l := range eachLane(m) {
		if w.regs[use.id][l] != id || use.count >= 0 && w.regs[use.count][l] != count {
			w.faultAt(pc, l, BadBarrier, nil, "%s: lanes of one warp name different barriers", y.name)
			return
		}
	}
	if id >= blockBarriers {
		w.faultAt(pc, lane, BadBarrier, nil, "%s: there is no barrier %d", y.name, id)
		return
	}
	bar := &b.barriers[id]
	if bar.arrived > 0 && bar.expect != int(count) {
		w.faultAt(pc, lane, BadBarrier, nil, "%s: barrier %d waits for %s here and for %s elsewhere", y.name, id, threadCount(int(count)), threadCount(bar.expect))
		return
	}
	bar.expect = int(count)
	n := bits.OnesCount32(m)
	if y.aligned && count > 0 {
		n = lanes // counted by warps
	}
	bar.arrived += n
	bar.meeting.release(w, m)
	if use.reduce != "" {
		p := w.preds[use.pred]
		if use.inv {
			p = ^p
		}
		bar.votes += bits.OnesCount32(p & m)
		bar.voters += bits.OnesCount32(m)
	}
	if bar.expect > 0 && bar.arrived > bar.expect {
		w.faultAt(pc, lane, BadBarrier, nil, "%s: %d threads come to barrier %d, which waits for %d", y.name, bar.arrived, id, bar.expect)
		return
	}
	for _, s := range w.splits {
		if !s.meets(pc, need) {
			continue
		}
		if use.arriveOnly {
			s.wait = running
			s.pc++
			continue
		}
		s.wait, s.bar = waitBlock, int(id)
		bar.waiting = append(bar.waiting, s)
	}
	b.recheckBarrier(int(id))
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
	want := bar.expect
	if want == 0 {
		want = b.alive
	}
	if bar.arrived < want || bar.arrived == 0 {
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

// laneSet writes a mask as ranges: 0-15,31.
func laneSet(m uint32) string {
	var out []string
	for i := 0; i < lanes; i++ {
		if m>>i&1 == 0 {
			continue
		}
		j := i
		for j+1 < lanes && m>>(j+1)&1 != 0 {
			j++
		}
		if i == j {
			out = append(out, fmt.Sprint(i))
		} else {
			out = append(out, fmt.Sprintf("%d-%d", i, j))
		}
		i = j
	}
	return strings.Join(out, ",")
}

// stuck reports why nothing in the block can run.
func (b *block) stuck() {
	var barrierSplit *split
	for _, w := range b.warps {
		for _, s := range w.splits {
			switch s.wait {
			case waitWarp:
				y := b.k.code[s.pc].sync
				missing := s.need & w.alive &^ s.ready
				where := "elsewhere"
				for _, t := range w.splits {
					if t.mask&missing != 0 && t.wait != running {
						where = "at " + b.k.place(t.pc).String()
					}
				}
				for _, j := range w.joins {
					if j.arrived&missing != 0 {
						where = "past it, at " + b.k.place(j.pc).String()
					}
				}
				w.faultAt(s.pc, bits.TrailingZeros32(s.ready), Divergence, nil, "%s is executed by lanes %s of warp %d; it needs lanes %s too, which wait %s", y.name, laneSet(s.ready), w.index, laneSet(missing), where)
				return
			case waitBlock:
				if barrierSplit == nil {
					barrierSplit = s
				}
			}
		}
	}
	if barrierSplit == nil {
		b.warps[0].faultAt(0, 0, Deadlock, nil, "nothing in the block can go on")
		return
	}
	var lines []string
	for _, w := range b.warps {
		for _, s := range w.splits {
			lines = append(lines, fmt.Sprintf("warp %d at barrier %d, %s", w.index, s.bar, b.k.place(s.pc)))
		}
		if len(lines) > 6 {
			lines = append(lines[:6], "…")
			break
		}
	}
	bar := b.barriers[barrierSplit.bar]
	want := bar.expect
	if want == 0 {
		want = b.alive
	}
	barrierSplit.w.faultAt(barrierSplit.pc, bits.TrailingZeros32(barrierSplit.ready), Deadlock, nil, "barrier %d has %d of %d threads and no more can come: %s", barrierSplit.bar, bar.arrived, want, strings.Join(lines, "; "))
}
