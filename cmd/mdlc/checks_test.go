package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// counts learns how frequent bytes are; a byte past its table is an index that is outside.
const counts = `use optim
config { vocab = 100    rate = 0.1 }
module Counts {
  param score: f32[vocab] ~ normal(std: 0.01)
  fn loss(tok: i32[B, T]) -> f32 {
    p = log_softmax(score, axis: -1)
    l[b, t] = p[tok[b, t]]
    return -mean(l)
  }
}
data corpus = bytes("corpus.txt", split: [0.8, 0.2])
counts = Counts()
train for 400 {
  each tok: i32[4, 8] from windows(corpus.train)
  loss = counts.loss(tok)
  minimize loss over counts with optim.sgd(lr: rate)
  report loss
}
eval valid {
  each tok: i32[4, 8] from windows(corpus.valid, stride: 8)
  report loss = counts.loss(tok)
}
sample at(i: i32 = 3) {
  show counts.score[i]
}
`

// writeCounts makes the model and a text with the given bytes at its places.
func writeCounts(t *testing.T, text string, bytes map[int]byte) (file string) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir := t.TempDir()
	t.Chdir(dir)
	corpus := []byte(strings.Repeat("ABCDEFGH", 100))
	for at, b := range bytes {
		corpus[at] = b
	}
	require.NoError(t, os.WriteFile("corpus.txt", corpus, 0o644))
	require.NoError(t, os.WriteFile("counts.mdl", []byte(text), 0o644))
	return "counts.mdl"
}

// An index that leads outside in the library is told of at the call in the model file.
func TestAnIndexOutsideInTheLibrary(t *testing.T) {
	t.Chdir(t.TempDir())
	for asked, want := range map[string]string{
		"cross_entropy(w, k)":                   "index 4 is outside of the axis of 3 (",
		"one_hot(k, 4)":                         "index 4 is outside of the axis of 4 (", // of an array of the library's
		"cross_entropy(keep_top_k(w, k: 3), k)": "index 4 is outside of the axis of 3 (", // not of `kept`, as the library calls it
	} {
		text := "sample s {\n  w ~ normal[3]\n  k = argmax(w) + 3\n  show " + asked + "\n}\n"
		require.NoError(t, os.WriteFile("labels.mdl", []byte(text), 0o644))
		_, stderr, code := call("run", "labels.mdl", "sample", "-q")
		require.Equal(t, exitFailure, code, stderr)
		require.Contains(t, stderr, "labels.mdl:4:8: error: "+want)
	}
}

func TestAnIndexOutsideEndsTraining(t *testing.T) {
	file := writeCounts(t, counts, map[int]byte{320: 200})
	for _, more := range [][]string{{"--threads=1"}, {"--threads=2"}, {"--no-fusion"}} {
		_, stderr, code := call(append([]string{"run", file, "train", "-q", "--seed=1", "--save-every=1", "--out=" + more[0]}, more...)...)
		require.Equal(t, exitFailure, code, stderr)
		require.Regexp(t, `^counts.mdl:7:15: error: index 200 is outside of the axis of 100 of .* \(train, step \d+\)\n  \|\n7 \| +l\[b, t\] = .*\n.*\n   = help: .*\n$`, stderr)
		log, err := os.ReadFile(filepath.Join(more[0], "log.jsonl"))
		require.NoError(t, err)
		require.NotContains(t, string(log), "null")
		steps := strings.Count(string(log), "\n")
		require.NotZero(t, steps)
		_, again, code := call("run", file, "train", "-q", "--resume", "--out="+more[0])
		require.Equal(t, exitFailure, code)
		require.Equal(t, stderr, again, "the last checkpoint is the one before")
	}
}

func TestAnIndexOutsideEndsEvalsAndSamples(t *testing.T) {
	file := writeCounts(t, counts, map[int]byte{700: 255})
	_, stderr, code := call("run", file, "train", "-q", "--steps=5")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "index 255 is outside of the axis of 100")
	require.Contains(t, stderr, "(eval valid, step 5)")
	require.FileExists(t, "runs/counts/weights.safetensors")
	_, again, code := call("run", file, "eval", "valid", "-q")
	require.Equal(t, exitFailure, code)
	require.Equal(t, stderr, again)
	for i, want := range map[string]string{"99": "", "100": "index 100 is outside of the axis of 100", "-1": "index -1 is outside of the axis of 100"} {
		_, stderr, code := call("run", file, "sample", "at", "-q", "--i="+i)
		require.Equal(t, want == "", code == 0, stderr)
		require.Contains(t, stderr, want)
	}
}

func TestALossThatIsNotFiniteEndsTraining(t *testing.T) {
	for change, want := range map[string]string{
		"lr: rate => lr: log(f32(1 - step))":                                "counts.mdl:17:10: error: `loss` is NaN (train, step 3)",
		"loss = counts.loss(tok) => loss = counts.loss(tok) ^ (200 * step)": "counts.mdl:17:10: error: `loss` is infinite (train, step 2)",
	} {
		from, to, _ := strings.Cut(change, " => ")
		file := writeCounts(t, strings.Replace(counts, from, to, 1), nil)
		stdout, stderr, code := call("run", file, "train", "--json", "-q", "--seed=1", "--save-every=1")
		require.Equal(t, exitFailure, code, "%s: %s", change, stderr)
		require.Contains(t, stderr, want)
		require.Contains(t, stderr, "\n   = help: nothing of this step is saved;")
		require.NotContains(t, stdout, "null")
		_, again, code := call("run", file, "train", "-q", "--resume")
		require.Equal(t, exitFailure, code)
		require.Equal(t, stderr, again, "the last checkpoint is the one before")
	}
}

func TestAScalarWithoutNameThatIsNotFinite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slope.mdl")
	require.NoError(t, os.WriteFile(file, []byte("sample slope {\n  x ~ uniform(-2, -1)\n  show grad(log(x), x)\n}\n"), 0o644))
	_, stderr, code := call("run", file, "sample", "-q")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "slope.mdl:3:8: error: what a gradient is taken of is NaN (sample slope)")
}

// stacked reads tables in a loop over layers, trains in a repeat, and samples in a while.
const stacked = `use optim
config { vocab = 100 }
module Table {
  param score: f32[vocab] ~ normal(std: 0.01)
  fn (tok: i32[B, T], x: f32[B, T]) -> f32[B, T] {
    y[b, t] = x[b, t] + score[tok[b, t]]
    return y
  }
}
module Tables {
  tables = [Table() for 3]
  fn loss(tok: i32[B, T], scale: f32) -> f32 {
    x: f32[B, T] = 0
    for table in tables { x = tanh(table(tok, x)) }
    return mean((x - 1)^2) * scale
  }
}
data corpus = bytes("corpus.txt", split: [0.8, 0.2])
tables = Tables()
train for 30 {
  repeat 2 {
    each tok: i32[4, 8] from windows(corpus.train)
    loss = tables.loss(tok, 1)
    minimize loss over tables with optim.sgd(lr: 0.1)
  }
  report step
}
sample walk(n: i32 = 3) {
  i: i32 = 0
  sum: f32 = 0
  while i < n {
    sum = sum + tables.tables[1].score[i * 50]
    i = i + 1
  }
  show sum
}
`

func TestChecksLeaveLoops(t *testing.T) {
	file := writeCounts(t, stacked, nil)
	_, stderr, code := call("run", file, "train", "-q")
	require.Equal(t, 0, code, stderr)
	for n, want := range map[string]string{"0": "", "2": "", "3": "counts.mdl:32:40: error: index 100 is outside of the axis of 100 of ", "4": "index 150 is"} {
		_, stderr, code := call("run", file, "sample", "walk", "-q", "--n="+n)
		require.Equal(t, want == "", code == 0, stderr)
		require.Contains(t, stderr, want)
	}
	_, stderr, code = call("run", file, "train", "-q", "--set=vocab=70")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "counts.mdl:6:25: error: index 72 is outside of the axis of 70 of `tables.tables.#.score` (train, step 1)")
	file = writeCounts(t, strings.Replace(stacked, "(tok, 1)", "(tok, exp(60 * step))", 1), nil)
	_, stderr, code = call("run", file, "train", "-q")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "counts.mdl:24:5: error: `loss` is NaN (train, step 3)", "infinite in the first turn, which is not all")
}

func TestFlagsStandAnywhere(t *testing.T) {
	_, file := model(t)
	var want string
	for _, args := range []string{
		"run FILE train --no-fusion -q --json --seed 1 --steps 3", "run --no-fusion -q --json --seed 1 --steps 3 FILE train",
		"run -q --seed=1 FILE --no-fusion --steps 3 train --json", "--json run FILE train -q --steps=3 --seed 1",
		"run --json --set epochs=20 FILE --seed 1 train -q --steps=3",
	} {
		args = strings.ReplaceAll(args, "FILE", file)
		stdout, stderr, code := call(strings.Fields(args)...)
		if strings.HasPrefix(args, "--json run") {
			require.Equal(t, exitUsage, code, "%s", args)
			require.Contains(t, stderr, "unknown flag --json")
			continue
		}
		require.Equal(t, 0, code, "%s: %s", args, stderr)
		if want == "" {
			want = stdout
		}
		require.Equal(t, want, stdout, args)
	}
	a, _, code := call("run", file, "sample", "-q", "--at", "2")
	require.Equal(t, 0, code)
	b, _, code := call("run", "--at", "2", "-q", file, "sample")
	require.Equal(t, 0, code)
	require.Equal(t, a, b)
	_, stderr, code := call("run", "--quietly", file, "train")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--quietly is no flag of `run`, so it took `"+file+"` as its value")
	_, stderr, code = call("run", "missing.mdl", "sample", "--x", file)
	require.NotZero(t, code)
	require.Contains(t, stderr, "no model: missing.mdl is not there")
}

// A file of which nothing is left to compute runs, also as a bundle.
func TestNothingToCompute(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MDLC_CACHE", filepath.Join(dir, "cache"))
	file, bundle := filepath.Join(dir, "idle.mdl"), filepath.Join(dir, "idle.bundle")
	require.NoError(t, os.WriteFile(file, []byte("sample idle {\n  x ~ normal[4]\n  y = x + 1\n}\n"), 0o644))
	_, stderr, code := call("compile", file, "-o", bundle)
	require.Equal(t, 0, code, stderr)
	for _, f := range []string{file, bundle} {
		_, stderr, code := call("run", f, "sample", "-q")
		require.Equal(t, 0, code, stderr)
	}
}

// What is computed from a length of the run may be negative, and a loop over it makes no turn then.
func TestLengthsBelowZero(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lengths.mdl")
	require.NoError(t, os.WriteFile(file, []byte(`fn walk(p: i32[1, N]) {
  h: i32 = 0
  repeat N - 2 { h = h + 1 }
  for t in reverse(range(1, N)) {
    h = 10 * h + t
    back[t] = t
  }
  return 100 * h + 10 * sum(back) + (N - 3)
}
sample lengths(p: text = "a") { show walk(p) }
`), 0o644))
	for prompt, want := range map[string]string{"a": "-2", "ab": "109", "abcd": "232161"} {
		stdout, stderr, code := call("run", file, "sample", "-q", "--p="+prompt)
		require.Equal(t, 0, code, stderr)
		require.Equal(t, want, strings.TrimSpace(stdout), prompt)
	}
}
