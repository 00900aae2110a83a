package ir

import (
	"fmt"
	"strconv"
	"strings"

	"mdlc/ir/index"
)

// AttrParser reads the text form: a cursor with the small things that
// attributes are made of. The first error stays; after it everything reads as empty.
type AttrParser struct {
	text string
	at   int
	err  error
}

// fail records an error at the cursor.
func (p *AttrParser) fail(format string, args ...any) {
	p.failAt(p.start(), format, args...)
}

func (p *AttrParser) failAt(at int, format string, args ...any) {
	if p.err == nil {
		at = min(at, len(p.text))
		line := 1 + strings.Count(p.text[:at], "\n")
		col := at - strings.LastIndexByte(p.text[:at], '\n')
		p.err = fmt.Errorf("%d:%d: %s", line, col, fmt.Sprintf(format, args...))
	}
	p.at = len(p.text)
}

// space skips white space and comments.
func (p *AttrParser) space() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.at++
		case strings.HasPrefix(p.text[p.at:], "//"):
			end := strings.IndexByte(p.text[p.at:], '\n')
			if end < 0 {
				end = len(p.text) - p.at
			}
			p.at += end
		default:
			return
		}
	}
}

// start is the place of what comes next.
func (p *AttrParser) start() int {
	p.space()
	return p.at
}

// peek reports whether s comes next.
func (p *AttrParser) peek(s string) bool {
	p.space()
	return strings.HasPrefix(p.text[p.at:], s)
}

// eat skips s if it comes next.
func (p *AttrParser) eat(s string) bool {
	if !p.peek(s) || p.err != nil {
		return false
	}
	p.at += len(s)
	return true
}

// want skips s, which has to come next.
func (p *AttrParser) want(s string) {
	if !p.eat(s) {
		p.fail("%q expected", s)
	}
}

// peekWord is the word that comes next, "" if none does.
func (p *AttrParser) peekWord() string {
	p.space()
	end := p.at
	for end < len(p.text) && wordByte(p.text[end]) && !strings.HasPrefix(p.text[end:], "//") {
		end++
	}
	return p.text[p.at:end]
}

// eatWord skips the word s if it comes next.
func (p *AttrParser) eatWord(s string) bool {
	if p.peekWord() != s || p.err != nil {
		return false
	}
	p.at += len(s)
	return true
}

// word is a bare word.
func (p *AttrParser) word(what string) string {
	w := p.peekWord()
	if w == "" {
		p.fail("%s expected", what)
		return ""
	}
	p.at += len(w)
	return w
}

// name is a word or a string.
func (p *AttrParser) name(what string) string {
	if p.peek(`"`) {
		return p.str()
	}
	return p.word(what)
}

// str is a quoted string.
func (p *AttrParser) str() string {
	p.space()
	quoted, err := strconv.QuotedPrefix(p.text[p.at:])
	if err != nil || quoted[0] != '"' {
		p.fail("string expected")
		return ""
	}
	s, err := strconv.Unquote(quoted)
	if err != nil {
		p.fail("bad string %s", quoted)
		return ""
	}
	p.at += len(quoted)
	return s
}

// number is the text of a number.
func (p *AttrParser) number() string {
	p.space()
	end := p.at
	for end < len(p.text) && (wordByte(p.text[end]) && p.text[end] != '/' || p.text[end] == '+') {
		end++
	}
	s := p.text[p.at:end]
	if s == "" {
		p.fail("number expected")
	}
	p.at = end
	return s
}

// integer is a decimal integer.
func (p *AttrParser) integer() int {
	at := p.start()
	s := p.number()
	k, err := strconv.Atoi(s)
	if err != nil && p.err == nil {
		p.failAt(at, "%q is no integer", s)
	}
	return k
}

// float is a float, nan and inf among them.
func (p *AttrParser) float(width int) float64 {
	at := p.start()
	s := p.number()
	f, err := strconv.ParseFloat(s, width)
	if err != nil && p.err == nil {
		p.failAt(at, "%q is no number", s)
	}
	return f
}

// list reads `[a, b, …]` or another pair of brackets.
func (p *AttrParser) list(open, close string, item func()) {
	p.want(open)
	for first := true; p.err == nil && !p.eat(close); first = false {
		if !first {
			p.want(",")
		}
		item()
	}
}

func (p *AttrParser) ints() []int {
	var out []int
	p.list("[", "]", func() { out = append(out, p.integer()) })
	return out
}

// expr reads an index expression: up to a `,`, a closing bracket, `<=` or the end of the line.
func (p *AttrParser) expr() *index.Expr {
	p.space()
	end, depth := p.at, 0
scan:
	for ; end < len(p.text); end++ {
		switch c := p.text[end]; {
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case c == ')' || c == ']' || c == '<' || c == '@' || c == '{' || c == '\n' || c == ',' && depth == 0:
			break scan
		case strings.HasPrefix(p.text[end:], "//"):
			break scan
		}
	}
	e, err := index.Parse(p.text[p.at:end])
	if err != nil {
		p.fail("%s", err)
		return index.C(0)
	}
	p.at = end
	return e
}

func (p *AttrParser) dims() []Dim {
	var out []Dim
	p.list("[", "]", func() {
		e := p.expr()
		if p.eat("<=") {
			out = append(out, DynDim(e, p.integer()))
			return
		}
		k, ok := e.Const()
		if !ok {
			p.fail("the capacity of axis %s is missing: %s<=…", e, e)
		}
		out = append(out, Dim{Size: k})
	})
	return out
}

func (p *AttrParser) elem() Elem {
	at := p.start()
	s := p.word("element type")
	e, err := parseElem(s)
	if err != nil && p.err == nil {
		p.failAt(at, "%s", err)
	}
	return e
}

// typ is a type.
func (p *AttrParser) typ() Type {
	if p.peek("(") {
		types := []Type{}
		p.list("(", ")", func() { types = append(types, p.typ()) })
		return TupleOf(types...)
	}
	e := p.elem()
	return OfDims(e, p.dims())
}

// pos is an optional `@file:line:col`.
func (p *AttrParser) pos() Pos {
	if !p.eat("@") {
		return Pos{}
	}
	q := Pos{File: p.name("file")}
	p.want(":")
	q.Line = p.integer()
	p.want(":")
	q.Col = p.integer()
	if p.eatWord("from") {
		q.From = p.str()
	}
	return q
}
