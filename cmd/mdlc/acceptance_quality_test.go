package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Binarised MNIST, 16 epochs: PyTorch reaches 95.6 nats. Times are printed and depend on the machine.
func TestAcceptanceQualityOfMADE(t *testing.T) {
	acceptance(t)
	data := needData(t, "binarized_mnist")
	for _, seed := range seeds() {
		out, took := mdlc(t, "run", library(t, "made.mdl"), "train", "--data", "digits="+data, "--seed", seed,
			"--out", filepath.Join(t.TempDir(), "run"), "--json", "-q")
		nats := lastRecord(t, out, "eval test").One
		t.Logf("made, seed %s: %.2f nats in %.1f s", seed, nats, took.Seconds())
		require.Greater(t, nats, 94.0)
		require.Less(t, nats, 97.0)
	}
}

// tinyshakespeare, 2000 steps: PyTorch reaches 1.885 nats a byte on the whole held-out tenth.
func TestAcceptanceQualityOfGPT2(t *testing.T) {
	acceptance(t)
	data := needData(t, "text/tinyshakespeare_input.txt")
	for _, seed := range seeds() {
		out, took := mdlc(t, "run", library(t, "gpt2.mdl"), "train", "--data", "corpus="+data, "--seed", seed,
			"--set", "layers=4", "--set", "heads=4", "--set", "dim=128", "--set", "ctx=64", "--set", "batch=12", "--set", "steps=2000",
			"--out", filepath.Join(t.TempDir(), "run"), "--json", "-q")
		r := lastRecord(t, out, "eval valid")
		t.Logf("gpt2, seed %s: %.4f nats a byte after %d steps, in %.1f s", seed, r.Loss, r.Step, took.Seconds())
		require.Equal(t, 2000, r.Step)
		require.LessOrEqual(t, r.Loss, 1.93)
	}
}
