package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/runtime"
)

// A device that cannot be had is told before the model is compiled.
func TestDevices(t *testing.T) {
	dir, file := model(t)
	_, stderr, code := call("run", file, "train", "--device", "tpu", "--out", dir+"/run")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--device tpu: there are cpu, emulator, cuda, cuda:N and auto")
	devices, noGPU := runtime.Devices()
	if noGPU != nil {
		_, stderr, code = call("run", file, "train", "--device", "cuda", "--out", dir+"/run")
		require.Equal(t, exitFailure, code)
		require.Contains(t, stderr, noGPU.Error())
		require.NotContains(t, stderr, "compiled")
		_, stderr, code = call("run", file, "train", "--device", "auto", "--steps", "1", "--out", dir+"/run")
		require.Equal(t, 0, code, stderr)
		require.Contains(t, stderr, "device: cpu (no GPU: "+noGPU.Error())
	}
	stdout, _, _ := call("doctor")
	for _, d := range devices {
		require.Contains(t, stdout, d.Name+": "+d.Title)
	}
	_, stderr, code = call("run", file, "train", "--target", "sm_10", "--out", dir+"/run")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "unknown target")
	_, stderr, code = call("run", file, "train", "--target", "sm_80", "--out", dir+"/run")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--target sm_80 is no target of --device cpu")
}

// A model trains on the emulator of a GPU with the bits of the CPU: weights, records and samples.
func TestEmulatorTrainsWithTheBitsOfTheCPU(t *testing.T) {
	dir, file := model(t)
	var weights []string
	for _, device := range []string{"cpu", "emulator"} {
		out := filepath.Join(dir, device)
		records, stderr, code := call("run", file, "train", "--device", device, "--steps", "30", "--json", "--seed", "3", "--out", out)
		require.Equal(t, 0, code, stderr)
		sample, stderr, code := call("run", file, "sample", "--device", device, "--at", "2", "--out", out, "-q")
		require.Equal(t, 0, code, stderr)
		file, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
		require.NoError(t, err)
		weights = append(weights, records+sample+string(file))
	}
	require.Equal(t, weights[0], weights[1])
}
