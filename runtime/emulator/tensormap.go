package emulator

import (
	"encoding/binary"
	"fmt"
	"math"
)

// TensorMap says what the driver's cuTensorMapEncodeTiled is told, without interleaving: where a tensor is,
// and of what boxes of it copies are. Dimension 0 is the one whose elements lie side by side.
type TensorMap struct {
	Elem           string   // a PTX type: bf16, f32, u8, …
	Addr           uint64   // of element 0
	Dims           []uint64 // 1 to 5
	Strides        []uint64 // bytes between neighbours, of all dimensions but the first
	Box            []uint32 // how far a box goes, in elements
	ElementStrides []uint32 // every how many-th element is copied; nil = every one. Dimension 0 has no such thing
	Swizzle        int      // bytes of a row in which pieces of 16 change places: 0, 32, 64 or 128
	FillNaN        bool     // elements outside of the tensor are NaN and not 0
}

// TensorMapBytes is the size of an encoded map. A kernel takes it as a parameter, aligned to 64.
const TensorMapBytes = 128

const tensorMapMagic = 0x70614d54

// mapElems are the types of elements, in the driver's order.
var mapElems = []string{"u8", "u16", "u32", "s32", "u64", "s64", "f16", "f32", "f64", "bf16", "tf32"}

// Encode makes of the map what a kernel is passed. Its bytes mean something to the emulator only.
func (t *TensorMap) Encode() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("tensor map: %w", err)
	}
	out := make([]byte, TensorMapBytes)
	binary.LittleEndian.PutUint32(out, tensorMapMagic)
	for i, name := range mapElems {
		if name == t.Elem {
			out[4] = byte(i)
		}
	}
	out[5], out[6] = byte(len(t.Dims)), byte(t.Swizzle)
	if t.FillNaN {
		out[7] = 1
	}
	binary.LittleEndian.PutUint64(out[8:], t.Addr)
	for i, n := range t.Dims {
		binary.LittleEndian.PutUint64(out[16+8*i:], n)
		if i > 0 {
			binary.LittleEndian.PutUint64(out[48+8*i:], t.Strides[i-1])
		}
		binary.LittleEndian.PutUint16(out[88+2*i:], uint16(t.Box[i]))
		out[98+i] = 1
		if t.ElementStrides != nil {
			out[98+i] = byte(t.ElementStrides[i])
		}
	}
	return out, nil
}

func decodeTensorMap(p []byte) (*TensorMap, bool) {
	if binary.LittleEndian.Uint32(p) != tensorMapMagic || int(p[4]) >= len(mapElems) || p[5] > 5 {
		return nil, false
	}
	t := &TensorMap{Elem: mapElems[p[4]], Swizzle: int(p[6]), FillNaN: p[7] != 0, Addr: binary.LittleEndian.Uint64(p[8:])}
	for i := range int(p[5]) {
		t.Dims = append(t.Dims, binary.LittleEndian.Uint64(p[16+8*i:]))
		if i > 0 {
			t.Strides = append(t.Strides, binary.LittleEndian.Uint64(p[48+8*i:]))
		}
		t.Box = append(t.Box, uint32(binary.LittleEndian.Uint16(p[88+2*i:])))
		t.ElementStrides = append(t.ElementStrides, uint32(p[98+i]))
	}
	return t, t.check() == nil
}

// check holds a map to what the driver asks of one.
func (t *TensorMap) check() error {
	rank, size := len(t.Dims), t.elemBytes()
	switch {
	case size == 0:
		return fmt.Errorf("there are no tensors of %q", t.Elem)
	case rank < 1 || rank > 5:
		return fmt.Errorf("a tensor has 1 to 5 dimensions, not %d", rank)
	case len(t.Strides) != rank-1 || len(t.Box) != rank || t.ElementStrides != nil && len(t.ElementStrides) != rank:
		return fmt.Errorf("%d dimensions have %d strides, %d sizes of a box and %d element strides", rank, len(t.Strides), len(t.Box), len(t.ElementStrides))
	case t.Addr%16 != 0:
		return fmt.Errorf("the address %#x is no multiple of 16", t.Addr)
	case t.Swizzle != 0 && t.Swizzle != 32 && t.Swizzle != 64 && t.Swizzle != 128:
		return fmt.Errorf("there is no swizzle of %d bytes", t.Swizzle)
	}
	for i, n := range t.Dims {
		switch {
		case n < 1 || n > 1<<32:
			return fmt.Errorf("dimension %d cannot have %d elements", i, n)
		case i > 0 && (t.Strides[i-1]%16 != 0 || t.Strides[i-1] >= 1<<40):
			return fmt.Errorf("the stride of dimension %d is %d bytes, no multiple of 16 below 2^40", i, t.Strides[i-1])
		case t.Box[i] < 1 || t.Box[i] > 256:
			return fmt.Errorf("a box cannot have %d elements in dimension %d", t.Box[i], i)
		case t.ElementStrides != nil && (t.ElementStrides[i] < 1 || t.ElementStrides[i] > 8):
			return fmt.Errorf("the element stride of dimension %d is %d, not 1 to 8", i, t.ElementStrides[i])
		}
	}
	row := int(t.Box[0]) * size
	switch {
	case row%16 != 0:
		return fmt.Errorf("a row of the box has %d bytes, no multiple of 16", row)
	case t.Swizzle != 0 && row > t.Swizzle:
		return fmt.Errorf("a row of the box has %d bytes, more than the swizzle's %d", row, t.Swizzle)
	case t.Swizzle != 0 && row < t.Swizzle:
		return fmt.Errorf("a row of the box has %d bytes; fewer than the swizzle's %d are not supported", row, t.Swizzle)
	}
	return nil
}

func (t *TensorMap) elemBytes() int {
	for _, name := range mapElems {
		if name == t.Elem {
			return elems[name].bytes()
		}
	}
	return 0
}

// fill writes elements that are outside of the tensor.
func (t *TensorMap) fill(p *[pieceBytes]byte) {
	e := elems[t.Elem]
	if !t.FillNaN || !e.float() {
		return
	}
	for at := 0; at < pieceBytes; at += e.bytes() {
		storeLE(p[at:], e.bytes(), e.format().encode(math.NaN(), toEven))
	}
}
