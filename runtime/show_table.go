package runtime

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// index is that of a row along the leading axes, `2,5`.
func (s *shown) index(row int) string {
	var parts []string
	for i := len(s.dims) - 2; i >= 0; i-- {
		parts = append([]string{strconv.Itoa(row % s.dims[i])}, parts...)
		row /= s.dims[i]
	}
	return strings.Join(parts, ",")
}

// table writes the value for people: a line for each row, columns below each other,
// indices at the top and on the left.
func (s *shown) table(w io.Writer) error {
	head := []string{""}
	for c := range s.columns() {
		head = append(head, strconv.Itoa(c))
	}
	lines := [][]string{head}
	for r := range s.rows() {
		line := []string{s.index(r)}
		for c := range s.columns() {
			line = append(line, s.number(r*s.columns()+c, 5))
		}
		lines = append(lines, line)
	}
	if len(s.dims) < 2 { // one row needs no index
		for i := range lines {
			lines[i] = lines[i][1:]
		}
	}
	wide := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			wide[i] = max(wide[i], len(cell))
		}
	}
	for _, line := range lines {
		for i, cell := range line {
			gap := "  "
			if i == 0 {
				gap = ""
			}
			if _, err := fmt.Fprintf(w, "%s%*s", gap, wide[i], cell); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
	}
	return nil
}

// csv writes the value for programs: a line for each row, its indices first, then every digit that counts.
func (s *shown) csv(w io.Writer) error {
	var head []string
	for axis := range max(len(s.dims)-1, 0) {
		head = append(head, fmt.Sprintf("axis%d", axis))
	}
	for c := range s.columns() {
		head = append(head, strconv.Itoa(c))
	}
	if _, err := fmt.Fprintln(w, strings.Join(head, ",")); err != nil {
		return err
	}
	for r := range s.rows() {
		var cells []string
		if len(s.dims) > 1 {
			cells = append(cells, s.index(r))
		}
		for c := range s.columns() {
			cells = append(cells, s.number(r*s.columns()+c, -1))
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, ",")); err != nil {
			return err
		}
	}
	return nil
}
