package runtime

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"mdlc/ir/loop"
)

// sheet is one file of a table.
type sheet struct {
	numbers []byte // f32, row by row, without the column of labels
	labels  []string
	lines   []int    // of the labels
	names   []string // of all columns; nil: they have none
	width   int
	rows    int
}

// openCsv reads tables of numbers: a file, or several of a folder or pattern. With the name of a column of labels the
// first line holds the names; else it does if one of its cells is no number. Labels are names unless all are numbers. Each
// file is a sequence for clips.
func (s *source) openCsv(path string) error {
	files, err := filesOf(path, withEnding(".csv", ".tsv", ".data", ".txt"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no .csv files", path)
	}
	var sheets []*sheet
	var labels []string
	for _, f := range files {
		raw, err := readData(f.path, nil)
		if err != nil {
			return err
		}
		sh, err := parseCsv(raw, s.Labels)
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		if len(sheets) > 0 && sh.width != sheets[0].width {
			return fmt.Errorf("%s has %d columns, %s has %d", f.path, sh.width, files[0].path, sheets[0].width)
		}
		sheets, labels = append(sheets, sh), append(labels, sh.labels...)
	}
	if err := s.nameLabels(files, sheets, labels); err != nil {
		return err
	}
	parts, elem := map[string]*split{}, s.labelElem(labels)
	for i, f := range files {
		p := parts[f.part]
		if p == nil {
			p = &split{columns: []*array{{elem: loop.F32, width: sheets[i].width}}}
			if s.Labels != "" {
				p.columns = append(p.columns, &array{elem: elem, width: 1})
			}
			parts[f.part] = p
		}
		p.begins = append(p.begins, p.rows())
		p.add(sheets[i], s.label)
	}
	return s.setParts(parts)
}

// nameLabels tells names from numbers in all sheets' labels.
func (s *source) nameLabels(files []sourceFile, sheets []*sheet, labels []string) error {
	if s.Labels == "" {
		return nil
	}
	classes := classesOf(labels)
	if !slices.ContainsFunc(classes, func(c string) bool { return !isNumber(c) }) {
		classes = []string{}
	}
	s.setClasses(classes)
	for i, sh := range sheets {
		for j, l := range sh.labels {
			if err := s.checkLabel(l); err != nil {
				return fmt.Errorf("%s: line %d: %w", files[i].path, sh.lines[j], err)
			}
		}
	}
	return nil
}

// add appends the rows of a sheet.
func (p *split) add(sh *sheet, encode func(string) float64) {
	x := p.columns[0]
	x.data, x.rows = append(x.data, sh.numbers...), x.rows+sh.rows
	if len(p.columns) == 1 {
		return
	}
	y := p.columns[1]
	y.data = append(y.data, make([]byte, 4*sh.rows)...)
	for i, l := range sh.labels {
		writeElem(y.elem, y.data, y.rows+i, encode(l))
	}
	y.rows += sh.rows
}

// parseCsv reads a table. labels is the name of the column of labels, or "".
func parseCsv(raw []byte, labels string) (*sheet, error) {
	if bytes.IndexByte(raw, 0) >= 0 {
		return nil, fmt.Errorf("it is no text in UTF-8; a spreadsheet saves one as CSV UTF-8")
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
	raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	r := csv.NewReader(bytes.NewReader(raw))
	r.Comma, r.ReuseRecord, r.FieldsPerRecord = separator(raw), true, -1
	r.TrimLeadingSpace = r.Comma != '\t'
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("it has no lines")
	}
	if err != nil {
		return nil, err
	}
	sh, at, cells := &sheet{width: len(head)}, -1, len(head)
	headLine, _ := r.FieldPos(0)
	if labels != "" {
		if at = slices.IndexFunc(head, func(c string) bool { return strings.TrimSpace(c) == labels }); at < 0 {
			return nil, fmt.Errorf("line %d has no column `%s`; it has %s\n  = help: the first line holds the names of the columns, and commas, semicolons or tabs are between them", headLine, labels, strings.Join(head[:min(len(head), 50)], ", "))
		}
		sh.width--
		sh.names = slices.Clone(head)
	} else if !slices.ContainsFunc(head, func(c string) bool { _, err := cell(c); return err != nil }) {
		if err := sh.row(r, head, at); err != nil {
			return nil, err
		}
	} else {
		sh.names = slices.Clone(head)
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(record) != cells {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d has %d cells, line %d has %d", line, len(record), headLine, cells)
		}
		if err := sh.row(r, record, at); err != nil {
			return nil, err
		}
	}
	switch {
	case sh.rows == 0:
		return nil, fmt.Errorf("it has no rows below its first line, which holds names: %.80s", strings.Join(head, ", "))
	case sh.width == 0:
		return nil, fmt.Errorf("it has a column of labels and none of numbers")
	}
	return sh, nil
}

// separator is what lies between the cells of the first line: comma, semicolon or tab, whichever is there more often.
func separator(raw []byte) rune {
	line, _, _ := bytes.Cut(bytes.TrimLeft(raw, "\n"), []byte("\n"))
	best, most := ',', 0
	for _, c := range ",;\t" {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

func cell(text string) (float64, error) {
	text = strings.TrimSpace(text)
	v, err := strconv.ParseFloat(text, 32)
	switch {
	case err == nil && finite(v):
		return v, nil
	case text == "":
		return 0, fmt.Errorf("the cell is empty\n  = help: write a number there, or leave the row out")
	case strings.Contains(text, ","):
		return 0, fmt.Errorf("%.40q is no number\n  = help: a number has a decimal point and no other signs between its digits", text)
	}
	return 0, fmt.Errorf("%.40q is no number\n  = help: leave the row or the column out; a column of words can be `labels:`", text)
}

// row adds a line of the table; cell at is its label.
func (sh *sheet) row(r *csv.Reader, record []string, at int) error {
	for i, c := range record {
		if i == at {
			line, _ := r.FieldPos(i)
			sh.labels, sh.lines = append(sh.labels, strings.Clone(strings.TrimSpace(c))), append(sh.lines, line)
			continue
		}
		v, err := cell(c)
		if err != nil {
			line, _ := r.FieldPos(i)
			column := strconv.Itoa(i + 1)
			if sh.names != nil {
				column = "`" + strings.TrimSpace(sh.names[i]) + "`"
			}
			return fmt.Errorf("line %d, column %s: %w", line, column, err)
		}
		sh.numbers = little.AppendUint32(sh.numbers, math.Float32bits(float32(v)))
	}
	sh.rows++
	return nil
}
