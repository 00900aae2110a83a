package codegen

import (
	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// How much memory panels may have that are packed before a loop. A kernel that packs in each turn needs those of one launch at a time; ahead, each
// layer has its own to the end of the loop, and the weights are in memory twice. That is worth as much as it spares: of a
// product of few rows packing is most of the work, of one of a thousand rows hardly any, and two turns spare half of it. Memory at most doubles, and
// a model so large that its weights nearly fill a machine does not find them there twice.

const (
	freePanels = 32 << 20 // bytes that panels may have in any case
	perSpared  = 10       // as many percent more memory, of what the block holds otherwise, for each percent of a kernel's time
)

// hasRoom reports whether the first of the parts of l may go before loop to, once for each turn of the loops around.
func (h *hoister) hasRoom(l *program.Launch, p parts, around []*program.Loop, to int) bool {
	need := int64(0)
	for _, buf := range arguments(h.Kernels[p.ahead].Scheduled) {
		if buf.Mode != loop.In {
			need += int64(panelRoom(buf))
		}
	}
	for _, x := range around {
		need *= int64(turnsOf(x))
	}
	room := max(freePanels, int64(float64(h.held)*min(1, perSpared*h.spared(l, p, around, to))))
	return h.at-h.from+need <= min(room, h.machine.Kept)
}

// spared is the share of its time that l is spared by the first of its parts going ahead of loop to: where it only copies
// operands, of a product that takes as long as its multiplications.
func (h *hoister) spared(l *program.Launch, p parts, around []*program.Loop, to int) float64 {
	again := 1.0 // of turns, how many repeat what another did
	if times, known := h.repeats(around, to); known {
		again -= 1 / float64(max(times, 1))
	}
	ahead, elements, computes := h.Kernels[p.ahead].Scheduled, 0, false
	for _, buf := range arguments(ahead) {
		if buf.Mode != loop.In {
			elements += bufferBytes(buf) / buf.Elem.Size()
		}
	}
	loop.Walk(ahead.Body, func(s loop.Stmt) {
		f, loops := s.(*loop.For)
		computes = computes || loops && len(f.Carry) > 0
	})
	packing, product := float64(elements*h.machine.PackCost), h.Program.Kernels[l.Kernel].Products/2
	if computes || product == 0 {
		return again
	}
	return again * packing / (packing + product)
}

// repeats is how many turns of loop to, and of those within it that are not around, do the same; false where only the run knows.
func (h *hoister) repeats(around []*program.Loop, to int) (times int, known bool) {
	times = 1
	for i, x := range h.loops[to:] {
		n, constant := x.Count.Const()
		if !constant {
			return 0, false
		}
		if within := around; i == 0 || len(within) == 0 || within[0] != x {
			times *= n
		} else {
			around = within[1:]
		}
	}
	return times, true
}

// heldBy is how many bytes a block holds before anything goes ahead: its arena and what it keeps, and states, inputs and constants, each once.
func (h *hoister) heldBy(b *program.Block) int64 {
	held := arenaEnd(b) + b.Kept
	seen := map[memory]bool{}
	for i := range b.Bufs {
		if home := b.Bufs[i].Home; home != program.HomeArena && home != program.HomeKept && !seen[h.memoryOf(i)] {
			seen[h.memoryOf(i)] = true
			n, _ := b.Bufs[i].Bytes()
			held += n
		}
	}
	return held
}

// arenaEnd is where the arena of a block ends.
func arenaEnd(b *program.Block) (end int64) {
	for i := range b.Bufs {
		if buf := &b.Bufs[i]; buf.Home == program.HomeArena {
			n, _ := buf.Bytes()
			end = max(end, buf.Offset+n)
		}
	}
	return end
}

// panelRoom is what a panel takes in the arena.
func panelRoom(buf *loop.Buffer) int { return (bufferBytes(buf) + 63) / 64 * 64 }

// turnsOf is how many turns a loop has that is known to have some.
func turnsOf(l *program.Loop) int {
	n, _ := l.Count.Const()
	return n
}
