package main

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A step that minimizes nothing stops where it would assign a NaN to a state.
func TestStatesWithoutLossAreNumbers(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir := t.TempDir()
	file := filepath.Join(dir, "means.mdl")
	src := "state mu: f32[2] = 0\nstate best: f32 = inf\ntrain for 9 {\n  x ~ normal[8]\n  mu[c] <- mean[i where i < 8 - 2 * step * c] x[i]\n  best <- min(best, mu[0])\n  report m = mu[0]\n}\n"
	require.NoError(t, os.WriteFile(file, []byte(src), 0o644))
	_, stderr, code := call("run", file, "train", "--out", filepath.Join(dir, "a"), "-q")
	require.Equal(t, exitFailure, code, stderr)
	require.Regexp(t, `means.mdl:5:3: error: .mu. is NaN \(train, step 5\)`, stderr)
	_, stderr, code = call("run", file, "train", "--out", filepath.Join(dir, "b"), "-q", "--check-numbers")
	require.Equal(t, exitFailure, code, stderr)
	require.Contains(t, stderr, "the first NaN is in `mu`, made at "+file+":5:12")
}

// A NaN is followed to the line that made it first, in the loss or in a gradient.
func TestCheckNumbersNamesTheLine(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	for _, c := range []struct{ body, plain, checked string }{
		{ // 0/0 of a step that comes
			"  a = w - f32(step) * 0.25\n  b = a / a\n  c = where b > 2 then -inf else b\n  loss = sum(c) + sum(w)\n",
			`9:10: error: .loss. is NaN \(train, step 5\)`, "is in `div`, made at FILE:5:7;",
		},
		{ // the gradient of a root at 0, when the loss is still a number
			"  a = (w - f32(step) * 0.25)^2\n  r = sqrt(a)\n\n  loss = 0.001 * sum(r)\n",
			`9:10: error: .loss. is NaN \(train, step 6\)`, "the first +Inf is in `div`, made at FILE:5:7, the first NaN is in `mul`, made at FILE:4:7",
		},
		{ // a place in the library, and what led there
			"  a = w * exp(f32(step) * 20)\n\n  b = mse(a, w)\n  loss = b * 1\n",
			`9:10: error: .loss. is infinite`, ", made at stdlib/loss.mdl:11:46, called from FILE:6:7,",
		},
		{
			"  a = exp(f32(step) * 30)\n\n\n  loss = a * sum(w)\n",
			`9:10: error: .loss. is infinite \(train, step 4\)`, "the first +Inf is in `exp`, made at FILE:4:7",
		},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "bad.mdl")
		src := "use optim\nparam w: f32[70] = 1\ntrain for 9 {\n" + c.body + "  minimize loss over w with optim.sgd(lr: 0)\n  report loss\n}\n"
		require.NoError(t, os.WriteFile(file, []byte(src), 0o644))
		_, stderr, code := call("run", file, "train", "--out", filepath.Join(dir, "a"), "-q")
		require.Equal(t, exitFailure, code, stderr)
		require.Regexp(t, c.plain, stderr)
		require.Contains(t, stderr, "the same run with --check-numbers names the line")
		_, stderr, code = call("run", file, "train", "--out", filepath.Join(dir, "b"), "-q", "--check-numbers")
		require.Equal(t, exitFailure, code, stderr)
		require.Contains(t, stderr, strings.ReplaceAll(c.checked, "FILE", file))
	}
}

// Weights that a last step made NaN, when its loss was a number, do not take the place of those that were.
func TestWeightsThatAreNoNumbersAreNotSaved(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir := t.TempDir()
	file := filepath.Join(dir, "root.mdl")
	src := "use optim\nparam w: f32[4] = 1\ntrain for 5 {\n  d = w - w * (where step < 3 then 0.5 else 1.0)\n  loss = sum(sqrt(sum(d^2)) + w * 0)\n  minimize loss over w with optim.sgd(lr: 0.01)\n  report loss\n}\n"
	require.NoError(t, os.WriteFile(file, []byte(src), 0o644))
	out := filepath.Join(dir, "run")
	_, stderr, code := call("run", file, "train", "--out", out, "-q", "--steps", "3")
	require.Zero(t, code, stderr)
	good, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
	require.NoError(t, err)
	_, stderr, code = call("run", file, "train", "--out", out, "-q", "--resume", "--steps", "4")
	require.Equal(t, exitFailure, code, stderr)
	require.Contains(t, stderr, "root.mdl:2:1: error: `w` is NaN after step 4, though no loss was\n")
	require.Contains(t, stderr, "--check-numbers names the line")
	kept, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
	require.NoError(t, err)
	require.Equal(t, good, kept)
}

// Where the data have a NaN or an infinity, they are told, and no learning rate is blamed.
func TestDataThatAreNoNumbers(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	for value, text := range map[float32]string{float32(math.NaN()): "NaN", float32(math.Inf(-1)): "-Inf"} {
		dir := t.TempDir()
		rows := make([]byte, 16*3*4)
		binary.LittleEndian.PutUint32(rows[4*(3*13+2):], math.Float32bits(value))
		header := "{'descr': '<f4', 'fortran_order': False, 'shape': (16, 3), }"
		header += strings.Repeat(" ", 117-len(header)) + "\n"
		file := filepath.Join(dir, "bad.mdl")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "x.npy"), slices.Concat([]byte("\x93NUMPY\x01\x00"), []byte{118, 0}, []byte(header), rows), 0o644))
		require.NoError(t, os.WriteFile(file, []byte(`use optim
data d = npy("x.npy")
param w: f32[3] = 1
train for 9 {
  each x: f32[4, 3] from d.train
  loss = mean((x * w)^2)
  minimize loss over w with optim.sgd(lr: 0.1)
  report loss
}
`), 0o644))
		for _, flag := range []string{"-q", "--check-numbers"} {
			_, stderr, code := call("run", file, "train", "--out", filepath.Join(dir, "a"), "--data", "d="+filepath.Join(dir, "x.npy"), flag)
			require.Equal(t, exitFailure, code, stderr)
			require.Regexp(t, "the data have such numbers: `x` from `d.train` is "+text+` at \[\d, 2\] of this batch`, stderr)
			require.NotContains(t, stderr, "learning rate")
		}
	}
}
