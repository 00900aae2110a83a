package runtime

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"mdlc/ir/loop"
)

// openNpy reads arrays: a file, cut into parts by its rows, or a folder with a file for each
// part. The second column, where there is one, comes from the path of the labels.
func (s *source) openNpy(path string) error {
	parts, err := s.npyParts(path, s.Bits)
	if err != nil {
		return err
	}
	if s.Labels != "" {
		labels, err := s.npyParts(s.resolve(s.Labels), 0)
		if err != nil {
			return err
		}
		for _, part := range append([]string{""}, splitNames...) {
			x, y := parts[part], labels[part]
			switch {
			case x == nil && y == nil:
				continue
			case x == nil || y == nil:
				return fmt.Errorf("%s and %s need the same parts", path, s.resolve(s.Labels))
			case x.rows() != y.rows():
				return fmt.Errorf("%s has %d rows and %s %d: each row needs its label", path, x.rows(), s.resolve(s.Labels), y.rows())
			}
			x.columns = append(x.columns, y.columns[0])
		}
	}
	return s.setParts(parts)
}

// npyParts are the arrays at path by part; "" where it is one file.
func (s *source) npyParts(path string, bits int) (map[string]*split, error) {
	files, err := filesOf(path, withEnding(".npy"))
	if err != nil {
		return nil, err
	}
	parts, from := map[string]*split{}, map[string]string{}
	for _, f := range files {
		if from[f.part] != "" {
			return nil, fmt.Errorf("%s: both %s and %s could be its %s part", path, filepath.Base(from[f.part]), filepath.Base(f.path), f.part)
		}
		from[f.part] = f.path
		a, err := readNpy(f.path, bits)
		if err != nil {
			return nil, err
		}
		parts[f.part] = &split{columns: []*array{a}}
	}
	if len(parts) == 0 {
		return nil, fmt.Errorf("%s has no .npy files", path)
	}
	return parts, nil
}

// readNpy reads an array. If bits is above 0 its rows are so many packed bits.
func readNpy(path string, bits int) (*array, error) {
	raw, err := readData(path, npySize)
	if err != nil {
		return nil, err
	}
	a, err := parseNpy(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if bits == 0 {
		return a, nil
	}
	if a.elem != loop.U8 || a.width != (bits+7)/8 {
		return nil, fmt.Errorf("%s: rows of %d bits need %d bytes of type |u1, the file has rows of %d %s", path, bits, (bits+7)/8, a.width, a.elem)
	}
	a.width, a.packing = bits, packedBits
	return a, nil
}

var npyElems = map[string]loop.Elem{
	"|b1": loop.Bool, "|u1": loop.U8, "|i1": loop.I8, "<i4": loop.I32, "<u4": loop.U32, "<i8": loop.I64,
	"<f2": loop.F16, "<f4": loop.F32, "<f8": loop.F64,
}

var npyHeader = regexp.MustCompile(`^\{\s*'descr':\s*'([^']*)',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([0-9, ]*)\),?\s*\}\s*$`)

// parseNpy reads NumPy's array format, versions 1 and 2.
func parseNpy(raw []byte) (*array, error) {
	p, start, err := parseNpyHead(raw)
	if err != nil {
		return nil, err
	}
	have, each := len(raw)-start, p.rowBytes()
	if each == 0 || p.rows > have/each {
		return nil, fmt.Errorf("%d rows of %d %s need more than the %d bytes there are", p.rows, p.width, p.elem, have)
	}
	p.data = raw[start:][:p.rows*each]
	return p, nil
}

// plainArray is the remedy for arrays of other elements than numbers.
const plainArray = "`numpy.save(path, x.astype(\"float32\"))`, or int32, stores what can be read"

// insteadOfNpy says what a file is that is no array, or how one comes about.
func insteadOfNpy(raw []byte) string {
	switch {
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")):
		return "it is an archive (.npz): store each of its arrays alone, by `numpy.save(path, archive[name])`"
	case len(raw) > 0 && utf8.Valid(raw[:min(len(raw), 512)]) && bytes.IndexByte(raw, 0) < 0:
		return "it is a text: `csv(…)` reads tables of numbers, `bytes(…)` and `lines(…)` texts"
	}
	return "`numpy.save(path, x)` writes one"
}

// npySize is how many bytes of a file that begins with head count.
func npySize(head []byte) (int64, error) {
	p, start, err := parseNpyHead(head)
	if err != nil {
		return 0, err
	}
	return int64(start + p.rows*p.rowBytes()), nil
}

// parseNpyHead reads what comes before the numbers, which begin at start. The size of all
// rows does not overflow.
func parseNpyHead(raw []byte) (p *array, start int, err error) {
	if len(raw) < 10 || string(raw[:6]) != "\x93NUMPY" {
		return nil, 0, fmt.Errorf("not an .npy file\n  = help: %s", insteadOfNpy(raw))
	}
	size := 0
	start, size = 10, int(binary.LittleEndian.Uint16(raw[8:]))
	if raw[6] > 1 {
		if len(raw) < 12 {
			return nil, 0, fmt.Errorf("the header is cut off")
		}
		start, size = 12, int(binary.LittleEndian.Uint32(raw[8:]))
	}
	if size > len(raw)-start {
		return nil, 0, fmt.Errorf("the header is cut off")
	}
	m := npyHeader.FindStringSubmatch(string(raw[start : start+size]))
	if m == nil {
		return nil, 0, fmt.Errorf("a header that is not understood: %.80q\n  = help: "+plainArray, bytes.TrimSpace(raw[start:start+size]))
	}
	elem, ok := npyElems[m[1]]
	var packed packing
	if m[1] == "<u2" {
		elem, packed, ok = loop.U32, packedShorts, true
	}
	if !ok {
		return nil, 0, fmt.Errorf("elements of type %s cannot be read\n  = help: "+plainArray, m[1])
	}
	if m[2] == "True" {
		return nil, 0, fmt.Errorf("the array is stored column by column (Fortran order)\n  = help: `numpy.save(path, numpy.ascontiguousarray(x))` stores it row by row")
	}
	p = &array{elem: elem, packing: packed, width: 1}
	dims := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' })
	if len(dims) == 0 {
		return nil, 0, fmt.Errorf("an array of rank 0 has no rows")
	}
	for i, d := range dims {
		n, err := strconv.Atoi(d)
		if err != nil || n > 1<<40 {
			return nil, 0, fmt.Errorf("impossible shape (%s)", m[3])
		}
		if i == 0 {
			p.rows = n
			continue
		}
		if n > 0 && p.width > 1<<40/n { // before it overflows
			return nil, 0, fmt.Errorf("impossible shape (%s)", m[3])
		}
		p.width *= n
	}
	if each := p.rowBytes(); each > 0 && p.rows > 1<<50/each {
		return nil, 0, fmt.Errorf("impossible shape (%s)", m[3])
	}
	return p, start + size, nil
}
