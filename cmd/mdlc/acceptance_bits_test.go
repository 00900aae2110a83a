package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Threads, fusion and being killed change no bit of what 200 steps of gpt2 learn.
func TestAcceptanceBitsOfGPT2(t *testing.T) {
	acceptance(t)
	dir := t.TempDir()
	train := []string{"--data", "corpus=" + text(t), "--seed", "1", "--steps", "200", "-q"}
	sameHoweverItRuns(t, library(t, "gpt2.mdl"), dir, train)
	t.Run("killed", func(t *testing.T) {
		killed(t, filepath.Join(dir, "whole"), filepath.Join(dir, "killed"), 200,
			append([]string{"run", library(t, "gpt2.mdl"), "train"}, train...))
	})
}

func TestAcceptanceBitsOfMADE(t *testing.T) {
	acceptance(t)
	sameHoweverItRuns(t, library(t, "made.mdl"), t.TempDir(), []string{"--data", "digits=" + digits(t), "--seed", "1", "--steps", "40", "-q"})
}

// sameHoweverItRuns trains into dir/whole, and requires the same of other ways to run the model.
func sameHoweverItRuns(t *testing.T, model, dir string, train []string) {
	run := func(name, file string, more ...string) string {
		out := filepath.Join(dir, name)
		_, took := mdlc(t, slices.Concat([]string{"run", file, "train", "--out", out}, train, more)...)
		t.Logf("%-9s %.1f s", name, took.Seconds())
		return out
	}
	whole := run("whole", model, "--threads", "2")
	one := run("alone", model, "--threads", "1")
	bundle := filepath.Join(dir, "unfused.bundle")
	mdlc(t, "compile", model, "--no-fusion", "-o", bundle)
	fused, unfusedKernels := kernelCount(t, model), kernelCount(t, model, "--no-fusion")
	t.Logf("%d kernels, without fusion %d", fused, unfusedKernels)
	require.Greater(t, unfusedKernels, 2*fused, "the switch does nothing")
	unfused := run("unfused", bundle)
	for _, other := range []string{one, unfused} {
		sameFile(t, "weights.safetensors", whole, other)
		sameFile(t, "log.jsonl", whole, other)
	}
}

// kernelCount is how many kernels a model compiles to.
func kernelCount(t *testing.T, model string, flags ...string) int {
	loops, _ := mdlc(t, slices.Concat([]string{"compile", model, "--emit", "loops"}, flags)...)
	return bytes.Count(append([]byte("\n"), loops...), []byte("\nkernel "))
}

// killed trains a model, kills it ten times, and requires that it ends like the undisturbed run in whole.
func killed(t *testing.T, whole, out string, steps int, train []string) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MDLC_CHECK_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("moments by MDLC_CHECK_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	moments := make([]int, 10)
	for i := range moments {
		moments[i] = 1 + random.IntN(steps/2) // what is left takes longer than any wait
	}
	slices.Sort(moments)
	train = append(slices.Clone(train), "--out", out, "--save-every", "2", "--json", "--resume")
	saving := 0
	for i, step := range moments {
		var during string
		if i%2 == 0 { // inside a checkpoint's write
			during = filepath.Join(out, "weights.safetensors.new")
		}
		later := time.Duration(random.IntN(40_000)) * time.Microsecond
		at, partial := killAt(t, command(t, train...), step, later, during)
		if partial > 0 {
			saving++
		}
		t.Logf("killed after step %d, %d bytes into a checkpoint", at, partial)
	}
	require.NotZero(t, saving, "no kill was inside a checkpoint's write")
	_, _ = mdlc(t, train...)
	require.NoFileExists(t, filepath.Join(out, "weights.safetensors.new"))
	sameFile(t, "weights.safetensors", whole, out)
	sameFile(t, "log.jsonl", whole, out)
}

// killAt kills a training when it has reported a step and a while has passed or,
// where a file is named, at the moment when that is being written.
func killAt(t *testing.T, cmd *exec.Cmd, step int, later time.Duration, during string) (at, partial int) {
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	for at < step && lines.Scan() {
		var r jsonRecord
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		at = r.Step
	}
	require.GreaterOrEqual(t, at, step, "the run ended before its moment")
	go func() { // the run must not wait for a reader
		for lines.Scan() {
		}
	}()
	if during == "" {
		time.Sleep(later)
	} else {
		stopDuring(t, cmd, during)
		info, err := os.Stat(during)
		require.NoError(t, err)
		partial = int(info.Size())
	}
	require.NoError(t, cmd.Process.Kill())
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "the run ended before its moment")
	return at, partial
}

// stopDuring leaves a process stopped while a file that it writes has some bytes and is not yet renamed.
func stopDuring(t *testing.T, cmd *exec.Cmd, file string) {
	written := func() bool {
		info, err := os.Stat(file)
		require.True(t, err == nil || errors.Is(err, fs.ErrNotExist), "%v", err)
		return err == nil && info.Size() > 0
	}
	for range 100 {
		for until := time.Now().Add(20 * time.Second); !written(); {
			require.True(t, time.Now().Before(until), "no checkpoint in 20 s")
			time.Sleep(20 * time.Microsecond)
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
		time.Sleep(2 * time.Millisecond) // until all threads stand
		if written() {
			return
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGCONT))
	}
	require.Fail(t, "no moment inside a checkpoint's write")
}

// A stack of layers is a loop: neither kernels nor their text grow with depth. What differs are constants, kernels over one
// number a layer, whose vectors have an edge at 6 layers and none at 24, small ones that several workers share at 24, and the
// four of a sample that fill caches of all layers and add a row to them (776 bytes, less at 24). With
// the wider vectors of AVX-512, one such kernel of 24 layers is no other's.
func TestAcceptanceDepth(t *testing.T) {
	acceptance(t)
	gpt := library(t, "gpt.mdl")
	var kernels, size [2]int
	var functions [2]map[string]int
	for i, layers := range []string{"6", "24"} {
		kernels[i] = kernelCount(t, gpt, "--set", "layers="+layers)
		llvm, _ := mdlc(t, "compile", gpt, "--set", "layers="+layers, "--emit", "llvm", "--target", "avx2")
		functions[i], size[i] = functionSizes(llvm), len(llvm)
		t.Logf("gpt at %s layers: %d kernels, %d LLVM functions, %d bytes of LLVM text", layers, kernels[i], len(functions[i]), size[i])
	}
	require.NotZero(t, kernels[0])
	require.Equal(t, kernels[0], kernels[1], "kernels")
	require.Equal(t, slices.Sorted(maps.Keys(functions[0])), slices.Sorted(maps.Keys(functions[1])), "LLVM functions")
	differing, more := 0, 0
	for name, n := range functions[0] {
		if m := functions[1][name]; m != n {
			differing++
			more += max(m-n, n-m)
		}
	}
	t.Logf("%d functions differ, by %d bytes", differing, more)
	require.Less(t, differing, len(functions[0])/20)
	require.Less(t, more, 1500, "bytes, whatever the size of the rest")
	require.InEpsilon(t, size[0], size[1], 0.0002, "LLVM text")
}

var decimals = regexp.MustCompile(`\b[0-9]+\b`)

// functionSizes is the bytes of text of each function of a module without its numbers, which have more digits where there
// are more layers.
func functionSizes(llvm []byte) map[string]int {
	out := map[string]int{}
	for _, f := range bytes.Split(llvm, []byte("\ndefine "))[1:] {
		_, name, _ := bytes.Cut(f, []byte("@"))
		name, _, _ = bytes.Cut(name, []byte("("))
		out[string(name)] = len(decimals.ReplaceAll(f, nil))
	}
	return out
}
