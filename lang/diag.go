package lang

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// Span is a stretch of source text.
type Span struct {
	Pos, End lexer.Position
}

// Severity tells an error from a warning.
type Severity uint8

const (
	Error Severity = iota
	Warning
	Note // what the file asks for with `print`
)

func (s Severity) String() string {
	return [...]string{"error", "warning", "note"}[s]
}

// Diagnostic is what the compiler tells the user of one place: the rule, the
// place, and the way out.
type Diagnostic struct {
	Severity Severity
	Span     Span
	Message  string
	Notes    []string
	Help     string
	line     string // the source line of Span.Pos
	deeper   bool   // it is of a place in the library that Span led to
}

// Text is the diagnostic as the user reads it: file:line:col, message, source line, carets.
func (d Diagnostic) Text() string {
	var b strings.Builder
	p := d.Span.Pos
	if p.Filename != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", p.Filename, p.Line, p.Column)
	}
	fmt.Fprintf(&b, "%s: %s\n", d.Severity, d.Message)
	if line, column := d.excerpt(); line != "" {
		number := fmt.Sprint(p.Line)
		pad := strings.Repeat(" ", len(number))
		fmt.Fprintf(&b, "%s |\n%s | %s\n", pad, number, strings.ReplaceAll(line, "\t", " "))
		room := utf8.RuneCountInString(line) - column + 1
		width := room
		if d.Span.End.Line == p.Line {
			width = min(d.Span.End.Column-p.Column, room)
		}
		fmt.Fprintf(&b, "%s | %s%s\n", pad, strings.Repeat(" ", max(column-1, 0)), strings.Repeat("^", max(width, 1)))
	}
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "   = %s\n", n)
	}
	if d.Help != "" {
		fmt.Fprintf(&b, "   = help: %s\n", d.Help)
	}
	return b.String()
}

// In is the diagnostic with its line of src, the text of its file. Where it has no end, it is of the word that begins at it.
func (d Diagnostic) In(src string) Diagnostic {
	p := d.Span.Pos
	d.line = sources{p.Filename: src}.line(p)
	if d.Span.End.Line == 0 {
		d.Span.End = p
		for _, r := range []rune(d.line)[min(max(p.Column-1, 0), utf8.RuneCountInString(d.line)):] {
			if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				break
			}
			d.Span.End.Column++
		}
	}
	return d
}

// excerpt is the source line, cut around the place where it is very long, and the column in it.
func (d Diagnostic) excerpt() (string, int) {
	const most = 160
	runes, column := []rune(d.line), d.Span.Pos.Column
	if len(runes) <= most {
		return d.line, column
	}
	from := max(0, column-most/2)
	return string(runes[from:min(from+most, len(runes))]), column - from
}

// sources keeps the text of every file that was read, for the lines of diagnostics.
type sources map[string]string

func (s sources) line(p lexer.Position) string {
	lines := strings.Split(s[p.Filename], "\n")
	if p.Line < 1 || p.Line > len(lines) {
		return ""
	}
	return strings.TrimRight(lines[p.Line-1], "\r")
}

// text quotes the source of a span, on one line and not too long.
func (s sources) text(sp Span) string {
	src := s[sp.Pos.Filename]
	if sp.Pos.Offset < 0 || sp.End.Offset > len(src) || sp.Pos.Offset >= sp.End.Offset {
		return ""
	}
	words := strings.Join(strings.Fields(src[sp.Pos.Offset:sp.End.Offset]), " ")
	if utf8.RuneCountInString(words) > 60 {
		words = string([]rune(words)[:57]) + "..."
	}
	return words
}

// finish adds source lines, drops repetitions and sorts by place, errors first in equal places.
func finish(ds []Diagnostic, src sources) []Diagnostic {
	seen := map[string]bool{}
	var out []Diagnostic
	for _, d := range ds {
		d.line = src.line(d.Span.Pos)
		p := d.Span.Pos
		place := fmt.Sprint(p.Filename, p.Offset, d.Severity)
		if seen[place+d.Message] || d.deeper && seen[place] { // what else goes wrong in a call of the library follows from the first
			continue
		}
		seen[place], seen[place+d.Message] = true, true
		out = append(out, d)
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Span.Pos, out[j].Span.Pos
		if a.Filename != b.Filename {
			return a.Filename < b.Filename
		}
		return a.Offset < b.Offset
	})
	return out
}

// HasErrors reports whether one of the diagnostics is an error.
func HasErrors(ds []Diagnostic) bool {
	for _, d := range ds {
		if d.Severity == Error {
			return true
		}
	}
	return false
}

// nearest finds the candidate most like word, or "" if none is near: at most
// a third of the letters differ.
func nearest(word string, candidates []string) string {
	if len(word) == 1 {
		return "" // every other letter would be near
	}
	if two := strings.TrimSuffix(word, "2d"); two != word && slices.Contains(candidates, two) {
		return two // what others call by its two dimensions
	}
	best, found := max(len(word)/3, 1)+1, ""
	for _, c := range candidates {
		if d := distance(word, c); d < best || d == best && found != "" && c < found {
			best, found = d, c
		}
	}
	return found
}

// distance is the edit distance with transpositions of neighbours.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// DidYouMean is a question after the candidate that is nearest to a word; "" where none is near.
func DidYouMean(word string, candidates []string) string {
	if near := nearest(word, candidates); near != "" {
		return fmt.Sprintf("did you mean `%s`?", near)
	}
	return ""
}
