package runtime

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mdlc/ir/loop"
)

// setClasses sets the names of labels, in order; none: labels are numbers. Where weights of a run are taken, they stay what
// they were in it, whatever is here of them.
func (s *source) setClasses(classes []string) {
	if s.classes = classes; s.trained != nil {
		s.classes = s.trained
	}
	if len(s.classes) > 0 {
		s.note = s.classText()
	}
}

// classesOf are the different ones of some labels, in order.
func classesOf(labels []string) []string {
	classes := slices.Clone(labels)
	slices.Sort(classes)
	return slices.Compact(classes)
}

// checkLabel refuses a label that stands for no number: the run whose weights are taken had not seen it.
func (s *source) checkLabel(label string) error {
	had := "it had numbers"
	if len(s.classes) > 0 {
		had = "it had " + s.classText()
	}
	if _, known := slices.BinarySearch(s.classes, label); known || len(s.classes) == 0 && isNumber(label) {
		return nil
	}
	return fmt.Errorf("the run whose weights are taken had no label %q; %s\n  = help: correct it, leave it out, or train anew with these data and another --out", label, had)
}

// label is the number of a label that was checked.
func (s *source) label(name string) float64 {
	if len(s.classes) == 0 {
		v, _ := strconv.ParseFloat(name, 64)
		return v
	}
	class, _ := slices.BinarySearch(s.classes, name)
	return float64(class)
}

// labelElem is the type of labels: i32 unless some are fractions or too large.
func (s *source) labelElem(labels []string) loop.Elem {
	for _, l := range labels {
		if v := s.label(l); v != math.Trunc(v) || math.Abs(v) >= 1<<31 {
			return loop.F32
		}
	}
	return loop.I32
}

func isNumber(text string) bool {
	v, err := strconv.ParseFloat(text, 64)
	return err == nil && finite(v)
}

// classText tells which number stands for which label.
func (s *source) classText() string {
	var pairs []string
	for i, c := range s.classes {
		if i == 20 {
			pairs = append(pairs, "…")
			break
		}
		pairs = append(pairs, fmt.Sprintf("%d %s", i, c))
	}
	return fmt.Sprintf("%d labels: %s", len(s.classes), strings.Join(pairs, ", "))
}
