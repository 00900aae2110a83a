package program

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A bundle is a program in a file:
//
//	0   magic "MDLCBNDL"
//	8   u32 version
//	12  u32 0
//	16  u64 bytes of metadata, object and constants
//	40  sha256 of the bytes before it and of the payload
//	72  metadata (JSON), object, constants in the order of their buffers
//
// Integers are little-endian.
const (
	magic      = "MDLCBNDL"
	version    = 6
	sumOffset  = 40
	headerSize = sumOffset + sha256.Size
	maxBundle  = 1 << 40
)

// IsBundle reports whether a file that begins so is one.
func IsBundle(file []byte) bool { return bytes.HasPrefix(file, []byte(magic)) }

// Write writes p as a bundle.
func Write(w io.Writer, p *Program) error {
	if err := p.Check(); err != nil {
		return err
	}
	meta, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("program %s: %w", p.Source, err)
	}
	var consts bytes.Buffer
	p.eachConst(func(b *Buffer) { consts.Write(b.Data) })
	head := make([]byte, headerSize)
	copy(head, magic)
	binary.LittleEndian.PutUint32(head[8:], version)
	for i, n := range []int{len(meta), len(p.Object), consts.Len()} {
		binary.LittleEndian.PutUint64(head[16+8*i:], uint64(n))
	}
	sum := checksum(head, meta, p.Object, consts.Bytes())
	copy(head[sumOffset:], sum[:])
	for _, part := range [][]byte{head, meta, p.Object, consts.Bytes()} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func checksum(head []byte, payload ...[]byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(head[:sumOffset])
	for _, p := range payload {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// Load reads a bundle back. Damaged or foreign input is an error.
func Load(r io.Reader) (*Program, error) {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(r, head); err != nil || string(head[:8]) != magic {
		return nil, errors.New("not a bundle of mdlc")
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != version {
		return nil, fmt.Errorf("bundle of version %d; this mdlc reads version %d: compile the model again", v, version)
	}
	var size [3]uint64
	total := uint64(0)
	for i := range size {
		size[i] = binary.LittleEndian.Uint64(head[16+8*i:])
		if size[i] > maxBundle {
			return nil, errors.New("damaged bundle: impossible sizes")
		}
		total += size[i]
	}
	// ReadAll grows with what is there, so that a wrong size allocates nothing.
	payload, err := io.ReadAll(io.LimitReader(r, int64(total)+1))
	if err != nil {
		return nil, err
	}
	if uint64(len(payload)) != total {
		return nil, fmt.Errorf("damaged bundle: %d bytes where the header says %d", len(payload), total)
	}
	if sum := checksum(head, payload); !bytes.Equal(sum[:], head[sumOffset:]) {
		return nil, errors.New("damaged bundle: wrong checksum")
	}
	return decode(payload[:size[0]], payload[size[0]:size[0]+size[1]], payload[size[0]+size[1]:])
}

func decode(meta, object, consts []byte) (*Program, error) {
	dec := json.NewDecoder(bytes.NewReader(meta))
	dec.DisallowUnknownFields()
	p := &Program{}
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("damaged bundle: %w", err)
	}
	p.Object = object
	var err error
	p.eachConst(func(b *Buffer) {
		n, ok := b.Bytes()
		if !ok || n > int64(len(consts)) {
			err = fmt.Errorf("damaged bundle: constant %s does not fit", b.Name)
			return
		}
		b.Data, consts = consts[:n:n], consts[n:]
	})
	if err != nil {
		return nil, err
	}
	if len(consts) > 0 {
		return nil, fmt.Errorf("damaged bundle: %d bytes of constants too many", len(consts))
	}
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("damaged bundle: %w", err)
	}
	return p, nil
}

// eachConst calls f with every constant buffer, in order.
func (p *Program) eachConst(f func(*Buffer)) {
	p.eachBlock(func(b *Block) error {
		for i := range b.Bufs {
			if b.Bufs[i].Home == HomeConst {
				f(&b.Bufs[i])
			}
		}
		return nil
	})
}

// eachBlock calls f with every block, in order, up to the first error.
func (p *Program) eachBlock(f func(*Block) error) error {
	for i := range p.Entries {
		e := &p.Entries[i]
		if err := f(&e.Block); err != nil {
			return err
		}
		for j := range e.Every {
			if err := f(&e.Every[j].Block); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bytes is the size of b in memory; false where its dims make no sense.
func (b *Buffer) Bytes() (int64, bool) { return bytesOf(b.Elem.Size(), b.Dims) }

func bytesOf(size int, dims []int) (int64, bool) {
	n := int64(size)
	for _, d := range dims {
		if d < 0 || n > 0 && int64(d) > maxArena/n {
			return 0, false
		}
		n *= int64(d)
	}
	return n, true
}
