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
}

// Global addresses: the number of the buffer, then the place in it. So whatever is
// added to an address, it stays with its buffer, and running over it is noticed.
const (
	bufferShift = 40
	bufferBase  = 1<<20 + 256 // aligned as allocations are, to 256, and no better
	maxBuffers  = 1 << 15
	pageBytes   = 4096
)

// A page is a part of a buffer that one block at a time may touch.
type page struct {
	mu     sync.Mutex
	launch uint32 // what the cells are of
	cells  []globalCell
}

// Alloc makes a buffer of n bytes. The name is for reports.
func (d *Device) Alloc(name string, n int) *Buffer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alloc(name, n)
}

func (d *Device) alloc(name string, n int) *Buffer {
	if len(d.buffers) >= maxBuffers {
		panic("emulator: more than 32768 buffers")
	}
	b := &Buffer{name: name, data: make([]byte, n), written: make([]uint8, (n+7)/8), pages: make([]page, (n+pageBytes-1)/pageBytes)}
	d.buffers = append(d.buffers, b)
	b.addr = uint64(len(d.buffers))<<bufferShift + bufferBase
	return b
}

// Free forgets a buffer: an access to it is out of bounds from now on.
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
	setBits(b.written, offset, len(p))
	return nil
}

// Read copies the buffer's bytes at an offset to p. Bytes that nothing wrote are an error.
func (b *Buffer) Read(offset int, p []byte) error {
	if offset < 0 || offset+len(p) > len(b.data) {
		return fmt.Errorf("buffer %s has %d bytes, not %d at %d", b.name, len(b.data), len(p), offset)
	}
	for i := range p {
		if !allSet(b.written, offset+i, 1) {
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
	for i := range p {
		p[i] = 0
		if allSet(b.written, offset+i, 1) {
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
