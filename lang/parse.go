package lang

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// maxDepth bounds nesting, so that no input can exhaust the stack.
const maxDepth = 200

// maxSource bounds the size of one file.
const maxSource = 1 << 20

// Parse reads a file. On errors it goes on behind the next item, so that several are reported in one run.
func Parse(name string, src []byte) (*File, []Diagnostic) {
	text := string(withoutMark(src))
	all := sources{name: text}
	if d := unreadable(name, text); d != nil {
		return nil, finish([]Diagnostic{*d}, all)
	}
	toks, d := scan(name, text)
	if d == nil {
		d = tooDeep(toks)
	}
	if d != nil {
		return nil, finish([]Diagnostic{*d}, all)
	}
	file, err := fileParser.ParseString(name, text)
	if err == nil {
		return file, nil
	}
	var out []Diagnostic
	for _, chunk := range itemChunks(text) {
		padded := blank(text[:chunk[0]]) + text[chunk[0]:chunk[1]]
		if _, err := fileParser.ParseString(name, padded); err != nil && len(out) < 8 {
			out = append(out, explain(err, until(toks, chunk[1]), text, chunk[1] < len(text)))
		}
	}
	if len(out) == 0 {
		out = append(out, explain(err, toks, text, false))
	}
	return nil, finish(out, all)
}

// withoutMark is src without the mark that editors of Windows put before UTF-8 text.
func withoutMark(src []byte) []byte { return bytes.TrimPrefix(src, []byte("\ufeff")) }

func unreadable(name, text string) *Diagnostic {
	start := lexer.Position{Filename: name, Line: 1, Column: 1}
	if len(text) > maxSource {
		return &Diagnostic{Span: Span{Pos: start, End: start}, Message: "the file is larger than 1 MiB: it is not a model file"}
	}
	if !utf8.ValidString(text) {
		return &Diagnostic{Span: Span{Pos: start, End: start}, Message: "the file is not UTF-8 text"}
	}
	return nil
}

// scan gives the tokens without comments and space.
func scan(name, text string) ([]lexer.Token, *Diagnostic) {
	lex, err := tokens.LexString(name, text)
	if err != nil {
		return nil, badCharacter(err, name, text)
	}
	var out []lexer.Token
	for {
		t, err := lex.Next()
		if err != nil {
			return nil, badCharacter(err, name, text)
		}
		if t.Type == tokenComment || t.Type == tokenSpace {
			continue
		}
		if n := len(out); n > 0 && isString(t) && isName(out[n-1]) && out[n-1].Pos.Offset+len(out[n-1].Value) == t.Pos.Offset {
			return nil, &Diagnostic{Span: Span{out[n-1].Pos, tokenSpan(t).End}, Message: fmt.Sprintf("a text has no letter before it, as in `%s\"…\"`, and holds no values", out[n-1].Value), Help: "`report x` logs a number, `show x` writes a value"}
		}
		out = append(out, t)
		if t.EOF() {
			return out, nil
		}
	}
}

// foreign are spellings of other languages at which the lexer stops.
var foreign = []struct{ text, message, help string }{
	{text: "&&", message: "`&&` is not an operator of mdl", help: "`a and b`"},
	{text: "&", message: "`&` is not an operator of mdl", help: "`a and b` for conditions"},
	{text: "!", message: "`!` is not an operator of mdl", help: "`not a`"},
	{text: ";", message: "`;` is not part of mdl: line breaks and spaces separate statements", help: "leave it out"},
	{text: "#", message: "`#` does not start a comment", help: "comments start with `//`"},
	{text: "'", message: "text is written in double quotes", help: "`\"text\"`"},
	{text: "\"", message: "this text is not closed on its line", help: "close it with `\"`; a line break inside is written `\\n`"},
	{text: "?", message: "`?` is not an operator of mdl", help: "`where c then a else b`"},
	{text: "`", message: "a backquote is not part of mdl", help: "text is written in double quotes"},
}

func badCharacter(err error, name, text string) *Diagnostic {
	var lexErr *lexer.Error
	pos := lexer.Position{Filename: name, Line: 1, Column: 1}
	if errors.As(err, &lexErr) {
		pos = lexErr.Pos
	}
	rest := ""
	if pos.Offset < len(text) {
		rest = text[pos.Offset:]
	}
	for _, f := range foreign {
		if strings.HasPrefix(rest, f.text) {
			return &Diagnostic{Span: width(pos, len(f.text)), Message: f.message, Help: f.help}
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return &Diagnostic{Span: width(pos, 1), Message: fmt.Sprintf("the character %q has no meaning here", r)}
}

func width(p lexer.Position, n int) Span {
	end := p
	end.Column += n
	end.Offset += n
	return Span{Pos: p, End: end}
}

func tokenSpan(t lexer.Token) Span {
	s := width(t.Pos, utf8.RuneCountInString(t.Value))
	s.End.Offset = t.Pos.Offset + len(t.Value)
	return s
}

// tooDeep finds nesting beyond maxDepth: of brackets, and of what recurses without one.
func tooDeep(toks []lexer.Token) *Diagnostic {
	depth, chain := 0, 0
	for _, t := range toks {
		switch t.Value {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth = max(depth-1, 0)
		case "^", "where", "else", "if":
			chain++
		case "=", ",", "<-":
			chain = 0
		}
		if depth > maxDepth || chain > maxDepth {
			return &Diagnostic{Span: tokenSpan(t), Message: fmt.Sprintf("this is nested more than %d deep", maxDepth), Help: "name a part of it"}
		}
	}
	return nil
}

// itemChunks cuts a file at the lines whose first column starts a word, but for those that start with a statement.
func itemChunks(text string) [][2]int {
	var out [][2]int
	start := 0
	for i := 0; i < len(text); i++ {
		if i > start && text[i-1] == '\n' && wordByte(text[i]) && !digit(text[i]) && !statements[text[i:i+prefix(text[i:], wordByte)]] {
			out = append(out, [2]int{start, i})
			start = i
		}
	}
	return append(out, [2]int{start, len(text)})
}

// blank keeps the line breaks of text only, and every offset.
func blank(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c != '\n' {
			b[i] = ' '
		}
	}
	return string(b)
}

// until gives the tokens before an offset.
func until(toks []lexer.Token, offset int) []lexer.Token {
	for i, t := range toks {
		if t.Pos.Offset >= offset {
			return toks[:i]
		}
	}
	return toks
}
