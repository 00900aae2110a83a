package emulator

import (
	"fmt"
	"sync"
)

// Device is the memory of an emulated GPU, and how kernels are run on it.
type Device struct {
	// Seed draws the order of blocks and warps. The same seed gives the same run of
	// every block, and with one worker the same run of all of them.
	Seed uint64
	// Approx says which result approximate instructions give.
	Approx Approx
	// Workers is how many blocks run side by side; 0 is one for each processor.
	Workers int
	// Limit is how many instructions of warps a block may run before it counts as
	// endless; 0 is a hundred million.
	Limit int

	mu      sync.Mutex
	buffers []*Buffer
	globals map[*Module][]*Buffer // of its variables
	launch  uint32
	settled uint32 // the launches before this one have ended when the next one begins
}

// Buffer is an allocation of a device's memory. Until it is written it holds
// nothing: a kernel that reads it is at fault.
type Buffer struct {
	name     string
	addr     uint64
	data     []byte
	written  []uint8 // one bit a byte
	readOnly bool
	whole    bool // all of it was written before the launch
	pages    []page
	of       *Buffer // the buffer that this one is a part of, from offset on; nil: none
	offset   int
}

// Global addresses: the number of the buffer, then the place in it. So whatever is
// added to an address, it stays with its buffer, and running over it is noticed.
const (
	bufferShift = 40
	bufferBase  = 1<<20 + 256 // aligned as allocations are, to 256, and no better
	MaxBuffers  = 1 << 15     // of a device, parts and variables too
	pageBytes   = 4096
)

// A page is a part of a buffer that one block at a time may touch.
type page struct {
	mu     sync.Mutex
	launch uint32 // what the cells are of
	cells  []globalCell
	used   *used // by launches before that may still run
}

// Alloc makes a buffer of n bytes. The name is for reports.
func (d *Device) Alloc(name string, n int) *Buffer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alloc(name, n)
}

func (d *Device) alloc(name string, n int) *Buffer {
	return d.add(&Buffer{name: name, data: make([]byte, n), written: make([]uint8, (n+7)/8), pages: make([]page, (n+pageBytes-1)/pageBytes)})
}

func (d *Device) add(b *Buffer) *Buffer {
	if len(d.buffers) >= MaxBuffers {
		panic("emulator: more than 32768 buffers")
	}
	d.buffers = append(d.buffers, b)
	b.addr = uint64(len(d.buffers))<<bufferShift + bufferBase + uint64(b.offset)
	return b
}

// Part makes a buffer of n bytes of b from an offset on, as when a plan gives one allocation to
// many values. It has an address and bounds of its own and shares what it holds with b and
// with b's other parts.
func (d *Device) Part(b *Buffer, name string, offset, n int) (*Buffer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if offset < 0 || n < 0 || offset+n > len(b.data) {
		return nil, fmt.Errorf("buffer %s has %d bytes, not %d at %d for %s", b.name, len(b.data), n, offset, name)
	}
	whole, at := b.whereIs(offset)
	return d.add(&Buffer{name: name, data: b.data[offset:][:n:n], of: whole, offset: at}), nil
}

// whereIs gives the buffer that keeps what is known of a place in b, and the place in it.
func (b *Buffer) whereIs(at int) (*Buffer, int) {
	if b.of != nil {
		return b.of, b.offset + at
	}
	return b, at
}

// Find gives the buffer that an address lies in, and the place in it; nil where it lies in none.
func (d *Device) Find(addr uint64) (*Buffer, int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := addr >> bufferShift
	if i == 0 || i > uint64(len(d.buffers)) {
		return nil, 0
	}
	b := d.buffers[i-1]
	at := int64(addr - b.addr)
	if at < 0 || at > int64(len(b.data)) {
		return nil, 0
	}
	return b, int(at)
}

// Free forgets a buffer that has no parts: an access to it is out of bounds from now on.
func (d *Device) Free(b *Buffer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*b = Buffer{name: b.name + " (freed)", addr: b.addr}
}

// Addr is the buffer's address on the device, to be passed to kernels.
func (b *Buffer) Addr() uint64 { return b.addr }

// Len is the buffer's size in bytes.
func (b *Buffer) Len() int { return len(b.data) }

// Write copies p into the buffer at an offset.
func (b *Buffer) Write(offset int, p []byte) error {
	if offset < 0 || offset+len(p) > len(b.data) {
		return fmt.Errorf("%d bytes at %d do not fit into buffer %s of %d bytes", len(p), offset, b.name, len(b.data))
	}
	copy(b.data[offset:], p)
	whole, at := b.whereIs(offset)
	setBits(whole.written, at, len(p))
	return nil
}

// Read copies the buffer's bytes at an offset to p. Bytes that nothing wrote are an error.
func (b *Buffer) Read(offset int, p []byte) error {
	if offset < 0 || offset+len(p) > len(b.data) {
		return fmt.Errorf("buffer %s has %d bytes, not %d at %d", b.name, len(b.data), len(p), offset)
	}
	whole, at := b.whereIs(offset)
	for i := range p {
		if !allSet(whole.written, at+i, 1) {
			return fmt.Errorf("byte %d of buffer %s was never written", offset+i, b.name)
		}
	}
	copy(p, b.data[offset:])
	return nil
}

// Peek copies the buffer's bytes at an offset to p, those that nothing wrote as zeros.
func (b *Buffer) Peek(offset int, p []byte) error {
	if offset < 0 || offset+len(p) > len(b.data) {
		return fmt.Errorf("buffer %s has %d bytes, not %d at %d", b.name, len(b.data), len(p), offset)
	}
	whole, at := b.whereIs(offset)
	for i := range p {
		p[i] = 0
		if allSet(whole.written, at+i, 1) {
			p[i] = b.data[offset+i]
		}
	}
	return nil
}

// Forget makes n bytes at an offset hold nothing again, as when a plan gives them to another value.
func (b *Buffer) Forget(offset, n int) error {
	if offset < 0 || n < 0 || offset+n > len(b.data) {
		return fmt.Errorf("buffer %s has %d bytes, not %d at %d", b.name, len(b.data), n, offset)
	}
	b, offset = b.whereIs(offset)
	for i := offset; i < offset+n; i++ {
		b.written[i>>3] &^= 1 << (i & 7)
	}
	return nil
}

func setBits(bits []uint8, at, n int) {
	for ; n > 0 && at&7 != 0; at, n = at+1, n-1 {
		bits[at>>3] |= 1 << (at & 7)
	}
	for ; n >= 8; at, n = at+8, n-8 {
		bits[at>>3] = 0xff
	}
	for ; n > 0; at, n = at+1, n-1 {
		bits[at>>3] |= 1 << (at & 7)
	}
}

func clearBits(bits []uint8, at, n int) {
	for ; n > 0; at, n = at+1, n-1 {
		bits[at>>3] &^= 1 << (at & 7)
	}
}

func allSet(bits []uint8, at, n int) bool {
	for ; n > 0; n-- {
		if at&7 == 0 && n >= 8 && bits[at>>3] == 0xff {
			at, n = at+8, n-7
			continue
		}
		if bits[at>>3]>>(at&7)&1 == 0 {
			return false
		}
		at++
	}
	return true
}

// instances are the buffers of a module's variables on this device, made at the first launch.
func (d *Device) instances(m *Module) map[*variable]*Buffer {
	if d.globals == nil {
		d.globals = map[*Module][]*Buffer{}
	}
	list, ok := d.globals[m]
	out := map[*variable]*Buffer{}
	i := 0
	for _, v := range m.order {
		if v.space != "global" && v.space != "const" || v.external {
			continue
		}
		if !ok {
			b := d.alloc(v.name, int(v.size))
			copy(b.data, v.init)
			setBits(b.written, 0, len(b.data)) // variables begin as zeros
			b.readOnly = v.space == "const"
			list = append(list, b)
		}
		out[v] = list[i]
		i++
	}
	d.globals[m] = list
	return out
}
