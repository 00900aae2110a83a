package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/lang"
	"mdlc/stdlib"
)

var rewriteGolden = flag.Bool("update", false, "write the golden files anew")

func TestDocOfAModel(t *testing.T) {
	for name, args := range map[string][]string{
		"net":   {"../../testdata/doc/net.mdl"},
		"block": {"../../testdata/doc/net.mdl", "Block"},
		"whole": {"../../testdata/doc/net.mdl", "Net", "--set", "layers=5"},
	} {
		stdout, stderr, code := call(append([]string{"doc"}, args...)...)
		require.Equal(t, 0, code, stderr)
		file := "../../testdata/doc/" + name + ".golden"
		if *rewriteGolden {
			require.NoError(t, os.WriteFile(file, []byte(stdout), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), stdout)
	}
}

// The list has all declarations of the library and all built-in names; each is described by its name.
func TestDocListsWhatThereIs(t *testing.T) {
	all, stderr, code := call("doc")
	require.Equal(t, 0, code, stderr)
	var names []string
	for _, lib := range stdlib.Names() {
		src, _ := stdlib.Library(lib)
		d, ds := lang.Describe(lib, src)
		require.Empty(t, ds)
		require.NotEmpty(t, d.Comment)
		for _, x := range d.Items {
			names = append(names, x.Name)
		}
		one := d.Items[len(d.Items)-1]
		for _, name := range []string{lib + "." + one.Name, one.Name} {
			stdout, stderr, code := call("doc", name)
			require.Equal(t, 0, code, stderr)
			require.Contains(t, stdout, one.Signature+"\n")
		}
	}
	for _, theme := range lang.Builtins {
		for _, b := range theme.Names {
			names = append(names, b.Name)
		}
	}
	for _, n := range names {
		require.Regexp(t, `(?m)^  `+n+` `, all)
	}
	stdout, _, _ := call("doc", "top_k")
	require.Equal(t, "top_k(x, k: n, axis: -1)\n    the indices of the k largest, the largest first\n", stdout)
	stdout, _, _ = call("doc", "nn", "Attention")
	require.Contains(t, stdout, "  fn attend(x: f32[B, T, dim], y: f32[B, S, dim]) -> f32[B, T, dim]\n      x asks, y answers\n")
	require.Less(t, strings.Count(all, "\n"), 200)
}

// Everything in the library says what it is.
func TestLibraryIsDescribed(t *testing.T) {
	for _, lib := range stdlib.Names() {
		src, _ := stdlib.Library(lib)
		for _, x := range described(lib, src).Items {
			require.NotEmpty(t, x.Comment, "%s.%s", lib, x.Name)
		}
	}
}

func TestDocOfWhatIsNotThere(t *testing.T) {
	for args, want := range map[string]string{
		"doc relou":                                "there is no relou: did you mean `relu`?",
		"doc fnordies":                             "there is no fnordies: `mdlc doc` lists what there is",
		"doc nn Linnear":                           "nn: there is no `Linnear`; did you mean `Linear`?",
		"doc nn Conv2d":                            "nn: there is no `Conv2d`; did you mean `Conv`?",
		"doc nn Fnord":                             "nn: there is no `Fnord`; it has Linear, Embedding, MLP, ",
		"doc ../../testdata/doc/net.mdl Nett":      "there is no `Nett`; did you mean `Net`?",
		"doc ../../testdata/doc/net.mdl Fnord":     "there is no `Fnord`; it has Block, Net, loss, points, net, other, gain",
		"doc ../../testdata/doc/net.mdl --set q=1": "net.mdl has no setting `q`",
	} {
		stdout, stderr, code := call(strings.Fields(args)...)
		require.Equal(t, exitUsage, code)
		require.Empty(t, stdout)
		require.Contains(t, stderr, want)
	}
	_, stderr, code := call("doc", "gone.mdl")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "no model: gone.mdl is not there")
}
