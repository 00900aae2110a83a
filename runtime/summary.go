package runtime

import (
	"fmt"
	"strings"
)

// summary says what a source has read: the user sees that it is what was meant. "": it read nothing.
func (s *source) summary() string {
	unit := map[string]string{"bytes": "bytes", "tokens": "tokens", "lines": "lines"}[s.Kind]
	if unit == "" {
		unit = "rows"
	}
	var parts []string
	for _, name := range splitNames {
		if p := s.splits[name]; p != nil {
			parts = append(parts, fmt.Sprintf("%s %d %s", name, p.rows(), unit))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	text := s.Path + ": " + strings.Join(parts, ", ")
	if s.note != "" {
		text += ", " + s.note
	}
	return text
}

// shapeText is a shape as the language writes it.
func shapeText(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = fmt.Sprint(d)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
