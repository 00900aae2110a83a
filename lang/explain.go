package lang

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// explain says in the language's words what is wrong where the parser stopped.
// text is the file; more: some of it follows behind toks.
func explain(err error, toks []lexer.Token, text string, more bool) Diagnostic {
	var pe participle.Error
	if !errors.As(err, &pe) {
		return Diagnostic{Message: err.Error()}
	}
	at := pe.Position()
	i := 0
	for i < len(toks) && toks[i].Pos.Offset < at.Offset {
		i++
	}
	ended := i >= len(toks) || toks[i].EOF()
	prev := lexer.Token{}
	if i > 0 {
		prev = toks[i-1]
	}
	if d := closedInComment(toks[:i], text); d.Message != "" {
		return d
	}
	if ended {
		return atEnd(toks[:i], prev, more)
	}
	return atToken(toks, i, prev)
}

// closedInComment explains a bracket whose other half stands behind `//` in its line: that divides in Python.
func closedInComment(toks []lexer.Token, text string) (d Diagnostic) {
	open := unclosed(toks)
	if open == nil || open.Value == "{" {
		return d
	}
	line, _, _ := strings.Cut(text[open.Pos.Offset:], "\n")
	code, comment, _ := strings.Cut(line, "//")
	if strings.Count(comment, closing[open.Value]) <= strings.Count(comment, open.Value) || strings.Contains(code, `"`) {
		return d
	}
	at := open.Pos
	at.Offset += len(code)
	at.Column += len([]rune(code))
	d.Span = width(at, 2)
	d.Message, d.Help = fmt.Sprintf("`//` starts a comment, and the `%s` of this line is closed in it", open.Value), "`a div b` divides whole numbers and rounds down"
	return d
}

// atEnd explains an end of the file, or of an item, in the middle of something.
func atEnd(toks []lexer.Token, prev lexer.Token, more bool) Diagnostic {
	if needsOperand(prev) {
		return missingOperand(prev)
	}
	where := "the file ends"
	if more {
		where = "the next declaration starts"
	}
	if open := unclosed(toks); open != nil {
		return Diagnostic{Span: tokenSpan(*open), Message: fmt.Sprintf("this `%s` is never closed: %s before its `%s`", open.Value, where, closing[open.Value])}
	}
	if d := unfinishedStatement(unexpected{toks: toks, i: len(toks), prev: prev}); d.Message != "" {
		return d
	}
	return Diagnostic{Span: tokenSpan(prev), Message: fmt.Sprintf("after `%s` something is missing: %s here", prev.Value, where)}
}

func missingOperand(prev lexer.Token) Diagnostic {
	what := "an operand is missing"
	switch prev.Value {
	case "=", "<-", "~", "return", "in", "over", "with", "from", "until", "report", "minimize", ",", "then", "else", "where":
		what = "an expression is missing"
	}
	return Diagnostic{Span: tokenSpan(prev), Message: fmt.Sprintf("line %d ends in `%s`: %s", prev.Pos.Line, prev.Value, what)}
}

// An unexpected is a token at which the parser stopped.
type unexpected struct {
	toks []lexer.Token
	i    int
	t    lexer.Token // toks[i]
	prev lexer.Token // the one before, or the zero token
}

func (u unexpected) firstOfLine() bool { return u.prev.Pos.Line < u.t.Pos.Line }

func (u unexpected) before() []lexer.Token { return u.toks[:u.i] }

// ago is the token n before t; the zero token where there is none.
func (u unexpected) ago(n int) lexer.Token {
	if u.i < n {
		return lexer.Token{}
	}
	return u.toks[u.i-n]
}

// next is the token behind t.
func (u unexpected) next() lexer.Token {
	if u.i+1 >= len(u.toks) {
		return lexer.Token{}
	}
	return u.toks[u.i+1]
}

// explanations are tried in order; "" as message: it does not apply.
var explanations = []func(u unexpected) Diagnostic{
	missingAtLineEnd, missingBehind, entryColon, closingBracket, reservedName, foreignOperator, operandBehind, foreignLine, colonBlock, comparisonOrArrow,
	misplacedWord, unfinishedStatement, statementAsMember, separatingComma, bareExpression, strayEquals, strayNumberOrComma, misspelt, missingBetween, followUp,
}

// atToken explains an unexpected token.
func atToken(toks []lexer.Token, i int, prev lexer.Token) Diagnostic {
	u := unexpected{toks, i, toks[i], prev}
	for _, f := range explanations {
		if d := f(u); d.Message != "" {
			if d.Span == (Span{}) {
				d.Span = tokenSpan(u.t)
			}
			return d
		}
	}
	panic("the last explanation fits always")
}

func missingAtLineEnd(u unexpected) (d Diagnostic) {
	if u.prev.Value != "" && u.firstOfLine() && needsOperand(u.prev) && startsStatement(u.t) {
		return missingOperand(u.prev)
	}
	return d
}

// missingBehind is an operator with nothing behind it.
func missingBehind(u unexpected) (d Diagnostic) {
	next := u.next()
	switch {
	case u.i == 0 || needsOperand(u.prev) || isString(next):
	case binaryOperator(u.t) && slices.Contains([]string{")", "]", "}", ","}, next.Value):
		d.Message = fmt.Sprintf("after `%s` an operand is missing", u.t.Value)
	case needsOperand(u.t) && u.t.Pos.Line < next.Pos.Line && (isWord(next) || next.Value == "}"):
		return missingOperand(u.t)
	}
	return d
}

func closingBracket(u unexpected) (d Diagnostic) {
	if t := u.t.Value; t != ")" && t != "]" && t != "}" {
		return d
	}
	open := unclosed(u.before())
	switch {
	case needsOperand(u.prev) && u.prev.Value != ",":
		d.Message = fmt.Sprintf("after `%s` an operand is missing", u.prev.Value)
		d.Span = tokenSpan(u.prev)
	case open == nil:
		d.Message = fmt.Sprintf("this `%s` closes nothing", u.t.Value)
	case closing[open.Value] != u.t.Value:
		d.Message = fmt.Sprintf("`%s` of line %d is closed by `%s`: `%s` is expected", open.Value, open.Pos.Line, u.t.Value, closing[open.Value])
	default:
		if d = unfinishedStatement(u); d.Message == "" {
			d.Message = fmt.Sprintf("`%s` comes too early: something is missing after `%s`", u.t.Value, u.prev.Value)
		}
	}
	return d
}

func foreignOperator(u unexpected) (d Diagnostic) {
	t, prev := u.t, u.prev
	switch {
	case u.next().Value == "=" && u.next().Pos.Offset == t.Pos.Offset+1 && len(t.Value) == 1 && strings.Contains("+-*/", t.Value):
		d.Span = width(t.Pos, 2)
		d.Message = fmt.Sprintf("`%s=` is not part of mdl", t.Value)
		d.Help = fmt.Sprintf("`%[1]s = %[1]s %[2]s …`; for a state `%[1]s <- %[1]s %[2]s …`", written(u.toks[startOfOperand(u.toks, u.i):u.i]), t.Value)
	case t.Value == "=" && (prev.Value == "+" || prev.Value == "-" || prev.Value == "*" || prev.Value == "/"):
		d.Span = Span{prev.Pos, tokenSpan(t).End}
		d.Message = fmt.Sprintf("`%s=` is not part of mdl", prev.Value)
		d.Help = fmt.Sprintf("`x = x %s e`", prev.Value)
	case t.Value == "*" && prev.Value == "*":
		d.Span = Span{prev.Pos, tokenSpan(t).End}
		d.Message, d.Help = "`**` is not an operator of mdl", "`x^2` is a power"
	case t.Value == "|" && u.next().Value == "|":
		d.Span = width(t.Pos, 2)
		d.Message, d.Help = "`||` is not an operator of mdl", "`a or b` for conditions"
	case t.Value == "else" && prev.Value != "}":
		for i := u.i - 1; i >= 0 && u.toks[i].Pos.Line == t.Pos.Line; i-- {
			if u.toks[i].Value == "if" && !startsLine(u.toks, i) {
				d.Span = Span{u.toks[i].Pos, tokenSpan(t).End}
				d.Message, d.Help = "`if` is a statement and chooses no value", "`where c then a else b`"
			}
		}
	}
	return d
}

// separatingComma is a comma between statements or entries.
func separatingComma(u unexpected) (d Diagnostic) {
	comma := u.t
	if u.t.Value == "=" && isName(u.prev) && u.ago(2).Value == "," {
		comma = u.ago(2)
	}
	open := unclosed(u.before())
	if comma.Value != "," || isString(comma) || needsOperand(u.prev) || open != nil && open.Value != "{" {
		return d
	}
	return Diagnostic{Span: tokenSpan(comma), Message: "a comma separates nothing here: spaces or line breaks stand between entries and between statements", Help: "leave it out"}
}

func comparisonOrArrow(u unexpected) (d Diagnostic) {
	switch {
	case u.t.Value == "<-":
		d.Message, d.Help = "`<-` changes a state and stands behind the state's name at the start of a statement", "`x < -1` compares with a negative number"
	case comparison(u.t) && compares(u.before()):
		d.Message, d.Help = "comparisons do not chain", "`a < b and b < c`"
	}
	return d
}

func strayEquals(u unexpected) (d Diagnostic) {
	switch {
	case u.t.Value != "=" || isString(u.t):
	case insideRound(u.before()) && isName(u.prev):
		d.Message, d.Help = "`=` does not fit here", fmt.Sprintf("an argument is named with `:`, as in `f(%s: 1)`; `==` compares", u.prev.Value)
	case insideRound(u.before()):
		d.Message, d.Help = "`=` does not fit here", "an argument is named with `:`, as in `f(x: 1)`; `==` compares"
	case u.prev.Value == "]" && slices.Contains(reducers, u.toks[startOfOperand(u.toks, u.i)].Value):
		name := u.toks[startOfOperand(u.toks, u.i)]
		d.Span = tokenSpan(name)
		d.Message, d.Help = fmt.Sprintf("`%s[` begins a reducer, so no array can have this name on the left", name.Value), "another name"
	case u.next().Value == "if":
		d.Span = tokenSpan(u.next())
		d.Message, d.Help = "`if` is a statement and chooses no value", "`where c then a else b`"
	default:
		d.Message, d.Help = fmt.Sprintf("`=` does not fit behind `%s`", u.prev.Value), "`==` compares"
	}
	return d
}

func strayNumberOrComma(u unexpected) (d Diagnostic) {
	switch {
	case u.prev.Value == "." && isNumber(u.ago(2)):
		d.Span = tokenSpan(u.prev)
		d.Message, d.Help = "a number needs a digit after its point", fmt.Sprintf("`%s.0`", u.ago(2).Value)
	case u.t.Value == ".." && (isNumber(u.prev) || isName(u.prev)):
		d.Message, d.Help = "`..` makes no range", "`for i in 10`, `for i in range(2, 10)`; a slice is `x[2:10]`"
	case u.t.Value == "," && u.calledWhere():
		d.Message, d.Help = "`where` is no function", "`where c then a else b`, as in `where x > 0 then x else 0`"
	case u.t.Value == "," && needsOperand(u.prev):
		d.Message = fmt.Sprintf("after `%s` an operand is missing", u.prev.Value)
		d.Span = tokenSpan(u.prev)
	}
	return d
}

func missingBetween(u unexpected) (d Diagnostic) {
	t, prev := u.t, u.prev
	if !u.firstOfLine() && (isName(t) || isNumber(t) || isString(t)) && (isName(prev) || isNumber(prev) || prev.Value == ")" || prev.Value == "]") {
		d.Message = fmt.Sprintf("between `%s` and `%s` an operator or a comma is missing", prev.Value, t.Value)
		if t.Value == "epochs" || t.Value == "epoch" {
			d.Help = fmt.Sprintf("a train counts its steps: `train for %s * len(d.train) div batch { … }`", prev.Value)
		}
	}
	return d
}

// followUp fits always.
func followUp(u unexpected) (d Diagnostic) {
	switch open := unclosed(u.before()); {
	case isWord(u.t) && open != nil && open.Value != "{":
		d.Message = fmt.Sprintf("`%s` cannot stand here: the `%s` of line %d is not closed", u.t.Value, open.Value, open.Pos.Line)
		d.Help = fmt.Sprintf("close it with `%s` before `%s`", closing[open.Value], u.t.Value)
	case u.t.Value == ":" && u.prev.Value == ":":
		d.Message, d.Help = "a slice takes no steps", "`y[i] = x[2 * i]` is every second element of x"
	case u.prev.Value == "":
		d.Message = fmt.Sprintf("a file cannot start with `%s`", u.t.Value)
	case u.firstOfLine():
		d.Message = fmt.Sprintf("`%s` cannot follow `%s` of line %d", u.t.Value, u.prev.Value, u.prev.Pos.Line)
	default:
		d.Message = fmt.Sprintf("`%s` cannot follow `%s`", u.t.Value, u.prev.Value)
	}
	return d
}
