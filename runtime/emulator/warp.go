package emulator

import (
	"fmt"
	"iter"
	"math/bits"
)

const lanes = 32

type row [lanes]uint64

// A warp is 32 lanes with their registers. Lanes that went different ways at a
// branch are splits, each with its own place in the code.
type warp struct {
	blk      *block
	index    int
	first    int    // number of lane 0's thread in the block
	agent    int    // and in the cluster
	all      uint32 // those that there are threads for
	alive    uint32
	regs     []row
	def      []uint32 // which lanes of a row hold a value
	preds    []uint32
	pdef     []uint32
	splits   []*split
	joins    []*join
	views    [lanes]view
	clocks   [lanes]uint32
	async    [lanes]asyncQueue
	bulk     [lanes]bulkQueue
	products warpProducts
	local    [lanes]localMemory
	frames   [lanes]frame
	current  *split  // that runs
	parked   waiting // what the instruction that runs makes its lanes wait for
	// Lanes that have arrived at the cluster's barrier, and those of them that may pass it.
	arrivedCluster, passedCluster uint32
	learnt                        learnt
	held                          *page // the page of global memory that the instruction works on
}

// A split is lanes that run together.
type split struct {
	w      *warp
	pc     int32
	joinPC int32 // join's place, noTarget if there is none
	mask   uint32
	join   *join
	wait   waiting
	at     rendezvous // where it waits
	ready  uint32     // the lanes of it that take part there
}

type waiting uint8

const (
	running waiting = iota
	waitWarp
	waitBlock
	waitPoll
	waitCluster
	waitGroup
	waitRegisters
	waitings // how many there are
)

// A join is where splits that a branch parted become one again.
type join struct {
	pc      int32
	mask    uint32 // lanes that are to come
	arrived uint32
	parent  *join
}

// thread is a lane's number in the cluster.
func (w *warp) thread(lane int) int { return w.agent + lane }

// stamp is an access of a lane.
func (w *warp) stamp(lane int, pc int32) stamp {
	return makeStamp(w.agent+lane, w.clocks[lane], pc)
}

func eachLane(m uint32) iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; m != 0; m &= m - 1 {
			if !yield(bits.TrailingZeros32(m)) {
				return
			}
		}
	}
}

func (w *warp) addSplit(pc int32, mask uint32, j *join) *split {
	s := &split{w: w, mask: mask, join: j, joinPC: noTarget}
	if j != nil {
		s.joinPC = j.pc
	}
	w.splits = append(w.splits, s)
	s.pc = pc
	return s
}

func (w *warp) removeSplit(s *split) {
	for i, t := range w.splits {
		if t == s {
			w.splits = append(w.splits[:i], w.splits[i+1:]...)
			return
		}
	}
}

// fault ends the block with a report on the first of lanes.
func (w *warp) fault(in *inst, lane int, kind Kind, format string, args ...any) {
	w.faultAt(in.pc, lane, kind, nil, format, args...)
}

func (w *warp) faultAt(pc int32, lane int, kind Kind, other *Place, format string, args ...any) {
	b := w.blk
	if b.fault != nil {
		return
	}
	b.fault = &Fault{Kind: kind, Kernel: b.k.name, Place: b.k.place(pc), Block: b.id, Thread: b.threadID(w.first + lane), Text: fmt.Sprintf(format, args...), Other: other}
}

// run executes a split until it waits, ends, has parted, or fuel is used up.
func (w *warp) run(s *split, fuel int) {
	b := w.blk
	code := b.k.code
	w.current = s
	for ; fuel > 0; fuel-- {
		if s.pc == s.joinPC {
			w.arrive(s)
			return
		}
		in := &code[s.pc]
		b.steps++
		m := s.mask & w.preds[in.guard]
		if in.inv {
			m = s.mask &^ w.preds[in.guard]
		}
		b.laneSteps += bits.OnesCount32(m)
		if !w.mayRun(s, in, m) {
			return
		}
		switch in.op {
		case opALU:
			w.alu(in, m)
		case opMov:
			w.mov(in, m)
		case opSetp:
			w.setp(in, m)
		case opSelp:
			w.selp(in, m)
		case opRun:
			if m != 0 {
				in.run(w, in, m)
				if w.held != nil {
					w.unhold()
				}
				if b.fault != nil {
					return
				}
				if w.parked != running {
					s.park(in, m)
					return
				}
			}
		case opBranch:
			if m == s.mask {
				s.pc = in.target
				continue
			}
			if m != 0 {
				w.part(s, in, m)
				return
			}
		case opCall:
			r := &w.regs[in.d]
			for l := range eachLane(m) {
				r[l] = uint64(s.pc + 1)
			}
			w.enter(in, m)
			s.pc = in.target
			continue
		case opReturn:
			s.pc = int32(w.regs[in.a][bits.TrailingZeros32(s.mask)])
			continue
		case opExit:
			if m != 0 {
				w.exit(s, m)
				if s.mask == 0 {
					return
				}
			}
		case opWarpSync, opBlockSync:
			w.synchronise(s, in, m)
			if b.fault != nil || s.wait != running {
				return
			}
			continue
		}
		s.pc++
	}
}

// mayRun looks at an instruction's predicate, and at registers that are not its warp's alone.
func (w *warp) mayRun(s *split, in *inst, m uint32) bool {
	if und := s.mask &^ w.pdef[in.guard]; und != 0 {
		w.faultAt(s.pc, bits.TrailingZeros32(und), Undefined, nil, "the predicate of this instruction depends on what was never written")
		return false
	}
	return in.touch == nil || m == 0 || w.touch(in)
}

// park makes lanes wait for what the instruction that they have executed says.
func (s *split) park(in *inst, m uint32) {
	s.wait, s.ready, s.at = s.w.parked, m, rendezvous{pc: in.pc}
	s.w.parked = running
	s.pc++
}

func (w *warp) alu(in *inst, m uint32) {
	d, a, b, c, f := &w.regs[in.d], &w.regs[in.a], &w.regs[in.b], &w.regs[in.c], in.f
	w.def[in.d] = w.def[in.d]&^m | w.def[in.a]&w.def[in.b]&w.def[in.c]&m
	if m == 1<<lanes-1 {
		for l := range d {
			d[l] = f(a[l], b[l], c[l])
		}
		return
	}
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & (lanes - 1)
		d[l] = f(a[l], b[l], c[l])
	}
}

func (w *warp) mov(in *inst, m uint32) {
	d, a := &w.regs[in.d], &w.regs[in.a]
	w.def[in.d] = w.def[in.d]&^m | w.def[in.a]&m
	if m == 1<<lanes-1 {
		*d = *a
		return
	}
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & (lanes - 1)
		d[l] = a[l]
	}
}

func (w *warp) setp(in *inst, m uint32) {
	a, b := &w.regs[in.a], &w.regs[in.b]
	known := w.def[in.a] & w.def[in.b] & w.pdef[in.c] & m
	var r uint32
	for rest := m; rest != 0; rest &= rest - 1 {
		l := bits.TrailingZeros32(rest) & (lanes - 1)
		if in.cmp(a[l], b[l]) {
			r |= 1 << l
		}
	}
	q := ^r
	if in.join != nil {
		c := w.preds[in.c]
		if in.pinv {
			c = ^c
		}
		r, q = in.join(r, c), in.join(q, c)
	}
	w.setPred(in.d, m, r, known)
	if in.e != 0 {
		w.setPred(in.e, m, q, known)
	}
}

func (w *warp) setPred(p int32, m, v, known uint32) {
	w.preds[p] = w.preds[p]&^m | v&m
	w.pdef[p] = w.pdef[p]&^m | known&m
}

func (w *warp) selp(in *inst, m uint32) {
	d, a, b := &w.regs[in.d], &w.regs[in.a], &w.regs[in.b]
	p := w.preds[in.c]
	if in.pinv {
		p = ^p
	}
	known := (w.def[in.a]&p | w.def[in.b]&^p) & w.pdef[in.c]
	w.def[in.d] = w.def[in.d]&^m | known&m
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & (lanes - 1)
		if p>>l&1 != 0 {
			d[l] = a[l]
		} else {
			d[l] = b[l]
		}
	}
}

// part sends the lanes taken of s to a branch's target and the others on. Which
// side runs first is the scheduler's choice.
func (w *warp) part(s *split, in *inst, taken uint32) {
	j := s.join
	if in.reconv != noTarget && in.reconv != s.joinPC {
		j = &join{pc: in.reconv, mask: s.mask, parent: s.join}
		w.joins = append(w.joins, j)
	}
	mask, pc := s.mask, s.pc
	w.removeSplit(s)
	w.addSplit(in.target, taken, j)
	w.addSplit(pc+1, mask&^taken, j)
}

// arrive ends a split at its join; the last one to come goes on for all.
func (w *warp) arrive(s *split) {
	j := s.join
	j.arrived |= s.mask
	w.removeSplit(s)
	w.complete(j)
}

func (w *warp) complete(j *join) {
	if j.arrived != j.mask&w.alive {
		return
	}
	for i, other := range w.joins {
		if other == j {
			w.joins = append(w.joins[:i], w.joins[i+1:]...)
			break
		}
	}
	if j.arrived != 0 {
		w.addSplit(j.pc, j.arrived, j.parent)
	}
}

// exit ends lanes; what waited for them waits no longer.
func (w *warp) exit(s *split, m uint32) {
	pc := s.pc
	w.alive &^= m
	w.blk.alive -= bits.OnesCount32(m)
	w.blk.cluster.running -= bits.OnesCount32(m)
	s.mask &^= m
	if s.mask == 0 {
		w.removeSplit(s)
	}
	for i := len(w.joins) - 1; i >= 0; i-- { // inner joins before outer ones
		if i < len(w.joins) {
			w.complete(w.joins[i])
		}
	}
	w.gatherAll()
	w.blk.recheckBarriers()
	w.blk.recheckCluster()
	w.leave(pc, m)
}

// undefined reports the first of lanes m in which row r holds nothing.
func (w *warp) undefined(in *inst, r int32, m uint32, what string) bool {
	und := m &^ w.def[r]
	if und == 0 {
		return false
	}
	w.fault(in, bits.TrailingZeros32(und), Undefined, "%s (%s) depends on what was never written", what, w.blk.k.rowName[r])
	return true
}
