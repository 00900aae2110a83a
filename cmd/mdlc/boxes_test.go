package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A model for Hopper whose products are of boxes that the hardware copies and stores, one of them of a slice of a stack: a program says what they are of, and a device
// gives kernels that. It computes what the CPU does.
func TestHopperCopiesBoxes(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("m.mdl", []byte(`precision { compute = bf16   master = bf16 }
param x: f32[72, 136] ~ normal()
param w: f32[3, 136, 136] ~ normal(std: 0.1)
state y: f32[72, 136] = 0
train for 2 {
  h = x
  for i in 3 { h = h + x @ w[i] }
  y <- f32(h)
}
`), 0o644))
	kernels, stderr, code := call("compile", "m.mdl", "--target", "sm_90a", "--dump", "loops:stage")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, kernels, "fill ring")
	require.Contains(t, kernels, "send {")
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
