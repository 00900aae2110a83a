package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// --profile lists kernels with their lines and how near the roofline they are, and leaves a trace of runs around their launches.
func TestProfile(t *testing.T) {
	dir, file := model(t)
	out := filepath.Join(dir, "out")
	_, stderr, code := call("run", file, "train", "--steps", "3", "--threads", "1", "--out", out, "--profile")
	require.Zero(t, code, stderr)
	require.Regexp(t, `ms in kernels; the roof is \S+ GFLOP/s, \S+ GB/s in memory and up to \S+ GB/s in caches\nwithout the first launches, which found memory that nobody had touched and took \d+\.\d{3} ms\n +time +launches +each +GFLOP/s +GB/s +roof\n`, stderr)
	require.Regexp(t, `\d+\.\d% +\d+\.\d{3} ms +2 × +\d+\.\d µs( +\d+\.\d)? +\d+\.\d +\d+%  dot\w*  .*regression\.mdl:\d+:\d+`, stderr)

	require.Regexp(t, `  stdlib/optim\.mdl:\d+:\d+, called from .*regression\.mdl:17:3\n`, stderr)

	require.NotContains(t, stderr, "without rates")

	require.Contains(t, stderr, "wrote "+filepath.Join(out, "trace.json")+": every launch")
	text, err := os.ReadFile(filepath.Join(out, "trace.json"))
	require.NoError(t, err)
	var trace struct {
		TraceEvents []struct {
			Name, Ph string
			TS, Dur  float64
			Args     struct {
				Line string
				Roof float64
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &trace))
	runs, lines := 0, map[string]bool{}
	for _, e := range trace.TraceEvents {
		require.Equal(t, "X", e.Ph)
		if e.Args.Line == "" { // a run, not a launch
			if e.Name == "train" {
				runs++
			}
			continue
		}
		lines[filepath.Base(e.Args.Line)] = true
		require.Positive(t, e.Args.Roof, e.Name)
	}
	require.Equal(t, 3, runs)
	require.Greater(t, len(lines), 2)

	_, stderr, code = call("run", file, "train", "--steps", "3", "--out", filepath.Join(dir, "other"))
	require.Zero(t, code, stderr)
	require.NoFileExists(t, filepath.Join(dir, "other", "trace.json"))
}

// A sample that writes token after token has kernels whose work lengths decide: the profile says why they have no rates.
func TestProfileOfLengths(t *testing.T) {
	dir := t.TempDir()
	text, out := filepath.Join(dir, "text"), filepath.Join(dir, "out")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("so many words ", 1000)), 0o600))
	_, stderr, code := call("run", "../../stdlib/models/gpt.mdl", "train", "--steps", "1", "--set", "layers=1", "--data", "corpus="+text, "--out", out)
	require.Zero(t, code, stderr)
	_, stderr, code = call("run", "../../stdlib/models/gpt.mdl", "sample", "text", "--n", "5", "--out", out, "--profile")
	require.Zero(t, code, stderr)
	require.Contains(t, stderr, "without rates: kernels whose lengths are known only when they run")
}
