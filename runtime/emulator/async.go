package emulator

// Asynchronous copies. The manual lets a copy land at any time between its issue
// and the wait for it, so whoever touches its destination in between is at
// fault: the cells are marked until then. The bytes land at the wait, and only
// for the thread that waits; others need a barrier after that.

var asyncBuilders = map[string]func(d *decoder){"cp": copyAsync}

// A pendingCopy is a cp.async that has been issued and not waited for.
type pendingCopy struct {
	to   uint64
	n    int
	pc   int32
	data [16]byte
}

// asyncQueue is a thread's copies in the order of issue; groups has the ends of those committed.
type asyncQueue struct {
	copies []pendingCopy
	groups []int
}

func (q *asyncQueue) reset() { q.copies, q.groups = q.copies[:0], q.groups[:0] }

// copyOperands are the rows and predicates of a cp.async.
type copyOperands struct {
	to, from  access
	n         int
	size      int32 // row of the number of bytes to read, the rest is zeros; -1 = all
	ignore    int32 // predicate: read nothing; -1 = none
	ignoreNot bool
}

func copyAsync(d *decoder) {
	m := d.s.mods
	switch {
	case !m.has("async"):
		d.fail("this form is not supported")
	case m.has("bulk"):
		bulkCopy(d)
	case m.has("mbarrier"):
		arriveWithCopies(d)
	case m.has("commit_group"):
		d.emit(inst{op: opRun, run: commitCopies})
	case m.has("wait_all"):
		d.emit(inst{op: opRun, run: func(w *warp, in *inst, lanes uint32) {
			for l := range eachLane(lanes) {
				w.blk.deliverOf(w, l)
				w.land(l, w.async[l].copies)
				w.async[l].reset()
			}
		}})
	case m.has("wait_group"):
		a := d.args(1)[0]
		if a.kind != argImm {
			d.fail("the number of groups must be a constant")
		}
		keep := int(min(a.value, 1<<20))
		d.emit(inst{op: opRun, run: func(w *warp, in *inst, lanes uint32) { w.waitGroups(lanes, keep) }})
	default:
		issueCopy(d)
	}
}

// issueCopy decodes cp.async.c[ag].shared.global [to], [from], n{, size or ignore}.
func issueCopy(d *decoder) {
	args := d.s.args
	if len(args) < 3 || len(args) > 4 || args[2].kind != argImm || d.s.mods.has("cache_hint") {
		d.fail("this form is not supported")
	}
	if !d.s.mods.has("shared") && !d.s.mods.has("shared::cta") {
		d.fail("copies go to shared memory of the block")
	}
	d.needs("global")
	o := &copyOperands{n: int(args[2].value), size: -1, ignore: -1}
	if o.n != 4 && o.n != 8 && o.n != 16 || d.s.mods.has("cg") && o.n != 16 {
		d.fail("%d bytes cannot be copied", o.n)
	}
	o.to.space, o.from.space = spaceShared, spaceGlobal
	d.addressOf(args[0], &o.to)
	d.addressOf(args[1], &o.from)
	if len(args) == 4 {
		if a := args[3]; a.kind == argReg && d.f.regs[a.reg].elem.kind == 'p' {
			o.ignore, o.ignoreNot = d.predSrc(a)
		} else {
			o.size = d.src(a, elems["u32"], false)
		}
	}
	d.narrow(spaceShared, o.n)
	d.narrow(spaceGlobal, o.n)
	d.emit(inst{op: opRun, run: func(w *warp, in *inst, lanes uint32) { w.issue(in, o, lanes) }})
}

func (w *warp) issue(in *inst, o *copyOperands, m uint32) {
	if w.undefined(in, o.to.addr, m, "the destination") || w.undefined(in, o.from.addr, m, "the source") || o.size >= 0 && w.undefined(in, o.size, m, "the number of bytes") {
		return
	}
	for l := range eachLane(m) {
		c := pendingCopy{to: w.regs[o.to.addr][l] + o.to.offset, n: o.n, pc: in.pc}
		from := w.regs[o.from.addr][l] + o.from.offset
		if c.to&uint64(o.n-1) != 0 && !w.misaligned(in, l, spaceShared, c.to, o.n) || from&uint64(o.n-1) != 0 && !w.misaligned(in, l, spaceGlobal, from, o.n) {
			return
		}
		n := o.n
		if o.size >= 0 {
			n = int(uint32(w.regs[o.size][l]))
			if n > o.n {
				w.fault(in, l, BadOperand, "cp.async of %d bytes is to read %d", o.n, n)
				return
			}
		}
		if o.ignore >= 0 && (w.preds[o.ignore]>>l&1 != 0) != o.ignoreNot {
			n = 0
		}
		if n > 0 {
			p := w.readGlobal(in, l, spaceGlobal, from, n, false, w.by(in, l))
			if p == nil {
				return
			}
			copy(c.data[:], p)
		}
		if w.writeShared(in, l, spaceShared, c.to, c.n, actor{me: stampFlight | w.stamp(l, in.pc)}) == nil {
			return
		}
		w.async[l].copies = append(w.async[l].copies, c)
	}
}

func commitCopies(w *warp, _ *inst, lanes uint32) {
	for l := range eachLane(lanes) {
		q := &w.async[l]
		q.groups = append(q.groups, len(q.copies))
	}
}

// waitGroups lands all but the keep youngest groups of each lane.
func (w *warp) waitGroups(lanes uint32, keep int) {
	for l := range eachLane(lanes) {
		w.blk.deliverOf(w, l)
		q := &w.async[l]
		done := len(q.groups) - keep
		if done <= 0 {
			continue
		}
		end := q.groups[done-1]
		w.land(l, q.copies[:end])
		q.copies = append(q.copies[:0], q.copies[end:]...)
		for i, g := range q.groups[done:] {
			q.groups[i] = g - end
		}
		q.groups = q.groups[:len(q.groups)-done]
	}
}

// land writes copies of a lane. From here on they are writes of its thread.
func (w *warp) land(lane int, copies []pendingCopy) {
	w.blk.put(copies, w.thread(lane), w.clocks[lane])
}

// put writes the bytes of copies, as writes of an agent.
func (b *block) put(copies []pendingCopy, agent int, clock uint32) {
	for _, c := range copies {
		copy(b.shared[c.to:c.to+uint64(c.n)], c.data[:])
		me := makeStamp(agent, clock, c.pc)
		for i := c.to >> b.sharedG; i <= (c.to+uint64(c.n)-1)>>b.sharedG; i++ {
			b.cells[i] = cell{w: me}
		}
	}
}
