package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// seeds are those of $MDLC_CHECK_SEEDS, separated by spaces, or 1.
func seeds() []string {
	if s := strings.Fields(os.Getenv("MDLC_CHECK_SEEDS")); len(s) > 0 {
		return s
	}
	return []string{"1"}
}

// report is the last value of a name that a training reports.
func report(t *testing.T, stdout []byte, name string) float64 {
	t.Helper()
	last := map[string]float64{}
	for line := range strings.Lines(string(stdout)) {
		var record map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		if raw, ok := record[name]; ok {
			var x float64
			require.NoError(t, json.Unmarshal(raw, &x))
			last[name] = x
		}
	}
	require.Contains(t, last, name)
	return last[name]
}

// The generator finds all eight Gaussians, each with at least 5% of what it draws, and at least 80% of that lies
// within 0.2 of a centre.
func TestAcceptanceModesOfGAN2D(t *testing.T) {
	acceptance(t)
	for _, seed := range seeds() {
		out, took := mdlc(t, "run", library(t, "gan2d.mdl"), "train", "--seed", seed, "--out", filepath.Join(t.TempDir(), "run"), "--json", "-q")
		modes, near := report(t, out, "modes"), report(t, out, "near")
		t.Logf("gan2d, seed %s: %g modes, %.3f near a centre, in %.1f s", seed, modes, near, took.Seconds())
		require.Equal(t, 8.0, modes)
		require.GreaterOrEqual(t, near, 0.8)
	}
}

// An LSTM learns to copy over 20 blanks: its loss is at most half of what it is without memory, 10 log(8) / 40.
func TestAcceptanceCopying(t *testing.T) {
	acceptance(t)
	for _, seed := range seeds() {
		out, took := mdlc(t, "run", library(t, "copying.mdl"), "train", "--seed", seed, "--out", filepath.Join(t.TempDir(), "run"), "--json", "-q")
		r := lastRecord(t, out, "train")
		t.Logf("copying, seed %s: loss %.4f after %d steps, in %.1f s", seed, r.Loss, r.Step, took.Seconds())
		require.LessOrEqual(t, r.Loss, 0.5*0.519860)
	}
}

// The critics between N(0, 1) and N(2, 1) reach the gap and the objective that are known for each weight of the
// penalty: those of a long run elsewhere.
func TestAcceptanceGradientPenalty(t *testing.T) {
	acceptance(t)
	for _, c := range []struct {
		lambda         string
		gap, objective float64
	}{{"10", 2.214, 2.108}, {"1", 4.111, 3.057}, {"0.1", 23.04, 12.54}} {
		out, took := mdlc(t, "run", "../../testdata/closed/wgan_gp.mdl", "train", "--seed", "1", "--set", "lambda="+c.lambda,
			"--out", filepath.Join(t.TempDir(), "run"), "--json", "-q")
		gap, objective := report(t, out, "gap"), report(t, out, "objective")
		t.Logf("lambda %s: gap %.4f (%g), objective %.4f (%g), in %.1f s", c.lambda, gap, c.gap, objective, c.objective, took.Seconds())
		require.InEpsilon(t, c.gap, gap, 0.01)
		require.InEpsilon(t, c.objective, objective, 0.01)
	}
}
