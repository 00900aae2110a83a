package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const givenModel = `use nn, optim
config { hidden = 4    twice = 2 * hidden    scale = 1.0 }
data d = csv("there.csv")
net = nn.MLP([2, twice, 1])
train for 2 {
  each x: f32[8, 2] from d.train
  minimize mean(net(x)^2) over net with optim.sgd(lr: 0.1)
}
eval valid {
  each x: f32[8, 2] from d.valid
  report loss = scale * mean(net(x)^2)
}
sample s(n: int = 1, t: f32 = 2) { show t * mean(net(zeros(n)))    show scale }
fn zeros(n: int) -> f32[n, 2] { return z[i < n, j < 2] = 0.0 }
`

// givenFolder makes a folder of the model and of data that are not where it says, and goes there.
func givenFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("m.mdl", []byte(givenModel), 0o644))
	require.NoError(t, os.WriteFile("here now.csv", []byte(strings.Repeat("1,2\n3,4\n", 40)), 0o644))
}

// Eval, sample and resume take the settings and data that the run was trained with; what is given now wins.
func TestWhatTheRunWasGiven(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	givenFolder(t)
	run := func(want int, args ...string) (string, string) {
		stdout, stderr, code := call(append([]string{"run", "m.mdl"}, args...)...)
		require.Equal(t, want, code, stderr)
		return stdout, stderr
	}
	_, stderr := run(0, "train", "--set", "hidden=6", "--set", "scale=3", "--data", "d=here now.csv")
	require.NotContains(t, stderr, "was trained")
	path, err := filepath.Abs("here now.csv")
	require.NoError(t, err)
	taken := "as " + filepath.Join("runs", "m") + " was trained: --set hidden=6 --set scale=3 --data 'd=" + path + "'\n"

	_, stderr = run(0, "eval")
	require.Contains(t, stderr, taken)
	stdout, stderr := run(0, "sample", "--set", "scale=5")
	require.Contains(t, stderr, "was trained: --set hidden=6 --data")
	require.Contains(t, stdout, "\n5\n")
	_, stderr = run(0)
	require.Contains(t, stderr, taken)
	_, stderr = run(0, "sample", "-q")
	require.Empty(t, stderr)

	_, stderr = run(0, "train", "--resume", "--steps", "3", "--set", "scale=4")
	require.NotContains(t, stderr, "warning: hidden")
	_, stderr = run(0, "eval")
	require.Contains(t, stderr, "was trained: --set hidden=6 --set scale=4 --data", "what a resumed run took is its own")

	_, stderr = run(1, "sample", "--set", "hidden=5")
	require.Contains(t, stderr, "net.layers.0.weight is f32[2, 12] there and f32[2, 10] here")
	require.Contains(t, stderr, "\n  = they were trained with hidden = 6, now 5; twice = 12, now 10\n")

	// A setting that the file has no more is none to take; without the run's settings the file's hold.
	require.NoError(t, os.WriteFile("m.mdl", []byte(strings.ReplaceAll(strings.ReplaceAll(givenModel, "scale", "size"), "= 4 ", "= 6 ")), 0o644))
	run(0, "eval")
	stdout, _ = run(0, "sample")
	require.Contains(t, stdout, "\n1\n")
}

// What a run lacks is told before anything is compiled.
func TestChecksBeforeCompiling(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("MDLC_CACHE", cache)
	givenFolder(t)
	require.NoError(t, os.WriteFile("three.csv", []byte(strings.Repeat("1,2,3\n", 40)), 0o644))
	require.NoError(t, os.WriteFile("short.csv", []byte("1,2\n3,4\n"), 0o644))
	require.NoError(t, os.WriteFile("other.csv", []byte(strings.Repeat("1,2\n", 40)), 0o644))
	compiled := func() (files []string) {
		require.NoError(t, filepath.WalkDir(cache, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, path)
			}
			return err
		}))
		return files
	}
	run := func(args string) string {
		_, stderr, code := call(append([]string{"run", "m.mdl"}, strings.Fields(args)...)...)
		require.NotEqual(t, 0, code)
		require.Empty(t, compiled(), args)
		return stderr
	}
	for args, want := range map[string]string{
		"train":                         "there.csv is not there\n  |\n3 | data d = csv(\"there.csv\")\n  | ^^^^\n   = help: `--data d=PATH`",
		"train --data d=three.csv":      "d.train cannot fill `x: f32[8, 2]`: its rows have 3 numbers, a row of the batch 2",
		"train --data d=short.csv":      "fewer than a batch of 8\n  |\n3 | data d = csv(\"there.csv\")\n  | ^^^^\n   = help: a smaller batch or a shorter cut fits (`--set`, if it is a setting); `--data d=PATH` takes more data, and `split` says how many of them are `train`\n",
		"--steps 3 --tt 1":              "sample s has no flag --tt; it has --n --t",
		"train --hidden 3":              "unknown flag --hidden: `--set hidden=3` changes the setting",
		"eval vaild":                    "m.mdl has no `eval vaild`; it has valid",
		"sample q":                      "m.mdl has no `sample q`; it has s",
		"sample s --t warm":             "--t warm: a number is expected",
		"sample s --hidden 3":           "sample s has no flag --hidden; it has --n --t; `--set hidden=3` changes the setting",
		"sample s":                      "no weights in",
		"eval":                          "no weights in",
		"train --resume --data d=x.csv": "x.csv is not there",
	} {
		require.Contains(t, run(args), want, args)
	}
	_, stderr, code := call("run", "m.mdl", "--data", "d=here now.csv")
	require.Equal(t, 0, code, stderr)
	require.NotEmpty(t, compiled())

	cache = t.TempDir()
	t.Setenv("MDLC_CACHE", cache)
	for args, want := range map[string]string{
		"train --resume --seed 9":           "runs/m was trained with seed 0: it cannot go on with seed 9\n",
		"train --resume --data d=three.csv": "cannot fill",
		"train --resume --data d=other.csv": "error: data d (",
	} {
		require.Contains(t, run(args), want, args)
	}
}

// A text that was forgotten is not "true".
func TestFlagsWithoutValues(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("say.mdl", []byte("sample say(prompt: text = \"a\", loud: bool = false) { show prompt as text }\n"), 0o644))
	_, stderr, code := call("run", "say.mdl", "sample", "-q", "--prompt")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--prompt takes a value: --prompt TEXT")
	_, stderr, code = call("run", "say.mdl", "sample", "-q", "--loud")
	require.Equal(t, 0, code, stderr)

	require.NoError(t, os.WriteFile("noise.mdl", []byte("sample s(n: int = 2, scale: f32 = 1, loud: bool = false) { x ~ normal[n]  show scale * x[:0] }\n"), 0o644))
	_, stderr, code = call("run", "noise.mdl", "sample", "--n", "--scale", "-0.5", "-q")
	require.Equal(t, exitUsage, code)
	require.Equal(t, "error: --n: the setting is a number like 2\n", stderr)
	_, stderr, code = call("run", "noise.mdl", "sample", "--loud", "--scale", "-0.5", "--n", "3", "-q")
	require.Equal(t, 0, code, stderr)
}
