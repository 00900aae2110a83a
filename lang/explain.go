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
func isName(t lexer.Token) bool   { return t.Type == tokenIdent }
func isWord(t lexer.Token) bool   { return t.Type == tokenKeyword }

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

func (u unexpected) firstOfLine() bool     { return u.prev.Pos.Line < u.t.Pos.Line }
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
	missingAtLineEnd, missingBehind, closingBracket, reservedName, foreignOperator, operandBehind, foreignLine, colonBlock, comparisonOrArrow,
	misplacedWord, unfinishedStatement, separatingComma, bareExpression, strayEquals, strayNumberOrComma, missingBetween, followUp,
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
	if next := u.next(); binaryOperator(u.t) && u.i > 0 && !needsOperand(u.prev) && !isString(next) {
		switch next.Value {
		case ")", "]", "}", ",":
			d.Message = fmt.Sprintf("after `%s` an operand is missing", u.t.Value)
		}
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

func reservedName(u unexpected) (d Diagnostic) {
	entry := isName(u.prev) && declarationWord(u.prev.Value) && unclosed(u.before()) == nil // of a file's item
	if isWord(u.t) && (u.prev.Value == "fn" || wantsName(u.prev) || entry) {
		d.Message = fmt.Sprintf("`%s` is a reserved word and cannot be a name", u.t.Value)
	}
	return d
}

func foreignOperator(u unexpected) (d Diagnostic) {
	t, prev := u.t, u.prev
	switch {
	case u.next().Value == "=" && u.next().Pos.Offset == t.Pos.Offset+1 && len(t.Value) == 1 && strings.Contains("+-*/", t.Value):
		d.Span = width(t.Pos, 2)
		d.Message = fmt.Sprintf("`%s=` is not part of mdl", t.Value)
		d.Help = fmt.Sprintf("`%s = %s %s …`; for a state `%s <- %s %s …`", prev.Value, prev.Value, t.Value, prev.Value, prev.Value, t.Value)
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

// foreignLine is a line that starts with a word of another language.
func foreignLine(u unexpected) (d Diagnostic) {
	for n := range 3 {
		word := u.ago(n)
		if u.i < n || word.Pos.Line != u.t.Pos.Line || !startsLine(u.toks, u.i-n) {
			continue
		}
		help := foreignWord(word)
		if word.Value == "from" && unclosed(u.before()) == nil {
			help = foreignWord(lexer.Token{Type: tokenIdent, Value: "import"})
		}
		if help != "" && !isString(word) {
			return Diagnostic{Span: tokenSpan(word), Message: fmt.Sprintf("`%s` is not a word of mdl", word.Value), Help: help}
		}
	}
	return d
}

// colonBlock is `if c:`.
func colonBlock(u unexpected) (d Diagnostic) {
	if u.t.Value != ":" || insideRound(u.before()) {
		return d
	}
	for i := u.i - 1; i >= 0; i-- {
		if i > 0 && u.toks[i-1].Pos.Line == u.toks[i].Pos.Line && u.toks[i-1].Value != "{" && u.toks[i-1].Value != "}" {
			continue
		}
		switch u.toks[i].Value {
		case "if", "else", "for", "while", "repeat", "every", "train", "eval", "sample", "module", "fn", "generate":
			return Diagnostic{Message: "`:` opens no block", Help: "a block stands in braces: `" + written(u.toks[i:u.i]) + " { … }`"}
		}
		return d
	}
	return d
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

// needed are the words that a statement or declaration goes on with, in order, each with what it brings.
var needed = map[string][][2]string{
	"minimize": {{"over", "what to train: `minimize loss over model with optim.adam(lr: 1e-3)`"}, {"with", "an optimiser: `minimize loss over model with optim.adam(lr: 1e-3)`"}},
	"each":     {{"from", "where the batch comes from: `each x: f32[32, n] from d.train`"}},
	"generate": {{"from", "a prompt: `generate tok: i32[1, T] from prompt for n { … }`"}, {"for", "a count: `generate tok: i32[1, T] from prompt for n { … }`"}},
	"where":    {{"then", "both values: `where c then a else b`"}, {"else", "both values: `where c then a else b`"}},
	"fn":       {{"=", "a body: `fn f(x: f32[n]) = …` or `fn f(x: f32[n]) { … }`"}},
	"module":   {{"{", "members: `module M(n: int) { … }`"}}, "optimizer": {{"{", "members: `optimizer rule(lr: f32) { … }`"}}, "distribution": {{"{", "members: `distribution d(x: f32[..]) { … }`"}},
	"param": {{":", "a type and a first value: `param w: f32[n] = 0`"}, {"=", "a first value: `param w: f32[n] = 0`"}},
	"state": {{":", "a type and a first value: `state s: f32[n] = 0`"}, {"=", "a first value: `state s: f32[n] = 0`"}},
}

// unfinishedStatement is one that ends before it has all its words.
func unfinishedStatement(u unexpected) (d Diagnostic) {
	depth := 0
	var seen []string
	for i := u.i - 1; i >= 0; i-- {
		t := u.toks[i]
		switch {
		case isString(t):
		case closingOf[t.Value] != "":
			depth++
		case closing[t.Value] != "":
			if depth--; depth < 0 {
				return d
			}
		case depth > 0:
		case needed[t.Value] != nil && !(i > 0 && u.toks[i-1].Value == "."):
			for _, n := range needed[t.Value] {
				if !slices.Contains(seen, n[0]) && !(n[0] == "=" && slices.Contains(seen, "~")) {
					return Diagnostic{Span: Span{t.Pos, tokenSpan(u.prev).End}, Message: fmt.Sprintf("this `%s` ends too early", t.Value), Help: "it needs " + n[1]}
				}
			}
			return d
		case isWord(t) && statements[t.Value]:
			return d
		}
		if depth == 0 {
			seen = append(seen, t.Value)
		}
	}
	return d
}

var closingOf = map[string]string{")": "(", "]": "[", "}": "{"}

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
	case u.t.Value == "," && needsOperand(u.prev):
		d.Message = fmt.Sprintf("after `%s` an operand is missing", u.prev.Value)
		d.Span = tokenSpan(u.prev)
	}
	return d
}

// misplacedWord is a declaration in a block, or a statement outside of one.
func misplacedWord(u unexpected) (d Diagnostic) {
	switch {
	case u.t.Value == "{" && (u.prev.Value == "eval" || u.prev.Value == "sample"):
		d.Message = fmt.Sprintf("this `%s` has no name", u.prev.Value)
		d.Span = tokenSpan(u.prev)
		d.Help = map[string]string{"eval": "`eval valid { … }`", "sample": "`sample digits { … }`"}[u.prev.Value]
	case u.t.Value == "in" && u.ago(2).Value == "for" && u.ago(3).Value == "train":
		d.Message, d.Help = "a train counts its steps, and `step` is which one runs", "`train for 10 { … }`"
	case (u.t.Value == "," || u.t.Value == "from") && isName(u.prev) && (u.ago(2).Value == "each" || u.ago(2).Value == ","):
		d.Message = fmt.Sprintf("`%s` needs its type", u.prev.Value)
		d.Span = tokenSpan(u.prev)
		d.Help = "`each x: f32[32, n] from d.train`: the first axis is the batch"
	case u.prev.Value == "train" && isNumber(u.t) && startsLine(u.toks, u.i-1):
		d.Message, d.Help = "before the count of a `train` stands `for`", fmt.Sprintf("`train for %s { … }`", u.t.Value)
	case u.t.Value == ":" && u.ago(2).Value == "report":
		d.Message, d.Help = "a report has no `:`", fmt.Sprintf("`report %[1]s`, or `report %[1]s = …`", u.prev.Value)
	case u.i > 1 && isName(u.prev) && declarationWord(u.prev.Value) && u.ago(2).Value != ".":
		d.Message = fmt.Sprintf("`%s` belongs at the start of a file, not in a block", u.prev.Value)
	case u.t.Value == "[" && isName(u.prev) && startsLine(u.toks, u.i-1) && unclosed(u.before()) == nil:
		d.Message = fmt.Sprintf("an array cannot be computed at file level, and `%s[` begins one", u.prev.Value)
		d.Help = fmt.Sprintf("`fn f() -> f32[n] { return %[1]s[i < n] = … }` makes it, and `state %[1]s: f32[n] = f()` keeps it", u.prev.Value)
	case isWord(u.t) && statements[u.t.Value] && unclosed(u.before()) == nil:
		d.Message = fmt.Sprintf("`%s` stands in a function or in train, eval or sample, not at file level", u.t.Value)
		d.Help = map[string]string{"for": "`train for 10 { … }` repeats a step; `[M() for n]` makes a list of modules", "if": "`where c then a else b` chooses a value; in a module `if c { … }` chooses members"}[u.t.Value]
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
	case u.prev.Value == "":
		d.Message = fmt.Sprintf("a file cannot start with `%s`", u.t.Value)
	case u.firstOfLine():
		d.Message = fmt.Sprintf("`%s` cannot follow `%s` of line %d", u.t.Value, u.prev.Value, u.prev.Pos.Line)
	default:
		d.Message = fmt.Sprintf("`%s` cannot follow `%s`", u.t.Value, u.prev.Value)
	}
	return d
}

// statements are the words that start a statement and no declaration.
var statements = map[string]bool{"return": true, "if": true, "for": true, "repeat": true, "while": true, "every": true, "each": true, "minimize": true, "report": true, "show": true, "generate": true}

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

func wantsName(t lexer.Token) bool {
	switch t.Value {
	case "module", "optimizer", "distribution", "param", "state", "as", "for", "fn":
		return !isString(t)
	}
	return false
}

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

// declarationWord tells the words that start an item of a file and are names elsewhere.
func declarationWord(word string) bool {
	switch word {
	case "config", "precision", "data", "train", "sample":
		return true
	}
	return false
}

func foreignWord(t lexer.Token) string {
	switch t.Value {
	case "def", "func", "function", "lambda":
		return "`fn f(x: f32[B, n]) -> f32[B] { … }` declares a function"
	case "class", "struct":
		return "`module Net(n: int) { … }` declares a module"
	case "let", "var", "const", "auto":
		return "a name is bound with `=` alone"
	case "import", "include":
		return "`use nn, optim` at the top of the file brings in files of the library; tensors need none"
	case "elif":
		return "`else if`"
	}
	return ""
}
