package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// A number that the compiler knows is converted as one that the run knows.
func TestConversionsOfConstants(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	for _, number := range []string{"300.0", "5e9", "-3.5", "-7.9", "1e30", "-1e30", "0.99", "-0.99", "255", "256", "2147483647", "65535.5"} {
		text := fmt.Sprintf("sample s(x: f32 = %s) { show u8(%[1]s) show i32(%[1]s) show u32(%[1]s) show u8(x) show i32(x) show u32(x) }\n", number)
		require.NoError(t, os.WriteFile("c.mdl", []byte(text), 0o644))
		stdout, stderr, code := call("run", "c.mdl", "sample", "-q")
		require.Equal(t, 0, code, stderr)
		got := strings.Fields(stdout)
		require.Len(t, got, 6)
		if number == "2147483647" { // is no f32
			continue
		}
		require.Equal(t, got[:3], got[3:], number)
	}
}
