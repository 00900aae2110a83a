package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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

// A stack of layers is a loop, and kernels over whole stacks have the number of layers as a length: no byte of code depends on depth.
// In GPT-2 first weights are the smaller the more layers there are, and some kernels come in another order; there are as many bytes of them.
func TestAcceptanceDepth(t *testing.T) {
	acceptance(t)
	for _, model := range []string{"gpt.mdl", "gpt2.mdl"} {
		file := library(t, model)
		shallow, deep := kernelCount(t, file, "--set", "layers=6"), kernelCount(t, file, "--set", "layers=24")
		require.NotZero(t, shallow)
		require.Equal(t, shallow, deep, "kernels of %s", model)
		for _, target := range []string{"avx2", "avx512", "sm_90a"} {
			var llvm [2][]byte
			var functions [2]int
			for i, layers := range []string{"6", "24"} {
				llvm[i], _ = mdlc(t, "compile", file, "--set", "layers="+layers, "--emit", "llvm", "--target", target)
				functions[i] = bytes.Count(llvm[i], []byte("\ndefine "))
				t.Logf("%s of %s layers for %s: %d kernels, %d LLVM functions, %d bytes of LLVM text", model, layers, target, shallow, functions[i], len(llvm[i]))
			}
			require.NotZero(t, functions[0])
			require.Equal(t, functions[0], functions[1], "LLVM functions")
			require.Equal(t, len(llvm[0]), len(llvm[1]), "bytes of LLVM text")
			if model == "gpt.mdl" {
				require.True(t, bytes.Equal(llvm[0], llvm[1]), "the LLVM text is not the same")
			}
		}
	}
}
