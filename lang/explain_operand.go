package lang

import (
	"fmt"

	"github.com/alecthomas/participle/v2/lexer"
)

// The parser stops where an expression could have ended, before an operator or a bracket, if it cannot go on from there: what
// is wrong stands behind it.

// startOfOperand is where the operand ends that token i follows: a name or bracket with its fields, calls and indices.
func startOfOperand(toks []lexer.Token, i int) int {
	depth := 0
	for i--; i >= 0; i-- {
		switch t := toks[i]; {
		case isString(t):
		case closingOf[t.Value] != "":
			depth++
			continue
		case closing[t.Value] != "":
			if depth--; depth < 0 {
				return i + 1
			}
		}
		if depth > 0 {
			continue
		}
		joined := i > 0 && (toks[i].Value == "[" || toks[i].Value == "(" || toks[i].Value == ".") && (isName(toks[i-1]) || toks[i-1].Value == "]" || toks[i-1].Value == ")")
		if !joined && (i == 0 || toks[i-1].Value != ".") {
			return i
		}
	}
	return 0
}

func bareExpression(u unexpected) (d Diagnostic) {
	if !binaryOperator(u.t) || !isName(u.prev) && !isNumber(u.prev) && u.prev.Value != ")" && u.prev.Value != "]" {
		return d
	}
	i := startOfOperand(u.toks, u.i)
	if f := u.toks[max(i-1, 0)]; f.Value == "assert" || f.Value == "print" {
		d.Span = tokenSpan(f)
		d.Message, d.Help = fmt.Sprintf("`%s` is a function: parentheses stand around what it takes", f.Value), callHelp(f.Value)
		return d
	}
	if startsLine(u.toks, i) {
		d.Message, d.Help = "a statement cannot be a bare expression", "`x = …` gives its value a name, `return …` makes it the result"
	}
	return d
}

// called is the token before the innermost open bracket.
func (u unexpected) called() lexer.Token {
	open := unclosed(u.before())
	for i := 1; open != nil && i < u.i; i++ {
		if u.toks[i].Pos == open.Pos {
			return u.toks[i-1]
		}
	}
	return lexer.Token{}
}

// operandBehind is an operator, or the bracket of a call, that cannot have what stands behind it.
func operandBehind(u unexpected) (d Diagnostic) {
	next := u.next()
	switch {
	case isString(u.t) || isString(next):
	case u.t.Value == "*" && next.Value == "*" && next.Pos.Offset == u.t.Pos.Offset+1:
		d.Span = width(u.t.Pos, 2)
		d.Message, d.Help = "`**` is not an operator of mdl", "`x^2` is a power"
	case binaryOperator(u.t) && next.Value == "where":
		d.Span = tokenSpan(next)
		d.Message, d.Help = fmt.Sprintf("behind `%s` a `where` stands in parentheses", u.t.Value), fmt.Sprintf("`x %s (where c then a else b)`", u.t.Value)
	case u.t.Value == "." && (isNumber(next) || isNumber(u.prev)):
		d.Message, d.Help = "a field is a name", "an element of a list is `xs[0]`"
	case u.t.Value == "," && u.called().Value == "minimize":
		d.Span = tokenSpan(u.called())
		d.Message, d.Help = "`minimize` is a statement, not a function", "`minimize loss over model with optim.adam(lr: 1e-3)`"
	default:
		f := u.functionInArguments()
		if f.Value == "" {
			f = u.boundLambda()
		}
		if f.Value != "" {
			d.Span = tokenSpan(f)
			d.Message, d.Help = "a function cannot be declared in an expression", "`fn f(x) = …` at file level gives it a name, which can be an argument"
		}
	}
	return d
}

// boundLambda is the `lambda` of `f = lambda x: …` in the line of t; the zero token where there is none.
func (u unexpected) boundLambda() lexer.Token {
	for i := u.i - 1; i > 0 && u.toks[i].Pos.Line == u.t.Pos.Line; i-- {
		if u.toks[i].Value == "lambda" && u.toks[i-1].Value == "=" && isName(u.toks[i+1]) {
			return u.toks[i]
		}
	}
	return lexer.Token{}
}

// functionInArguments is the `fn` or `lambda` in the arguments that t opens or stands in; the zero token where there is none.
func (u unexpected) functionInArguments() lexer.Token {
	i, depth := u.i-1, 1
	switch {
	case u.t.Value == "(" && isName(u.prev):
		i, depth = u.i, 0
	case !insideRound(u.before()):
		return lexer.Token{}
	}
	for ; i >= 0 && i < len(u.toks); i++ {
		switch t := u.toks[i]; {
		case isString(t):
		case closing[t.Value] != "":
			depth++
		case closingOf[t.Value] != "":
			if depth--; depth <= 0 {
				return lexer.Token{}
			}
		case t.Value == "fn" || t.Value == "lambda":
			return t
		}
	}
	return lexer.Token{}
}
