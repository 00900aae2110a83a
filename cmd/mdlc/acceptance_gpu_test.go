package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Steps of those that are to follow the CPU for long; of the others two are made. The emulator is slow: what
// samples pixel after pixel does not sample here, and MDLC_CHECK_STEPS asks for as many of every model.
var (
	longOnGPU   = map[string]int{"gpt2": 20, "dcgan": 20, "lstm": 20}
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
	shortText(t, with)
	steps, samples := m.stepsOnGPU(t), m.sampled(t)
	if slices.Contains(sampleOnCPU, m.model) {
		t.Logf("no sample: it would take too long on the emulator")
		samples = nil
	}
	var ran []outcome
	for _, device := range []string{"cpu", "emulator"} {
		ran = append(ran, outcomeOf(t, file, filepath.Join(dir, device), steps, samples, append([]string{"--device", device}, with...)))
	}
	sameOutcome(t, ran[0], ran[1])
}

// stepsOnGPU is how many steps m makes on the emulator.
func (m toy) stepsOnGPU(t *testing.T) int {
	if text := os.Getenv("MDLC_CHECK_STEPS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		return n
	}
	if n, ok := longOnGPU[m.model]; ok {
		return n
	}
	return 2
}

// Every model of the library has a schedule for a GPU at the sizes that it comes with, in f32 and on tensor cores.
func TestAcceptanceModelsForGPU(t *testing.T) {
	acceptance(t)
	files, err := filepath.Glob("../../stdlib/models/*.mdl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		for _, precision := range []string{"f32", "bf16"} {
			kernels, _ := mdlc(t, "compile", file, "--target", "sm_80", "--precision", precision, "--dump", "loops:expand")
			require.Contains(t, string(kernels), "kernel ", file)
		}
	}
}
