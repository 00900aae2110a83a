package lang

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A codeBlock is a fenced block of a Markdown file.
type codeBlock struct {
	line int
	info string // behind the fence
	text string
}

func codeBlocks(t *testing.T, file string) []codeBlock {
	t.Helper()
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	var out []codeBlock
	open := false
	for i, l := range strings.Split(string(src), "\n") {
		switch {
		case strings.HasPrefix(l, "```") && !open:
			out, open = append(out, codeBlock{line: i + 1, info: l[3:]}), true
		case strings.HasPrefix(l, "```"):
			open = false
		case open:
			out[len(out)-1].text += l + "\n"
		}
	}
	require.False(t, open, file)
	return out
}

// model is the model file that an mdl block stands for: itself, or where its fence
// lists parameters, as in "mdl (x: f32[8, 4])", the statements of a sample that has them.
func (c codeBlock) model() string {
	params := strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(c.info, "mdl"), " wrong"))
	if params == "" {
		return c.text
	}
	return "use nn, optim\nsample example" + params + " {\n" + c.text + "}\n"
}

// indented is what `fmt` takes: a whole file, or statements in the braces of a sample.
func (c codeBlock) indented() string {
	if c.model() == c.text {
		return c.text
	}
	var b strings.Builder
	for line := range strings.Lines(c.text) {
		if line != "\n" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return "sample example {\n" + b.String() + "}\n"
}

// Every model in the documents is one, laid out as fmt does: it is built, or refused as the text block behind it says, place aside ("mdl wrong").
func TestDocuments(t *testing.T) {
	for _, file := range []string{"../README.md", "README.md"} {
		blocks := codeBlocks(t, file)
		models := 0
		for i, c := range blocks {
			if !strings.HasPrefix(c.info, "mdl") {
				continue
			}
			models++
			var errors strings.Builder
			for _, d := range Check("example.mdl", []byte(c.model()), Options{}) {
				if d.Severity == Error {
					errors.WriteString(Diagnostic{Message: d.Message, Notes: d.Notes, Help: d.Help}.Text())
				}
			}
			layout, ds := Format("example.mdl", []byte(c.indented()))
			require.Empty(t, ds)
			require.Equal(t, c.indented(), string(layout), "%s:%d", file, c.line)
			want := ""
			if strings.HasPrefix(c.info, "mdl wrong") {
				require.Less(t, i+1, len(blocks))
				require.Equal(t, "text", blocks[i+1].info, "%s:%d", file, c.line)
				want = blocks[i+1].text
			}
			t.Run(fmt.Sprintf("%s:%d", strings.TrimPrefix(file, "../"), c.line), func(t *testing.T) { require.Equal(t, want, errors.String()) })
		}
		require.Greater(t, models, 1, file)
	}
}

// The reference lists every name that is in scope without `use`.
func TestDocumentedNames(t *testing.T) {
	src, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(src), "## Names that are built in\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]bool{}
	for _, w := range strings.FieldsFunc(section, func(r rune) bool { return !strings.ContainsRune("_0123456789", r) && (r < 'a' || r > 'z') }) {
		listed[w] = true
	}
	c := &core{src: sources{}, libraries: map[string]*scope{}}
	var missing []string
	for _, n := range c.prelude().names() {
		if !listed[n] {
			missing = append(missing, n)
		}
	}
	require.Empty(t, missing)
}
