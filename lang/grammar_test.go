package lang

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Every model file of the target language parses, whether or not it can be built.
func TestParsesTheLanguage(t *testing.T) {
	files, err := filepath.Glob("../testdata/lang/models/*.mdl")
	require.NoError(t, err)
	library, err := filepath.Glob("../stdlib/*.mdl")
	require.NoError(t, err)
	models, err := filepath.Glob("../stdlib/models/*.mdl")
	require.NoError(t, err)
	files = append(append(files, library...), models...)
	require.Greater(t, len(files), 15)
	for _, f := range files {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		_, ds := Parse(filepath.Base(f), src)
		for _, d := range ds {
			t.Error(d.Text())
		}
	}
}

func TestParseNeverHangs(t *testing.T) {
	for _, s := range []string{
		strings.Repeat("(", 100000), "x = " + strings.Repeat("[", 5000), "x = " + strings.Repeat("a^", 50000) + "b",
		"x = " + strings.Repeat("where a then b else ", 20000), "fn f() {" + strings.Repeat("if a {} else ", 30000), "\xff\xfe", "\x00", "x = 1e", "x = \"", strings.Repeat("a ", 100000),
	} {
		done := make(chan []Diagnostic)
		go func() {
			_, ds := Parse("x.mdl", []byte(s))
			done <- ds
		}()
		select {
		case ds := <-done:
			require.NotEmpty(t, ds)
		case <-time.After(time.Minute): // far more than a loaded machine needs for milliseconds of work
			t.Fatalf("no end of %.40q", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"x = 1", "module M { fn (x: f32[B, ..]) -> f32[B] = sum[i where i < 3] x[i, j | 0] }", "train for 3 { minimize l over m with o() every 2 { eval v } }"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		file, ds := Parse("fuzz.mdl", []byte(src))
		require.True(t, file != nil || len(ds) > 0)
		for _, d := range ds {
			_ = d.Text()
		}
	})
}
