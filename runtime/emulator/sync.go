package emulator

import (
	"fmt"
	"math/bits"
	"strings"
)

// A rendezvous is what lanes that came different ways must have in common to
// execute an instruction together.
type rendezvous struct {
	op      opcode
	pc      int32  // the instruction, -1 = any one of its kind
	mask    uint32 // the lanes that must come
	barrier barrierCall
}

// synchronise brings lanes m of s to an instruction that lanes execute together.
// It runs once all have come: those that the member mask names, or all lanes of the warp.
func (w *warp) synchronise(s *split, in *inst, m uint32) {
	if m == 0 {
		s.pc++
		return
	}
	y := in.sync
	at := rendezvous{op: in.op, pc: s.pc, mask: w.all}
	if y.aligned && m != s.mask {
		w.faultAt(s.pc, bits.TrailingZeros32(s.mask&^m), Divergence, nil, "%s is executed by some lanes of the warp only: its predicate holds in lanes %s, not in %s", y.name, laneSet(m), laneSet(s.mask&^m))
		return
	}
	ok := true
	if in.op == opBlockSync {
		at.barrier, ok = w.barrierCall(in, m)
	} else if !y.aligned {
		at.mask, ok = w.memberMask(in, m)
	}
	if !ok {
		return
	}
	if y.anywhere {
		at.pc = -1
	}
	s.wait, s.at, s.ready = waitWarp, at, m
	w.gather(at)
}

// memberMask reads the mask that lanes m give, which must be one and name them.
func (w *warp) memberMask(in *inst, m uint32) (uint32, bool) {
	y := in.sync
	if w.undefined(in, y.mask, m, "the member mask") {
		return 0, false
	}
	mask := uint32(w.regs[y.mask][bits.TrailingZeros32(m)])
	for l := range eachLane(m) {
		if other := uint32(w.regs[y.mask][l]); other != mask {
			w.fault(in, l, BadOperand, "%s: lanes have different member masks, %#x and %#x", y.name, mask, other)
			return 0, false
		}
		if mask>>l&1 == 0 {
			w.fault(in, l, BadOperand, "%s: the member mask %#x leaves out lane %d, which executes it", y.name, mask, l)
			return 0, false
		}
	}
	return mask, true
}

// gather runs what waits at a rendezvous if all that have not ended are there.
func (w *warp) gather(at rendezvous) {
	var here uint32
	var first *split
	for _, s := range w.splits {
		if s.wait == waitWarp && s.at == at {
			here |= s.ready
			if first == nil {
				first = s
			}
		}
	}
	if here == 0 || at.mask&w.alive&^here != 0 {
		return
	}
	in := &w.blk.k.code[first.pc]
	if in.op == opBlockSync {
		w.blockSync(in, at, here)
		return
	}
	in.run(w, in, here)
	for _, s := range w.splits {
		if s.wait == waitWarp && s.at == at {
			s.wait = w.parked
			s.pc++
		}
	}
	w.parked = running
	if w.held != nil {
		w.unhold()
	}
}

// gatherAll looks again at all that waits in the warp, after lanes have ended.
func (w *warp) gatherAll() {
	for i := 0; i < len(w.splits); i++ {
		if s := w.splits[i]; s.wait == waitWarp {
			w.gather(s.at)
		}
	}
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
