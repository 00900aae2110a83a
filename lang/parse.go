package lang

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// maxDepth bounds nesting, so that no input can exhaust the stack.
const maxDepth = 200

// maxSource bounds the size of one file.
const maxSource = 1 << 20

// Parse reads a file. On errors it goes on behind the next item, so that several are reported in one run.
func Parse(name string, src []byte) (*File, []Diagnostic) {
	text := string(src)
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
			out = append(out, explain(err, until(toks, chunk[1]), chunk[1] < len(text)))
		}
	}
	if len(out) == 0 {
		out = append(out, explain(err, toks, false))
	}
	return nil, finish(out, all)
}

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
		out = append(out, t)
		if t.EOF() {
			return out, nil
		}
	}
}

// foreign are spellings of other languages at which the lexer stops.
var foreign = []struct{ text, message, help string }{
	{"&&", "`&&` is not an operator of mdl", "`a and b`"},
	{"&", "`&` is not an operator of mdl", "`a and b` for conditions"},
	{"!", "`!` is not an operator of mdl", "`not a`"},
	{";", "`;` is not part of mdl: line breaks and spaces separate statements", "leave it out"},
	{"#", "`#` does not start a comment", "comments start with `//`"},
	{"'", "text is written in double quotes", "`\"text\"`"},
	{"\"", "this text is not closed on its line", "close it with `\"`; a line break inside is written `\\n`"},
	{"?", "`?` is not an operator of mdl", "`where c then a else b`"},
	{"`", "a backquote is not part of mdl", "text is written in double quotes"},
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

// itemChunks cuts a file at the lines that start with a word in the first column.
func itemChunks(text string) [][2]int {
	var out [][2]int
	start := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		word := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if i > start && text[i-1] == '\n' && word {
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

// explain says in the language's words what is wrong where the parser stopped.
// more: text of the file follows behind toks.
func explain(err error, toks []lexer.Token, more bool) Diagnostic {
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
	if ended && i == 0 {
		return Diagnostic{Span: width(at, 1), Message: "nothing to read here"}
	}
	prev := lexer.Token{}
	if i > 0 {
		prev = toks[i-1]
	}
	if ended {
		return atEnd(toks[:i], prev, more)
	}
	return atToken(toks, i, prev)
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

// atToken explains an unexpected token.
func atToken(toks []lexer.Token, i int, prev lexer.Token) Diagnostic {
	t := toks[i]
	d := Diagnostic{Span: tokenSpan(t)}
	firstOfLine := prev.Value != "" && prev.Pos.Line < t.Pos.Line
	before := toks[:i]
	switch {
	case firstOfLine && needsOperand(prev) && startsStatement(t):
		return missingOperand(prev)
	case strings.HasPrefix(t.Value, "//"):
	case t.Value == ")" || t.Value == "]" || t.Value == "}":
		open := unclosed(before)
		switch {
		case needsOperand(prev) && prev.Value != ",":
			d.Message = fmt.Sprintf("after `%s` an operand is missing", prev.Value)
			d.Span = tokenSpan(prev)
		case open == nil:
			d.Message = fmt.Sprintf("this `%s` closes nothing", t.Value)
		case closing[open.Value] != t.Value:
			d.Message = fmt.Sprintf("`%s` of line %d is closed by `%s`: `%s` is expected", open.Value, open.Pos.Line, t.Value, closing[open.Value])
		default:
			d.Message = fmt.Sprintf("`%s` comes too early: something is missing after `%s`", t.Value, prev.Value)
		}
	case prev.Value == "fn" && isWord(t), wantsName(prev) && isWord(t):
		d.Message = fmt.Sprintf("`%s` is a reserved word and cannot be a name", t.Value)
	case i+1 < len(toks) && toks[i+1].Value == "=" && toks[i+1].Pos.Offset == t.Pos.Offset+1 && strings.Contains("+-*/", t.Value):
		d.Span = width(t.Pos, 2)
		d.Message = fmt.Sprintf("`%s=` is not part of mdl", t.Value)
		d.Help = fmt.Sprintf("`%s = %s %s …`", prev.Value, prev.Value, t.Value)
	case i > 1 && isName(toks[i-2]) && foreignWord(toks[i-2]) != "":
		d.Span = tokenSpan(toks[i-2])
		d.Message, d.Help = fmt.Sprintf("`%s` is not a word of mdl", toks[i-2].Value), foreignWord(toks[i-2])
	case binaryOperator(t) && startsLine(toks, i-1) && (isName(prev) || isNumber(prev)):
		d.Message, d.Help = "a statement cannot be a bare expression", "`x = …` gives its value a name"
	case t.Value == "=" && (prev.Value == "+" || prev.Value == "-" || prev.Value == "*" || prev.Value == "/"):
		d.Span.Pos = prev.Pos
		d.Message = fmt.Sprintf("`%s=` is not part of mdl", prev.Value)
		d.Help = fmt.Sprintf("`x = x %s e`", prev.Value)
	case t.Value == "*" && prev.Value == "*":
		d.Span.Pos = prev.Pos
		d.Message, d.Help = "`**` is not an operator of mdl", "`x^2` is a power"
	case (t.Value == "|" || t.Value == "=") && prev.Value == t.Value:
		d.Message, d.Help = fmt.Sprintf("`%s%s` does not fit here", prev.Value, t.Value), "`a or b` for conditions, `a == b` to compare"
	case t.Value == "<-":
		d.Message, d.Help = "`<-` changes a state and stands behind the state's name at the start of a statement", "`x < -1` compares with a negative number"
	case comparison(t) && compares(before):
		d.Message, d.Help = "comparisons do not chain", "`a < b and b < c`"
	case t.Value == "=" && insideRound(before):
		d.Message, d.Help = "`=` does not fit here", "an argument is named with `:`, as in `f(x: 1)`; `==` compares"
	case t.Value == "=":
		d.Message = fmt.Sprintf("`=` does not fit behind `%s`", prev.Value)
		d.Help = "`==` compares"
	case t.Value == "." && isNumber(prev):
		d.Message, d.Help = "a number needs a digit after its point", fmt.Sprintf("`%s.0`", prev.Value)
	case t.Value == "," && needsOperand(prev):
		d.Message = fmt.Sprintf("after `%s` an operand is missing", prev.Value)
		d.Span = tokenSpan(prev)
	case foreignWord(prev) != "" && isName(prev):
		d.Span = tokenSpan(prev)
		d.Message, d.Help = fmt.Sprintf("`%s` is not a word of mdl", prev.Value), foreignWord(prev)
	case i > 1 && isName(prev) && statementWord(toks[i-1]) && toks[i-2].Value != ".":
		d.Message = fmt.Sprintf("`%s` belongs at the start of a file, not in a block", prev.Value)
	case !firstOfLine && (isName(t) || isNumber(t) || isString(t)) && (isName(prev) || isNumber(prev) || prev.Value == ")" || prev.Value == "]"):
		d.Message = fmt.Sprintf("between `%s` and `%s` an operator or a comma is missing", prev.Value, t.Value)
	case isWord(t) && unclosed(before) != nil && unclosed(before).Value != "{":
		open := unclosed(before)
		d.Message = fmt.Sprintf("`%s` cannot stand here: the `%s` of line %d is not closed", t.Value, open.Value, open.Pos.Line)
		d.Help = fmt.Sprintf("close it with `%s` before `%s`", closing[open.Value], t.Value)
	case prev.Value == "":
		d.Message = fmt.Sprintf("a file cannot start with `%s`", t.Value)
	case firstOfLine:
		d.Message = fmt.Sprintf("`%s` cannot follow `%s` of line %d", t.Value, prev.Value, prev.Pos.Line)
	default:
		d.Message = fmt.Sprintf("`%s` cannot follow `%s`", t.Value, prev.Value)
	}
	if d.Message == "" {
		d.Message = fmt.Sprintf("`%s` cannot follow `%s`", t.Value, prev.Value)
	}
	return d
}

func binaryOperator(t lexer.Token) bool {
	switch t.Value {
	case "+", "-", "*", "/", "%", "@", "^", "div", "and", "or":
		return !isString(t)
	}
	return comparison(t)
}

// startsLine reports whether token i is the first of its line.
func startsLine(toks []lexer.Token, i int) bool {
	return i <= 0 || toks[i-1].Pos.Line < toks[i].Pos.Line || toks[i-1].Value == "{"
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
	for i := len(before) - 1; i >= 0; i-- {
		t := before[i]
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

func statementWord(t lexer.Token) bool {
	switch t.Value {
	case "config", "precision", "data", "train", "sample":
		return true
	}
	return false
}

func foreignWord(t lexer.Token) string {
	switch t.Value {
	case "def", "func", "function", "lambda":
		return "`fn` declares a function"
	case "class", "struct":
		return "`module` declares a module"
	case "let", "var", "const", "auto":
		return "a name is bound with `=` alone"
	case "import", "include":
		return "`use nn` imports a library file"
	case "elif":
		return "`else if`"
	case "print", "log":
		return "`report x` records a value, `show x` prints one"
	}
	return ""
}
