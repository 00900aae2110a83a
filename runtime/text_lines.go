package runtime

import (
	"bytes"
	"fmt"

	"mdlc/ir/loop"
)

// openLines reads the lines of a text, or of the texts of a folder; empty ones are left out. Each begins and ends with
// Ends. A batch fills shorter ones with 0. With Holdout every nth line is held out.
func (s *source) openLines(path string) error {
	files, err := filesOf(path, withEnding(".txt"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no .txt files", path)
	}
	parts := map[string]*split{}
	for _, f := range files {
		raw, err := readData(f.path, nil)
		if err != nil {
			return err
		}
		if parts[f.part] == nil {
			parts[f.part] = &split{columns: []*array{newLines()}}
		}
		parts[f.part].columns[0].addLines(raw, s.Ends)
	}
	if all := parts[""]; all != nil && s.Holdout > 0 && s.Split == nil {
		train, valid := newLines(), newLines()
		train.addRows(all.columns[0], func(r int) bool { return (r+1)%s.Holdout != 0 })
		valid.addRows(all.columns[0], func(r int) bool { return (r+1)%s.Holdout == 0 })
		parts = map[string]*split{"train": {columns: []*array{train}}, "valid": {columns: []*array{valid}}}
	}
	for _, name := range append([]string{""}, splitNames...) {
		if p := parts[name]; p != nil && p.rows() == 0 {
			return fmt.Errorf("%s: there are no lines in it", path)
		}
	}
	return s.setParts(parts)
}

func newLines() *array { return &array{elem: loop.U8, at: []int{0}} }

// addLines adds the lines of a text.
func (a *array) addLines(text []byte, ends string) {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			a.data = append(append(append(a.data, ends...), line...), ends...)
			a.endRow()
		}
	}
}

// addRows adds rows of another array.
func (a *array) addRows(from *array, take func(row int) bool) {
	for r := range from.rows {
		if take(r) {
			a.data = append(a.data, from.span(r, r+1)...)
			a.endRow()
		}
	}
}

// endRow makes a row of what was added to the data.
func (a *array) endRow() {
	a.width = max(a.width, len(a.data)-a.at[a.rows])
	a.at = append(a.at, len(a.data))
	a.rows++
}
