package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Models for Hopper whose products are of boxes that the hardware copies and stores: a program says what they are of, and a device gives kernels that. They
// compute what the CPU does. One has a product of a slice of a stack, one has so many tiles that points in clusters make one after another.
func TestHopperCopiesBoxes(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	for _, c := range []struct {
		text  string
		forms []string
	}{
		{`precision { compute = bf16   master = bf16 }
param x: f32[72, 136] ~ normal()
param w: f32[3, 136, 136] ~ normal(std: 0.1)
state y: f32[72, 136] = 0
train for 2 {
  h = x
  for i in 3 { h = h + x @ w[i] }
  y <- f32(h)
}
`, []string{"fill ring", "send {"}},
		{`precision { compute = bf16   master = bf16 }
param x: f32[4352, 128] ~ normal()
param w: f32[128, 1024] ~ normal(std: 0.1)
state y: f32[4352, 1024] = 0
train for 1 { y <- f32(x @ w) }
`, []string{"multicast", "for tile", "send {"}},
	} {
		t.Chdir(t.TempDir())
		require.NoError(t, os.WriteFile("m.mdl", []byte(c.text), 0o644))
		kernels, stderr, code := call("compile", "m.mdl", "--target", "sm_90a", "--dump", "loops:stage")
		require.Equal(t, 0, code, stderr)
		for _, form := range c.forms {
			require.Contains(t, kernels, form)
		}
		var trained [][]byte
		for device, target := range map[string]string{"cpu": "avx2", "emulator": "sm_90a"} {
			_, stderr, code := call("compile", "m.mdl", "--target", target, "-o", target+".bundle")
			require.Equal(t, 0, code, stderr)
			_, stderr, code = call("run", target+".bundle", "train", "--seed", "3", "--device", device, "--out", device)
			require.Equal(t, 0, code, stderr)
			weights, err := os.ReadFile(filepath.Join(device, "weights.safetensors"))
			require.NoError(t, err)
			trained = append(trained, weights)
		}
		require.True(t, bytes.Equal(trained[0], trained[1]))
	}
}
