package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// PyTorch computes the same first 20 losses from the same weights and batches.
func TestAcceptanceLossesOfPyTorch(t *testing.T) {
	acceptance(t)
	corpus := []string{"--data", "corpus=" + text(t)}
	t.Run("gpt", func(t *testing.T) { peer(t, "gpt", corpus, "heads=4", "steps=1200") })
	t.Run("gpt2", func(t *testing.T) { peer(t, "gpt2", corpus, "heads=4", "steps=2000") })
	t.Run("made", func(t *testing.T) { peer(t, "made", []string{"--data", "digits=" + digits(t)}) })
	t.Run("lstm", func(t *testing.T) { peer(t, "lstm", append([]string{"--set", "hidden=128"}, corpus...)) })
	// Their data are drawn, by PyTorch's side too: testdata/peers/mdlc_draw.py.
	t.Run("gan2d", func(t *testing.T) { peer(t, "gan2d", nil, "seed=1") })
	t.Run("copying", func(t *testing.T) { peer(t, "copying", nil, "seed=1") })
}

// peer trains a model with flags, and runs its script with settings.
func peer(t *testing.T, model string, flags []string, settings ...string) {
	dir := t.TempDir()
	train := append([]string{"run", library(t, model+".mdl"), "train", "--seed", "1", "--steps", "20",
		"--out", filepath.Join(dir, "run"), "--export", filepath.Join(dir, "export"), "--json", "-q"}, flags...)
	out, _ := mdlc(t, train...)
	losses := filepath.Join(dir, "losses.jsonl")
	require.NoError(t, os.WriteFile(losses, out, 0o644))
	args := append([]string{"../../testdata/peers/" + model + "_torch.py", filepath.Join(dir, "export"), losses}, settings...)
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	said, err := cmd.CombinedOutput()
	t.Log(strings.TrimSpace(string(said)))
	require.NoError(t, err, "make peers installs what this needs")
	require.Contains(t, string(said), "20 losses", "fewer steps were compared")
}
