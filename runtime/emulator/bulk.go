package emulator

// Bulk copies between global and shared memory: of so many bytes one after another, or of a
// box of a tensor (tensor.go). Those into shared memory are counted by an mbarrier there, in flights;
// those out of it are waited for in groups, as their thread has committed them.

// A piece is 16 bytes of shared memory and where in global memory they come from or go to. Of
// a box that hangs over the end of its tensor only the bytes from lo to hi are there.
type piece struct {
	shared, global uint64
	lo, hi         int
	tag            boxTag
}

const pieceBytes = 16

// bulkOperands are the rows of a bulk copy.
type bulkOperands struct {
	shared, global, bar access
	size                int32   // row of the number of bytes, of a copy that is of no box
	coords              []int32 // rows of a box's place, of a copy that is of one
	mask                int32   // row of the blocks that get it, -1 = this one or where the address is
	add                 bool    // to what is there; of a box, the map says of what type
	elem                elem
	own                 bool // from this block's shared memory into another's
}

// bulkCopy decodes cp.async.bulk and cp.reduce.async.bulk.
func bulkCopy(d *decoder) {
	mods := d.s.mods
	switch {
	case mods.has("commit_group"):
		d.args(0)
		d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) {
			for l := range eachLane(m) {
				q := &w.bulk[l]
				q.groups = append(q.groups, q.clock)
			}
		}})
	case mods.has("wait_group"):
		a := d.args(1)[0]
		if a.kind != argImm {
			d.fail("the number of groups must be a constant")
		}
		keep, read := int(min(a.value, 1<<20)), mods.has("read")
		d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) {
			for l := range eachLane(m) {
				w.waitBulk(l, keep, read)
			}
		}})
	case mods.has("prefetch"):
		mods.all()
	case mods.has("bulk_group"):
		bulkStore(d)
	default:
		bulkLoad(d)
	}
}

func (d *decoder) bulkOperands() *bulkOperands {
	o := &bulkOperands{size: -1, mask: -1}
	o.shared.space, o.global.space, o.bar.space = spaceCluster, spaceGlobal, spaceCluster
	d.narrow(spaceShared, pieceBytes)
	d.narrow(spaceGlobal, pieceBytes)
	d.k.mbarriers, d.k.proxy = true, true
	return o
}

// operands takes what a copy of either kind has: places and a size, or a place and a map with coordinates.
func (o *bulkOperands) operands(d *decoder, shared, global operand, size *operand) {
	d.addressOf(shared, &o.shared)
	if d.s.mods.has("tensor") {
		o.box(d, global)
		return
	}
	if size == nil {
		d.fail("this form is not supported")
	}
	d.addressOf(global, &o.global)
	o.size = d.src(*size, elems["u32"], false)
}

// bulkLoad is a copy into shared memory.
func bulkLoad(d *decoder) {
	mods, o, args := d.s.mods, d.bulkOperands(), d.s.args
	if mods.one("shared::cluster", "shared::cta") == "" || !mods.has("mbarrier::complete_tx::bytes") {
		d.fail("bulk copies into shared memory are counted by an mbarrier, those out of it in a bulk_group")
	}
	o.own = !mods.has("global")
	if o.own && (!mods.has("shared::cluster") || !mods.has("shared::cta") || mods.has("tensor")) {
		d.fail("this form is not supported")
	}
	want := 4
	if mods.has("tensor") {
		want = 3
	}
	if mods.has("multicast::cluster") {
		want++
	}
	if mods.has("L2::cache_hint") {
		args = args[:max(len(args)-1, 0)]
	}
	if len(args) != want {
		d.fail("needs %d operands, not %d", want, len(args))
	}
	if o.own {
		o.global.space = spaceShared
	}
	if mods.has("tensor") {
		o.operands(d, args[0], args[1], nil)
		d.addressOf(args[2], &o.bar)
	} else {
		o.operands(d, args[0], args[1], &args[2])
		d.addressOf(args[3], &o.bar)
	}
	if mods.has("multicast::cluster") {
		o.mask = d.src(args[want-1], elems["u16"], false)
	}
	d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) {
		if o.known(w, in, m) {
			for l := range eachLane(m) {
				o.load(w, in, l)
			}
		}
	}})
}

// known reports operands that hold nothing.
func (o *bulkOperands) known(w *warp, in *inst, m uint32) bool {
	for _, r := range append([]int32{o.shared.addr, o.global.addr, o.bar.addr, max(o.size, zeroRow), max(o.mask, zeroRow)}, o.coords...) {
		if w.undefined(in, r, m, "an operand of the copy") {
			return false
		}
	}
	return true
}

// pieces lists what a lane's copy moves; shared is a place in some block.
func (o *bulkOperands) pieces(w *warp, in *inst, lane int, shared uint64) ([]piece, *TensorMap) {
	if o.coords != nil {
		return o.boxPieces(w, in, lane, shared)
	}
	from, n := w.regs[o.global.addr][lane]+o.global.offset, w.regs[o.size][lane]
	if n%pieceBytes != 0 || n == 0 || n > maxShared {
		w.fault(in, lane, BadOperand, "a bulk copy of %d bytes: it must be a multiple of %d", n, pieceBytes)
		return nil, nil
	}
	if shared%pieceBytes != 0 {
		w.misaligned(in, lane, spaceShared, shared, pieceBytes)
		return nil, nil
	}
	if from%pieceBytes != 0 {
		w.misaligned(in, lane, o.global.space, from, pieceBytes)
		return nil, nil
	}
	var out []piece
	for at := uint64(0); at < n; at += pieceBytes {
		out = append(out, piece{shared: shared + at, global: from + at, hi: pieceBytes})
	}
	return out, nil
}

// load starts a copy into shared memory: of this block, another one, or all that a mask names.
func (o *bulkOperands) load(w *warp, in *inst, lane int) {
	to := w.regs[o.shared.addr][lane] + o.shared.offset
	_, bar := settle(spaceCluster, w.regs[o.bar.addr][lane]+o.bar.offset)
	mask, own := uint64(0), uint64(0)
	if o.mask >= 0 {
		mask = w.regs[o.mask][lane] & 0xffff
		if mask == 0 || mask>>len(w.blk.blocks) != 0 {
			w.fault(in, lane, BadOperand, "a multicast to blocks %#x of a cluster of %d", mask, len(w.blk.blocks))
			return
		}
		own = uint64(w.blk.rank) + 1
		for _, a := range []*uint64{&to, &bar} {
			if rank := *a >> rankShift; rank != 0 && rank != own {
				w.fault(in, lane, BadOperand, "a multicast is told where its data go by addresses of its own block")
				return
			}
			*a &= sharedMask
		}
	}
	pieces, box := o.pieces(w, in, lane, to)
	if pieces == nil {
		return
	}
	var data []pendingCopy
	for rank := range max(len(w.blk.blocks), 1) {
		there := uint64(0)
		if o.mask >= 0 {
			if mask>>rank&1 == 0 {
				continue
			}
			there = uint64(rank+1) << rankShift
		} else if rank > 0 {
			break
		}
		m := w.findMbarrier(in, lane, spaceCluster, there|bar, stampFlight)
		if m == nil || !m.shownTo(w, in, lane) {
			return
		}
		if data == nil {
			if data = o.fetch(w, in, lane, m, pieces, box); data == nil {
				return
			}
		}
		if !w.fly(in, lane, m, there, pieces, data) {
			return
		}
	}
}

// fetch reads what pieces are to bring.
func (o *bulkOperands) fetch(w *warp, in *inst, lane int, m *mbarrier, pieces []piece, box *TensorMap) []pendingCopy {
	by := actor{me: makeStamp(m.agent, m.clock, in.pc), async: true}
	if o.own { // this block, too, must know when it has been read
		w.blk.note(visitor{w, lane, by.me})
	}
	out := make([]pendingCopy, len(pieces))
	reads, sector := &w.blk.reads, ^uint64(0)
	if !o.own {
		reads.Loads++
	}
	for i, p := range pieces {
		c := &out[i]
		c.n, c.pc = pieceBytes, in.pc
		if p.lo > 0 || p.hi < pieceBytes {
			box.fill(&c.data)
		}
		for at := p.lo; at < p.hi; {
			n := chunk(p.global+uint64(at), p.hi-at)
			var q []byte
			if o.own {
				q = w.readShared(in, lane, spaceShared, p.global+uint64(at), n, by)
			} else {
				q = w.readGlobal(in, lane, spaceGlobal, p.global+uint64(at), n, false, by)
				reads.LoadBytes += int64(n)
				if s := (p.global + uint64(at)) / sectorBytes; s != sector {
					reads.Sectors++
					sector = s
				}
			}
			if q == nil {
				return nil
			}
			at += copy(c.data[at:], q)
		}
	}
	return out
}

// chunk is how many of n bytes are one aligned access.
func chunk(addr uint64, n int) int {
	size := pieceBytes
	for addr%uint64(size) != 0 || size > n {
		size /= 2
	}
	return size
}

// A bulkQueue is what a thread has copied out of shared memory. Two agents stand for it in
// views: one that reads shared memory and one that writes global memory. Their clock counts copies.
type bulkQueue struct {
	agent  int // the reader; the writer is the next; 0 = none yet
	clock  uint32
	groups []uint32 // the clock at the end of each that was committed
	read   uint32   // the copies up to this one have been waited for
	lastPC int32
}

func (q *bulkQueue) reset() { *q = bulkQueue{groups: q.groups[:0]} }

func bulkStore(d *decoder) {
	mods, o, args := d.s.mods, d.bulkOperands(), d.s.args
	d.needs("global", "shared::cta")
	if mods.has("reduce") {
		if !mods.has("add") {
			d.fail("only additions are supported")
		}
		o.add = true
		if !mods.has("tensor") {
			o.elem = d.typ()
			mods.has("noftz")
		}
	}
	o.shared.space = spaceShared
	if mods.has("L2::cache_hint") {
		args = args[:max(len(args)-1, 0)]
	}
	if mods.has("tensor") {
		if len(args) != 2 {
			d.fail("needs 2 operands, not %d", len(args))
		}
		o.operands(d, args[1], args[0], nil)
	} else {
		if len(args) != 3 {
			d.fail("needs 3 operands, not %d", len(args))
		}
		o.operands(d, args[1], args[0], &args[2])
	}
	d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) {
		if o.known(w, in, m) {
			for l := range eachLane(m) {
				o.store(w, in, l)
			}
		}
	}})
}

// addTo adds elements of type e to others.
func addTo(e elem, old, add []byte) {
	for i := 0; i < len(old); i += e.bytes() {
		a, b := loadLE(old[i:], e.bytes()), loadLE(add[i:], e.bytes())
		if e.float() {
			f := e.format()
			a = f.encode(f.decode(a)+f.decode(b), toEven)
		} else {
			a += b
		}
		storeLE(old[i:], e.bytes(), a)
	}
}

// store copies out of shared memory. The bytes move at once: whoever touches source or destination
// before the wait is not ordered to the agents, and so at fault.
func (o *bulkOperands) store(w *warp, in *inst, lane int) {
	q := &w.bulk[lane]
	if q.agent == 0 {
		agent := w.newAgent(in, lane, ofThread)
		if agent < 0 || w.newAgent(in, lane, ofThread) < 0 {
			return
		}
		q.agent = agent
	}
	pieces, box := o.pieces(w, in, lane, w.regs[o.shared.addr][lane]+o.shared.offset)
	q.clock++
	q.lastPC = in.pc
	e := o.elem
	if box != nil {
		e = elems[box.Elem]
	}
	reader := actor{me: makeStamp(q.agent, q.clock, in.pc), async: true}
	writer := actor{me: makeStamp(q.agent+1, q.clock, in.pc), async: true}
	for _, p := range pieces {
		from := w.readShared(in, lane, o.shared.space, p.shared, pieceBytes, reader)
		if from == nil {
			return
		}
		for at := p.lo; at < p.hi; {
			n := chunk(p.global+uint64(at), p.hi-at)
			if o.add && w.readGlobal(in, lane, spaceGlobal, p.global+uint64(at), n, false, writer) == nil {
				return
			}
			to := w.writeGlobal(in, lane, p.global+uint64(at), n, writer)
			if to == nil {
				return
			}
			if o.add {
				addTo(e, to, from[at:at+n])
			} else {
				copy(to, from[at:at+n])
			}
			at += n
		}
	}
}

// waitBulk waits for all but the keep youngest groups of a lane: until they have read, or all is done.
func (w *warp) waitBulk(lane, keep int, read bool) {
	q := &w.bulk[lane]
	if q.agent == 0 || len(q.groups) <= keep {
		return
	}
	done := q.groups[len(q.groups)-1-keep]
	q.read = max(q.read, done)
	w.learnOf(1<<lane, q.agent, done)
	if !read {
		w.learnOf(1<<lane, q.agent+1, done)
	}
}

// leaveCopies reports copies that may still read the shared memory of a block that ends.
func (w *warp) leaveCopies(pc int32) {
	place := w.blk.k.place(pc)
	for _, w := range w.blk.warps {
		for l := range lanes {
			q := &w.bulk[l]
			if q.clock <= q.read {
				continue
			}
			missing := "a cp.async.bulk.wait_group that includes it is missing"
			if n := len(q.groups); n == 0 || q.groups[n-1] < q.clock {
				missing = "a cp.async.bulk.commit_group is missing after it"
			}
			w.faultAt(q.lastPC, l, InFlight, &place, "block %s ends while this copy may read its shared memory: %s", triple(w.blk.id), missing)
			return
		}
	}
}
