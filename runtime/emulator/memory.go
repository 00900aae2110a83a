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
	spaceParam   // of the kernel
	spaceFrame   // parameters and results of device functions
	spaceCluster // shared memory of any block of the cluster
)

var spaceNames = [...]string{"generic", "global", "shared", "const", "local", "param", "param", "shared"}

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
		return spaceCluster, low
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
	case spaceShared, spaceCluster:
		return w.readShared(in, lane, s, addr, n, w.by(in, lane))
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
	return w.readGlobal(in, lane, s, addr, n, constant, w.by(in, lane))
}

// write checks and notes a write of n bytes by a lane, and returns where they go; nil after a fault.
func (w *warp) write(in *inst, lane int, s space, addr uint64, n int) []byte {
	s, addr = settle(s, addr)
	if addr&uint64(n-1) != 0 && !w.misaligned(in, lane, s, addr, n) {
		return nil
	}
	switch s {
	case spaceShared, spaceCluster:
		return w.writeShared(in, lane, s, addr, n, w.by(in, lane))
	case spaceLocal:
		return w.writeLocal(in, lane, addr, n)
	case spaceFrame:
		return w.frame(in, lane, addr, n)
	case spaceParam, spaceConst:
		w.fault(in, lane, ReadOnly, "a store to the space %s", spaceNames[s])
		return nil
	}
	return w.writeGlobal(in, lane, addr, n, w.by(in, lane))
}

// misaligned reports an address that is no multiple of the access's size.
func (w *warp) misaligned(in *inst, lane int, s space, addr uint64, n int) bool {
	if n&(n-1) != 0 { // not a power of two: no single access
		return true
	}
	w.fault(in, lane, Misaligned, "an access of %d bytes at %s, which is no multiple of %d", n, w.blk.name(s, addr), n)
	return false
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
