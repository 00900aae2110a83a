package runtime

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"

	"mdlc/ir/loop"
)

// openBytes reads a file, or the text files of a folder one after another in
// the order of their paths. A pattern (`src/*.go`) takes the files below the
// folder whose names match. Of a folder, every Holdout-th file is held out; of
// a single file, its last 1/Holdout.
func (s *source) openBytes(path string) error {
	base := filepath.Base(path)
	if strings.ContainsAny(base, "*?[") {
		if _, err := filepath.Match(base, ""); err != nil {
			return fmt.Errorf("pattern %s: %w", base, err)
		}
		return s.openTree(filepath.Dir(path), base)
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return s.openTree(path, "*")
	}
	data, err := ReadFile(path)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return fmt.Errorf("%s is empty", path)
	}
	fractions := s.Split
	if s.Holdout > 0 && fractions == nil {
		held := 1 / float64(s.Holdout)
		fractions = []float64{1 - held, held}
	}
	return s.cut(byteSplit(data), fractions)
}

func byteSplit(data []byte) *split {
	return &split{columns: []*array{{elem: loop.U8, width: 1, data: data, rows: len(data)}}}
}

// binaryProbe is how much of a file is searched for a zero byte, which text has not.
const binaryProbe = 8000

func (s *source) openTree(dir, pattern string) error {
	var train, valid bytes.Buffer
	files, others := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != dir
		if d.IsDir() && hidden {
			return filepath.SkipDir
		}
		if ok, _ := filepath.Match(pattern, d.Name()); !ok || hidden || !d.Type().IsRegular() {
			return nil
		}
		data, err := ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.IndexByte(data[:min(len(data), binaryProbe)], 0) >= 0 {
			others++
			return nil
		}
		files++
		if s.Holdout > 0 && files%s.Holdout == 0 {
			valid.Write(data)
		} else {
			train.Write(data)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if train.Len() == 0 {
		return fmt.Errorf("%s has no text files that match %s", dir, pattern)
	}
	s.note = fmt.Sprintf("from %d files", files)
	if others > 0 {
		s.note += fmt.Sprintf(", %d that are no text left out", others)
	}
	if s.Holdout <= 0 {
		return s.cut(byteSplit(train.Bytes()), s.Split)
	}
	s.splits["train"], s.splits["valid"] = byteSplit(train.Bytes()), byteSplit(valid.Bytes())
	return nil
}

// goRoot is where Go's own source is.
func goRoot() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err == nil {
		return strings.TrimSpace(string(out))
	}
	return filepath.Join("/usr/lib", "go-"+strings.TrimPrefix(goruntime.Version(), "go"))
}
