package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// An assert stops the step in which it does not hold, before anything of it is saved; print tells each time.
func TestAssertAndPrint(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	const src = `use optim
param w: f32[20] = 1
fn checked(x: f32[N]) {
  assert(N % 2 == 0, "an even width")
  assert(x > 0.5, "w has vanished")
  return x
}
train for 9 {
  print(w * 2, "twice")
  minimize sum(checked(w)^2) over w with optim.sgd(lr: 0.1)
  report size = norm(w)
}
`
	require.NoError(t, os.WriteFile("as.mdl", []byte(src), 0o644))
	_, stderr, code := call("run", "as.mdl", "train", "--out", "o")
	require.Equal(t, exitFailure, code, stderr)
	require.Contains(t, stderr, "as.mdl:9:3: twice = f32[20] [2 2 2 2 … 2 2 2 2] (train, step 1)\n")
	require.Contains(t, stderr, "as.mdl:9:3: twice = f32[20] [1.28 1.28 1.28 1.28 … 1.28 1.28 1.28 1.28] (train, step 3)\n")
	require.NotContains(t, stderr, "(train, step 4)\n  twice")
	require.Contains(t, stderr, "as.mdl:5:3: error: w has vanished (train, step 5)\n")
}
