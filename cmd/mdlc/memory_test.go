package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/runtime"
)

// What was compiled before is known by its sources, without the front end, and only while they are the same.
func TestSourcesAreRemembered(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("MDLC_CACHE", cache)
	t.Chdir(t.TempDir())
	write := func(name, text string) { require.NoError(t, os.WriteFile(name, []byte(text), 0o644)) }
	const text = `
		use "part.mdl" as part
		config { size: int = 3 }
		sample s(k: int = 2, x: f32 = 1.0) {
			unused = part.f(x)
			y[i < k * size] = part.f(x)
			show y
		}`
	write("m.mdl", text)
	write("part.mdl", "fn f(x: f32) -> f32 { return 2 * x }\n")
	said := ""
	known := func(s sources, w wanted) bool {
		var stderr bytes.Buffer
		s.file = "m.mdl"
		x, err := newCompilation(&terminal{stderr: &stderr}, s, w)
		require.NoError(t, err)
		outline, err := x.outline()
		require.NoError(t, err)
		require.NotEmpty(t, outline.Entries)
		known := x.module == nil
		p, err := x.program()
		require.NoError(t, err)
		require.NotEmpty(t, p.Entries)
		require.Equal(t, known, x.module == nil)
		said = stderr.String()
		return known
	}
	flag := func(name, value string) sources {
		return sources{sample: []runtime.FlagValue{{Name: name, Value: value}}}
	}
	fresh := func(s sources, w wanted) { // is not known, and then is
		t.Helper()
		require.False(t, known(s, w))
		first := said
		require.Contains(t, first, "warning: ")
		require.True(t, known(s, w))
		require.Equal(t, first, said)
	}
	fresh(sources{}, wanted{})
	fresh(sources{}, wanted{word: "sample"})
	fresh(sources{modelFlags: modelFlags{Set: map[string]string{"size": "4"}}}, wanted{})
	fresh(sources{modelFlags: modelFlags{past: map[string]string{"size": "4"}}}, wanted{})
	fresh(sources{modelFlags: modelFlags{Precision: "f64"}}, wanted{})
	fresh(sources{modelFlags: modelFlags{Weights: "int8"}}, wanted{})
	fresh(sources{modelFlags: modelFlags{NoFusion: true}}, wanted{})
	fresh(flag("k", "3"), wanted{})
	require.True(t, known(flag("x", "3"), wanted{}), "a parameter that arrives at run time")
	require.True(t, known(sources{}, wanted{}))
	require.False(t, known(sources{modelFlags: modelFlags{Verbose: true}}, wanted{}))
	require.True(t, known(sources{modelFlags: modelFlags{Quiet: true}}, wanted{}))
	require.Empty(t, said)

	write("part.mdl", "fn f(x: f32) -> f32 { return 3 * x }\n")
	fresh(sources{}, wanted{})
	write("m.mdl", text+" // the same module\n")
	fresh(sources{}, wanted{})

	// What is saved while it compiles is not what was compiled.
	for _, change := range []struct{ file, text string }{{"m.mdl", text + " // saved\n"}, {"part.mdl", "fn f(x: f32) -> f32 { return 4 * x }\n"}} {
		x, err := newCompilation(&terminal{stderr: io.Discard}, sources{file: "m.mdl", modelFlags: modelFlags{Set: map[string]string{"size": "7"}}}, wanted{})
		require.NoError(t, err)
		require.NoError(t, x.read())
		write(change.file, change.text)
		_, err = x.program()
		require.NoError(t, err)
		fresh(sources{modelFlags: modelFlags{Set: map[string]string{"size": "7"}}}, wanted{})
	}

	require.NoError(t, os.Remove("part.mdl"))
	_, stderr, code := call("compile", "m.mdl", "-o", "m.bundle")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "part.mdl cannot be read")
	write("part.mdl", "fn f(x: f32) -> f32 { return 3 * x }\n")
	files, err := filepath.Glob(filepath.Join(cache, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		write(f, "damage")
	}
	fresh(sources{}, wanted{})
}
