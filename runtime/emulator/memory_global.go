package emulator

import "fmt"

// find gives the buffer that knows of an address and the offset in it; nil after a fault.
func (w *warp) find(in *inst, lane int, addr uint64, n int, what string) (*Buffer, int) {
	d := w.blk.l.d
	i := addr >> bufferShift
	if i == 0 || i > uint64(len(d.buffers)) {
		w.fault(in, lane, OutOfBounds, "a %s of %d bytes at address %#x, which is in no buffer", what, n, addr)
		return nil, 0
	}
	b := d.buffers[i-1]
	at := int64(addr - b.addr)
	if at < 0 || at+int64(n) > int64(len(b.data)) {
		w.fault(in, lane, OutOfBounds, "a %s of %d bytes at %s", what, n, w.blk.name(spaceGlobal, addr))
		return nil, 0
	}
	return b.whereIs(int(at))
}

// hold locks the page of an offset until the instruction is done; unhold lets go.
func (w *warp) hold(b *Buffer, at int) *page {
	p := &b.pages[at/pageBytes]
	if w.held == p {
		return p
	}
	if w.held != nil {
		w.held.mu.Unlock()
	}
	p.mu.Lock()
	w.held = p
	if l := w.blk.l; p.launch != l.id {
		if l.earlier.from > 0 && p.cells != nil {
			p.remember(l.earlier.from)
		}
		p.launch = l.id
		if want := pageBytes / l.granule; len(p.cells) == want {
			clear(p.cells)
		} else {
			p.cells = make([]globalCell, want)
		}
	}
	return p
}

func (w *warp) unhold() {
	w.held.mu.Unlock()
	w.held = nil
}

func (w *warp) readGlobal(in *inst, lane int, s space, addr uint64, n int, constant bool, by actor) []byte {
	b, at := w.find(in, lane, addr, n, "read")
	if b == nil {
		return nil
	}
	if b.readOnly {
		return b.data[at : at+n]
	}
	if s == spaceConst {
		w.fault(in, lane, OutOfBounds, "ld.const reads %s, which is no constant", w.blk.name(spaceGlobal, addr))
		return nil
	}
	blk, l := w.blk, w.blk.l
	p := w.hold(b, at)
	if !b.whole && !allSet(b.written, at, n) {
		w.fault(in, lane, Uninitialised, "a read of %d bytes at %s, which nothing has written yet", n, w.blk.name(spaceGlobal, addr))
		return nil
	}
	if w.tooEarly(in, lane, p, at%pageBytes, n, addr, false) {
		return nil
	}
	t := w.thread(lane)
	for i := at % pageBytes / l.granule; i <= (at%pageBytes+n-1)/l.granule; i++ {
		c := &p.cells[i]
		if other, ok := c.read(by.me, t, blk.number+1, w.views[lane], &blk.readers, constant); !ok {
			w.raceGlobal(in, lane, c, other, "read", addr, constant)
			return nil
		}
		if by.async && c.w != 0 && !blk.fenced(w.views[lane], c.w) {
			w.unfenced(in, lane, c.w, "read", "written", blk.name(spaceGlobal, addr))
			return nil
		}
	}
	return b.data[at : at+n]
}

func (w *warp) writeGlobal(in *inst, lane int, addr uint64, n int, by actor) []byte {
	b, at := w.find(in, lane, addr, n, "write")
	if b == nil {
		return nil
	}
	if b.readOnly {
		w.fault(in, lane, ReadOnly, "a store to %s, which is constant", w.blk.name(spaceGlobal, addr))
		return nil
	}
	blk, l := w.blk, w.blk.l
	p := w.hold(b, at)
	if w.tooEarly(in, lane, p, at%pageBytes, n, addr, true) {
		return nil
	}
	t := w.thread(lane)
	for i := at % pageBytes / l.granule; i <= (at%pageBytes+n-1)/l.granule; i++ {
		c := &p.cells[i]
		if other, ok := c.write(by.me, t, blk.number+1, w.views[lane], &blk.readers); !ok {
			w.raceGlobal(in, lane, c, other, "written", addr, c.constant)
			return nil
		}
	}
	if !b.whole {
		setBits(b.written, at, n)
	}
	return b.data[at : at+n]
}

func (w *warp) raceGlobal(in *inst, lane int, c *globalCell, other stamp, now string, addr uint64, constant bool) {
	was := "read"
	if other == c.w {
		was = "written"
	}
	where := w.blk.name(spaceGlobal, addr)
	place := w.blk.k.place(other.pc())
	switch {
	case constant && c.block == w.blk.number+1:
		w.faultAt(in.pc, lane, Race, &place, "%s is both written and read through ld.global.nc, which is for memory that the kernel does not write", where)
	case c.block != w.blk.number+1:
		by := "another block"
		if c.block > 0 {
			by = "block " + triple(w.blk.l.blockID(int(c.block-1), 0))
		}
		w.faultAt(in.pc, lane, Race, &place, "%s is %s here and %s by %s: nothing orders the blocks of a launch", where, now, was, by)
	default:
		w.race(in, lane, other, now, was, where)
	}
}

// name writes an address for people: the variable or buffer that it is in or next to.
func (b *block) name(s space, addr uint64) string {
	switch s {
	case spaceCluster:
		if rank := int(addr >> rankShift); rank > 0 && rank <= len(b.blocks) {
			return b.blocks[rank-1].name(spaceShared, addr&sharedMask) + " of block " + triple(b.blocks[rank-1].id)
		}
		return b.name(spaceShared, addr)
	case spaceShared:
		return nameIn(b.k.shared, addr, b.l.sharedBytes, "shared")
	case spaceLocal:
		return nameIn(b.k.local, addr, 0, "local")
	case spaceGlobal, spaceConst:
		if i := addr >> bufferShift; i > 0 && i <= uint64(len(b.l.d.buffers)) {
			buf := b.l.d.buffers[i-1]
			return placeName("buffer "+buf.name, int64(addr-buf.addr), len(buf.data))
		}
	}
	return fmt.Sprintf("%s address %#x", spaceNames[s], addr)
}

// nameIn finds the last variable that begins at addr or before.
func nameIn(list []placed, addr uint64, dynamic int, what string) string {
	best := -1
	for i, p := range list {
		if uint64(p.addr) <= addr && (best < 0 || p.addr > list[best].addr) {
			best = i
		}
	}
	if best < 0 {
		return fmt.Sprintf("%s address %#x", what, addr)
	}
	p := list[best]
	size := int(p.v.size)
	if p.v.external {
		size = dynamic
	}
	name := p.v.name
	for i := range name {
		if name[i] == '#' {
			name = name[:i]
			break
		}
	}
	return placeName(what+" variable "+name, int64(addr)-int64(p.addr), size)
}

func placeName(what string, at int64, size int) string {
	switch {
	case at < 0:
		return fmt.Sprintf("%d bytes before %s", -at, what)
	case at >= int64(size):
		return fmt.Sprintf("byte %d of %s, which has %d", at, what, size)
	}
	return fmt.Sprintf("byte %d of %s", at, what)
}
