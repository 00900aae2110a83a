package lang

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/participle/v2/lexer"
	"github.com/stretchr/testify/require"
)

// writtenFiles are the library, its models and the model files of the target language.
func writtenFiles(t *testing.T) []string {
	var out []string
	for _, pattern := range []string{"../stdlib/*.mdl", "../stdlib/models/*.mdl", "../testdata/lang/models/*.mdl"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		out = append(out, files...)
	}
	require.Greater(t, len(out), 20)
	return out
}

func formatted(t *testing.T, src string) string {
	t.Helper()
	out, ds := Format("x.mdl", []byte(src))
	for _, d := range ds {
		t.Fatal(d.Text(), src)
	}
	return string(out)
}

// The files of the library fix the layout: they stay as they are.
func TestFormatLeavesTheLibraryAlone(t *testing.T) {
	for _, f := range writtenFiles(t) {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		require.Equal(t, string(src), formatted(t, string(src)), f)
	}
}

// However the space of a file is spoilt: formatting is stable and changes neither meaning nor comments.
func TestFormatKeepsMeaning(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range writtenFiles(t) {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		tree := withoutPlaces(t, string(src))
		for range 2 {
			spoilt := respace(f, string(src), rng)
			once := formatted(t, spoilt)
			require.Equal(t, tree, withoutPlaces(t, once), "%s", f)
			require.Equal(t, once, formatted(t, once), "%s", f)
			require.Equal(t, tokenText(layoutPieces(f, spoilt)), tokenText(layoutPieces(f, once)))
		}
	}
}

// respace writes the tokens and comments of a text with other space between them.
func respace(name, text string, rng *rand.Rand) string {
	var b strings.Builder
	pieces := layoutPieces(name, text)
	for i, p := range pieces {
		word := func(p piece) bool { return wordByte(p.Value[0]) || p.Value[0] == '"' }
		switch {
		case i > 0 && pieces[i-1].comment():
			b.WriteString("\n")
		case rng.IntN(4) > 0:
			b.WriteString(strings.Repeat("\n", min(p.breaks, 1)) + " ")
		case rng.IntN(3) > 0:
			b.WriteString([]string{" ", "\t", "\n", "\n\n\n  ", "     "}[rng.IntN(5)])
		case i > 0 && !(word(p) || word(pieces[i-1])) && strings.ContainsAny(p.Value[:1], "()[]{},"):
		default:
			b.WriteString(" ")
		}
		b.WriteString(p.Value)
	}
	return b.String()
}

// withoutPlaces is the syntax tree of a text without positions.
func withoutPlaces(t *testing.T, src string) *File {
	t.Helper()
	file, ds := Parse("x.mdl", []byte(src))
	for _, d := range ds {
		t.Fatal(d.Text())
	}
	clearPlaces(reflect.ValueOf(file))
	return file
}

func clearPlaces(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			clearPlaces(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			clearPlaces(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[lexer.Position]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			clearPlaces(v.Field(i))
		}
	}
}

func TestFormatLayout(t *testing.T) {
	src, err := os.ReadFile("../testdata/lang/format.mdl")
	require.NoError(t, err)
	out := formatted(t, string(src))
	require.Equal(t, out, formatted(t, out))
	golden(t, "../testdata/lang/format.golden", out)
	_, ds := Format("x.mdl", []byte("x = = 1\n"))
	require.True(t, HasErrors(ds))
}

// The mark that editors of Windows put before a file is left out.
func TestFormatLeavesTheByteOrderMarkOut(t *testing.T) {
	src := "sample s { show 1 }\n"
	want, ds := Format("a.mdl", []byte(src))
	require.Empty(t, ds)
	got, ds := Format("a.mdl", []byte("\ufeff"+src))
	require.Empty(t, ds)
	require.Equal(t, string(want), string(got))
}
