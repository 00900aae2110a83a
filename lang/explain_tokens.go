package lang

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// What explanations ask of tokens.

var closing = map[string]string{"(": ")", "[": "]", "{": "}"}

// unclosed is the innermost open bracket of toks, or nil.
func unclosed(toks []lexer.Token) *lexer.Token {
	var stack []lexer.Token
	for _, t := range toks {
		switch t.Value {
		case "(", "[", "{":
			stack = append(stack, t)
		case ")", "]", "}":
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
		}
	}
	if len(stack) == 0 {
		return nil
	}
	return &stack[len(stack)-1]
}

func isString(t lexer.Token) bool { return t.Type == tokenString }

func isNumber(t lexer.Token) bool { return t.Type == tokenNumber }

func isName(t lexer.Token) bool { return t.Type == tokenIdent }

func isWord(t lexer.Token) bool { return t.Type == tokenKeyword }

func needsOperand(t lexer.Token) bool {
	if isString(t) {
		return false
	}
	switch t.Value {
	case "+", "-", "*", "/", "%", "@", "^", "=", "==", "!=", "<", "<=", ">", ">=", "<-", "~", "div", "and", "or", "not",
		"where", "then", "else", "return", "in", "over", "with", "from", "until", "report", "minimize", ",":
		return true
	}
	return false
}

// written is the text of tokens, with a space where there was one.
func written(toks []lexer.Token) string {
	var b strings.Builder
	for i, t := range toks {
		if i > 0 && tokenSpan(toks[i-1]).End.Offset < t.Pos.Offset {
			b.WriteByte(' ')
		}
		b.WriteString(t.Value)
	}
	return b.String()
}

var closingOf = map[string]string{")": "(", "]": "[", "}": "{"}

func binaryOperator(t lexer.Token) bool {
	switch t.Value {
	case "+", "-", "*", "/", "%", "@", "^", "div", "and", "or":
		return !isString(t)
	}
	return comparison(t)
}

// startsLine reports whether token i is the first of its line.
func startsLine(toks []lexer.Token, i int) bool {
	return i <= 0 || toks[i-1].Pos.Line < toks[i].Pos.Line || toks[i-1].Value == "{" || toks[i-1].Value == "}"
}

func startsStatement(t lexer.Token) bool { return isName(t) || isWord(t) || t.Value == "}" }

func comparison(t lexer.Token) bool {
	switch t.Value {
	case "==", "!=", "<", "<=", ">", ">=":
		return true
	}
	return false
}

// compares reports whether a comparison stands before on the same level.
func compares(before []lexer.Token) bool {
	depth := 0
	for i := len(before) - 1; i >= 0; i-- {
		t := before[i]
		switch {
		case t.Value == ")" || t.Value == "]":
			depth++
			continue
		case depth > 0:
			if t.Value == "(" || t.Value == "[" {
				depth--
			}
			continue
		}
		switch t.Value {
		case "and", "or", "not", "where", "then", "else", ",", "(", "[", "{", "=", "}":
			return false
		}
		if comparison(t) {
			return true
		}
	}
	return false
}

func insideRound(before []lexer.Token) bool {
	open := unclosed(before)
	return open != nil && open.Value == "("
}

// calledWhere reports whether the innermost open bracket before the token stands behind a `where`, as the arguments of a function would.
func (u unexpected) calledWhere() bool {
	open := unclosed(u.before())
	if open == nil || open.Value != "(" {
		return false
	}
	at := slices.IndexFunc(u.toks, func(t lexer.Token) bool { return t.Pos.Offset == open.Pos.Offset })
	return at > 0 && u.toks[at-1].Value == "where" && !isString(u.toks[at-1])
}
