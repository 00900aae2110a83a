package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mdlc/ir/loop"
	"mdlc/runtime/program"
)

// split is one part of a data source. A source of bytes has rows of one byte.
type split struct {
	elem  loop.Elem
	width int  // elements of a row
	bits  bool // rows are packed, eight elements a byte, the first in the highest bit
	data  []byte
	rows  int
}

func (s *split) rowBytes() int {
	if s.bits {
		return (s.width + 7) / 8
	}
	return s.width * s.elem.Size()
}

// slice is rows lo..hi.
func (s *split) slice(lo, hi int) *split {
	t := *s
	t.rows = hi - lo
	t.data = s.data[lo*s.rowBytes() : hi*s.rowBytes()]
	return &t
}

// converter writes rows of a split as elements of another type.
type converter struct {
	from  *split
	elem  loop.Elem
	table []byte // rows of bytes or bits: the elements that each of the 256 bytes stands for
}

func newConverter(from *split, elem loop.Elem) *converter {
	c := &converter{from: from, elem: elem}
	if from.elem.Size() > 1 || from.elem.IsFloat() {
		return c
	}
	per := c.perByte()
	c.table = make([]byte, 256*per*elem.Size())
	for v := range 256 {
		for i := range per {
			x := readElem(from.elem, []byte{byte(v)}, 0)
			if from.bits {
				x = float64(v >> (7 - i) & 1)
			}
			writeElem(elem, c.table, v*per+i, x)
		}
	}
	return c
}

// perByte is how many elements a byte of the source holds.
func (c *converter) perByte() int {
	if c.from.bits {
		return 8
	}
	return 1
}

// convert writes the elements of row, all that dst has room for.
func (c *converter) convert(dst, row []byte) {
	switch {
	case c.elem == c.from.elem && !c.from.bits:
		copy(dst, row)
	case c.table != nil:
		each := c.perByte() * c.elem.Size()
		for i, v := range row {
			copy(dst[i*each:], c.table[int(v)*each:][:each])
		}
	default:
		for i := range len(row) / c.from.elem.Size() {
			writeElem(c.elem, dst, i, readElem(c.from.elem, row, i))
		}
	}
}

// source is a loaded `data` declaration.
type source struct {
	*program.Source
	splits map[string]*split
}

// splitNames are the parts of a source, in the order of `split: [...]`.
var splitNames = []string{"train", "valid", "test"}

// openSource reads a source. dir is the folder that a relative path starts from.
func openSource(src *program.Source, dir string) (*source, error) {
	s := &source{Source: src, splits: map[string]*split{}}
	path := expandPath(src.Path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	var err error
	switch src.Kind {
	case "bytes":
		err = s.openBytes(path)
	case "npy":
		err = s.openNpy(path)
	default:
		err = fmt.Errorf("data of kind `%s` cannot be read; bytes and npy can", src.Kind)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: error: %s is not there\n  = help: `--data %s=PATH` takes the data from another place", src.Pos, path, src.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: error: data %s: %w", src.Pos, src.Name, err)
	}
	return s, nil
}

// expandPath replaces $NAME by the environment's value. $GOROOT is known
// wherever Go is installed.
func expandPath(path string) string {
	return os.Expand(path, func(name string) string {
		if v := os.Getenv(name); v != "" || name != "GOROOT" {
			return v
		}
		return goRoot()
	})
}

// part is a split by name.
func (s *source) part(name string) (*split, error) {
	if p := s.splits[name]; p != nil {
		return p, nil
	}
	var have []string
	for _, n := range splitNames {
		if s.splits[n] != nil {
			have = append(have, n)
		}
	}
	return nil, fmt.Errorf("%s: error: data %s has no part `%s`; it has %s", s.Pos, s.Name, name, strings.Join(have, ", "))
}

// cut divides all into the source's fractions.
func (s *source) cut(all *split, fractions []float64) error {
	if fractions == nil {
		fractions = []float64{0.9, 0.1}
	}
	sum := 0.0
	for _, f := range fractions {
		if f < 0 || f > 1 {
			return fmt.Errorf("a part of %v in `split`; fractions are between 0 and 1", f)
		}
		sum += f
	}
	if len(fractions) > len(splitNames) || sum > 1+1e-9 {
		return fmt.Errorf("`split` takes at most train, valid and test, which add up to at most 1: %v", fractions)
	}
	at, upTo := 0, 0.0
	for i, f := range fractions {
		upTo += f
		end := int(upTo*float64(all.rows) + 1e-6)
		s.splits[splitNames[i]] = all.slice(at, end)
		at = end
	}
	return nil
}
