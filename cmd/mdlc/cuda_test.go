//go:build cuda

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/runtime/cuda/fake"
)

// --device cuda from the command line to a driver, which is a fake: the bits are the CPU's.
func TestCUDATrainsWithTheBitsOfTheCPU(t *testing.T) {
	driver := &fake.Driver{Major: 9, Minor: 0, Memory: 1 << 30, GPUs: 2}
	driver.Install()
	dir, file := model(t)
	var weights []string
	for _, device := range []string{"cpu", "cuda", "auto"} {
		out := filepath.Join(dir, device)
		records, stderr, code := call("run", file, "train", "--device", device, "--steps", "30", "--json", "--seed", "3", "--out", out)
		require.Equal(t, 0, code, stderr)
		if device == "auto" {
			require.Contains(t, stderr, "device: cuda:0 (there is a GPU)")
		}
		sample, stderr, code := call("run", file, "sample", "--device", device, "--at", "2", "--out", out, "-q")
		require.Equal(t, 0, code, stderr)
		file, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
		require.NoError(t, err)
		weights = append(weights, records+sample+string(file))
	}
	require.Equal(t, weights[0], weights[1])
	require.Equal(t, weights[0], weights[2])
	require.Greater(t, driver.Graphs, 50)
	require.Zero(t, driver.Left())
	stdout, _, _ := call("doctor")
	require.Contains(t, stdout, "cuda:1: Fake GPU, compute capability 9.0, 1.0 GiB")
}
