package emulator

import (
	"encoding/binary"
	"math/bits"
)

type space uint8

const (
	generic space = iota
	spaceGlobal
	spaceShared
	spaceConst
	spaceLocal
	spaceParam // of the kernel
	spaceFrame // parameters and results of device functions
)

var spaceNames = [...]string{"generic", "global", "shared", "const", "local", "param", "param"}

// Generic addresses of what is not global lie in windows far above the buffers.
const (
	windowShift  = 56
	windowShared = 1 << windowShift
	windowLocal  = 2 << windowShift
	windowParam  = 3 << windowShift
)

// An access is what a load or store does: count elements of one type at an
// address, to or from rows.
type access struct {
	space    space
	elem     elem
	count    int
	addr     int32
	offset   uint64
	rows     [8]int32
	regMask  uint64 // of loads: the width of the registers
	constant bool   // ld.global.nc
}

func (x *access) bytes() int { return x.elem.bytes() * x.count }

func loadLanes(w *warp, in *inst, m uint32) {
	x := in.mem
	if w.undefined(in, x.addr, m, "the address") {
		return
	}
	base, n, size := &w.regs[x.addr], x.bytes(), x.elem.bytes()
	known := m
	if x.space == spaceGlobal {
		w.blk.count(base, x.offset, n, m)
	}
	for rest := m; rest != 0; rest &= rest - 1 {
		l := bits.TrailingZeros32(rest) & (lanes - 1)
		p := w.read(in, l, x.space, base[l]+x.offset, n, x.constant)
		if p == nil {
			return
		}
		if x.space == spaceFrame && !w.frames[l].holds(base[l]+x.offset, n) {
			known &^= 1 << l
		}
		for i := range x.count {
			v := loadLE(p[i*size:], size)
			if x.elem.kind == 's' {
				v = uint64(signExtend(v, x.elem.bits)) & x.regMask
			}
			w.regs[x.rows[i]][l] = v
		}
	}
	for i := range x.count {
		r := x.rows[i]
		w.def[r] = w.def[r]&^m | known
	}
}

// count notes a load of n bytes by each thread of a warp.
func (b *block) count(base *row, offset uint64, n int, m uint32) {
	last := ^uint64(0)
	for rest := m; rest != 0; rest &= rest - 1 {
		addr := base[bits.TrailingZeros32(rest)&(lanes-1)] + offset
		from, to := addr/sectorBytes, (addr+uint64(n)-1)/sectorBytes
		if from == last {
			from++
		}
		if from <= to {
			b.reads.Sectors += int64(to - from + 1)
			last = to
		}
	}
	b.reads.Loads++
	b.reads.LoadBytes += int64(n * bits.OnesCount32(m))
}

func storeLanes(w *warp, in *inst, m uint32) {
	x := in.mem
	if w.undefined(in, x.addr, m, "the address") {
		return
	}
	if x.space != spaceFrame {
		for i := range x.count {
			if w.undefined(in, x.rows[i], m, "the value stored") {
				return
			}
		}
	}
	base, n, size := &w.regs[x.addr], x.bytes(), x.elem.bytes()
	for rest := m; rest != 0; rest &= rest - 1 {
		l := bits.TrailingZeros32(rest) & (lanes - 1)
		p := w.write(in, l, x.space, base[l]+x.offset, n)
		if p == nil {
			return
		}
		for i := range x.count {
			storeLE(p[i*size:], size, w.regs[x.rows[i]][l])
			if x.space == spaceFrame {
				w.frames[l].note(base[l]+x.offset+uint64(i*size), size, w.def[x.rows[i]]>>l&1 != 0)
			}
		}
	}
}

func loadLE(p []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(p[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(p))
	case 4:
		return uint64(binary.LittleEndian.Uint32(p))
	}
	return binary.LittleEndian.Uint64(p)
}

func storeLE(p []byte, size int, v uint64) {
	switch size {
	case 1:
		p[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(p, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(p, uint32(v))
	default:
		binary.LittleEndian.PutUint64(p, v)
	}
}

// settle turns a generic address into one of a space.
func settle(s space, addr uint64) (space, uint64) {
	if s != generic {
		return s, addr
	}
	low := addr & (1<<windowShift - 1)
	switch addr >> windowShift {
	case windowShared >> windowShift:
		return spaceShared, low
	case windowLocal >> windowShift:
		return spaceLocal, low
	case windowParam >> windowShift:
		return spaceParam, low
	}
	return spaceGlobal, addr
}

// read checks and notes a read of n bytes by a lane, and returns the bytes; nil after a fault.
func (w *warp) read(in *inst, lane int, s space, addr uint64, n int, constant bool) []byte {
	s, addr = settle(s, addr)
	if addr&uint64(n-1) != 0 && !w.misaligned(in, lane, s, addr, n) {
		return nil
	}
	switch s {
	case spaceShared:
		return w.readShared(in, lane, addr, n)
	case spaceLocal:
		return w.readLocal(in, lane, addr, n)
	case spaceParam:
		if p := w.blk.l.params; addr < uint64(len(p)) && addr+uint64(n) <= uint64(len(p)) {
			return p[addr : addr+uint64(n)]
		}
		w.fault(in, lane, OutOfBounds, "a read of %d bytes at %d of the kernel's parameters, which have %d", n, addr, len(w.blk.l.params))
		return nil
	case spaceFrame:
		return w.frame(in, lane, addr, n)
	}
	return w.readGlobal(in, lane, s, addr, n, constant)
}

// write checks and notes a write of n bytes by a lane, and returns where they go; nil after a fault.
func (w *warp) write(in *inst, lane int, s space, addr uint64, n int) []byte {
	s, addr = settle(s, addr)
	if addr&uint64(n-1) != 0 && !w.misaligned(in, lane, s, addr, n) {
		return nil
	}
	switch s {
	case spaceShared:
		return w.writeShared(in, lane, addr, n)
	case spaceLocal:
		return w.writeLocal(in, lane, addr, n)
	case spaceFrame:
		return w.frame(in, lane, addr, n)
	case spaceParam, spaceConst:
		w.fault(in, lane, ReadOnly, "a store to the space %s", spaceNames[s])
		return nil
	}
	return w.writeGlobal(in, lane, addr, n)
}

// misaligned reports an address that is no multiple of the access's size.
func (w *warp) misaligned(in *inst, lane int, s space, addr uint64, n int) bool {
	if n&(n-1) != 0 { // not a power of two: no single access
		return true
	}
	w.fault(in, lane, Misaligned, "an access of %d bytes at %s, which is no multiple of %d", n, w.blk.name(s, addr), n)
	return false
}

// Shared memory.

func (w *warp) readShared(in *inst, lane int, addr uint64, n int) []byte {
	b := w.blk
	if addr >= uint64(len(b.shared)) || addr+uint64(n) > uint64(len(b.shared)) {
		w.outsideShared(in, lane, addr, n, "read")
		return nil
	}
	t := w.thread(lane)
	v := w.views[lane]
	me := w.stamp(lane, in.pc)
	for i := addr >> b.sharedG; i <= (addr+uint64(n)-1)>>b.sharedG; i++ {
		c := &b.cells[i]
		if c.w == 0 || c.w&stampFlight != 0 {
			w.badCell(in, lane, c.w, addr, n, "read")
			return nil
		}
		if other, ok := c.read(me, t, v, &b.readers); !ok {
			w.race(in, lane, other, "read", "written", b.name(spaceShared, addr))
			return nil
		}
	}
	return b.shared[addr : addr+uint64(n)]
}

func (w *warp) writeShared(in *inst, lane int, addr uint64, n int) []byte {
	b := w.blk
	if !w.markShared(in, lane, addr, n, w.stamp(lane, in.pc)) {
		return nil
	}
	return b.shared[addr : addr+uint64(n)]
}

// markShared notes a write, or with the flight bit that a copy is under way.
func (w *warp) markShared(in *inst, lane int, addr uint64, n int, me stamp) bool {
	b := w.blk
	if addr >= uint64(len(b.shared)) || addr+uint64(n) > uint64(len(b.shared)) {
		w.outsideShared(in, lane, addr, n, "write")
		return false
	}
	if len(b.mbarriers) > 0 && b.mbarriers[addr&^7] != nil {
		w.fault(in, lane, BadBarrier, "a write of %d bytes over the mbarrier at %s", n, b.name(spaceShared, addr&^7))
		return false
	}
	t := w.thread(lane)
	v := w.views[lane]
	for i := addr >> b.sharedG; i <= (addr+uint64(n)-1)>>b.sharedG; i++ {
		c := &b.cells[i]
		if c.w&stampFlight != 0 {
			w.badCell(in, lane, c.w, addr, n, "write")
			return false
		}
		if other, ok := c.write(me, t, v, &b.readers); !ok {
			was := "read"
			if other == c.w {
				was = "written"
			}
			w.race(in, lane, other, "written", was, b.name(spaceShared, addr))
			return false
		}
	}
	return true
}

func (w *warp) badCell(in *inst, lane int, s stamp, addr uint64, n int, what string) {
	b := w.blk
	switch {
	case s == stampGap:
		w.outsideShared(in, lane, addr, n, what)
	case s == 0:
		w.fault(in, lane, Uninitialised, "a read of %d bytes at %s, which nothing has written yet", n, b.name(spaceShared, addr))
	default:
		other := b.k.place(s.pc())
		w.faultAt(in.pc, lane, InFlight, &other, "a %s of %d bytes at %s, where an asynchronous copy of %s has not been waited for", what, n, b.name(spaceShared, addr), b.who(s))
	}
}

func (w *warp) outsideShared(in *inst, lane int, addr uint64, n int, what string) {
	w.fault(in, lane, OutOfBounds, "a %s of %d bytes at %s", what, n, w.blk.name(spaceShared, addr))
}

func (w *warp) race(in *inst, lane int, other stamp, now, was, where string) {
	b := w.blk
	p := b.k.place(other.pc())
	w.faultAt(in.pc, lane, Race, &p, "%s is %s here and %s by %s, and no barrier is between", where, now, was, b.who(other))
}

// who names the thread of an access.
func (b *block) who(s stamp) string {
	if s.thread() >= b.threads {
		return "an asynchronous copy"
	}
	name := "thread " + triple(b.threadID(s.thread()%b.l.threads))
	if other := b.blocks[s.thread()/b.l.threads]; other != b {
		name += " of block " + triple(other.id)
	}
	return name
}

// Local memory: of one thread, so it knows no races.
type localMemory struct {
	data    []byte
	written []uint8
	valid   []uint8
}

func newLocal(k *Kernel) localMemory {
	end := 0
	for _, p := range k.local {
		end = max(end, p.addr+int(p.v.size))
	}
	m := localMemory{data: make([]byte, end), written: make([]uint8, (end+7)/8), valid: make([]uint8, (end+7)/8)}
	for _, p := range k.local {
		setBits(m.valid, p.addr, int(p.v.size))
	}
	return m
}

func (m *localMemory) reset() { clear(m.written) }

func (w *warp) readLocal(in *inst, lane int, addr uint64, n int) []byte {
	m := &w.local[lane]
	if !w.insideLocal(in, lane, addr, n, "read") {
		return nil
	}
	if !allSet(m.written, int(addr), n) {
		w.fault(in, lane, Uninitialised, "a read of %d bytes at %s, which nothing has written yet", n, w.blk.name(spaceLocal, addr))
		return nil
	}
	return m.data[addr : addr+uint64(n)]
}

func (w *warp) writeLocal(in *inst, lane int, addr uint64, n int) []byte {
	if !w.insideLocal(in, lane, addr, n, "write") {
		return nil
	}
	m := &w.local[lane]
	setBits(m.written, int(addr), n)
	return m.data[addr : addr+uint64(n)]
}

func (w *warp) insideLocal(in *inst, lane int, addr uint64, n int, what string) bool {
	m := &w.local[lane]
	if addr < uint64(len(m.data)) && addr+uint64(n) <= uint64(len(m.data)) && allSet(m.valid, int(addr), n) {
		return true
	}
	w.fault(in, lane, OutOfBounds, "a %s of %d bytes at %s", what, n, w.blk.name(spaceLocal, addr))
	return false
}
