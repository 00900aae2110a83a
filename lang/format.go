package lang

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// Format writes a file in the language's one layout. Tokens and comments stay as they are; what changes is the
// space between them:
//
//   - one space or none between the tokens of a statement, as the grammar wants it;
//   - line breaks and single blank lines stay where they are, but `{` ends its line and `}` starts one when the
//     block between them takes several lines, and `else` follows its `}`;
//   - two spaces of indentation for each block; a line that goes on inside brackets starts below what follows
//     the bracket, another one that goes on keeps its distance to the statement, at least two spaces;
//   - statements on one line keep their distance of two or more spaces, and comments behind code their column.
//
// A file that does not parse is not formatted; the diagnostics say why.
func Format(name string, src []byte) ([]byte, []Diagnostic) {
	file, ds := Parse(name, src)
	if file == nil {
		return nil, ds
	}
	pieces := layoutPieces(name, string(withoutMark(src)))
	starts := map[int]bool{}
	statementStarts(reflect.ValueOf(file), starts)
	for i := range pieces {
		pieces[i].starts = starts[pieces[i].Pos.Offset] && !pieces[i].comment()
	}
	matchBrackets(pieces)
	l := &layout{pieces: pieces}
	for i := range pieces {
		l.put(i)
	}
	out := l.text()
	if before, after := tokenText(pieces), tokenText(layoutPieces(name, out)); before != after {
		panic(fmt.Sprintf("format: %s has other tokens afterwards", name))
	}
	return []byte(out), nil
}

// piece is a token or a comment with what the layout must know of it.
type piece struct {
	lexer.Token
	breaks int  // line breaks before it
	starts bool // it is the first token of an item, a member, a setting or a statement
	match  int  // of a bracket: its partner
	tall   bool // of a brace: its block takes several lines
}

func (p *piece) comment() bool { return p.Type == tokenComment }

// is reports whether the piece is one of these signs or words; a text in quotes is none.
func (p *piece) is(words ...string) bool {
	if p.Type == tokenString || p.comment() {
		return false
	}
	for _, w := range words {
		if p.Value == w {
			return true
		}
	}
	return false
}

// layoutPieces gives the tokens and comments of a text that the lexer accepts.
func layoutPieces(name, text string) []piece {
	lex, err := tokens.LexString(name, text)
	if err != nil {
		panic(err) // it was parsed
	}
	var out []piece
	breaks := 0
	for {
		t, err := lex.Next()
		if err != nil {
			panic(err) // it was parsed
		}
		switch {
		case t.EOF():
			return out
		case t.Type == tokenSpace:
			breaks += strings.Count(t.Value, "\n")
		default:
			if t.Type == tokenComment {
				t.Value = strings.TrimRight(t.Value, " \t\r")
			}
			out = append(out, piece{Token: t, breaks: breaks})
			breaks = 0
		}
	}
}

func tokenText(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Value)
		b.WriteByte('\n')
	}
	return b.String()
}

// statementStarts finds where items, members, settings and statements start.
func statementStarts(v reflect.Value, starts map[int]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		switch n := v.Interface().(type) {
		case *Item:
			starts[n.Pos.Offset] = true
		case *Member:
			starts[n.Pos.Offset] = true
		case *Stmt:
			starts[n.Pos.Offset] = true
		case *Bind:
			starts[n.Pos.Offset] = true
		}
		statementStarts(v.Elem(), starts)
	case reflect.Slice:
		for i := range v.Len() {
			statementStarts(v.Index(i), starts)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			statementStarts(v.Field(i), starts)
		}
	}
}

// matchBrackets pairs brackets, and finds the blocks that take several lines.
func matchBrackets(pieces []piece) {
	var open []int
	for i := range pieces {
		p := &pieces[i]
		switch {
		case p.is("(", "[", "{"):
			open = append(open, i)
		case p.is(")", "]", "}"):
			from := open[len(open)-1]
			open = open[:len(open)-1]
			p.match, pieces[from].match = from, i
			for _, inner := range pieces[from+1 : i+1] {
				p.tall = p.tall || inner.breaks > 0 && !(inner.is("}") && i == from+1)
			}
			pieces[from].tall = p.tall
		}
	}
}

// layout writes pieces line by line.
type layout struct {
	pieces []piece
	done   strings.Builder
	line   []rune // the line being written
	first  int    // the piece that it starts with
	shift  int    // how far that piece moved to the right
	indent int    // of the statement being written
	origin int    // the column of its first token in the source, from 0
	open   []openBracket
}

// openBracket is a bracket around what is being written.
type openBracket struct {
	brace  bool
	indent int // of a line that starts inside; of a round or square one that ends its line, -1 before the next line
}

func (l *layout) text() string {
	l.newline(false)
	return strings.TrimLeft(l.done.String(), "\n")
}

func (l *layout) newline(blank bool) {
	if len(l.line) > 0 {
		l.done.WriteString(strings.TrimRight(string(l.line), " "))
		l.done.WriteByte('\n')
	}
	if blank {
		l.done.WriteByte('\n')
	}
	l.line = l.line[:0]
}

// put writes piece i behind what stands before it.
func (l *layout) put(i int) {
	p := &l.pieces[i]
	if p.is(")", "]", "}") {
		defer func() { l.open = l.open[:len(l.open)-1] }()
	}
	switch {
	case i == 0:
		l.begin(i)
	case l.breaksBefore(i):
		before := &l.pieces[i-1]
		l.newline(p.breaks > 1 && (p.starts || p.comment()) && !before.is("{"))
		l.begin(i)
	case p.comment():
		column := p.Pos.Column - 1 + l.shift
		l.spaces(max(2, column-len(l.line)))
	case p.starts && !l.pieces[i-1].is("{"):
		gap := p.Pos.Offset - l.pieces[i-1].Pos.Offset - len(l.pieces[i-1].Value)
		if gap < 2 || p.breaks > 0 {
			gap = 4
		}
		l.spaces(gap)
	case spaced(l.pieces, i):
		l.spaces(1)
	}
	if p.starts {
		l.origin = p.Pos.Column - 1
		l.indent = l.depth()
		if l.first != i {
			l.indent, l.origin = l.lineIndent(), l.pieces[l.first].Pos.Column-1
		}
	}
	l.line = append(l.line, []rune(p.Value)...)
	if p.is("(", "[", "{") {
		l.push(i)
	}
}

func (l *layout) push(i int) {
	b := openBracket{brace: l.pieces[i].is("{")}
	switch {
	case b.brace:
		b.indent = l.depth() + 2
	case i+1 < len(l.pieces) && l.pieces[i+1].breaks > 0:
		b.indent = l.lineIndent() + 2
	default:
		b.indent = len(l.line)
	}
	l.open = append(l.open, b)
}

func (l *layout) spaces(n int) { l.line = append(l.line, []rune(strings.Repeat(" ", n))...) }

// depth is the indentation of the block being written.
func (l *layout) depth() int {
	for i := len(l.open) - 1; i >= 0; i-- {
		if l.open[i].brace {
			return l.open[i].indent
		}
	}
	return 0
}

func (l *layout) lineIndent() int {
	n := 0
	for n < len(l.line) && l.line[n] == ' ' {
		n++
	}
	return n
}

// breaksBefore reports whether piece i starts a line.
func (l *layout) breaksBefore(i int) bool {
	p, before := &l.pieces[i], &l.pieces[i-1]
	switch {
	case before.comment():
		return true
	case p.comment():
		return p.breaks > 0
	case before.is("{") && before.tall, p.is("}") && p.tall:
		return true
	case l.elseOfIf(i), p.is("{"), p.is("}"), before.is("{"):
		return false
	}
	return p.breaks > 0
}

// begin starts a line with piece i.
func (l *layout) begin(i int) {
	p := &l.pieces[i]
	at := l.column(i)
	l.first, l.shift = i, at-(p.Pos.Column-1)
	l.spaces(at)
}

// column is where a line that starts with piece i begins.
func (l *layout) column(i int) int {
	p := &l.pieces[i]
	inner := openBracket{brace: true}
	if len(l.open) > 0 {
		inner = l.open[len(l.open)-1]
	}
	switch {
	case p.is("}"):
		return l.depth() - 2
	case p.is(")", "]") && l.pieces[p.match+1].breaks > 0:
		return inner.indent - 2
	case !inner.brace:
		return inner.indent
	case p.starts, p.is("{"), l.elseOfIf(i), p.comment() && l.between(i):
		return l.depth()
	}
	return l.indent + max(2, p.Pos.Column-1-l.origin)
}

// between reports whether comment i stands between statements, not inside one.
func (l *layout) between(i int) bool {
	for ; i < len(l.pieces); i++ {
		if p := &l.pieces[i]; !p.comment() {
			return p.starts || p.is("}") || l.elseOfIf(i)
		}
	}
	return true
}

// elseOfIf tells the `else` behind a block from that of `where`.
func (l *layout) elseOfIf(i int) bool {
	if !l.pieces[i].is("else") {
		return false
	}
	for i--; l.pieces[i].comment(); i-- {
	}
	return l.pieces[i].is("}")
}

// spaced reports whether a space stands between pieces i-1 and i of one statement.
func spaced(pieces []piece, i int) bool {
	a, b := &pieces[i-1], &pieces[i]
	switch {
	case a.is("{"):
		return !b.is("}")
	case b.is("}"), a.is("}"), b.is("{"):
		return true
	case a.is("-", "~") && !(i > 1 && ends(pieces, i-2)): // a sign, a ragged axis
		return false
	case a.is("(", "[", ".", "^") || b.is(")", "]", ",", ".", "^"):
		return false
	case a.is(","):
		return true
	case a.is(":"):
		return !slicing(pieces, i-1)
	case b.is(":"):
		return false
	case b.is("("), b.is("["):
		return !ends(pieces, i-1) || closesReducer(pieces, i-1)
	}
	return true
}

// ends reports whether an operand ends with piece i.
func ends(pieces []piece, i int) bool {
	p := &pieces[i]
	switch p.Type {
	case tokenIdent, tokenNumber, tokenString:
		return true
	case tokenKeyword:
		return i > 0 && pieces[i-1].is(".") || p.is("true", "false", "none", "inf")
	}
	return p.is(")", "]")
}

// slicing reports whether colon i stands in an index: directly inside square brackets.
func slicing(pieces []piece, i int) bool {
	for i--; i >= 0; i-- {
		switch {
		case pieces[i].is(")", "]", "}"):
			i = pieces[i].match
		case pieces[i].is("(", "{"):
			return false
		case pieces[i].is("["):
			return true
		}
	}
	return false
}

// closesReducer reports whether piece i ends the brackets of a reducer, behind which its body starts.
func closesReducer(pieces []piece, i int) bool {
	if !pieces[i].is("]") {
		return false
	}
	at := pieces[i].match - 1
	return at >= 0 && slices.Contains(reducers, pieces[at].Value) && pieces[at].Type == tokenIdent && (at == 0 || !pieces[at-1].is("."))
}
