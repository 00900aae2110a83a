package loop

import (
	"fmt"
	"strconv"
	"strings"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokName
	tokInt
	tokFloat
	tokString
	tokSign
)

type token struct {
	kind tokenKind
	text string
	pos  Pos
}

func (t token) String() string {
	if t.kind == tokEnd {
		return "the end of the text"
	}
	return strconv.Quote(t.text)
}

// SyntaxError is an error in the text of a kernel.
type SyntaxError struct {
	Pos Pos
	Msg string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Pos.File, e.Pos.Line, e.Pos.Col, e.Msg)
}

var signs = []string{"..", "<<", ">>", "<=", ">=", "==", "!="}

// lex splits text into tokens; `//` starts a comment.
func lex(file, text string) ([]token, error) {
	var out []token
	line, start := 1, 0
	for i := 0; i < len(text); {
		c := text[i]
		pos := Pos{File: file, Line: line, Col: i - start + 1}
		switch {
		case c == '\n':
			i++
			line, start = line+1, i
			continue
		case c == ' ' || c == '\t' || c == '\r':
			i++
			continue
		case strings.HasPrefix(text[i:], "//"):
			for i < len(text) && text[i] != '\n' {
				i++
			}
			continue
		}
		kind, n := scan(text[i:])
		if n == 0 {
			return nil, &SyntaxError{pos, fmt.Sprintf("unexpected character %q", c)}
		}
		out = append(out, token{kind, text[i : i+n], pos})
		i += n
	}
	return append(out, token{tokEnd, "", Pos{File: file, Line: line, Col: len(text) - start + 1}}), nil
}

// scan gives the token that s starts with and its length; 0: none.
func scan(s string) (tokenKind, int) {
	c := s[0]
	switch {
	case letter(c):
		n := 1
		for n < len(s) && (letter(s[n]) || digit(s[n])) {
			n++
		}
		return tokName, n
	case digit(c):
		return scanNumber(s)
	case c == '"':
		if q, err := strconv.QuotedPrefix(s); err == nil {
			return tokString, len(q)
		}
		return tokEnd, 0
	}
	for _, sign := range signs {
		if strings.HasPrefix(s, sign) {
			return tokSign, len(sign)
		}
	}
	if strings.IndexByte("+-*/%<>=&|^!(){}[],:;.@", c) >= 0 {
		return tokSign, 1
	}
	return tokEnd, 0
}

// scanNumber reads digits [. digits] [e sign digits]; `0..n` is 0, then a range.
func scanNumber(s string) (tokenKind, int) {
	kind, n := tokInt, digits(s, 0)
	if n < len(s) && s[n] == '.' && !strings.HasPrefix(s[n:], "..") {
		kind, n = tokFloat, digits(s, n+1)
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '-' || s[m] == '+') {
			m++
		}
		if end := digits(s, m); end > m {
			kind, n = tokFloat, end
		}
	}
	return kind, n
}

func digits(s string, n int) int {
	for n < len(s) && digit(s[n]) {
		n++
	}
	return n
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
