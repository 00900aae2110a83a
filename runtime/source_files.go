package runtime

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sourceFile is a file of a source, and the part that its name speaks of, or "".
type sourceFile struct{ path, part string }

// filesOf lists the files that path stands for: itself, the files of a folder that keep
// takes, or those that match a pattern (`set/*.csv`), in the order of their names.
func filesOf(path string, keep func(name string) bool) ([]sourceFile, error) {
	dir, pattern := path, "*"
	if base := filepath.Base(path); strings.ContainsAny(base, "*?[") {
		dir, pattern = filepath.Dir(path), base
		keep = func(string) bool { return true }
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []sourceFile{{path: path}}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []sourceFile
	for _, f := range entries {
		ok, err := filepath.Match(pattern, f.Name())
		if err != nil {
			return nil, fmt.Errorf("pattern %s: %w", pattern, err)
		}
		if ok && !f.IsDir() && !strings.HasPrefix(f.Name(), ".") && keep(strings.TrimSuffix(f.Name(), ".gz")) {
			files = append(files, sourceFile{filepath.Join(dir, f.Name()), partOf(f.Name())})
		}
	}
	if files == nil && pattern != "*" {
		return nil, fmt.Errorf("no file in %s matches %s", dir, pattern)
	}
	// Where some speak of a part, the others are about something else.
	if slices.ContainsFunc(files, func(f sourceFile) bool { return f.part != "" }) {
		files = slices.DeleteFunc(files, func(f sourceFile) bool { return f.part == "" })
	}
	return files, nil
}

// withEnding keeps names that end in one of these.
func withEnding(endings ...string) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(name, e) })
	}
}

// partNames are words that a file's name begins one of its words with, and the parts that they speak of.
var partNames = []struct{ word, part string }{{"train", "train"}, {"valid", "valid"}, {"val", "valid"}, {"dev", "valid"}, {"test", "test"}}

// partOf is the part that a file name speaks of, or "". MNIST calls its test part t10k.
func partOf(name string) string {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, "t10k") {
		return "test"
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return r < 'a' || r > 'z' })
	for _, p := range partNames {
		if slices.ContainsFunc(words, func(w string) bool { return w == p.word || len(p.word) > 3 && strings.HasPrefix(w, p.word) }) {
			return p.part
		}
	}
	return ""
}

// headBytes is how much of a packed file is unpacked before its size is asked for.
const headBytes = 1 << 20

// readData reads a file, unpacked if its name ends in .gz. A few packed bytes can unpack to
// more than any memory holds: size tells from a file's beginning how much of it counts; nil:
// all that fits into memory.
func readData(path string, size func(head []byte) (int64, error)) ([]byte, error) {
	raw, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(path, ".gz") {
		most := int64(1 << 40)
		if have, ok := availableMemory(); ok {
			most = have / 3 // what is read is copied as it grows
		}
		if raw, err = gunzip(raw, most, size); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if len(raw) == 0 {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return raw, nil
}

// gunzip unpacks raw as far as size says, if that is less than most bytes.
func gunzip(raw []byte, most int64, size func(head []byte) (int64, error)) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("it is not packed by gzip: %w", err)
	}
	data, err := readBounded(z, most, size)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("it is cut off: its packed data end too early")
	}
	return data, err
}

func readBounded(r io.Reader, most int64, size func(head []byte) (int64, error)) ([]byte, error) {
	head, err := io.ReadAll(io.LimitReader(r, min(headBytes, most)))
	if err != nil {
		return nil, err
	}
	want := most
	if size != nil {
		if want, err = size(head); err != nil {
			return nil, err
		}
		if want >= most {
			return nil, fmt.Errorf("unpacked it is %s, more than the memory that is available can take", byteSize(want))
		}
	}
	rest, err := io.ReadAll(io.LimitReader(r, want-int64(len(head))))
	if err == nil && size == nil && int64(len(head)+len(rest)) == most {
		return nil, fmt.Errorf("unpacked it is larger than %s, more than the memory that is available can take", byteSize(most))
	}
	return append(head, rest...), err
}

// joined makes one column of the arrays of several files.
func joined(arrays []*array) *array {
	if len(arrays) == 1 {
		return arrays[0]
	}
	all := *arrays[0]
	all.data, all.rows = nil, 0
	for _, a := range arrays {
		all.data = append(all.data, a.data...)
		all.rows += a.rows
	}
	return &all
}
