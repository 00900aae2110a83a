package lang

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A told is a message that the package can give, as it stands in the source.
type told struct {
	place   string // file:line
	text    string // the format
	pattern *regexp.Regexp
	literal int // how many letters of it are fixed
}

// formatArgument is where the functions that make diagnostics take their format.
var formatArgument = map[string]int{"fail": 1, "failHelp": 2, "warn": 2, "note": 2, "diagnostic": 2}

// everyMessage reads the formats of all diagnostics off the sources of this package: the arguments of the
// functions that make one, and what is given to the field Message.
func everyMessage(t *testing.T) []told {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var out []told
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, 0)
		require.NoError(t, err)
		add := func(e ast.Expr) {
			for _, text := range formats(e) {
				if strings.HasPrefix(text, "internal error") {
					continue // the one message that must have no case
				}
				out = append(out, told{place: name + ":" + strconv.Itoa(set.Position(e.Pos()).Line), text: text, pattern: messagePattern(text), literal: len(verb.ReplaceAllString(text, ""))})
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && formatArgument[s.Sel.Name] > 0 && len(n.Args) > formatArgument[s.Sel.Name] {
					add(n.Args[formatArgument[s.Sel.Name]])
				}
			case *ast.KeyValueExpr:
				if k, ok := n.Key.(*ast.Ident); ok && strings.EqualFold(k.Name, "message") {
					add(n.Value)
				}
			case *ast.AssignStmt:
				for i, l := range n.Lhs {
					if s, ok := l.(*ast.SelectorExpr); ok && s.Sel.Name == "Message" && i < len(n.Rhs) {
						add(n.Rhs[i])
					}
				}
			}
			return true
		})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].text < out[j].text })
	return out
}

// formats are the literals in an expression that gives a message: itself, or the format of Sprintf.
func formats(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && s != "" {
			return []string{s}
		}
	case *ast.BinaryExpr:
		l, r := formats(e.X), formats(e.Y)
		if len(l) == 0 {
			l = []string{"%s"}
		}
		if len(r) == 0 {
			r = []string{"%s"}
		}
		return []string{l[0] + r[0]}
	case *ast.CallExpr:
		if s, ok := e.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Sprintf" {
			return formats(e.Args[0])
		}
	}
	return nil
}

var verb = regexp.MustCompile(`%[sdvqcgT]`)

func messagePattern(format string) *regexp.Regexp {
	parts := verb.Split(format, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(strings.ReplaceAll(p, "%%", "%"))
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, `.+`) + `$`)
}

// Every message of this package has a case, and with one remedy three at most for each place that gives it.
func TestEveryMessageHasACase(t *testing.T) {
	var got []Diagnostic
	files, err := filepath.Glob("../testdata/lang/errors/*.mdl")
	require.NoError(t, err)
	for _, f := range files {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		got = append(got, Check(filepath.Base(f), src, Options{})...)
	}
	themes, err := filepath.Glob("../testdata/lang/errors/*.cases")
	require.NoError(t, err)
	for _, f := range themes {
		for _, m := range mistakenFiles(t, f) {
			got = append(got, m.check()...)
		}
	}
	for _, m := range largeMistakes() {
		got = append(got, m.check()...)
	}
	messages := everyMessage(t)
	places := map[string]int{}
	for _, m := range messages {
		places[m.text]++
	}
	given, remedies := map[string]int{}, map[string]int{}
	for _, d := range got {
		best := -1
		for i, m := range messages {
			if m.pattern.MatchString(d.Message) && (best < 0 || m.literal > messages[best].literal) {
				best = i
			}
		}
		require.GreaterOrEqual(t, best, 0, d.Message)
		text := messages[best].text
		given[text]++
		if remedies[text+d.Help]++; remedies[text+d.Help] == 3*places[text]+1 {
			t.Errorf("%s: more than three cases of `%s` with the remedy `%s`", messages[best].place, text, d.Help)
		}
	}
	for _, m := range messages {
		if given[m.text] == 0 {
			t.Errorf("%s: no case of `%s`", m.place, m.text)
		}
	}
}
