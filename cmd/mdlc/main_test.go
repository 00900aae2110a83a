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
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
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
		{"frobnicate", "unexpected argument frobnicate: the commands are init, run, "},
		{"chek FILE", "unexpected argument chek, did you mean \"check\"?"},
		{"run FILE --out", "--out: its value is missing"},
		{"run FILE --set", "--set: its value is missing"},
		{"FILE", "unexpected argument FILE: `mdlc run FILE` runs a model"},
		{"train FILE", "unexpected argument train: `mdlc run FILE train`"},
		{"check FILE --set epochs=2 rate=1", "unexpected argument rate=1: each has a flag of its own: `--set epochs=2 --set rate=1`"},
		{"run FILE --set epochs=2 rate=1", "unexpected argument rate=1: each has a flag of its own: `--set epochs=2 --set rate=1`"},
		{"run FILE train --data a=b c=d e=f", "unexpected argument c=d: each has a flag of its own: `--data a=b --data c=d`"},
		{"run FILE trian", "sample [NAME]; did you mean `train`?"},
		{"doc nn Liner", "nn: there is no `Liner`; did you mean `Linear`?"},
		{"doc Liner", "there is no Liner: did you mean `Linear`?"},
		{"run", `expected "<file>"`},
		{"run FILE dance", "`dance` is nothing to run: train, eval [NAME] or sample [NAME]\n"},
		{"run FILE train --prompt x", "unknown flag --prompt"},
		{"run FILE train a b", "too many words: train a b"},
		{"run FILE --save-every soon", "--save-every soon: a number of steps (500) or a time (30s, 5m) is expected"},
		{"run FILE --seed -1", "-1"},
		{"run FILE train --steps -1", "--steps is a positive number"},
		{"run FILE train --lr 3", "unknown flag --lr: `--set NAME=3` changes one of the settings, which are n, batch, epochs\n"},
		{"run FILE train --epochs 3", "unknown flag --epochs: `--set epochs=3` changes the setting\n"},
		{"run FILE train --lr", "unknown flag --lr: `--set NAME=VALUE` changes one of the settings, which are n, batch, epochs\n"},
		{"run FILE train --epoch 3", "unknown flag --epoch: `--set NAME=3` changes a setting; did you mean `epochs`?"},
		{"run FILE sample predict --at --out x", "--at takes a value: --at F32\n"},
		{"run FILE sample predict --at -q", "--at takes a value: --at F32\n"},
		{"run FILE train --steps 0", "--steps is a positive number"},
		{"run FILE train --threads 0", "--threads is a positive number"},
		{"bench FILE --threads 0", "--threads is a positive number"},
		{"run FILE train --new-data", "--new-data is for --resume"},
		{"run FILE train --set epcohs=3", "did you mean `epochs`?"},
		{"run FILE train --data pints=x", "--data pints: regression.mdl has points"},
		{"run FILE train --data points=", "--data points= names no file: --data points=PATH"},
		{"run FILE sample predict --ta 3", "sample predict has no flag --ta; it has --at"},
		{"compile FILE", "nothing to do: -o FILE, --emit STAGE"},
		{"compile FILE --target sm_70", "unknown target \"sm_70\"; there are avx512, avx2, sm_80, sm_90a\n"},
		{"compile FILE --emit pictures", "there is no stage pictures: the stages are graph, loops, llvm, asm, ptx, plan\n"},
		{"compile FILE -emit graph", "unknown flag -emit: did you mean `--emit`?"},
		{"run FILE train -resum", "unknown flag -resum: did you mean `--resume`?"},
		{"run FILE sample predict -a=3", "unknown flag -a: those of one letter are -h, -q, -v; a parameter of a sample has two dashes: `--a`"},
		{"check FILE -x", "unknown flag -x: those of one letter are -h, -q, -v\n"},
		{"run FILE train --step 3", "unknown flag --step: did you mean `--steps`?"},
		{"run FILE sample predict --sed 3", "sample predict has no flag --sed; it has --at; did you mean `--seed`?"},
		{"compile FILE --dump polish", "there is no pass polish: the passes are "},
		{"compile FILE --dump loops:polish", "there is no step polish: the steps are "},
		{"compile FILE --emit asm --target z80", "unknown target"},
		{"compile FILE --emit graph --precision int8", "--precision: products are made in bf16, f16 or f32, or everything is in f64, not in int8\n"},
		{"check FILE --precision BF16", "products are made in bf16, f16 or f32, or everything is in f64, not in BF16\n"},
		{"run FILE train --precision", "--precision: its value is missing"},
		{"run FILE eval --precision f64 --weights int8", "--weights int8: everything is computed in f64, its weights too; `--precision f32`"},
		{"run FILE train --precision f80", "products are made in bf16, f16 or f32, or everything is in f64, not in f80\n"},
	} {
		stdout, stderr, code := call(strings.Fields(strings.ReplaceAll(c.args, "FILE", file))...)
		require.Equal(t, exitUsage, code, "%s: %s", c.args, stderr)
		require.Contains(t, strings.ReplaceAll(stderr, file, "FILE"), c.want, c.args)
		require.Empty(t, stdout, c.args)
	}
}

// A model without data has none to take from another place.
func TestNoDataToReplace(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("noise.mdl", []byte("sample s { x ~ normal[2]  show x }\n"), 0o644))
	_, stderr, code := call("run", "noise.mdl", "sample", "s", "--data", "points=x")
	require.Equal(t, exitUsage, code, stderr)
	require.Contains(t, stderr, "--data points: noise.mdl has no data\n")
}

// The help is there under the names that one tries.
func TestHelp(t *testing.T) {
	for _, args := range []string{"", "help", "--help", "-h"} {
		stdout, _, code := call(strings.Fields(args)...)
		require.Equal(t, 0, code)
		require.Contains(t, stdout, "doctor", args)
	}
	for _, args := range []string{"help run", "run --help"} {
		stdout, _, code := call(strings.Fields(args)...)
		require.Equal(t, 0, code)
		require.Contains(t, stdout, "--check-numbers", args)
	}
}

func TestFailures(t *testing.T) {
	dir, file := model(t)
	silent := filepath.Join(dir, "silent.mdl")
	require.NoError(t, os.WriteFile(silent, []byte("sample look { show 1.5 }\n"), 0o644))
	unset := filepath.Join(dir, "no.mdl")
	require.NoError(t, os.WriteFile(unset, []byte("data d = bytes(\"$MDLC_UNSET/x.txt\")\nstate s: i32 = 0\ntrain for 3 { each tok: i32[1, 5] from windows(d.train)   s <- sum(tok) }\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "empty.txt"), nil, 0o644))
	for _, c := range []struct{ args, want string }{
		{"run " + silent + " eval", "silent.mdl has no eval block; it has sample look, and `eval valid { each x: f32[32, 8] from d.valid    report loss = … }` in the file would be one\n"},
		{"run " + silent + " train", "silent.mdl has no train block; `train for 100 {"},
		{"run " + unset + " train", "no.mdl:1:1: error: data d: the environment has no $MDLC_UNSET, which is in the path \"$MDLC_UNSET/x.txt\"\n  |\n1 | data d"},
		{"run " + unset + " train", "\n   = help: `MDLC_UNSET=… mdlc …` sets it, and `--data d=PATH` takes the data from another place\n"},
		{"run " + unset + " train --data d=empty.txt", "empty.txt is empty\n  |\n1 | data d = bytes(\"$MDLC_UNSET/x.txt\")\n  | ^^^^\n   = help: `--data d=PATH` takes the data from another place\n"},
		{"run " + unset + " sample", "no.mdl has no sample block; it has train, and `sample { show … }` in the file would be one\n"},
		{"run nowhere.mdl", "no model: nowhere.mdl is not there; . holds no.mdl, regression.mdl, silent.mdl\n"},
		{"fmt slient.mdl", "no model: slient.mdl is not there; did you mean `silent.mdl`?"},
		{"check slient.mdl", "no model: slient.mdl is not there; did you mean `silent.mdl`?"},
		{"run .", "no model: . is a folder, not a file that ends in .mdl; . holds no.mdl, regression.mdl, silent.mdl\n"},
		{"run points.npy", "points.npy: not a bundle of mdlc: a model ends in .mdl; data is named with --data NAME=PATH"},
		{"run FILE sample", "no weights in runs/regression: train first"},
		{"run FILE eval valid", "no weights in runs/regression: train first"},
		{"run FILE train --data points=gone.npy", filepath.Join(dir, "gone.npy") + " is not there\n   |\n11 | data points ="},
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
	require.Contains(t, stderr, "data points: points.npy: train ")
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
	for _, flag := range []string{"--set n=3", "--precision bf16"} {
		_, stderr, code = call(append([]string{"run", "regression.bundle", "train"}, strings.Fields(flag)...)...)
		require.Equal(t, exitUsage, code, stderr)
		require.Contains(t, stderr, "--set, --precision and --weights change a model file; a bundle is compiled already\n")
	}
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
		if strings.HasPrefix(c.args, "--emit") {
			quiet, stderr, code := call(append([]string{"compile", file, "-o", "stage"}, strings.Fields(c.args)...)...)
			require.Equal(t, 0, code, stderr)
			require.Empty(t, quiet)
			written, err := os.ReadFile("stage")
			require.NoError(t, err)
			require.Equal(t, stdout, string(written), "-o with %s", c.args)
		}
	}
}

// A Transformer of its own sizes is compiled for a GPU, in f32 and on tensor cores.
func TestTransformersCompileForGPUs(t *testing.T) {
	for _, precision := range []string{"f32", "bf16"} {
		ptx, stderr, code := call("compile", "../../stdlib/models/gpt.mdl", "--target", "sm_80", "--precision", precision, "--emit", "ptx")
		require.Equal(t, 0, code, stderr)
		require.Equal(t, precision == "bf16", strings.Contains(ptx, "mma.sync"))
		require.Contains(t, ptx, "cp.async")
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

// A bundle appears whole or not at all, and never in place of something else than a file.
func TestBundlesAreWrittenWholly(t *testing.T) {
	dir, file := model(t)
	require.NoError(t, os.Mkdir("folder", 0o755))
	require.NoError(t, unix.Mkfifo("pipe", 0o644))
	require.NoError(t, os.Symlink(file, "link"))
	for out, want := range map[string]string{
		"folder": "/folder: a folder is there; name a file", "pipe": "/pipe: a pipe or a device is there; name a file",
		"/dev/null": "-o /dev/null: a pipe or a device is there; name a file", "link": "/link: that is the model itself",
		"x.mdl": "/x.mdl: what is written needs another ending than .mdl, which is for models",
	} {
		_, stderr, code := call("compile", file, "-o", out)
		require.Equal(t, exitUsage, code, stderr)
		require.Contains(t, stderr, want)
	}
	_, stderr, code := call("compile", file, "-o", "nowhere/x.bundle")
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "cannot write "+dir+"/nowhere/x.bundle: ")
	require.NoError(t, os.WriteFile("x.bundle", []byte("an older one"), 0o644))
	held, err := os.Open("x.bundle")
	require.NoError(t, err)
	defer held.Close()
	_, stderr, code = call("compile", file, "-o", "x.bundle")
	require.Equal(t, 0, code, stderr)
	older, err := io.ReadAll(held)
	require.NoError(t, err)
	require.Equal(t, "an older one", string(older), "the file was overwritten, not replaced")
	left, err := filepath.Glob("*.new")
	require.NoError(t, err)
	require.Empty(t, left)
}

// What is no file is refused: a pipe would wait for a writer, a device has no end.
func TestModelsAreFiles(t *testing.T) {
	_, file := model(t)
	require.NoError(t, unix.Mkfifo("pipe.mdl", 0o644))
	require.NoError(t, os.WriteFile("uses.mdl", []byte(`use "pipe.mdl" as p`+"\n"), 0o644))
	require.NoError(t, os.WriteFile("empty.mdl", nil, 0o644))
	require.NoError(t, os.WriteFile("empty.bundle", nil, 0o644))
	for _, c := range []struct{ args, want string }{
		{"run pipe.mdl", "pipe.mdl is a pipe or a device, not a file"}, {"check pipe.mdl", "pipe.mdl is a pipe or a device, not a file"},
		{"compile /dev/zero --emit graph", "/dev/zero is a pipe or a device, not a file"}, {"run /dev/zero", "/dev/zero is a pipe or a device, not a file"},
		{"check .", ". is a folder, not a file"}, {"run .", ". is a folder, not a file"},
		{"check uses.mdl", "uses.mdl:1:"}, {"run empty.bundle", "empty.bundle: not a bundle of mdlc"}, {"run empty.mdl", "empty.mdl has no "},
		{"run FILE train -q --steps 1 --out FILE", "no run folder: "},
	} {
		_, stderr, code := call(strings.Fields(strings.ReplaceAll(c.args, "FILE", file))...)
		require.Equal(t, exitFailure, code, "%s: %s", c.args, stderr)
		require.Contains(t, stderr, c.want, c.args)
	}
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

// start runs a command line as a process of its own and waits for its first byte of output.
func start(t *testing.T, command ...string) (cmd *exec.Cmd, records *os.File, told *bytes.Buffer) {
	cmd, told = exec.Command(command[0], command[1:]...), &bytes.Buffer{}
	cmd.Env = append(os.Environ(), "MDLC_TEST_MAIN=1")
	cmd.Stderr = told
	records, out, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout = out
	require.NoError(t, cmd.Start())
	require.NoError(t, out.Close())
	t.Cleanup(func() { records.Close() })
	_, err = io.ReadFull(records, make([]byte, 1))
	require.NoError(t, err)
	return cmd, records, told
}

// Ctrl-C, kill, the end of the terminal and a reader that goes away save: the resumed run
// ends like one that was left alone.
func TestInterruptSavesAndResumes(t *testing.T) {
	_, file := model(t)
	const steps = "5000" // their records are more than a pipe holds: no run can be over before its interrupt
	_, stderr, code := call("run", file, "train", "-q", "--steps", steps, "--seed", "1", "--out", "whole")
	require.Equal(t, 0, code, stderr)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		out := s.String()
		cmd, records, told := start(t, os.Args[0], "run", file, "train", "--json", "--steps", steps, "--seed", "1", "--out", out, "--save-every", "1h")
		if s == syscall.SIGPIPE {
			require.NoError(t, records.Close())
		} else {
			require.NoError(t, cmd.Process.Signal(s))
			_ = cmd.Process.Signal(syscall.SIGTERM) // some senders signal twice
			_, err := io.Copy(io.Discard, records)
			require.NoError(t, err)
		}
		require.Error(t, cmd.Wait())
		require.Equal(t, exitFailure, cmd.ProcessState.ExitCode(), told)
		require.Contains(t, told.String(), "--resume goes on")
		_, stderr, code = call("run", file, "train", "--steps", steps, "--out", out, "--resume")
		require.Equal(t, 0, code, stderr)
		require.Contains(t, stderr, "train goes on after step ")
		for _, name := range []string{"weights.safetensors", "log.jsonl"} {
			whole, err := os.ReadFile(filepath.Join("whole", name))
			require.NoError(t, err)
			part, err := os.ReadFile(filepath.Join(out, name))
			require.NoError(t, err)
			require.True(t, bytes.Equal(whole, part), "%s: %s differs", s, name)
		}
	}
}

// A second interrupt quits at once, even where the first cannot come to an end.
func TestASecondInterruptQuits(t *testing.T) {
	_, file := model(t)
	cmd, records, told := start(t, os.Args[0], "run", file, "train", "--json", "--steps", "5000", "--out", "part", "--save-every", "1h")
	for before, now := -1, 0; before < now; { // until nothing more fits into the pipe, so that the run stands
		time.Sleep(100 * time.Millisecond)
		var err error
		before = now
		now, err = unix.IoctlGetInt(int(records.Fd()), unix.TIOCINQ)
		require.NoError(t, err)
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	var err error
	for err == nil { // one signal may be taken for two that come at once
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case err = <-ended:
			require.Error(t, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	require.Equal(t, exitFailure, cmd.ProcessState.ExitCode())
	require.Contains(t, told.String(), "saving after this step; once more quits at once")
	require.NotContains(t, told.String(), "--resume goes on")
}

// What nohup started goes on when the terminal is closed.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	_, file := model(t)
	cmd, records, told := start(t, "sh", "-c", `trap "" HUP; exec "$0" "$@"`, os.Args[0], "run", file, "train", "--json", "--steps", "5000", "--out", "part")
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	_, err := io.Copy(io.Discard, records)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait(), told)
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

// A file of samples alone needs no word; a flag that a program is compiled for is named as it was given.
func TestASampleAlone(t *testing.T) {
	dir, _ := model(t)
	file := filepath.Join(dir, "alone.mdl")
	require.NoError(t, os.WriteFile(file, []byte("config { n = 2000000 }\nsample look(times: int = 2) { show times * n }\n"), 0o644))
	stdout, stderr, code := call("run", file, "-q", "--times", "3")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "6e+06\n", stdout)
	_, stderr, code = call("run", file, "sample", "--times", "abc")
	require.Equal(t, exitUsage, code)
	require.Equal(t, "error: --times abc: the setting is a number like 2\n", stderr)
	stdout, _, code = call("compile", "--help")
	require.Equal(t, 0, code)
	require.Contains(t, stdout, "--emit=STAGE")
}

// Settings are written as people write them.
func TestSettingsAsWritten(t *testing.T) {
	_, file := model(t)
	_, stderr, code := call("run", file, "train", "-q", "--steps", "1", "--set", "epochs=2e6")
	require.Equal(t, 0, code, stderr)
	config, err := os.ReadFile("runs/regression/config.json")
	require.NoError(t, err)
	require.Contains(t, string(config), `"epochs": "2000000"`)
}
