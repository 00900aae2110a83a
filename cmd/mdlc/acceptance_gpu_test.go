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

// Steps of those that are to follow the CPU for long; of the others two are made. The emulator is slow: what
// samples pixel after pixel does not sample here, and vqgan, whose steps take longest, makes few, unless
// MDLC_CHECK_STEPS asks for as many of every model.
var (
	longOnGPU   = map[string]int{"gpt2": 20, "dcgan": 20, "lstm": 20, "vqgan": 3}
	sampleOnCPU = []string{"fvsbn", "nade", "made", "pixelcnn", "vqgan"}
)

// Every model of the library trains and samples on the emulated GPU as on the CPU: equal reports, equal
// weights, equal samples, to the bit, since neither the order of additions nor a function is another's there.
// The emulator reports races, missing barriers and reads of what nothing wrote on the way.
func TestAcceptanceGPU(t *testing.T) {
	acceptance(t)
	for _, m := range toys {
		t.Run(m.model, func(t *testing.T) { m.onGPU(t, library(t, m.model+".mdl")) })
	}
}

func (m toy) onGPU(t *testing.T, file string) {
	dir := t.TempDir()
	with, _ := m.with(t)
	for i, flag := range with {
		if path, ok := strings.CutPrefix(flag, "corpus="); ok { // little to evaluate
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			with[i] = "corpus=" + filepath.Join(dir, "text")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), text[:3000], 0o644))
		}
	}
	steps := 2
	if n, ok := longOnGPU[m.model]; ok {
		steps = n
	}
	if text := os.Getenv("MDLC_CHECK_STEPS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		steps = n
	}
	samples := m.sampled(t)
	if slices.Contains(sampleOnCPU, m.model) {
		t.Logf("no sample: it would take too long on the emulator")
		samples = nil
	}
	type result struct {
		reports []map[string]json.RawMessage
		weights []byte
		samples map[string][]byte
	}
	results := map[string]result{}
	for _, device := range []string{"cpu", "emulator"} {
		out := filepath.Join(dir, device)
		args := append([]string{"--device", device, "--out", out, "-q"}, with...)
		stdout, _ := mdlc(t, append([]string{"run", file, "train", "--seed", "3", "--json", "--steps", strconv.Itoa(steps)}, args...)...)
		r := result{reports: reportsOf(t, stdout), samples: map[string][]byte{}}
		var err error
		r.weights, err = os.ReadFile(filepath.Join(out, "weights.safetensors"))
		require.NoError(t, err)
		for _, s := range samples {
			said, _ := mdlc(t, append(append([]string{"run", file, "sample"}, strings.Fields(s)...), args...)...)
			r.samples[s] = said
		}
		files, err := filepath.Glob(filepath.Join(out, "samples", "*"))
		require.NoError(t, err)
		for _, f := range files {
			r.samples[filepath.Base(f)], err = os.ReadFile(f)
			require.NoError(t, err)
		}
		results[device] = r
	}
	cpu, gpu := results["cpu"], results["emulator"]
	require.NotEmpty(t, cpu.reports)
	require.Equal(t, cpu.reports, gpu.reports)
	require.True(t, bytes.Equal(cpu.weights, gpu.weights), "the weights differ")
	require.Equal(t, len(cpu.samples), len(gpu.samples))
	for name, want := range cpu.samples {
		require.True(t, bytes.Equal(bytes.ReplaceAll(want, []byte("/cpu/"), []byte("/emulator/")), gpu.samples[name]), "the samples %s differ", name)
	}
	t.Logf("%d steps, %d reports, %d bytes of weights, %d samples: equal", steps, len(cpu.reports), len(cpu.weights), len(cpu.samples))
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
