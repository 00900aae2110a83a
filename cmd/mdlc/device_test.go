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
	require.Contains(t, stderr, "--device tpu: there are cpu, emulator, emulator:low, emulator:high, cuda, cuda:N and auto")
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

// The emulator adds products of tensor cores in the CPU's order, or so that they are at an end of what the manual allows.
func TestEndsOfTheEmulator(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("product.mdl", []byte("sample s { x ~ normal[32, 64]  y ~ normal[64, 32]  show sum(x @ y) }\n"), 0o644))
	said := map[string]string{}
	for _, device := range []string{"cpu", "emulator", "emulator:low", "emulator:high"} {
		stdout, stderr, code := call("run", "product.mdl", "sample", "s", "-q", "--precision", "bf16", "--device", device)
		require.Equal(t, 0, code, stderr)
		said[device] = stdout
	}
	require.Equal(t, said["cpu"], said["emulator"])
	require.NotEqual(t, said["emulator"], said["emulator:low"])
	require.NotEqual(t, said["emulator"], said["emulator:high"])
	require.NotEqual(t, said["emulator:low"], said["emulator:high"])
}
