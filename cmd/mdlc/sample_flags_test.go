package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A flag is the sample's that runs: others may have a parameter of that name, of another type.
func TestFlagsAreOfTheirSample(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	file := filepath.Join(t.TempDir(), "two.mdl")
	require.NoError(t, os.WriteFile(file, []byte("sample a(k: int = 3) { show k }\nsample b(k: f32 = 1.5) { show k * 2 }\nsample c(k: int = 5) { show k * 2 }\n"), 0o644))
	for range 2 { // compiled, and found again
		for _, c := range []struct {
			words []string
			want  string
		}{
			{[]string{"b", "--k", "3.5"}, "7\n"},
			{[]string{"a", "--k", "4"}, "4\n"},
			{[]string{"c", "--k", "6"}, "12\n"},
			{[]string{"c"}, "10\n"},
		} {
			stdout, stderr, code := call(append([]string{"run", file, "-q", "sample"}, c.words...)...)
			require.Zero(t, code, stderr)
			require.Equal(t, c.want, stdout, c.words)
		}
		_, stderr, code := call("run", file, "-q", "sample", "a", "--k", "3.5")
		require.NotZero(t, code)
		require.Contains(t, stderr, "`k` is a whole number")
	}
}
