package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFmtCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	const spoilt, good = "fn f( x )=x+1   // one more\n", "fn f(x) = x + 1  // one more\n"
	require.NoError(t, os.WriteFile("a.mdl", []byte(spoilt), 0o640))
	require.NoError(t, os.WriteFile("b.mdl", []byte(good), 0o644))
	require.NoError(t, os.WriteFile("c.mdl", []byte("fn f(x\n"), 0o644))

	stdout, stderr, code := call("fmt", "-l", "a.mdl", "b.mdl")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "a.mdl\n", stdout)
	stdout, _, code = call("fmt", "-d", "a.mdl", "b.mdl")
	require.Equal(t, 0, code)
	require.Equal(t, "--- a.mdl\n+++ a.mdl (formatted)\n@@ -1 +1 @@\n-"+spoilt+"+"+good, stdout)

	stdout, stderr, code = call("fmt", "c.mdl", "a.mdl", "gone.mdl")
	require.Equal(t, exitFailure, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "c.mdl:1:5: error: ")
	require.Contains(t, stderr, "gone.mdl")
	text, err := os.ReadFile("a.mdl")
	require.NoError(t, err)
	require.Equal(t, good, string(text))
	info, err := os.Stat("a.mdl")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())

	var out, told bytes.Buffer
	require.Equal(t, 0, execute([]string{"fmt", "-"}, &terminal{stdin: strings.NewReader(spoilt), stdout: &out, stderr: &told}))
	require.Equal(t, good, out.String())
}
