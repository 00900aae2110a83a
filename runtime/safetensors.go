package runtime

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"mdlc/ir/loop"
)

// tensor is a named array of a safetensors file.
type tensor struct {
	name string
	elem loop.Elem
	dims []int
	data []byte
}

// tensorFile is the content of a safetensors file: tensors, and metadata in order of keys.
type tensorFile struct {
	tensors []tensor
	meta    map[string]string
}

// sum is a checksum of all tensors and their names, in whatever order they are.
func (f *tensorFile) sum() string {
	all := uint32(0)
	for _, t := range f.tensors {
		all ^= crc32.Update(crc32.Checksum([]byte(t.name), castagnoli), castagnoli, t.data)
	}
	return fmt.Sprintf("%08x", all)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var safetensorsElems = map[loop.Elem]string{
	loop.Bool: "BOOL", loop.I8: "I8", loop.U8: "U8", loop.I32: "I32", loop.U32: "U32", loop.I64: "I64",
	loop.F8E4M3: "F8_E4M3", loop.F8E5M2: "F8_E5M2", loop.F16: "F16", loop.BF16: "BF16", loop.F32: "F32", loop.F64: "F64",
}

func parseSafetensorsElem(s string) (loop.Elem, bool) {
	for e := range loop.F64 + 1 {
		if safetensorsElems[e] == s {
			return e, true
		}
	}
	return 0, false
}

// tensorInfo is a header's entry.
type tensorInfo struct {
	Dtype   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

const metaKey = "__metadata__"

// maxHeader is the format's own limit.
const maxHeader = 100_000_000

// write writes f. Wider elements go first, so that each tensor is aligned.
func (f *tensorFile) write(w io.Writer) error {
	tensors := slices.Clone(f.tensors)
	slices.SortFunc(tensors, func(a, b tensor) int {
		if d := b.elem.Size() - a.elem.Size(); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	text := []byte{'{'}
	entry := func(name string, v any) error {
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		value, err := json.Marshal(v)
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(append(text, key...), ':'), value...)
		return err
	}
	if len(f.meta) > 0 {
		if err := entry(metaKey, f.meta); err != nil { // json sorts the keys
			return err
		}
	}
	at := 0
	for _, t := range tensors {
		info := tensorInfo{safetensorsElems[t.elem], append([]int{}, t.dims...), [2]int{at, at + len(t.data)}}
		if err := entry(t.name, info); err != nil {
			return err
		}
		at += len(t.data)
	}
	text = append(text, '}')
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(text))); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := w.Write(t.data); err != nil {
			return err
		}
	}
	return nil
}

// parseTensors reads a safetensors file. Damaged input is an error.
func parseTensors(raw []byte) (*tensorFile, error) {
	if len(raw) < 8 {
		return nil, fmt.Errorf("not a safetensors file: %d bytes", len(raw))
	}
	n := binary.LittleEndian.Uint64(raw)
	if n > maxHeader || n > uint64(len(raw)-8) {
		return nil, fmt.Errorf("not a safetensors file: a header of %d bytes in a file of %d", n, len(raw))
	}
	body := raw[8+n:]
	f := &tensorFile{}
	var spans [][2]int
	entries, err := headerEntries(raw[8 : 8+n])
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	for _, e := range entries {
		if e.name == metaKey {
			if err := json.Unmarshal(e.text, &f.meta); err != nil {
				return nil, fmt.Errorf("header: %s: %w", metaKey, err)
			}
			continue
		}
		t, at, err := e.tensor(body)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", e.name, err)
		}
		f.tensors = append(f.tensors, t)
		spans = append(spans, at)
	}
	return f, checkCover(spans, len(body))
}

type headerEntry struct {
	name string
	text json.RawMessage
}

// headerEntries reads the header's object in order and refuses a name that comes twice.
func headerEntries(text []byte) ([]headerEntry, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object")
	}
	var out []headerEntry
	seen := map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return nil, err
		}
		e := headerEntry{name: tok.(string)}
		if seen[e.name] {
			return nil, fmt.Errorf("%s stands there twice", e.name)
		}
		seen[e.name] = true
		if err := d.Decode(&e.text); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if rest := bytes.TrimSpace(text[d.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("text after the object")
	}
	return out, nil
}

func (e *headerEntry) tensor(body []byte) (tensor, [2]int, error) {
	var info tensorInfo
	d := json.NewDecoder(bytes.NewReader(e.text))
	d.DisallowUnknownFields()
	if err := d.Decode(&info); err != nil {
		return tensor{}, info.Offsets, err
	}
	elem, ok := parseSafetensorsElem(info.Dtype)
	if !ok {
		return tensor{}, info.Offsets, fmt.Errorf("unknown dtype %q", info.Dtype)
	}
	size := elem.Size()
	for _, n := range info.Shape {
		if n < 0 || n > 0 && size > len(body)/n {
			return tensor{}, info.Offsets, fmt.Errorf("impossible shape %v", info.Shape)
		}
		size *= n
	}
	lo, hi := info.Offsets[0], info.Offsets[1]
	if lo < 0 || hi < lo || hi > len(body) || hi-lo != size {
		return tensor{}, info.Offsets, fmt.Errorf("bytes %d to %d of %d for %s%v", lo, hi, len(body), info.Dtype, info.Shape)
	}
	return tensor{e.name, elem, info.Shape, body[lo:hi:hi]}, info.Offsets, nil
}

// checkCover verifies that the spans fill size bytes without hole or overlap.
func checkCover(spans [][2]int, size int) error {
	slices.SortFunc(spans, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	at := 0
	for _, s := range spans {
		if s[0] != at {
			return fmt.Errorf("a tensor begins at byte %d, not %d", s[0], at)
		}
		at = s[1]
	}
	if at != size {
		return fmt.Errorf("%d bytes after the last tensor", size-at)
	}
	return nil
}
