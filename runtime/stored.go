package runtime

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"mdlc/ir/loop"
)

// storedTensors is a safetensors file to read from. Its header is in memory, its tensors are not: they
// may be larger than that.
type storedTensors struct {
	file    io.ReaderAt
	tensors []storedTensor
	meta    map[string]string
	buffer  []byte // what is on its way through memory
}

// storedTensor is a named array in such a file.
type storedTensor struct {
	name string
	elem loop.Elem
	dims []int
	at   int64  // its first byte
	size int    // in bytes
	sum  uint32 // of name and bytes, since storedTensors.checksum has been asked for
}

// partBytes is how much is read at a time: elements of all sizes fit in it without a rest, and it fits in a cache.
const partBytes = 1 << 20

// errChanging is that a file is not what it was when it was opened.
var errChanging = errors.New("the file changes while it is read: run again once nothing writes to it")

// openTensors reads the header of a safetensors file of size bytes. Damaged input is an error.
func openTensors(file io.ReaderAt, size int64) (*storedTensors, error) {
	if size < 8 {
		return nil, fmt.Errorf("not a safetensors file: %d bytes", size)
	}
	f := &storedTensors{file: file}
	var length [8]byte
	if err := f.readAt(length[:], 0); err != nil {
		return nil, err
	}
	n := little.Uint64(length[:])
	if n > maxHeader || n > uint64(size-8) {
		return nil, fmt.Errorf("not a safetensors file: a header of %d bytes in a file of %d", n, size)
	}
	header := make([]byte, n)
	if err := f.readAt(header, 8); err != nil {
		return nil, err
	}
	entries, err := headerEntries(header)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	begin := 8 + int64(n)
	body := int(size - begin)
	var spans [][2]int
	for _, e := range entries {
		if e.name == metaKey {
			if err := json.Unmarshal(e.text, &f.meta); err != nil {
				return nil, fmt.Errorf("header: %s: %w", metaKey, err)
			}
			continue
		}
		t, at, err := e.tensor(begin, body)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", e.name, err)
		}
		f.tensors = append(f.tensors, t)
		spans = append(spans, at)
	}
	return f, checkCover(spans, body)
}

// readAt fills mem from byte at of the file on.
func (f *storedTensors) readAt(mem []byte, at int64) error {
	n, err := f.file.ReadAt(mem, at)
	switch {
	case n == len(mem): // at the end of a file it may be io.EOF
		return nil
	case errors.Is(err, io.EOF):
		return errChanging
	}
	return err
}

// readParts reads the bytes of t in order, part by part, to mem, or all to one buffer where mem is nil, and hands each part
// with the place of its first byte in t to do, unless that is nil. It returns what t.sum is to be.
func (f *storedTensors) readParts(t *storedTensor, mem []byte, do func(at int, part []byte)) (sum uint32, err error) {
	if f.buffer == nil && mem == nil {
		f.buffer = make([]byte, partBytes)
	}
	sum = sumOf(t.name, nil)
	for at := 0; at < t.size; at += partBytes {
		n := min(partBytes, t.size-at)
		part := f.buffer
		if mem != nil {
			part = mem[at:]
		}
		part = part[:n]
		if err := f.readAt(part, t.at+int64(at)); err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, part)
		if do != nil {
			do(at, part)
		}
	}
	return sum, nil
}

// checksum is tensorFile.checksum of what is stored. It reads all of it.
func (f *storedTensors) checksum() (string, error) {
	all := uint32(0)
	for i := range f.tensors {
		t := &f.tensors[i]
		var err error
		if t.sum, err = f.readParts(t, nil, nil); err != nil {
			return "", err
		}
		all ^= t.sum
	}
	return sumText(all), nil
}

// read writes t, in elements of type e, to mem. The checksum must have been asked for: bytes that it was not of are an error.
func (f *storedTensors) read(mem []byte, e loop.Elem, t *storedTensor) error {
	var sum uint32
	var err error
	if e == t.elem {
		sum, err = f.readParts(t, mem, nil)
	} else {
		size := t.elem.Size()
		sum, err = f.readParts(t, nil, func(at int, part []byte) {
			for i := range len(part) / size {
				writeElem(e, mem, at/size+i, readElem(t.elem, part, i))
			}
		})
	}
	if err == nil && sum != t.sum {
		err = errChanging
	}
	return err
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

// tensor is the one that the entry is of, in a file whose tensors take body bytes from byte begin on. Its span is within these.
func (e *headerEntry) tensor(begin int64, body int) (storedTensor, [2]int, error) {
	var info tensorInfo
	d := json.NewDecoder(bytes.NewReader(e.text))
	d.DisallowUnknownFields()
	if err := d.Decode(&info); err != nil {
		return storedTensor{}, info.Offsets, err
	}
	elem, ok := parseSafetensorsElem(info.Dtype)
	if !ok {
		return storedTensor{}, info.Offsets, fmt.Errorf("unknown dtype %q", info.Dtype)
	}
	size := elem.Size()
	for _, n := range info.Shape {
		if n < 0 || n > 0 && size > body/n {
			return storedTensor{}, info.Offsets, fmt.Errorf("impossible shape %v", info.Shape)
		}
		size *= n
	}
	lo, hi := info.Offsets[0], info.Offsets[1]
	if lo < 0 || hi < lo || hi > body || hi-lo != size {
		return storedTensor{}, info.Offsets, fmt.Errorf("bytes %d to %d of %d for %s%v", lo, hi, body, info.Dtype, info.Shape)
	}
	return storedTensor{name: e.name, elem: elem, dims: info.Shape, at: begin + int64(lo), size: size}, info.Offsets, nil
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
