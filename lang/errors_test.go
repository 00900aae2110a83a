package lang

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

// A mistaken file, with the files that it uses and the settings of its command line.
type mistaken struct {
	name  string
	src   string
	files map[string]string
	set   []ir.Setting
}

// mistakenFiles reads the cases of a theme. `---- name` starts a case, and may end with `--set key=value`;
// `==== path` starts a file that it uses. A line that ends in `//!` is the place of a diagnostic.
func mistakenFiles(t *testing.T, path string) []mistaken {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var out []mistaken
	file := ""
	for line := range strings.Lines(string(text)) {
		if head, ok := strings.CutPrefix(line, "---- "); ok {
			name, set, _ := strings.Cut(strings.TrimSpace(head), " --set ")
			m := mistaken{name: name, files: map[string]string{}}
			if key, value, ok := strings.Cut(set, "="); ok {
				m.set = []ir.Setting{{Name: key, Value: value}}
			}
			out, file = append(out, m), ""
			continue
		}
		m := &out[len(out)-1]
		switch path, ok := strings.CutPrefix(line, "==== "); {
		case ok:
			file = strings.TrimSpace(path)
		case file != "":
			m.files[file] += line
		default:
			m.src += line
		}
	}
	return out
}

func (m mistaken) check() []Diagnostic {
	return Check("case.mdl", []byte(m.src), Options{Set: m.set, ReadFile: func(path string) ([]byte, error) {
		if text, ok := m.files[path]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}})
}

// marked are the lines that a case marks.
func (m mistaken) marked() map[string]bool {
	out := map[string]bool{}
	note := func(file, text string) {
		for i, line := range strings.Split(text, "\n") {
			if strings.HasSuffix(line, "//!") {
				out[fmt.Sprintf("%s:%d", file, i+1)] = true
			}
		}
	}
	note("case.mdl", m.src)
	for file, text := range m.files {
		note(file, text)
	}
	return out
}

// What users write wrongly, theme by theme: each message stands on the line that the case marks.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("../testdata/lang/errors/*.cases")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		var b strings.Builder
		for _, m := range mistakenFiles(t, f) {
			fmt.Fprintf(&b, "---- %s\n", m.name)
			places := map[string]bool{}
			for _, d := range m.check() {
				require.NotContains(t, d.Message, "internal error", m.name)
				b.WriteString(d.Text())
				if d.Span.Pos.Line > 0 {
					places[fmt.Sprintf("%s:%d", d.Span.Pos.Filename, d.Span.Pos.Line)] = true
				}
			}
			if !maps.Equal(m.marked(), places) {
				t.Errorf("%s, %s: marked %v, told of %v", filepath.Base(f), m.name, m.marked(), places)
			}
		}
		golden(t, strings.TrimSuffix(f, ".cases")+".told", b.String())
	}
}

// Mistakes that are too large to write down.
func largeMistakes() []mistaken {
	var calls strings.Builder
	for i := range 300 {
		fmt.Fprintf(&calls, "fn f%d(x) = f%d(x)\n", i, i+1)
	}
	return []mistaken{
		{name: "functions that call on and on", src: calls.String() + "fn f300(x) = x\nn = f0(1)\n"},
		{name: "a large file", src: strings.Repeat("// a comment\n", 1<<17)},
		{name: "a file that is no text", src: "n = 1 \xff\n"},
	}
}

func TestLargeMistakes(t *testing.T) {
	for i, want := range []string{"functions call each other more than 256 deep", "the file is larger than 1 MiB: it is not a model file", "the file is not UTF-8 text"} {
		ds := largeMistakes()[i].check()
		require.Len(t, ds, 1)
		require.Equal(t, want, ds[0].Message)
	}
}
