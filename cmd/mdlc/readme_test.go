package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's first model runs as it is written there.
func TestReadmeFirstModel(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	dir := t.TempDir()
	t.Chdir(dir)
	_, section, ok := strings.Cut(string(text), "\n## A first model\n")
	require.True(t, ok)
	blocks := strings.Split(section, "```")
	model, isModel := strings.CutPrefix(blocks[1], "mdl\n")
	require.True(t, isModel)
	require.NoError(t, os.WriteFile("classify.mdl", []byte(model), 0o644))

	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("mdlc", fmt.Appendf(nil, "#!/bin/sh\nMDLC_TEST_MAIN=1 exec '%s' \"$@\"\n", self), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	out, err := exec.Command("sh", "-e", "-c", blocks[3]).CombinedOutput()
	require.NoError(t, err, "%s", out)
	said := string(out)
	require.Contains(t, said, "0 inside, 1 left, 2 right")
	require.Contains(t, said, "train goes on after step 320")
	require.Regexp(t, `eval valid  step 640  loss 0\.\d+  right 0\.9\d+\n`, said)
	require.True(t, strings.HasSuffix(said, "\n2\n"), said)
}
