package main

import (
	"fmt"
	"os"
	"path/filepath"
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

// Attention in rounds of launches, the last of which has few rows, gives the CPU's bits, with its gradients.
func TestRoundsGiveTheBitsOfTheCPU(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	smallRounds(t)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("attention.mdl", []byte(`use nn
sample attend {
  q ~ normal[1, 390, 2, 32]  k ~ normal[1, 390, 2, 32]  v ~ normal[1, 390, 2, 32]  g ~ normal[1, 390, 2, 32]
  out = nn.causal_attention(q, k, v)
  loss = sum(out * g)
  of_q, of_k, of_v = grad(loss, [q, k, v])
  show loss  show out  show of_q  show of_k  show of_v
}
`), 0o644))
	kernels, stderr, code := call("compile", "attention.mdl", "--target", "sm_80", "--dump", "loops:expand")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, kernels, "Rounds")
	var said []string
	for _, device := range []string{"cpu", "emulator"} {
		stdout, stderr, code := call("run", "attention.mdl", "sample", "attend", "-q", "--device", device)
		require.Equal(t, 0, code, stderr)
		said = append(said, stdout)
	}
	require.Equal(t, said[0], said[1])
}
