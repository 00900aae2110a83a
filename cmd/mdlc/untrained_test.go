package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file without a train is not told to train first: its states have their first values.
func TestStatesThatNothingTrains(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	src := "config { turns = 4 }\nfn rates() -> f32[turns] { return rate[i < turns] = 0.5 * i }\nstate rate: f32[turns] = rates()\n" +
		"eval rest { report total = sum(rate) }\nsample example { show rate }\n"
	require.NoError(t, os.WriteFile("rate.mdl", []byte(src), 0o644))
	_, stderr, code := call("compile", "rate.mdl", "-o", "rate.bundle")
	require.Equal(t, 0, code, stderr)
	for _, args := range [][]string{{"run", "rate.mdl", "-q"}, {"run", "rate.mdl", "sample", "example", "-q"}, {"run", "rate.bundle", "-q"}} {
		stdout, stderr, code := call(args...)
		require.Equal(t, 0, code, stderr)
		require.Equal(t, "0 0.5 1 1.5\n", stdout, args)
	}
	stdout, stderr, code := call("run", "rate.mdl", "eval", "--json", "-q")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stdout, `"total":3`)

	require.NoError(t, os.WriteFile("rate.mdl", []byte(src+"train for 2 { rate <- rate + 1 }\n"), 0o644))
	_, stderr, code = call("run", "rate.mdl", "sample", "-q", "--out", "new")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "new: train first")
}
