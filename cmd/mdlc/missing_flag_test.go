package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/runtime"
)

// A run that trains first is not kept from it by what its sample needs and was not given: that is told after it. What was
// given wrongly is told before.
func TestASampleThatNeedsAFile(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	src := "param w: f32[3] = 1\ntrain for 2 { report total = sum(w) }\nsample apply(x: f32[N, 3]) { show x @ w }\n"
	require.NoError(t, os.WriteFile("m.mdl", []byte(src), 0o644))
	writeNpy(t, "x.npy", "<f4", []int{1, 3}, []byte{0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64})

	_, stderr, code := call("run", "m.mdl", "--x", "0.1,0.2")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "mdlc: --x 0.1,0.2: there is no such file; --x takes the path of a .npy file")
	require.False(t, runtime.HasWeights("runs/m"))

	_, stderr, code = call("run", "m.mdl")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "train  step 2/2")
	require.Contains(t, stderr, "mdlc: sample apply needs --x FILE.npy\n")
	require.True(t, runtime.HasWeights("runs/m"))

	_, stderr, code = call("run", "m.mdl", "--resume", "--steps", "3")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "step 3/3")
	stdout, stderr, code := call("run", "m.mdl", "--x", "x.npy")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "6\n", stdout)
}
