package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
)

const (
	hashedWhole = 256 << 20 // bytes of data that are hashed to the last one, in a fraction of a second
	hashedPage  = 4 << 10
	hashedPages = 1 << 14 // of larger data, at even distances, and the last one
)

// fingerprints tell for each source that was read what it held.
func (r *Runner) fingerprints() map[string]string {
	if r.prints == nil {
		r.prints = map[string]string{}
		for name, s := range r.sources {
			r.prints[name] = s.fingerprint(hashedWhole)
		}
	}
	return r.prints
}

// fingerprint is the hash of all parts: how many rows of what, and their content, of parts
// with more than whole bytes that of some pages.
func (s *source) fingerprint(whole int) string {
	h := sha256.New()
	if s.draw != nil { // which parts are there depends on what was asked for
		fmt.Fprintln(h, s.Kind, s.Size, s.Count, s.Scale)
	}
	for _, name := range splitNames {
		p := s.splits[name]
		if p == nil || s.draw != nil {
			continue
		}
		fmt.Fprintln(h, name, p.begins)
		for _, a := range p.columns {
			fmt.Fprintln(h, a.elem, a.packing, a.scale, a.width, a.rows, a.at)
			hashData(h, a.data, whole)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func hashData(h io.Writer, data []byte, whole int) {
	if len(data) <= whole {
		h.Write(data)
		return
	}
	last := len(data) - hashedPage
	for i := range hashedPages {
		h.Write(data[last/(hashedPages-1)*i:][:hashedPage])
	}
	h.Write(data[last:])
}

// compareData refuses to go on with other data than the run began with: what follows
// would be neither that run nor another.
func (r *Runner) compareData(before map[string]string) error {
	now := r.fingerprints()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if was := before[name]; was == "" || was == now[name] {
			continue
		}
		s := r.sources[name]
		if r.o.NewData {
			r.o.Progress.Line("warning: data %s are not what the run began with", name)
			continue
		}
		return fmt.Errorf("%s: error: data %s (%s) are not what the run in %s began with\n  = help: put the data back, train anew with another --out, or go on with what is there now by --new-data",
			s.Pos, name, s.Path, r.o.Out)
	}
	return nil
}
