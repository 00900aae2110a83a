package runtime

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"

	"mdlc/ir/loop"
)

// tensor is a named array to be written to a safetensors file.
type tensor struct {
	name string
	elem loop.Elem
	dims []int
	data []byte
}

// tensorFile is what is written to a safetensors file: tensors, and metadata in order of keys.
type tensorFile struct {
	tensors []tensor
	meta    map[string]string
}

// checksum is one of all tensors and their names, in whatever order they are.
func (f *tensorFile) checksum() string {
	all := uint32(0)
	for _, t := range f.tensors {
		all ^= sumOf(t.name, t.data)
	}
	return sumText(all)
}

func sumOf(name string, data []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(name), castagnoli), castagnoli, data)
}

// metaSum is a checksum of metadata but for itself.
func metaSum(meta map[string]string) string {
	all := uint32(0)
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		if k != metaSumKey {
			all = crc32.Update(all, castagnoli, fmt.Appendf(nil, "%q%q", k, meta[k]))
		}
	}
	return sumText(all)
}

const metaSumKey = "about"

func sumText(all uint32) string { return fmt.Sprintf("%08x", all) }

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
