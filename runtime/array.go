package runtime

import (
	"fmt"
	"math"

	"mdlc/ir/loop"
)

// array is one column of a split as the source holds it: in memory as small as
// it was in the file. A source of bytes has rows of one byte.
type array struct {
	elem    loop.Elem
	packing packing
	scale   []float64 // u8: what 0 and 255 stand for; nil: themselves
	width   int       // elements of a row; of rows of different lengths, of the longest
	data    []byte
	rows    int
	colors  int // planes of a picture, where it has several

	lightness *array // of colour pictures, once it is asked for
	at        []int  // rows of different lengths: row r is data[at[r]:at[r+1]]; nil: all have width elements
}

// packing says how elements lie in the data where they are not of the type elem.
type packing uint8

const (
	plain        packing = iota
	packedBits           // eight a byte, the first in the highest bit; each row begins with a byte
	packedShorts         // u32 as two bytes, little endian
)

func (a *array) rowBytes() int {
	switch a.packing {
	case packedBits:
		return (a.width + 7) / 8
	case packedShorts:
		return 2 * a.width
	}
	return a.width * a.elem.Size()
}

// span is the data of rows lo..hi.
func (a *array) span(lo, hi int) []byte {
	if a.at != nil {
		return a.data[a.at[lo]:a.at[hi]]
	}
	each := a.rowBytes()
	return a.data[lo*each : hi*each]
}

// slice is rows lo..hi.
func (a *array) slice(lo, hi int) *array {
	s := *a
	s.rows = hi - lo
	if a.at != nil {
		s.at = a.at[lo : hi+1]
		return &s
	}
	s.data = a.span(lo, hi)
	return &s
}

// number is element i of data, which is a row or several.
func (a *array) number(data []byte, i int) float64 {
	switch {
	case a.packing == packedBits:
		return float64(data[i/8] >> (7 - i%8) & 1)
	case a.packing == packedShorts:
		return float64(little.Uint16(data[2*i:]))
	case a.scale != nil:
		return a.scale[0] + float64(data[i])/255*(a.scale[1]-a.scale[0])
	}
	return readElem(a.elem, data, i)
}

// holds refuses numbers that elem, a type of integers, cannot stand for.
func (a *array) holds(elem loop.Elem) error {
	unsigned := a.scale == nil && (a.elem == loop.U8 || a.elem == loop.Bool)
	if !elem.IsInt() || a.packing != plain || a.elem == elem || unsigned && elem != loop.I8 {
		return nil
	}
	least, most := -0x1p31, 0x1p31-1
	switch elem {
	case loop.U8, loop.U32:
		least, most = 0, math.Exp2(float64(8*elem.Size()))-1
	case loop.I8:
		least, most = -128, 127
	case loop.I64:
		least, most = -0x1p53, 0x1p53
	}
	for r := range a.rows {
		row := a.span(r, r+1)
		for i := range a.width {
			if v := a.number(row, i); v != math.Trunc(v) || v < least || v > most {
				help := fmt.Sprintf("%s holds whole numbers from %.0f to %.0f", elem, least, most)
				if v != math.Trunc(v) {
					help = "numbers that are not whole are f32"
				}
				return fmt.Errorf("row %d has %v, which is no %s\n  = help: %s", r, v, elem, help)
			}
		}
	}
	return nil
}

// converter writes rows of an array as elements of another type.
type converter struct {
	from  *array
	elem  loop.Elem
	table []byte // arrays of bytes or bits: the elements that each of the 256 bytes stands for
}

func newConverter(from *array, elem loop.Elem) *converter {
	c := &converter{from: from, elem: elem}
	if from.elem.Size() > 1 || from.elem.IsFloat() {
		return c
	}
	per := c.perByte()
	c.table = make([]byte, 256*per*elem.Size())
	for v := range 256 {
		for i := range per {
			writeElem(elem, c.table, v*per+i, from.number([]byte{byte(v)}, i))
		}
	}
	return c
}

// perByte is how many elements a byte of the array holds.
func (c *converter) perByte() int {
	if c.from.packing == packedBits {
		return 8
	}
	return 1
}

// convert writes the elements of row, all that dst has room for, and fills what is left with 0.
func (c *converter) convert(dst, row []byte) {
	done := 0
	switch {
	case c.elem == c.from.elem && c.from.packing == plain && c.from.scale == nil:
		done = copy(dst, row)
	case c.table != nil:
		each := c.perByte() * c.elem.Size()
		for i, v := range row {
			copy(dst[min(i*each, len(dst)):], c.table[int(v)*each:][:each])
		}
		done = len(row) * each
	default:
		stored := c.from.elem.Size()
		if c.from.packing == packedShorts {
			stored = 2
		}
		n := len(row) / stored
		for i := range n {
			writeElem(c.elem, dst, i, c.from.number(row, i))
		}
		done = n * c.elem.Size()
	}
	clear(dst[min(done, len(dst)):])
}
