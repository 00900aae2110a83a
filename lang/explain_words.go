package lang

import (
	"fmt"
	"maps"
	"slices"

	"github.com/alecthomas/participle/v2/lexer"
)

// Words that stand where they cannot, or lack those that belong to them.

func reservedName(u unexpected) (d Diagnostic) {
	entry := isName(u.prev) && declarationWord(u.prev.Value) && unclosed(u.before()) == nil // of a file's item
	if isWord(u.t) && (u.prev.Value == "fn" || wantsName(u.prev) || entry) {
		d.Message = fmt.Sprintf("`%s` is a reserved word and cannot be a name", u.t.Value)
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

// entryColon is `config { lr: 1e-3 }`.
func entryColon(u unexpected) (d Diagnostic) {
	for i := u.i; i > 1 && u.toks[i].Value != "="; i-- {
		open := unclosed(u.toks[:i])
		if i+2 >= len(u.toks) || !isName(u.toks[i]) || u.toks[i+1].Value != ":" || open == nil || open.Value != "{" {
			continue
		}
		at := slices.IndexFunc(u.toks, func(t lexer.Token) bool { return t.Pos == open.Pos })
		if word := u.toks[max(at-1, 0)].Value; word == "config" || word == "precision" {
			d.Span = tokenSpan(u.toks[i+1])
			d.Message, d.Help = fmt.Sprintf("an entry of `%s` has `=` behind its name", word), fmt.Sprintf("`%s = %s`", u.toks[i].Value, u.toks[i+2].Value)
		}
		return d
	}
	return d
}

// misspelt is a line that starts with a name which is nearly a word that starts a statement or a declaration, and is not assigned.
func misspelt(u unexpected) (d Diagnostic) {
	for i := u.i; i >= 0 && u.toks[i].Pos.Line == u.t.Pos.Line; i-- {
		if near := nearWord(u.toks[i].Value); near != "" && isName(u.toks[i]) && startsLine(u.toks, i) && !bound(u.toks[i+1:]) {
			d.Span = tokenSpan(u.toks[i])
			d.Message, d.Help = fmt.Sprintf("`%s` starts no statement and no declaration", u.toks[i].Value), "did you mean `"+near+"`?"
		}
	}
	return d
}

// bound reports whether toks stand behind a name that gets a value, alone or with others.
func bound(toks []lexer.Token) bool {
	return len(toks) > 0 && !isString(toks[0]) && slices.Contains([]string{"=", "<-", "~", ":", ","}, toks[0].Value)
}

// nearWord is a word that starts a statement or a declaration, and is nearly name; "" where there is none.
func nearWord(name string) string {
	words := []string{"use", "fn", "module", "optimizer", "distribution", "param", "state", "eval", "config", "precision", "data", "train", "sample", "else"}
	words = slices.AppendSeq(words, maps.Keys(statements))
	if slices.Contains(words, name) {
		return ""
	}
	return nearest(name, words)
}

// statementAsMember is a statement right in the braces of a module.
func statementAsMember(u unexpected) (d Diagnostic) {
	unit := u.memberOf()
	if unit == "" || !isWord(u.t) || !statements[u.t.Value] || u.t.Value == "if" {
		return d
	}
	d.Message = fmt.Sprintf("`%s` stands in a function, not among the members of a %s", u.t.Value, unit)
	if u.t.Value == "for" {
		d.Help = "`layers = [nn.Linear(d, d) for i in n]` makes a list of modules"
	}
	return d
}

// memberOf is `module` and the like where t stands right in the braces of one.
func (u unexpected) memberOf() string {
	open := unclosed(u.before())
	if open == nil || open.Value != "{" {
		return ""
	}
	for i := u.i - 1; i >= 0; i-- {
		if u.toks[i].Pos.Offset >= open.Pos.Offset || !startsLine(u.toks, i) {
			continue
		}
		switch word := u.toks[i].Value; word {
		case "module", "optimizer", "distribution":
			return word
		}
		return ""
	}
	return ""
}

// statements are the words that start a statement and no declaration.
var statements = map[string]bool{"return": true, "if": true, "for": true, "repeat": true, "while": true, "every": true, "each": true, "minimize": true, "report": true, "show": true, "generate": true}

func wantsName(t lexer.Token) bool {
	switch t.Value {
	case "module", "optimizer", "distribution", "param", "state", "as", "for", "fn":
		return !isString(t)
	}
	return false
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
