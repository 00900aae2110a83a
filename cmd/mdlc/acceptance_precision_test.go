package main

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// tolerance is how far losses in bf16 may be from those in f32, relative where they are above 1.
const tolerance = 2e-2

// Models that train in bf16 on a GPU, and their losses. Those of vqgan follow only in the mean over a training: its encoder's
// outputs go to the nearest of some codes, and in bf16 up to six of 144 go to another. Such a choice moves the first stage's losses
// by some 1e-2, and the second's, where it is what that predicts, by 1e-1. In f16, which rounds less, losses follow to 2e-4
// until its first other choice. No order of additions has a part in this: the CPU's losses do the same.
var inBF16 = []struct {
	model  string
	losses []string
	mean   bool
}{
	{model: "gpt2", losses: []string{"loss"}},
	{model: "lstm", losses: []string{"loss"}},
	{model: "dcgan", losses: []string{"loss_d", "loss_g"}},
	{model: "vqgan", losses: []string{"rec", "commit", "loss_d", "nll"}, mean: true},
}

// With products in bf16, which a GPU makes on tensor cores, losses follow those of the CPU in f32. The emulator adds products
// in the CPU's order, so there it has the CPU's bits in bf16; a GPU may add in another: at both ends of what the manual allows
// losses follow, too.
func TestAcceptanceBF16OnGPU(t *testing.T) {
	acceptance(t)
	for _, c := range inBF16 {
		t.Run(c.model, func(t *testing.T) {
			m := toys[slices.IndexFunc(toys, func(m toy) bool { return m.model == c.model })]
			file := library(t, m.model+".mdl")
			ptx, _ := mdlc(t, append([]string{"compile", file, "-q", "--precision", "bf16", "--target", "sm_80", "--emit", "ptx"}, m.set()...)...)
			require.Contains(t, string(ptx), "mma.sync", "tensor cores")
			m.followsInBF16(t, file, c.losses, c.mean)
		})
	}
}

func (m toy) followsInBF16(t *testing.T, file string, losses []string, mean bool) {
	with, _ := m.with(t)
	shortText(t, with)
	run := func(device, precision string, steps int) outcome {
		return outcomeOf(t, file, t.TempDir(), steps, nil, append([]string{"--device", device, "--precision", precision}, with...))
	}
	follows := func(what string, steps int, want, got outcome) {
		worst, means := compareLosses(t, want.reports, got.reports, losses)
		t.Logf("%s, %d steps: losses differ from those in f32 by at most %.1e, their means by %.1e", what, steps, worst, means)
		if mean {
			worst = means
		}
		require.LessOrEqual(t, worst, tolerance, what)
	}
	const whole = 20
	follows("cpu", whole, run("cpu", "f32", whole), run("cpu", "bf16", whole))
	steps := m.stepsOnGPU(t)
	exact, cpu, gpu := run("cpu", "f32", steps), run("cpu", "bf16", steps), run("emulator", "bf16", steps)
	sameOutcome(t, cpu, gpu)
	low, high := run("emulator:low", "bf16", steps), run("emulator:high", "bf16", steps)
	follows("emulator:low", steps, exact, low)
	follows("emulator:high", steps, exact, high)
}

// compareLosses is how far losses are from what is wanted, at most in a record and at most in the mean over all records.
func compareLosses(t *testing.T, want, got []map[string]json.RawMessage, names []string) (worst, means float64) {
	require.Equal(t, len(want), len(got))
	off := func(got, want float64) float64 { return math.Abs(got-want) / max(1, math.Abs(want)) }
	for _, name := range names {
		n, sum, wanted := 0., 0., 0.
		for i, r := range want {
			if text := string(r[name]); text == "" || text == "null" { // another block's, or in a branch that is not taken
				continue
			}
			var x, y float64
			require.NoError(t, json.Unmarshal(r[name], &x))
			require.NoError(t, json.Unmarshal(got[i][name], &y))
			n, wanted, sum = n+1, wanted+x, sum+y
			worst = max(worst, off(y, x))
		}
		require.NotZero(t, n, "%s is never reported", name)
		means = max(means, off(sum/n, wanted/n))
	}
	return worst, means
}
