package emulator

import (
	"fmt"
	"strings"
)

// A token is a word (name, directive or opcode, dots included), a number, a
// string without its quotes, or one character of punctuation.
type token struct {
	kind byte // 'w', 'n', 's', 0 at the end, else the character itself
	text string
	line int
}

// SyntaxError says where a text is not PTX that this package reads.
type SyntaxError struct {
	Line int
	Text string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("PTX line %d: %s", e.Line, e.Text) }

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c == '%' || c == '.'
}

func lex(text string) ([]token, error) {
	var out []token
	line := 1
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r' || c == 0:
			i++
		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '/' && i+1 < len(text) && text[i+1] == '*':
			start := line
			for i += 2; ; i++ {
				if i+1 >= len(text) {
					return nil, &SyntaxError{start, "this comment has no end"}
				}
				if text[i] == '\n' {
					line++
				}
				if text[i] == '*' && text[i+1] == '/' {
					break
				}
			}
			i += 2
		case c == '"':
			j := i + 1
			for j < len(text) && text[j] != '"' && text[j] != '\n' {
				j++
			}
			if j == len(text) || text[j] != '"' {
				return nil, &SyntaxError{line, "this string has no end"}
			}
			out = append(out, token{'s', text[i+1 : j], line})
			i = j + 1
		case wordByte(c):
			j := i
			for j < len(text) && (wordByte(text[j]) || strings.HasPrefix(text[j:], "::")) {
				if text[j] == ':' {
					j++ // of .shared::cta; a label has one colon
				}
				j++
			}
			kind := byte('w')
			if c >= '0' && c <= '9' {
				kind = 'n'
			}
			out = append(out, token{kind, text[i:j], line})
			i = j
		default:
			out = append(out, token{c, text[i : i+1], line})
			i++
		}
	}
	return append(out, token{0, "the end of the text", line}), nil
}
