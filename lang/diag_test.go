package lang

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file beside the sources.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// What users write wrongly, and what they are told.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("../testdata/lang/errors/*.mdl")
	require.NoError(t, err)
	require.Greater(t, len(files), 40)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			src, err := os.ReadFile(f)
			require.NoError(t, err)
			var b strings.Builder
			for _, d := range Check(filepath.Base(f), src, Options{}) {
				b.WriteString(d.Text())
			}
			require.NotContains(t, b.String(), "internal error")
			golden(t, strings.TrimSuffix(f, ".mdl")+".err", b.String())
		})
	}
}

func TestSettings(t *testing.T) {
	src := []byte("config { dim = 3  name = \"a\" }\nparam w: f32[dim] = 0\n")
	for set, want := range map[string]string{
		"dimm=4":  "error: --set dimm=4: x.mdl has no setting `dimm`\n   = help: did you mean `dim`?\n",
		"q=4":     "error: --set q=4: x.mdl has no setting `q`\n   = help: the settings are dim, name\n",
		"dim=two": "error: --set dim=two: the setting is a number like 3\n",
	} {
		k, v, _ := strings.Cut(set, "=")
		_, ds := Build("x.mdl", src, Options{Set: settings(k, v)})
		require.Len(t, ds, 1)
		require.Equal(t, want, ds[0].Text())
	}
	m, ds := Build("x.mdl", src, Options{Set: append(settings("dim", "2 * 4"), settings("name", "x y")...)})
	require.Empty(t, ds)
	require.Equal(t, 8, m.States[0].Type.Dims[0].Size)
	require.Equal(t, "x y", m.Settings[1].Value)
}

func settings(name, value string) []ir.Setting { return []ir.Setting{{Name: name, Value: value}} }

// Whatever is written, the compiler answers in its own words: no panic, no hang.
func FuzzBuild(f *testing.F) {
	for _, pattern := range []string{"../testdata/lang/errors/*.mdl", "../testdata/lang/graphs/*.mdl"} {
		files, err := filepath.Glob(pattern)
		require.NoError(f, err)
		for _, file := range files {
			src, err := os.ReadFile(file)
			require.NoError(f, err)
			f.Add(string(src))
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		m, ds := Build("fuzz.mdl", []byte(src), Options{})
		require.True(t, m != nil || HasErrors(ds))
		for _, d := range ds {
			require.NotContains(t, d.Text(), "internal error", src)
		}
	})
}

// Mutations of good files: each word or sign left out, doubled or replaced in turn.
func TestMutations(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"generate", "sgd", "masked", "stack"} {
		src, err := os.ReadFile("../testdata/lang/graphs/" + name + ".mdl")
		require.NoError(t, err)
		toks, d := scan(name, string(src))
		require.Nil(t, d)
		for i, tok := range toks[:len(toks)-1] {
			at, end := tok.Pos.Offset, tok.Pos.Offset+len(tok.Value)
			other := toks[(i*7+3)%(len(toks)-1)].Value
			puts := []string{"", tok.Value + " " + tok.Value, " " + other + " ", " -1 ", " none ", " x "}
			for _, put := range []string{puts[i%6], puts[(i+2)%6]} {
				text := string(src[:at]) + put + string(src[end:])
				m, ds := Build(name, []byte(text), Options{})
				require.True(t, m != nil || HasErrors(ds))
				for _, d := range ds {
					if strings.Contains(d.Message, "internal error") && !seen[d.Message] {
						seen[d.Message] = true
						t.Errorf("%s\nof\n%s", d.Text(), text)
					}
				}
			}
		}
	}
}
