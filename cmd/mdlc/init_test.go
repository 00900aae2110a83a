package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that init wrote runs as it stands, is in the one layout, and is never written over.
func TestInitWritesAModelThatRuns(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	stdout, stderr, code := call("init", "first")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, "mdlc run first.mdl ")
	written, err := os.ReadFile("first.mdl")
	require.NoError(t, err)
	require.NotContains(t, string(written), "start.mdl")

	stdout, stderr, code = call("fmt", "-l", "first.mdl")
	require.Equal(t, 0, code, stderr)
	require.Empty(t, stdout)
	_, stderr, code = call("check", "first.mdl")
	require.Equal(t, 0, code, stderr)
	require.Empty(t, stderr)
	_, stderr, code = call("run", "first.mdl", "train", "-q", "--steps", "3")
	require.Equal(t, 0, code, stderr)
	stdout, stderr, code = call("run", "first.mdl", "sample", "text", "--n", "5")
	require.Equal(t, 0, code, stderr)
	require.True(t, strings.HasPrefix(stdout, "module "), stdout)

	require.NoError(t, os.WriteFile("first.mdl", []byte("mine"), 0o644))
	_, stderr, code = call("init", "first.mdl")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "first.mdl is there already")
	written, err = os.ReadFile("first.mdl")
	require.NoError(t, err)
	require.Equal(t, "mine", string(written))
	_, stderr, code = call("init", "a/b")
	require.Equal(t, exitUsage, code, stderr)
}
