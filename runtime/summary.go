package runtime

import (
	"fmt"
	"strings"

	"mdlc/ir/loop"
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

// typeText is a type as mdl writes it: f32[8, 4]; f32 has no axes.
func typeText(e loop.Elem, dims []int) string {
	if len(dims) == 0 {
		return e.String()
	}
	return e.String() + shapeText(dims)
}

// shapeText is a shape as the language writes it.
func shapeText(dims []int) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = fmt.Sprint(d)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
