package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A mistake that only the gradient shows is told by check, too, and at its line.
func TestCheckLooksForGradients(t *testing.T) {
	t.Chdir(t.TempDir())
	src := "use optim\nparam w: f32[3] = 1\ntrain for 2 {\n  x ~ normal[3]\n  loss = sum(floor(w) * x)\n  minimize loss over w with optim.sgd(lr: 0.1)\n}\n"
	require.NoError(t, os.WriteFile("g.mdl", []byte(src), 0o644))
	_, stderr, code := call("check", "g.mdl")
	require.Equal(t, exitFailure, code)
	require.Equal(t, "g.mdl:6:3: error: no gradient of the loss reaches `w`\n  |\n6 |   minimize loss over w with optim.sgd(lr: 0.1)\n  |   ^^^^^^^^\n"+
		"   = `floor` at g.mdl:5:14: constant almost everywhere\n   = help: `straight_through(hard, soft)` has the value of one and the gradient of the other\n", stderr)
}

// What stops a run is shown with its line, as it was when the file was read.
func TestRunErrorsShowTheirLine(t *testing.T) {
	t.Setenv("MDLC_CACHE", t.TempDir())
	t.Chdir(t.TempDir())
	src := "fn two() -> f32 = f32(2)\nsample s {\n  x = two()\n  assert(x > 3, \"too small\")\n  show x\n}\n"
	require.NoError(t, os.WriteFile("a.mdl", []byte(src), 0o644))
	_, stderr, code := call("run", "a.mdl", "-q")
	require.Equal(t, exitFailure, code)
	require.Equal(t, "a.mdl:4:3: error: too small: 2 > 3 is false (sample s)\n  |\n4 |   assert(x > 3, \"too small\")\n  |   ^^^^^^\n"+
		"   = help: this `assert` does not hold; nothing of the step is saved\n", stderr)

	term := &terminal{sources: map[string][]byte{"a.mdl": []byte("x\n")}}
	for _, text := range []string{"b.mdl:1:1: error: of a bundle\n  = help: so", "no place", "a.mdl:1:1: error: of two\nlines"} {
		require.Equal(t, text+"\n", term.excerpted(text))
	}
	require.Equal(t, "a.mdl:9:7: error: behind the end\n", term.excerpted("a.mdl:9:7: error: behind the end"))
	require.Contains(t, term.excerpted("stdlib/nn.mdl:1:4: error: of the library"), "1 | // nn.mdl: layers.\n")
}
