package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/runtime/program"
)

// weighty is a model with one matrix of some size.
const weighty = `use nn, optim
near = nn.Linear(64, 48)
far = nn.Linear(48, 64)
fn model(x: f32[B, 64]) -> f32[B, 64] = far(tanh(near(x)))

fn error() {
  x ~ normal()[32, 64]
  return mean((model(x) - x) ^ 2)
}

train for 20 {
  loss = error()
  minimize loss over [near, far] with optim.adam(lr: 0.01)
}

eval again { report loss = error() }

sample write() {
  x[i < 1, j < 64] = j / 64
  show model(x) as table
}
`

// Evals and samples with --weights compute from rounded weights; training and checkpoints do not know of it.
func TestWeightsFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("weighty.mdl", []byte(weighty), 0o644))
	run := func(args string) string {
		stdout, stderr, code := call(append([]string{"run", "weighty.mdl"}, strings.Fields(args)...)...)
		require.Equal(t, 0, code, stderr)
		return stdout
	}
	loss := func(flags string) float64 {
		var r struct{ Loss float64 }
		lines := strings.Split(strings.TrimSpace(run("eval --json "+flags)), "\n")
		require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &r))
		return r.Loss
	}
	run("train")
	whole := loss("")
	require.Equal(t, whole, loss("--weights f32"))
	_, shown, _ := strings.Cut(run("eval --quiet"), "loss ")
	told, err := strconv.ParseFloat(strings.Fields(shown)[0], 64)
	require.NoError(t, err)
	require.InEpsilon(t, whole, told, 1e-5, "what rounding costs is in digits behind the fourth")
	seen := map[float64]bool{whole: true}
	for _, name := range []string{"int8", "f8e4m3", "bf16", "f16"} {
		rounded := loss("--weights " + name)
		require.False(t, seen[rounded], "%s rounds nothing", name)
		seen[rounded] = true
		require.InEpsilon(t, whole, rounded, 1e-2, name)
		require.Equal(t, rounded, loss("--no-fusion --weights "+name), "bits do not depend on fusion")
	}
	half := loss("--precision bf16") // products take weights through a cast
	require.NotEqual(t, half, loss("--precision bf16 --weights int8"))
	require.Equal(t, half, loss("--precision bf16 --weights bf16"))
	run("sample")
	before := weightsOf(t, "runs/weighty")
	run("train --steps 30 --resume --weights int8")
	run("train --steps 30 --out whole")
	require.Equal(t, weightsOf(t, "whole"), weightsOf(t, "runs/weighty"))
	require.NotEqual(t, before, weightsOf(t, "whole"))

	_, stderr, code := call("run", "weighty.mdl", "eval", "--weights", "int4")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "weights are stored in int8, f8e4m3, bf16, f16 or f32, not in int4")

	_, stderr, code = call("compile", "weighty.mdl", "--weights", "int8", "-o", "weighty.bundle")
	require.Equal(t, 0, code, stderr)
	stdout, stderr, code := call("run", "weighty.bundle", "eval", "--json", "--out", "runs/weighty")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, run("eval --json --weights int8"), strings.TrimSpace(stdout))
	_, stderr, code = call("run", "weighty.bundle", "eval", "--weights", "bf16")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--weights")
}

// Rounded weights are kept from run to run, and rounded anew where training changed them.
func TestWeightsAreRoundedAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	text := strings.Replace(weighty, "(lr: 0.01)", "(lr: 0.01)\n  every 5 { eval again }", 1)
	require.NoError(t, os.WriteFile("weighty.mdl", []byte(text), 0o644))
	run := func(args ...string) []string {
		stdout, stderr, code := call(append([]string{"run", "weighty.mdl"}, args...)...)
		require.Equal(t, 0, code, stderr)
		return strings.Split(strings.TrimSpace(stdout), "\n")
	}
	for _, steps := range []string{"10", "15", "20"} {
		var during string
		for _, line := range run("train", "--json", "--weights", "int8", "--steps", steps) {
			if strings.Contains(line, `"block":"eval again"`) {
				during = line
			}
		}
		require.Contains(t, during, `"step":`+steps)
		require.Equal(t, during, run("eval", "--json", "--weights", "int8")[0])
	}
}

// Evals and samples have no buffer of a moment, so the runtime leaves moments in their file.
func TestMomentsAreForTrainingAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("weighty.mdl", []byte(weighty), 0o644))
	_, stderr, code := call("compile", "weighty.mdl", "-o", "weighty.bundle")
	require.Equal(t, 0, code, stderr)
	file, err := os.Open("weighty.bundle")
	require.NoError(t, err)
	defer file.Close()
	p, err := program.Load(file)
	require.NoError(t, err)
	kinds := map[string]map[program.StateKind]int{}
	for _, e := range p.Entries {
		kinds[e.Kind] = map[program.StateKind]int{}
		for _, b := range e.Block.Bufs {
			if b.Home == program.HomeState {
				kinds[e.Kind][p.States[b.State].Kind]++
			}
		}
	}
	require.Equal(t, map[program.StateKind]int{program.Param: 4}, kinds["eval"])
	require.Equal(t, map[program.StateKind]int{program.Param: 4}, kinds["sample"])
	require.Positive(t, kinds["train"][program.Moment])
	require.Equal(t, kinds["train"], kinds["init"])
}
