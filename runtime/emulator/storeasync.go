package emulator

// storeAsync decodes st.async: a store into the shared memory of a block of the cluster, whose mbarrier
// counts its bytes. It is on its way as a copy is.
func storeAsync(d *decoder) {
	args := d.args(3)
	list := elementsOf(args[1])
	d.needs("mbarrier::complete_tx::bytes")
	d.s.mods.has("shared::cluster")
	x := &access{space: spaceCluster, elem: d.typ(), count: map[string]int{"": 1, "v2": 2, "v4": 4}[d.s.mods.one("v2", "v4")]}
	if x.elem.bits < 32 || x.bytes() > pieceBytes || len(list) != x.count {
		d.fail("this form is not supported")
	}
	d.addressOf(args[0], x)
	for i, o := range list {
		x.rows[i] = d.src(o, x.elem, true)
	}
	bar := &access{space: spaceCluster}
	d.addressOf(args[2], bar)
	d.narrow(spaceShared, min(x.bytes(), 8))
	d.k.mbarriers = true
	d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) {
		for _, r := range append([]int32{x.addr, bar.addr}, x.rows[:x.count]...) {
			if w.undefined(in, r, m, "an operand of the store") {
				return
			}
		}
		for l := range eachLane(m) {
			w.storeAsync(in, l, x, bar)
		}
	}})
}

func (w *warp) storeAsync(in *inst, lane int, x, bar *access) {
	m := w.findMbarrier(in, lane, spaceCluster, w.regs[bar.addr][lane]+bar.offset, stampFlight)
	if m == nil {
		return
	}
	n, size := x.bytes(), x.elem.bytes()
	addr := w.regs[x.addr][lane] + x.offset
	if addr%uint64(n) != 0 {
		w.misaligned(in, lane, spaceShared, addr, n)
		return
	}
	by := actor{me: stampFlight | w.stamp(lane, in.pc)}
	b, at := w.sharedAt(in, lane, spaceCluster, addr, n, "write", by.me)
	switch {
	case b == nil:
		return
	case b != m.blk:
		w.fault(in, lane, BadOperand, "the mbarrier of a store is in the block that it goes to: %s is not", w.sharedName(m.blk, m.at))
		return
	case !w.markCells(in, lane, b, at, n, by):
		return
	}
	c := pendingCopy{to: at, n: n, pc: in.pc}
	for i := range x.count {
		storeLE(c.data[i*size:], size, w.regs[x.rows[i]][lane])
	}
	w.blk.flights = append(w.blk.flights, flight{w: w, lane: lane, bar: m, bytes: n, bulk: true, pc: in.pc, copies: []pendingCopy{c}})
}
