package main

import (
	"os"
	"path/filepath"
	"strings"
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
	last := "as.mdl:9:3: twice = f32[20] [0.8192 0.8192 0.8192 0.8192 … 0.8192 0.8192 0.8192 0.8192] (train, step 5)\n"
	require.Equal(t, 1, strings.Count(stderr, last), stderr)
	require.Contains(t, stderr[strings.Index(stderr, last):], "as.mdl:5:3: error: w has vanished: 0.4096 > 0.5 is false at [0] (train, step 5)\n")
}

// What a step printed is told before the error that ends it, whatever that is and whichever block it is of.
func TestPrintBeforeAnError(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	for what, c := range map[string]struct{ printed, failed string }{
		"train for 2 {\n  y = log(w - 2)\n  print(y)\n  minimize sum(y) over w with optim.sgd(lr: 1)\n}": {
			"p.mdl:5:3: y = f32[2] [NaN NaN] (train, step 1)\n", "p.mdl:6:3: error: what a gradient is taken of is NaN (train, step 1)"},
		"sample s {\n  k = argmax(w) + 2\n  print(k)\n  show w[k]\n}": {"p.mdl:5:3: k = i32 [2] (sample s)\n", "error: index 2 is outside of the axis of 2"},
		"train for 2 {\n  minimize sum(w) over w with optim.sgd(lr: 1)\n}\neval e {\n  m = mean(w)\n  print(m)\n  assert(m > 0)\n  report m\n}": {
			"p.mdl:8:3: m = f32 [-1] (eval e, step 2)\n", "-1 > 0 is false (eval e, step 2)"},
	} {
		require.NoError(t, os.WriteFile("p.mdl", []byte("use optim\nparam w: f32[2] = 1\n"+what+"\n"), 0o644))
		args := []string{"run", "p.mdl", "train", "--out", t.TempDir()}
		if strings.HasPrefix(what, "sample") {
			require.NoError(t, os.WriteFile("p.mdl", []byte("fn zeros() -> f32[2] { return z[i < 2] = 0.0 }\n\n"+strings.Replace(what, "{", "{ w = zeros()", 1)+"\n"), 0o644))
			args[2] = "sample"
		}
		_, stderr, code := call(args...)
		require.Equal(t, exitFailure, code, stderr)
		require.Equal(t, 1, strings.Count(stderr, c.printed), stderr)
		require.Contains(t, stderr[strings.Index(stderr, c.printed):], c.failed)
	}
}

// A text names what is printed behind it, or at the end what stands before it.
func TestPrintWithNames(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	src := "fn one() -> f32 = f32(1)\nsample s {\n  x = one()\n  print(\"x is\", x, \"twice\", 2 * x, x + 2)\n  print(x - 1, \"none\")\n  print(x, \"a\", x)\n  print(x: x, name: \"b\")\n  show x\n}\n"
	require.NoError(t, os.WriteFile("p.mdl", []byte(src), 0o644))
	_, stderr, code := call("run", "p.mdl")
	require.Equal(t, 0, code, stderr)
	var got []string
	for line := range strings.Lines(stderr) {
		if text, ok := strings.CutSuffix(line, " (sample s, step 0)\n"); ok {
			got = append(got, text)
		}
	}
	require.Equal(t, []string{"p.mdl:4:3: x is = f32 [1]", "p.mdl:4:3: twice = f32 [2]", "p.mdl:4:3: x + 2 = f32 [3]",
		"p.mdl:5:3: none = f32 [0]", "p.mdl:6:3: x = f32 [1]", "p.mdl:6:3: a = f32 [1]", "p.mdl:7:3: b = f32 [1]"}, got)
}

// In a loop, what does not hold first is told, and what is printed comes with all its turns; gradients pass through.
func TestAssertAndPrintInALoop(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	for condition, want := range map[string]string{
		"h < 10":                  "11 < 10 is false at [1, 2]",
		"not (h > 9.5)":           "it is false at [1, 2]",
		"h[1, 2] * 2 <= 19":       "22 <= 19 is false",
		"i32(h) != 11 or t > n":   "it is false at [1, 2]",
		"f32(t) + h[1, 2] < 12.5": "14 < 12.5 is false",
	} {
		src := `use optim
param w: f32[3, 4] = 1
state n: i32 = 0
fn walk(x: f32[3, 4]) -> f32[3, 4] {
  h = x
  for k in 2 {
    for t in 4 {
      h[1, 2] = h[1, 2] + f32(n)
      assert(` + condition + `, "too far")
    }
    print(h[1, 2], "h")
  }
  return h
}
train for 9 {
  n <- n + 1
  minimize sum(walk(w)) over w with optim.sgd(lr: 0)
}
`
		require.NoError(t, os.WriteFile("as.mdl", []byte(src), 0o644))
		_, stderr, code := call("run", "as.mdl", "train", "--out", "o")
		require.Equal(t, exitFailure, code, stderr)
		require.Contains(t, stderr, "as.mdl:11:5: h = f32[2] [5 9] (train, step 1)\n")
		require.Contains(t, stderr, "as.mdl:9:7: error: too far: "+want+" (train, step ")
		_, stderr, _ = call("run", "as.mdl", "train", "--out", "o", "-q")
		require.NotContains(t, stderr, "h = ")
		require.Contains(t, stderr, "too far: "+want)
	}
}
