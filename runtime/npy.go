package runtime

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"mdlc/ir/loop"
)

// openNpy reads one array, cut into parts by its rows, or a folder with an
// array for each part, whose file names hold train, valid and test.
func (s *source) openNpy(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		all, err := s.readNpy(path)
		if err != nil {
			return err
		}
		return s.cut(all, s.Split)
	}
	files, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	from := map[string]string{}
	for _, f := range files {
		name := f.Name()
		if !strings.HasSuffix(name, ".npy") && !strings.HasSuffix(name, ".npy.gz") {
			continue
		}
		part := partOf(name)
		if part == "" {
			continue
		}
		if from[part] != "" {
			return fmt.Errorf("%s: both %s and %s could be its %s part", path, from[part], name, part)
		}
		from[part] = name
		if s.splits[part], err = s.readNpy(filepath.Join(path, name)); err != nil {
			return err
		}
	}
	if len(from) == 0 {
		return fmt.Errorf("%s has no .npy files with train, valid or test in their names", path)
	}
	return nil
}

// partOf is the part that a file name speaks of, or "".
func partOf(name string) string {
	for _, part := range splitNames {
		if strings.Contains(strings.ToLower(name), part) {
			return part
		}
	}
	return ""
}

func (s *source) readNpy(path string) (*split, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if raw, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	p, err := parseNpy(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.Bits == 0 {
		return p, nil
	}
	if p.elem != loop.U8 || p.width != (s.Bits+7)/8 {
		return nil, fmt.Errorf("%s: rows of %d bits need %d bytes of type |u1, the file has rows of %d %s", path, s.Bits, (s.Bits+7)/8, p.width, p.elem)
	}
	p.width, p.bits = s.Bits, true
	return p, nil
}

var npyElems = map[string]loop.Elem{
	"|b1": loop.Bool, "|u1": loop.U8, "|i1": loop.I8, "<i4": loop.I32, "<u4": loop.U32, "<i8": loop.I64,
	"<f2": loop.F16, "<f4": loop.F32, "<f8": loop.F64,
}

var npyHeader = regexp.MustCompile(`^\{\s*'descr':\s*'([^']*)',\s*'fortran_order':\s*(True|False),\s*'shape':\s*\(([0-9, ]*)\),?\s*\}\s*$`)

// parseNpy reads NumPy's array format, versions 1 and 2.
func parseNpy(raw []byte) (*split, error) {
	if len(raw) < 10 || string(raw[:6]) != "\x93NUMPY" {
		return nil, fmt.Errorf("not an .npy file")
	}
	start, size := 10, int(binary.LittleEndian.Uint16(raw[8:]))
	if raw[6] > 1 {
		if len(raw) < 12 {
			return nil, fmt.Errorf("the header is cut off")
		}
		start, size = 12, int(binary.LittleEndian.Uint32(raw[8:]))
	}
	if size > len(raw)-start {
		return nil, fmt.Errorf("the header is cut off")
	}
	m := npyHeader.FindStringSubmatch(string(raw[start : start+size]))
	if m == nil {
		return nil, fmt.Errorf("a header that is not understood: %.80q", raw[start:start+size])
	}
	elem, ok := npyElems[m[1]]
	if !ok || m[2] == "True" {
		return nil, fmt.Errorf("arrays of type %s, fortran order %s, cannot be read", m[1], m[2])
	}
	p := &split{elem: elem, width: 1, data: raw[start+size:]}
	dims := strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' || r == ' ' })
	if len(dims) == 0 {
		return nil, fmt.Errorf("an array of rank 0 has no rows")
	}
	for i, d := range dims {
		n, err := strconv.Atoi(d)
		if err != nil || n > 1<<40 {
			return nil, fmt.Errorf("impossible shape (%s)", m[3])
		}
		if i == 0 {
			p.rows = n
			continue
		}
		if n > 0 && p.width > 1<<40/n { // before it overflows
			return nil, fmt.Errorf("impossible shape (%s)", m[3])
		}
		p.width *= n
	}
	each := p.rowBytes()
	if each == 0 || p.rows > len(p.data)/each {
		return nil, fmt.Errorf("shape (%s) needs more than the %d bytes there are", m[3], len(p.data))
	}
	p.data = p.data[:p.rows*each]
	return p, nil
}
