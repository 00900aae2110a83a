package lang

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The kinds of tokens. participle counts token types down from EOF.
const (
	tokenComment lexer.TokenType = iota - 20
	tokenSpace
	tokenString
	tokenNumber
	tokenKeyword
	tokenIdent
	tokenOp
)

// lexing is the language's lexer for participle: written by hand, because
// every run of the compiler reads the library anew.
type lexing struct{}

var tokens = lexing{}

// keywords are the reserved words.
var keywords = map[string]bool{}

// operators, the longest first.
var operatorTokens = []string{"<-", "->", "<=", ">=", "==", "!=", ".."}

const operatorBytes = "+-*/%@^<>=~|:,.(){}[]"

func init() {
	for _, w := range strings.Fields(`use module optimizer distribution fn param state return if else for in repeat while every each from
		until minimize over except with report show as eval generate where then and or not div true false none inf`) {
		keywords[w] = true
	}
}

// Symbols names the kinds for the grammar.
func (lexing) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{"EOF": lexer.EOF, "Comment": tokenComment, "Space": tokenSpace, "String": tokenString,
		"Number": tokenNumber, "Keyword": tokenKeyword, "Ident": tokenIdent, "Op": tokenOp}
}

// Lex is part of participle's interface.
func (l lexing) Lex(filename string, r io.Reader) (lexer.Lexer, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return l.LexString(filename, string(text))
}

// LexString starts at the beginning of text.
func (lexing) LexString(filename, text string) (lexer.Lexer, error) {
	return &scanner{text: text, pos: lexer.Position{Filename: filename, Line: 1, Column: 1}}, nil
}

type scanner struct {
	text string
	pos  lexer.Position
}

// Next gives the next token; comments and space are tokens too.
func (s *scanner) Next() (lexer.Token, error) {
	rest := s.text[s.pos.Offset:]
	if rest == "" {
		return lexer.EOFToken(s.pos), nil
	}
	kind, n := classify(rest)
	if n == 0 {
		r, _ := utf8.DecodeRuneInString(rest)
		return lexer.Token{}, &lexer.Error{Msg: fmt.Sprintf("invalid character %q", r), Pos: s.pos}
	}
	t := lexer.Token{Type: kind, Value: rest[:n], Pos: s.pos}
	s.pos.Advance(t.Value)
	return t, nil
}

// classify gives the kind and length of the token that text starts with; length 0: there is none.
func classify(text string) (lexer.TokenType, int) {
	c := text[0]
	switch {
	case strings.HasPrefix(text, "//"):
		if n := strings.IndexByte(text, '\n'); n >= 0 {
			return tokenComment, n
		}
		return tokenComment, len(text)
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		return tokenSpace, prefix(text, func(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' })
	case c == '"':
		return tokenString, quoted(text)
	case digit(c):
		return tokenNumber, number(text)
	case wordByte(c):
		n := prefix(text, wordByte)
		if keywords[text[:n]] {
			return tokenKeyword, n
		}
		return tokenIdent, n
	}
	for _, op := range operatorTokens {
		if strings.HasPrefix(text, op) {
			return tokenOp, len(op)
		}
	}
	if strings.IndexByte(operatorBytes, c) >= 0 {
		return tokenOp, 1
	}
	return tokenOp, 0
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
func wordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digit(c)
}

// prefix is the length of the prefix of bytes that f takes.
func prefix(text string, f func(byte) bool) int {
	n := 0
	for n < len(text) && f(text[n]) {
		n++
	}
	return n
}

// quoted is the length of a text in quotes, 0 if it is not closed on its line.
func quoted(text string) int {
	for n := 1; n < len(text) && text[n] != '\n'; n++ {
		switch text[n] {
		case '"':
			return n + 1
		case '\\':
			n++
			if n < len(text) && text[n] == '\n' {
				return 0
			}
		}
	}
	return 0
}

// number is the length of 12, 1_000, 0.5, 1e-3. A point belongs to it only before a digit: `0..1` is no number.
func number(text string) int {
	n := prefix(text, func(c byte) bool { return digit(c) || c == '_' })
	if n+1 < len(text) && text[n] == '.' && digit(text[n+1]) {
		n += 1 + prefix(text[n+1:], digit)
	}
	if n < len(text) && (text[n] == 'e' || text[n] == 'E') {
		m := n + 1
		if m < len(text) && (text[m] == '+' || text[m] == '-') {
			m++
		}
		if m < len(text) && digit(text[m]) {
			n = m + prefix(text[m:], digit)
		}
	}
	return n
}

var fileParser = participle.MustBuild[File](
	participle.Lexer(tokens),
	participle.Elide("Comment", "Space"),
	participle.UseLookahead(1),
)

// exprParser is made when a setting asks for it: a grammar takes milliseconds.
var exprParser = sync.OnceValue(func() *participle.Parser[Expr] {
	p, err := participle.ParserForProduction[Expr](fileParser)
	if err != nil {
		panic(err) // the grammar has expressions
	}
	return p
})
