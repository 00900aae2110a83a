package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchModel has one product of a size that can be counted by hand: 2·6·40·40.
const benchModel = `use nn, optim
net = nn.Linear(40, 40)
data points = npy("points.npy")
train for 5 {
  each x: f32[6, 40] from points.train
  loss = mean(net(x)^2)
  minimize loss over net with optim.sgd(lr: 0.1)
}
sample once(n: int = 3) {
  x: f32[6, 40] = 1
  for i in n { x = x + net(x) }
  show x
}
`

// trainingTwice has two trainings, of which bench measures the one that is named.
const trainingTwice = `use optim
param w: f32[9] ~ normal()
train first for 5 { minimize sum(w^2) over w with optim.sgd(lr: 0.1) }
train second for 5 { minimize sum(w^4) over w with optim.sgd(lr: 0.1) }
`

func TestBench(t *testing.T) {
	dir, file := model(t)
	stdout, stderr, code := call("bench", file, "--json", "--rounds", "5", "--threads", "1")
	require.Zero(t, code, stderr)
	var f figures
	require.NoError(t, json.Unmarshal([]byte(stdout), &f))
	require.Equal(t, "train", f.What)
	require.Equal(t, 1, f.Threads)
	require.Positive(t, f.Lower)
	require.LessOrEqual(t, f.Lower, f.Median)
	require.LessOrEqual(t, f.Median, f.Upper)
	require.Positive(t, f.Rows)
	require.Positive(t, f.GFLOP)
	require.Positive(t, f.GB)
	require.Less(t, f.GFLOP/f.Median, f.Peak.GFLOPS*1.5, "faster than multiply-adds in registers")
	require.Positive(t, f.Peak.GBS)
	require.Greater(t, f.Compile.Cold, f.Compile.Warm)
	require.Positive(t, f.Memory)
	require.Greater(t, f.MaxRSS, f.Memory)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "bench leaves nothing behind")

	stdout, stderr, code = call("bench", file, "eval", "valid", "--rounds", "1")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "eval valid")
	require.Regexp(t, `products +\S+ GFLOP a run, \S+ GFLOP/s, \d+% of the \S+ that multiply-adds in registers reach`, stdout)
	require.Regexp(t, `memory +\S+ GB a run, each buffer of a kernel once, \S+ GB/s, \d+% of what copies and reads of as many bytes reach, which is \S+ where no cache holds them`, stdout)
	require.Regexp(t, `compile +\S+ s with an empty cache, \S+ s again`, stdout)

	named := filepath.Join(dir, "named.mdl")
	require.NoError(t, os.WriteFile(named, []byte(trainingTwice), 0o600))
	stdout, stderr, code = call("bench", named, "train", "second", "--rounds", "1")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "train second")
	_, stderr, code = call("bench", named, "train", "third")
	require.NotZero(t, code)
	require.Contains(t, stderr, "has no `train third`; it has first, second")
	_, stderr, code = call("bench", file, "train", "third")
	require.NotZero(t, code)
	require.Contains(t, stderr, "has no `train third`; it has one without a name")
	require.NoError(t, os.Remove(named))

	for args, want := range map[string]string{
		"--rounds=0":    "--rounds is a positive number",
		"--rond=0":      "--rond",
		"--data=nope=x": "nope",
	} {
		_, stderr, code := call("bench", file, args)
		require.NotZero(t, code, args)
		require.Contains(t, stderr, want)
	}
	_, stderr, code = call("bench", file, "sample", "nope")
	require.NotZero(t, code)
	require.Contains(t, stderr, "nope")
	_, stderr, code = call("bench", filepath.Join(dir, "none.mdl"))
	require.NotZero(t, code)
	require.Contains(t, stderr, "none.mdl")
}

// Others are measured in turn with runs that wait for a line.
func TestBenchTurns(t *testing.T) {
	_, file := model(t)
	var out, err bytes.Buffer
	turns := func(lines string) int {
		return execute([]string{"bench", file, "--turns"}, &terminal{stdin: strings.NewReader(lines), stdout: &out, stderr: &err})
	}
	code := turns("1\n4\n1\n")
	require.Zero(t, code, err.String())
	lines := strings.Fields(out.String())
	require.Len(t, lines, 3)
	for _, line := range lines {
		s, err := strconv.ParseFloat(line, 64)
		require.NoError(t, err)
		require.Positive(t, s)
	}
	for _, line := range []string{"\n", "0\n", "two\n"} {
		require.Equal(t, exitUsage, turns(line))
		require.Contains(t, err.String(), "--turns: a positive number is expected")
	}
}

// A sample's work is that of all its turns, and its flags are flags of bench.
func TestBenchCountsTurns(t *testing.T) {
	dir, _ := model(t)
	file := filepath.Join(dir, "turns.mdl")
	require.NoError(t, os.WriteFile(file, []byte(benchModel), 0o644))
	for n, flag := range map[float64]string{3: "--n=3", 7: "--n=7"} {
		stdout, stderr, code := call("bench", file, "sample", "once", flag, "--json", "--rounds=1")
		require.Zero(t, code, stderr)
		var f figures
		require.NoError(t, json.Unmarshal([]byte(stdout), &f))
		require.InDelta(t, n*2*6*40*40/1e9, f.GFLOP, 1e-12)
		require.Zero(t, f.Rows)
	}
}

// What is measured begins with the model's first values, not with zeros: those are another load, for memory and for loops that end by what they compute.
func TestBenchBeginsWithFirstValues(t *testing.T) {
	dir, _ := model(t)
	file := filepath.Join(dir, "drawn.mdl")
	const src = "state x: f32[4096] ~ normal()\nsample spread() {\n  assert(mean(x^2) > 0.5)\n  show mean(x)\n}\neval spread {\n  assert(mean(x^2) > 0.5)\n  report m = mean(x)\n}\n"
	require.NoError(t, os.WriteFile(file, []byte(src), 0o644))
	for _, word := range []string{"sample", "eval"} {
		_, stderr, code := call("bench", file, word, "--rounds=1")
		require.Zero(t, code, stderr)
	}
	_, stderr, code := call("bench", file, "sample", "nope")
	require.NotZero(t, code)
	require.Contains(t, stderr, "spread", "an unknown name is told what there is")
}

// What is measured beside others is compiled: also texts that stay shorter than the context.
func TestBenchModelsCompile(t *testing.T) {
	files, err := filepath.Glob("../../testdata/bench/*.mdl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	bundle := filepath.Join(t.TempDir(), "bundle")
	for _, f := range files {
		_, stderr, code := call("compile", "--quiet", f, "-o", bundle)
		require.Zero(t, code, "%s: %s", f, stderr)
	}
}

// A bundle is measured without LLVM, too; what the machine can do at most is not known then.
func TestBenchWithoutLLVM(t *testing.T) {
	_, file := model(t)
	_, stderr, code := call("compile", file, "-o", "m.bundle")
	require.Equal(t, 0, code, stderr)
	for _, args := range []string{"check m.bundle", "compile m.bundle --emit graph"} {
		_, stderr, code := call(strings.Fields(args)...)
		require.Equal(t, exitUsage, code)
		require.Equal(t, "mdlc: m.bundle is a bundle, compiled already: the model file that it was made from is meant here\n", stderr)
	}
	for _, args := range []string{"bench m.bundle eval valid --rounds 1", "run m.bundle train --profile"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], strings.Fields(args)...)
		cmd.Env = append(os.Environ(), "MDLC_TEST_MAIN=1", "PATH=/nowhere")
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, string(said))
		require.NotContains(t, string(said), "roof is")
	}
}

// Of a sample that writes token after token the work depends on how many there are: no rates are told that a machine could not reach.
func TestBenchOfLengths(t *testing.T) {
	gpt := "../../stdlib/models/gpt.mdl"
	stdout, stderr, code := call("bench", gpt, "sample", "text", "--n", "5", "--set", "layers=1", "--rounds", "1", "--threads", "1")
	require.Zero(t, code, stderr)
	require.Regexp(t, `work +no more than \S+ GFLOP in products and \S+ GB of memory a run: lengths decide how much`, stdout)
	require.NotContains(t, stdout, "reach")
}
