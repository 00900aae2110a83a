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
	type model struct {
		name     string
		flags    []string // of mdlc
		settings []string // of its script
	}
	for _, m := range []model{
		{"gpt", corpus, []string{"heads=4", "steps=1200"}},
		{"gpt2", corpus, []string{"heads=4", "steps=2000"}},
		{"made", []string{"--data", "digits=" + digits(t)}, nil},
		{"lstm", append([]string{"--set", "hidden=128"}, corpus...), nil},
		// Their data are drawn, by PyTorch's side too: testdata/peers/mdlc_draw.py.
		{"gan2d", nil, []string{"seed=1"}},
		{"copying", nil, []string{"seed=1"}},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Run("f32", func(t *testing.T) { peer(t, m.name, "float32", m.flags, m.settings...) })
			t.Run("f64", func(t *testing.T) {
				peer(t, m.name, "float64", append([]string{"--precision", "f64"}, m.flags...), m.settings...)
			})
		})
	}
}

// peer trains a model with flags, and runs its script with settings, which is to compare in a type.
func peer(t *testing.T, model, dtype string, flags []string, settings ...string) {
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
	require.Contains(t, string(said), "20 losses in "+dtype, "fewer steps were compared, or in another type")
}
