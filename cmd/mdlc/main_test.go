package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// As a child of a test this binary is the command itself.
func TestMain(m *testing.M) {
	if os.Getenv("MDLC_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// call runs one command line in this process.
func call(args ...string) (stdout, stderr string, code int) {
	var out, err bytes.Buffer
	code = execute(args, &terminal{stdout: &out, stderr: &err})
	return out.String(), err.String(), code
}

// model copies the test's model and its data into a folder of its own, with a
// cache of compiled kernels that all tests share.
func model(t *testing.T) (dir, file string) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir = t.TempDir()
	text, err := os.ReadFile("../../testdata/runtime/regression.mdl")
	require.NoError(t, err)
	file = filepath.Join(dir, "regression.mdl")
	require.NoError(t, os.WriteFile(file, text, 0o644))
	head := "{'descr': '<f4', 'fortran_order': False, 'shape': (63, 8), }\n"
	data := append([]byte("\x93NUMPY\x01\x00"), byte(len(head)), 0)
	data = append(data, head...)
	random := rand.New(rand.NewPCG(1, 2))
	for range 63 {
		var row [8]float32
		for j := range 7 {
			row[j] = random.Float32()*2 - 1
			row[7] += float32(j+1) * row[j]
		}
		data, err = binary.Append(data, binary.LittleEndian, row)
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "points.npy"), data, 0o644))
	t.Chdir(dir)
	return dir, file
}

func TestUsageErrors(t *testing.T) {
	_, file := model(t)
	for _, c := range []struct{ args, want string }{
		{"", "expected one of"},
		{"frobnicate", "unexpected argument frobnicate"},
		{"run", `expected "<file>"`},
		{"run FILE dance", "`dance` is nothing to run: train, eval [NAME] or sample [NAME]"},
		{"run FILE train --prompt x", "unknown flag --prompt"},
		{"run FILE train a b", "too many words: train a b"},
		{"run FILE --save-every soon", "--save-every soon: a number of steps (500) or a time (30s, 5m) is expected"},
		{"run FILE --seed -1", "-1"},
		{"run FILE train --steps 0", "--steps and --threads are positive numbers"},
		{"run FILE train --set epcohs=3", "did you mean `epochs`?"},
		{"run FILE train --data pints=x", "--data pints: regression.mdl has points"},
		{"run FILE sample predict --ta 3", "sample predict has no flag --ta; it has --at"},
		{"compile FILE", "nothing to do: -o FILE, --emit STAGE"},
		{"compile FILE --emit pictures", "--emit must be one of"},
		{"compile FILE --dump polish", "there is no pass polish: the passes are "},
		{"compile FILE --dump loops:polish", "there is no step polish: the steps are "},
		{"compile FILE --emit asm --target z80", "unknown target"},
	} {
		stdout, stderr, code := call(strings.Fields(strings.ReplaceAll(c.args, "FILE", file))...)
		require.Equal(t, exitUsage, code, "%s: %s", c.args, stderr)
		require.Contains(t, stderr, c.want, c.args)
		require.Empty(t, stdout, c.args)
	}
}

func TestFailures(t *testing.T) {
	dir, file := model(t)
	silent := filepath.Join(dir, "silent.mdl")
	require.NoError(t, os.WriteFile(silent, []byte("sample look { show 1.5 }\n"), 0o644))
	for _, c := range []struct{ args, want string }{
		{"run " + silent + " eval", "has no eval block"},
		{"run nowhere.mdl", "no model: open nowhere.mdl: no such file or directory"},
		{"run points.npy", "points.npy: not a bundle of mdlc"},
		{"run FILE sample", "no weights in runs/regression: train first"},
		{"run FILE eval valid", "no weights in runs/regression: train first"},
		{"run FILE train --data points=gone.npy", filepath.Join(dir, "gone.npy") + " is not there\n  = help: `--data points=PATH`"},
	} {
		_, stderr, code := call(strings.Fields(strings.ReplaceAll(c.args, "FILE", file))...)
		require.Equal(t, exitFailure, code, "%s: %s", c.args, stderr)
		require.Contains(t, stderr, c.want, c.args)
		require.NotContains(t, stderr, "goroutine")
	}
	require.NoError(t, os.WriteFile("bad.mdl", []byte("train { minimize nothing over more with less }\n"), 0o644))
	for _, args := range [][]string{{"check", "bad.mdl"}, {"run", "bad.mdl"}, {"compile", "bad.mdl", "-o", "x"}} {
		_, stderr, code := call(args...)
		require.Equal(t, exitFailure, code)
		require.Contains(t, stderr, "bad.mdl:1:")
	}
	require.NoFileExists(t, "x")
}

func TestRunTrainsThenSamples(t *testing.T) {
	_, file := model(t)
	stdout, stderr, code := call("run", file, "--seed", "3", "--at=2")
	require.Equal(t, 0, code, stderr)
	var got [7]float64
	_, err := fmt.Sscan(stdout, &got[0], &got[1], &got[2], &got[3], &got[4], &got[5], &got[6])
	require.NoError(t, err)
	for j, v := range got {
		require.InDelta(t, 2*float64(j+1), v, 0.1)
	}
	require.Contains(t, stderr, "train  step 1/200  loss ")
	require.Contains(t, stderr, "eval valid  step 200  loss ")
	for _, name := range []string{"config.json", "log.jsonl", "regression.mdl", "weights.safetensors"} {
		require.FileExists(t, filepath.Join("runs/regression", name))
	}
	weights, err := os.ReadFile("runs/regression/weights.safetensors")
	require.NoError(t, err)
	again, stderr, code := call("run", file, "-q", "--at", "2")
	require.Equal(t, 0, code)
	require.Empty(t, stderr)
	require.Equal(t, stdout, again)
	after, err := os.ReadFile("runs/regression/weights.safetensors")
	require.NoError(t, err)
	require.Equal(t, weights, after, "the second run trained again")
	stdout, _, code = call("run", file, "eval", "valid", "--json", "-q")
	require.Equal(t, 0, code)
	require.Regexp(t, `^\{"block":"eval valid","step":200,"loss":[0-9.e-]+\}\n$`, stdout)
}

func TestBundleRunsLikeTheModel(t *testing.T) {
	_, file := model(t)
	_, stderr, code := call("compile", file, "-o", "regression.bundle")
	require.Equal(t, 0, code, stderr)
	a, _, code := call("run", file, "train", "-q", "--json", "--steps", "7", "--seed", "1", "--out", "a")
	require.Equal(t, 0, code)
	b, stderr, code := call("run", "regression.bundle", "train", "-q", "--json", "--steps", "7", "--seed", "1", "--out", "b")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, a, b)
	require.Equal(t, 8, strings.Count(a, "\n"))
	_, stderr, code = call("run", "regression.bundle", "train", "--set", "n=3")
	require.Equal(t, exitUsage, code, stderr)
}

// What is compiled into a bundle cannot be changed, and is not ignored either.
func TestABundleRefusesOtherCompiledFlags(t *testing.T) {
	file := writeCounts(t, counts+"sample few(n: int = 3) { show counts.score[:n] }\n", nil)
	_, stderr, code := call("run", file, "train", "-q", "--steps", "1")
	require.Equal(t, 0, code, stderr)
	_, stderr, code = call("compile", file, "-o", "counts.bundle")
	require.Equal(t, 0, code, stderr)
	stdout, stderr, code := call("run", "counts.bundle", "sample", "few", "-q", "--n", "3")
	require.Equal(t, 0, code, stderr)
	require.Len(t, strings.Fields(stdout), 3)
	stdout, stderr, code = call("run", "counts.bundle", "sample", "few", "-q", "--n", "5")
	require.Equal(t, exitUsage, code, stderr)
	require.Equal(t, "mdlc: --n is 3 in this bundle: another value needs the model file\n", stderr)
	require.Empty(t, stdout)
}

// A second compilation comes from the cache; a damaged cache costs time only.
func TestProgramsAreCached(t *testing.T) {
	_, file := model(t)
	cache := t.TempDir()
	t.Setenv("MDLC_CACHE", cache)
	passes := func(args ...string) int {
		_, stderr, code := call(append([]string{"compile", file, "-o", "out.bundle", "--time"}, args...)...)
		require.Equal(t, 0, code, stderr)
		return strings.Count(stderr, " ms\n")
	}
	require.NotZero(t, passes())
	first, err := os.ReadFile("out.bundle")
	require.NoError(t, err)
	require.Zero(t, passes())
	second, err := os.ReadFile("out.bundle")
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.NotZero(t, passes("--set", "epochs=3"))
	require.NotZero(t, passes("--no-fusion"))
	files, err := os.ReadDir(cache)
	require.NoError(t, err)
	for _, f := range files {
		require.NoError(t, os.WriteFile(filepath.Join(cache, f.Name()), []byte("damage"), 0o644))
	}
	require.NotZero(t, passes())
	third, err := os.ReadFile("out.bundle")
	require.NoError(t, err)
	require.Equal(t, first, third)
}

func TestStagesPrint(t *testing.T) {
	_, file := model(t)
	for _, c := range []struct{ args, want string }{
		{"--emit graph", "entry train"}, {"--emit plan", "plan "}, {"--emit loops", "kernel "},
		{"--emit llvm", "define "}, {"--emit asm", ".text"}, {"--dump simplify", "graph "}, {"--dump loops:sweep", "kernel "}, {"--stop-after grad", "module "},
	} {
		stdout, stderr, code := call(append([]string{"compile", file}, strings.Fields(c.args)...)...)
		require.Equal(t, 0, code, stderr)
		require.Contains(t, stdout, c.want, c.args)
		again, _, _ := call(append([]string{"compile", file}, strings.Fields(c.args)...)...)
		require.Equal(t, stdout, again, "%s is not deterministic", c.args)
	}
}

func TestDoctorAndVersion(t *testing.T) {
	model(t)
	stdout, stderr, code := call("doctor")
	require.Equal(t, 0, code, stderr)
	for _, want := range []string{"cpu ", "llvm ", "LLVM version 19", "cache "} {
		require.Contains(t, stdout, want)
	}
	stdout, _, code = call("version")
	require.Equal(t, 0, code)
	require.Regexp(t, `^mdlc \S+\n$`, stdout)
}

// The run folder keeps the model of the run that its weights are of.
func TestARunFolderKeepsItsModel(t *testing.T) {
	_, file := model(t)
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	kept := func() string {
		text, err := os.ReadFile("runs/regression/regression.mdl")
		require.NoError(t, err)
		return string(text)
	}
	_, stderr, code := call("run", file, "train", "--steps", "2")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, string(before), kept())
	require.NoError(t, os.WriteFile(file, append([]byte("// another\n"), before...), 0o644))
	_, stderr, code = call("run", file, "train", "--data", "points=gone.npy")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "gone.npy is not there")
	require.Equal(t, string(before), kept(), "a run that did not begin changed the folder")
	_, stderr, code = call("run", file, "train", "--resume", "--steps", "4")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stderr, "warning: "+file+" is not what it was when the run began\n")
	require.NotEqual(t, string(before), kept())
}

// Results that cannot be written are failures of the command.
func TestAFullOutputIsAFailure(t *testing.T) {
	_, file := model(t)
	_, stderr, code := call("run", file, "train", "-q", "--steps", "1")
	require.Equal(t, 0, code, stderr)
	for _, args := range []string{"doctor", "version", "compile FILE --emit plan", "compile FILE --dump fuse", "run FILE eval -q", "run FILE sample -q", "run FILE train -q --json --steps 1"} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		require.NoError(t, err)
		var stderr bytes.Buffer
		code := execute(strings.Fields(strings.ReplaceAll(args, "FILE", file)), &terminal{stdout: full, stderr: &stderr})
		require.NoError(t, full.Close())
		require.Equal(t, exitFailure, code, args)
		require.Contains(t, stderr.String(), "no space left on device", args)
	}
}

// Ctrl-C saves: the resumed run ends like one that was left alone.
func TestInterruptSavesAndResumes(t *testing.T) {
	_, file := model(t)
	const steps = "5000"
	_, stderr, code := call("run", file, "train", "-q", "--steps", steps, "--seed", "1", "--out", "whole")
	require.Equal(t, 0, code, stderr)
	cmd := exec.Command(os.Args[0], "run", file, "train", "--json", "--steps", steps, "--seed", "1", "--out", "part", "--save-every", "1h")
	cmd.Env = append(os.Environ(), "MDLC_TEST_MAIN=1")
	var told bytes.Buffer
	cmd.Stderr = &told
	records, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.ReadFull(records, make([]byte, 1))
	require.NoError(t, err)
	// The run cannot be over before: its records are more than a pipe holds.
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, records)
	require.NoError(t, err)
	require.Error(t, cmd.Wait())
	require.Equal(t, exitFailure, cmd.ProcessState.ExitCode())
	require.Contains(t, told.String(), "--resume goes on")
	_, stderr, code = call("run", file, "train", "--steps", steps, "--out", "part", "--resume")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, stderr, "train goes on after step ")
	for _, name := range []string{"weights.safetensors", "log.jsonl"} {
		whole, err := os.ReadFile(filepath.Join("whole", name))
		require.NoError(t, err)
		part, err := os.ReadFile(filepath.Join("part", name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(whole, part), "%s differs", name)
	}
}

func TestJSONLinesAreObjects(t *testing.T) {
	_, file := model(t)
	stdout, _, code := call("run", file, "train", "-q", "--json", "--set", "epochs=11", "--seed", "1")
	require.Equal(t, 0, code)
	evals := 0
	for line := range strings.Lines(stdout) {
		rec := map[string]json.RawMessage{}
		require.NoError(t, json.Unmarshal([]byte(line), &rec))
		require.Contains(t, rec, "step")
		require.Contains(t, rec, "loss")
		if string(rec["block"]) == `"eval valid"` {
			evals++
		}
	}
	require.Equal(t, 2, evals) // after step 100, and at the end after step 110
	require.Contains(t, stdout, `{"block":"eval valid","step":110,"loss":`)
}
