package emulator

// setmaxnreg: warpgroups give registers to the block's pool and take them from it. What the emulator
// counts is what they may have, not what they use.

const (
	fileRegisters = 1 << 16 // of a processor
	maxOfThread   = 256
)

// entryRegisters is how many registers a thread has at the start; 0 where ptxas could not know.
func (l *launch) entryRegisters() int {
	f := l.k.entry
	switch {
	case f.maxRegisters > 0:
		return f.maxRegisters &^ 7
	case f.maxThreads > 0 && f.minBlocks > 0:
		return min(fileRegisters/(f.maxThreads*f.minBlocks), maxOfThread-1) &^ 7
	}
	return 0
}

func setRegisters(d *decoder) {
	d.needs("sync", "aligned", "u32")
	d.k.products = true
	more := d.s.mods.one("inc", "dec") == "inc"
	if !more {
		d.needs("dec")
	}
	a := d.args(1)[0]
	if a.kind != argImm || a.value < 24 || a.value > maxOfThread || a.value%8 != 0 {
		d.fail("a number of registers is a multiple of 8 from 24 to 256")
	}
	n := int(a.value)
	d.emit(inst{op: opWarpSync, sync: &syncing{name: "setmaxnreg", aligned: true}, run: func(w *warp, in *inst, m uint32) {
		if g := w.group(in); g != nil && w.wholeWarp(in, m) && g.gather(w, in) {
			g.setRegisters(w, in, n, more)
		}
	}})
}

// setRegisters is what the last warp of a group does.
func (g *group) setRegisters(w *warp, in *inst, n int, more bool) {
	b := w.blk
	entry := b.l.entryRegisters()
	if entry == 0 {
		w.fault(in, 0, BadOperand, "setmaxnreg does nothing where the registers at the start are not known: .maxnreg, or .maxntid with .minnctapersm, is missing")
		return
	}
	have := g.registers
	if have == 0 {
		have = entry
	}
	if more && n < have || !more && n > have {
		w.fault(in, 0, BadOperand, "setmaxnreg goes the wrong way: from %d registers to %d", have, n)
		return
	}
	g.registers = n
	if more && b.freeRegisters(entry) < 0 {
		g.registers, g.wants = have, n
		for _, x := range b.warps[g.first:][:warpgroup] {
			for _, s := range x.splits {
				if x != w {
					s.wait, s.at = waitRegisters, rendezvous{pc: in.pc}
				}
			}
		}
		w.parked = waitRegisters
		return
	}
	b.grantRegisters(entry)
}

// freeRegisters is what is left in the block's pool, for each thread of a group.
func (b *block) freeRegisters(entry int) int {
	free := 0
	for i := range b.groups {
		if n := b.groups[i].registers; n > 0 {
			free += entry - n
		}
	}
	return free
}

// grantRegisters lets groups go on that wait for registers which are there now.
func (b *block) grantRegisters(entry int) {
	for i := range b.groups {
		g := &b.groups[i]
		if g.wants == 0 {
			continue
		}
		have := g.registers
		g.registers = g.wants
		if b.freeRegisters(entry) < 0 {
			g.registers = have
			continue
		}
		g.wants = 0
		for _, x := range b.warps[g.first:][:warpgroup] {
			for _, s := range x.splits {
				if s.wait == waitRegisters {
					s.wait = running
				}
			}
		}
	}
}
