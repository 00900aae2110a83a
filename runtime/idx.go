package runtime

import (
	"encoding/binary"
	"fmt"
	"strings"

	"mdlc/ir/loop"
)

// openIdx reads pictures and their labels in the format of MNIST: a folder with files for
// training and test (`train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`, packed or not), or
// one file of pictures without labels.
func (s *source) openIdx(path string) error {
	files, err := filesOf(path, func(name string) bool { return strings.Contains(name, "idx") })
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no IDX files, such as train-images-idx3-ubyte.gz", path)
	}
	pictures, labels, from := map[string]*array{}, map[string]*array{}, map[string]string{}
	for _, f := range files {
		into, what := pictures, "the pictures"
		if strings.Contains(strings.ToLower(f.path[strings.LastIndex(f.path, "/")+1:]), "label") {
			into, what = labels, "the labels"
		}
		if key := what + f.part; from[key] != "" {
			return fmt.Errorf("both %s and %s could be %s of one part", from[key], f.path, what)
		} else {
			from[key] = f.path
		}
		raw, err := readData(f.path, nil)
		if err == nil {
			into[f.part], err = parseIdx(raw)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return s.pairIdx(pictures, labels)
}

// pairIdx makes splits of pictures and labels.
func (s *source) pairIdx(pictures, labels map[string]*array) error {
	parts, first := map[string]*split{}, ""
	for _, part := range append([]string{""}, splitNames...) {
		x, y := pictures[part], labels[part]
		switch {
		case x == nil && y == nil:
			continue
		case x == nil:
			return fmt.Errorf("there are labels without pictures for part `%s`", part)
		case y != nil && (x.rows != y.rows || y.width != 1):
			return fmt.Errorf("part `%s` has %d pictures and %d labels", part, x.rows, y.rows*y.width)
		case first != "" && x.width != parts[first].columns[0].width:
			return fmt.Errorf("the pictures of %s have %d pixels, those of %s %d", part, x.width, first, parts[first].columns[0].width)
		}
		x.scale = []float64{0, 1}
		if s.Scale != nil {
			x.scale = s.Scale
		}
		parts[part], first = &split{columns: []*array{x}}, part
		if y != nil {
			parts[part].columns = append(parts[part].columns, y)
		}
	}
	return s.setParts(parts)
}

// parseIdx reads an array of bytes in the IDX format: two bytes 0, the element type, the
// rank, the sizes (32 bits, big endian), the elements.
func parseIdx(raw []byte) (*array, error) {
	if len(raw) < 4 || raw[0] != 0 || raw[1] != 0 || raw[3] == 0 {
		return nil, fmt.Errorf("not an IDX file: it begins with % x", raw[:min(len(raw), 4)])
	}
	if raw[2] != 8 {
		return nil, fmt.Errorf("IDX files of bytes (type 08) can be read, this one is of type %02x", raw[2])
	}
	rank := int(raw[3])
	if len(raw) < 4+4*rank {
		return nil, fmt.Errorf("the header is cut off")
	}
	a := &array{elem: loop.U8, width: 1, rows: int(binary.BigEndian.Uint32(raw[4:])), data: raw[4+4*rank:]}
	var dims []int
	for i := range rank {
		n := int(binary.BigEndian.Uint32(raw[4+4*i:]))
		dims = append(dims, n)
		if i > 0 && n > 0 && a.width > 1<<40/n { // before it overflows
			return nil, fmt.Errorf("impossible shape %v", dims)
		}
		if i > 0 {
			a.width *= n
		}
	}
	if a.width == 0 || a.rows == 0 {
		return nil, fmt.Errorf("shape %v holds nothing", dims)
	}
	if a.rows > len(a.data)/a.width || a.rows*a.width != len(a.data) {
		return nil, fmt.Errorf("shape %v does not fit the %d bytes that follow", dims, len(a.data))
	}
	return a, nil
}
