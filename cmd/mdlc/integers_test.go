package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// An integer has all its digits wherever it is told: shown, printed, in a table, reported.
func TestIntegersAreToldInFull(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	src := "state n: i32 = 123456788\ntrain for 1 { n <- n + 1  print(n)  report n }\neval e { report n }\n" +
		"sample s { show n  show n as table  show n == 123456789 }\n"
	require.NoError(t, os.WriteFile("n.mdl", []byte(src), 0o644))
	stdout, stderr, code := call("run", "n.mdl", "train", "--json")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "{\"block\":\"train\",\"step\":1,\"n\":123456789}\n{\"block\":\"eval e\",\"step\":1,\"n\":123456789}\n", stdout)
	require.Regexp(t, `n = i32 \[12345678[89]\]`, stderr)
	require.Contains(t, stderr, "n 123456789")
	stdout, stderr, code = call("run", "n.mdl", "sample")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "123456789\n        0\n123456789\n1\n", stdout)
}
