package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/runtime/program"
)

// On a GPU the memory of attention, forward and backward, grows as its length does, not as the square.
func TestNoSquareOfALengthOnAGPU(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir := t.TempDir()
	for name, c := range map[string]struct {
		file string
		set  []string
		size string
		from int
	}{
		"f32":      {"../../testdata/bench/attention.mdl", nil, "ctx", 2048},
		"forward":  {"../../testdata/gpu/bench/attention.mdl", nil, "seq", 2048},
		"backward": {"../../testdata/gpu/bench/attention.mdl", []string{"backward=true"}, "seq", 2048},
		"narrow":   {"../../testdata/gpu/bench/attention.mdl", []string{"backward=true", "dim=64", "precision=f32"}, "seq", 1024},
		"gpt2":     {"../../stdlib/models/gpt2.mdl", []string{"layers=1"}, "ctx", 512},
	} {
		t.Run(name, func(t *testing.T) {
			var work []int64
			for _, size := range []int{c.from, 2 * c.from} {
				out := filepath.Join(dir, name+".bundle")
				args := []string{"compile", c.file, "--target", "sm_80", "-o", out, "--set", c.size + "=" + fmt.Sprint(size)}
				for _, s := range c.set {
					if precision, ok := strings.CutPrefix(s, "precision="); ok {
						args = append(args, "--precision", precision)
					} else {
						args = append(args, "--set", s)
					}
				}
				_, stderr, code := call(args...)
				require.Equal(t, 0, code, stderr)
				f, err := os.Open(out)
				require.NoError(t, err)
				p, err := program.Load(f)
				require.NoError(t, err)
				f.Close()
				work = append(work, p.Arena+p.Work)
			}
			t.Log(work)
			require.Less(t, float64(work[1]), 2.1*float64(work[0]))
		})
	}
}

// smallRounds lets blocks of rows be launched in rounds where a length is small.
func smallRounds(t *testing.T) {
	old := *schedule.SM80
	schedule.SM80.Round, schedule.SM80.Processors = 1, 1
	t.Cleanup(func() { *schedule.SM80 = old })
}

// sameRounds trains attention in rounds of launches, the last of which has few rows, on each device, which is to give the same bits.
func sameRounds(t *testing.T, steps int, devices ...string) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	smallRounds(t)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("attention.mdl", []byte(`use nn, optim
param q: f32[1, 390, 2, 32] ~ normal()
param k: f32[1, 390, 2, 32] ~ normal()
param v: f32[1, 390, 2, 32] ~ normal()
param g: f32[1, 390, 2, 32] ~ normal()
train for 3 { minimize mean(nn.causal_attention(q, k, v) * g) over q, k, v with optim.sgd(lr: 100) }
`), 0o644))
	kernels, stderr, code := call("compile", "attention.mdl", "--target", "sm_80", "--dump", "loops:expand")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, kernels, "Rounds")
	var trained [][]byte
	for _, device := range devices {
		_, stderr, code := call("run", "attention.mdl", "train", "--steps", fmt.Sprint(steps), "--seed", "3", "--device", device, "--out", device)
		require.Equal(t, 0, code, stderr)
		weights, err := os.ReadFile(filepath.Join(device, "weights.safetensors"))
		require.NoError(t, err)
		trained = append(trained, weights)
	}
	for i := range devices {
		require.True(t, bytes.Equal(trained[0], trained[i]), devices[i])
	}
}

func TestRoundsGiveTheBitsOfTheCPU(t *testing.T) { sameRounds(t, 1, "cpu", "emulator") }

// No kernel of attention, forward and backward, has more in registers than there are.
func TestAttentionSpillsNothing(t *testing.T) {
	tool, err := exec.LookPath("ptxas")
	if err != nil {
		tool, err = filepath.Abs("../../bin/ptxas")
		require.NoError(t, err)
		if _, err := os.Stat(tool); err != nil {
			t.Skip("skipped: ptxas is neither on PATH nor in bin/ (make ptxas brings it)")
		}
	}
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	for _, arch := range []string{"sm_80", "sm_90a"} {
		for _, set := range []string{"dim=64", "dim=128"} {
			ptx := filepath.Join(t.TempDir(), "attention.ptx")
			_, stderr, code := call("compile", "../../testdata/gpu/bench/attention.mdl", "--target", arch, "--set", "seq=4096", "--set", "backward=true", "--set", set, "--emit", "ptx", "-o", ptx)
			require.Equal(t, 0, code, stderr)
			report, err := exec.Command(tool, "-arch="+arch, "-v", ptx, "-o", filepath.Join(t.TempDir(), "cubin")).CombinedOutput()
			require.NoError(t, err, "%s", report)
			spills := regexp.MustCompile(`(\d+) bytes spill stores, (\d+) bytes spill loads`).FindAllStringSubmatch(string(report), -1)
			require.Greater(t, len(spills), 8)
			for _, s := range spills {
				require.Equal(t, []string{"0", "0"}, s[1:], "%s %s: %s", arch, set, report)
			}
		}
	}
}
