package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outcome is what a model's training and its samples give in a run folder.
type outcome struct {
	folder  string
	reports []map[string]json.RawMessage
	weights []byte
	samples map[string][]byte // what was said, without the folder's name, and files
}

// outcomeOf trains the model in file for some steps into folder, and samples.
func outcomeOf(t *testing.T, file, folder string, steps int, samples, flags []string) outcome {
	flags = append([]string{"--out", folder, "-q"}, flags...)
	stdout, _ := mdlc(t, append([]string{"run", file, "train", "--seed", "3", "--json", "--steps", strconv.Itoa(steps)}, flags...)...)
	o := outcome{folder: filepath.Base(folder), reports: reportsOf(t, stdout), samples: map[string][]byte{}}
	var err error
	o.weights, err = os.ReadFile(filepath.Join(folder, "weights.safetensors"))
	require.NoError(t, err)
	for _, s := range samples {
		said, _ := mdlc(t, slices.Concat([]string{"run", file, "sample"}, strings.Fields(s), flags)...)
		o.samples[s] = bytes.ReplaceAll(said, []byte(folder), nil)
	}
	files, err := filepath.Glob(filepath.Join(folder, "samples", "*"))
	require.NoError(t, err)
	for _, f := range files {
		o.samples[filepath.Base(f)], err = os.ReadFile(f)
		require.NoError(t, err)
	}
	return o
}

// sameOutcome requires equal reports, weights and samples, to the bit.
func sameOutcome(t *testing.T, a, b outcome) {
	t.Helper()
	require.NotEmpty(t, a.reports)
	require.Equal(t, a.reports, b.reports, "%s and %s", a.folder, b.folder)
	require.True(t, bytes.Equal(a.weights, b.weights), "the weights of %s and %s differ", a.folder, b.folder)
	require.Len(t, b.samples, len(a.samples))
	for name, want := range a.samples {
		require.Equal(t, want, b.samples[name], "the samples %s of %s and %s", name, a.folder, b.folder)
	}
	t.Logf("%d reports, %d bytes of weights, %d samples: equal", len(a.reports), len(a.weights), len(a.samples))
}

// reportsOf are the lines of a training but for what they tell of time.
func reportsOf(t *testing.T, stdout []byte) (out []map[string]json.RawMessage) {
	for line := range bytes.Lines(stdout) {
		var r map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(line, &r))
		for _, name := range []string{"time", "seconds", "steps_per_second", "memory"} {
			delete(r, name)
		}
		out = append(out, r)
	}
	return out
}
