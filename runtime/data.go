package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mdlc/runtime/program"
)

// split is one part of a data source: arrays of as many rows. The second holds labels.
type split struct {
	columns []*array
	begins  []int // rows that begin a sequence, a file as a rule; nil: only row 0
}

func (s *split) rows() int { return s.columns[0].rows }

// frames is s with a row for each label: rows with many labels are sequences, as videos are in one array.
func (s *split) frames() *split {
	if len(s.columns) < 2 || s.columns[1].width < 2 || s.columns[0].width%s.columns[1].width != 0 || s.columns[0].packing == packedBits {
		return s
	}
	x, y := *s.columns[0], *s.columns[1]
	length := y.width
	out := &split{columns: []*array{&x, &y}}
	for r := range x.rows {
		out.begins = append(out.begins, r*length)
	}
	x.rows, x.width = x.rows*length, x.width/length
	y.rows, y.width = y.rows*length, 1
	return out
}

// slice is rows lo..hi.
func (s *split) slice(lo, hi int) *split {
	t := &split{}
	for _, a := range s.columns {
		t.columns = append(t.columns, a.slice(lo, hi))
	}
	for _, b := range s.begins {
		if b < hi {
			t.begins = append(t.begins, max(b-lo, 0))
		}
	}
	t.begins = slices.Compact(t.begins)
	return t
}

// source is a loaded `data` declaration.
type source struct {
	*program.Source
	dir        string // relative paths start here
	splits     map[string]*split
	vocabulary *bpe                     // tokens of a text
	note       string                   // of what was read: how many files, the names of labels; or ""
	draw       func(part string) *split // makes a split when it is first used; nil: all are there
	trained    []string                 // the classes of the run whose weights are taken; nil: there is none, or it did not read this
	classes    []string                 // the names of labels in order, whose places are their numbers; none: they are numbers; nil: there are no labels
}

// splitNames are the parts of a source, in the order of `split: [...]`.
var splitNames = []string{"train", "valid", "test"}

// A sourceKind reads the data of the sources that a function of mdl makes.
type sourceKind struct {
	name string
	open func(s *source, path string) error // sets the splits
}

var sourceKinds = []sourceKind{
	{"bytes", (*source).openBytes},
	{"tokens", (*source).openTokens},
	{"lines", (*source).openLines},
	{"npy", (*source).openNpy},
	{"csv", (*source).openCsv},
	{"mnist", (*source).openIdx},
	{"images", (*source).openImages},
	{"glyphs", (*source).openGlyphs},
}

// openSource reads a source. dir is the folder that a relative path starts from, trained the names of its labels in the run
// whose weights are taken.
func openSource(src *program.Source, dir string, trained []string) (*source, error) {
	s := &source{Source: src, dir: dir, splits: map[string]*split{}, trained: trained}
	at := slices.IndexFunc(sourceKinds, func(k sourceKind) bool { return k.name == src.Kind })
	if at < 0 {
		return nil, fmt.Errorf("%s: error: data %s: this version has no source `%s`", src.Pos, src.Name, src.Kind)
	}
	paths := []string{src.Path, src.Tokenizer}
	if src.Kind == "npy" { // elsewhere labels are a column
		paths = append(paths, src.Labels)
	}
	for _, path := range paths {
		if name := unsetIn(path); name != "" {
			return nil, fmt.Errorf("%s: error: data %s: the environment has no $%s, which is in the path %q\n  = help: `%s=… mdlc …` sets it, and `--data %s=PATH` takes the data from another place", src.Pos, src.Name, name, path, name, src.Name)
		}
	}
	path := s.resolve(src.Path)
	err := sourceKinds[at].open(s, path)
	if missing := (*fs.PathError)(nil); errors.As(err, &missing) && errors.Is(err, fs.ErrNotExist) {
		flag := src.Name
		if src.Kind == "npy" && src.Labels != "" && missing.Path == s.resolve(src.Labels) {
			flag += ".labels"
		}
		return nil, fmt.Errorf("%s: error: %s is not there\n  = help: `--data %s=PATH` takes the data from another place", src.Pos, missing.Path, flag)
	}
	if err != nil {
		if src.Path != "" && !strings.Contains(err.Error(), "\n  = help: ") {
			err = fmt.Errorf("%w\n  = help: `--data %s=PATH` takes the data from another place", err, src.Name)
		}
		return nil, fmt.Errorf("%s: error: data %s: %w", src.Pos, src.Name, err)
	}
	return s, nil
}

// resolve is a path as the file system knows it.
func (s *source) resolve(path string) string {
	path = expandPath(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	return path
}

// unsetIn is the first $NAME of a path that the environment lacks, or "".
func unsetIn(path string) (unset string) {
	os.Expand(path, func(name string) string {
		if _, set := os.LookupEnv(name); !set && name != "GOROOT" && unset == "" {
			unset = name
		}
		return ""
	})
	return unset
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
	if s.splits[name] == nil && s.draw != nil {
		s.splits[name] = s.draw(name)
	}
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

// setParts takes the splits that the source's files make. Rows without a part, or those for
// training where the user wants them split, are cut into fractions.
func (s *source) setParts(parts map[string]*split) error {
	all := parts[""]
	if all == nil {
		if s.splits = parts; s.Split == nil || parts["train"] == nil {
			return nil
		}
		all = parts["train"]
	}
	own := map[string]bool{"valid": parts["valid"] != nil, "test": parts["test"] != nil}
	for i, f := range s.Split {
		if f > 0 && own[splitNames[i]] {
			return fmt.Errorf("it has a %s part of its own, and `split` makes another: %v", splitNames[i], s.Split)
		}
	}
	for name := range own {
		if own[name] {
			s.splits[name] = parts[name]
		}
	}
	return s.cut(all, s.Split)
}

// cut divides all into fractions.
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
		end := int(upTo*float64(all.rows()) + 1e-6)
		if f > 0 || s.splits[splitNames[i]] == nil {
			s.splits[splitNames[i]] = all.slice(at, end)
		}
		at = end
	}
	return nil
}
