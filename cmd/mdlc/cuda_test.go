//go:build cuda

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/runtime"
	"mdlc/runtime/cuda/fake"
)

// sameBits trains and samples the test's model on each device; what comes out must be the same.
func sameBits(t *testing.T, devices ...string) {
	dir, file := model(t)
	var first string
	for i, device := range devices {
		out := filepath.Join(dir, device)
		records, stderr, code := call("run", file, "train", "--device", device, "--steps", "30", "--json", "--seed", "3", "--out", out)
		require.Equal(t, 0, code, stderr)
		if device == "auto" {
			require.Contains(t, stderr, "device: cuda:0 (there is a GPU)")
		}
		sample, stderr, code := call("run", file, "sample", "--device", device, "--at", "2", "--out", out, "-q")
		require.Equal(t, 0, code, stderr)
		weights, err := os.ReadFile(filepath.Join(out, "weights.safetensors"))
		require.NoError(t, err)
		got := records + sample + string(weights)
		if i == 0 {
			first = got
		}
		require.Equal(t, first, got, device)
	}
}

// --device cuda from the command line to a driver, which is a fake.
func TestCUDATrainsWithTheBitsOfTheCPU(t *testing.T) {
	driver := &fake.Driver{Major: 9, Minor: 0, Memory: 1 << 30, GPUs: 2}
	driver.Install()
	sameBits(t, "cpu", "cuda", "auto")
	require.Greater(t, driver.Graphs, 50)
	require.Zero(t, driver.Left())
	stdout, _, _ := call("doctor")
	require.Contains(t, stdout, "cuda:1: Fake GPU, compute capability 9.0, 1.0 GiB")
}

// What is generated on a GPU is what the CPU generates, and the host waits for it once, however long it is. Of a long one
// most turns are asked for at once, where they are alike.
func TestCUDAGeneratesWithoutWaiting(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	dir := t.TempDir()
	text := filepath.Join(dir, "text.txt")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("what is generated on a GPU ", 200)), 0o644))
	for model, settings := range map[string]string{"gpt2": "ctx=16 dim=16 heads=2 layers=2 batch=2", "lstm": "dim=8 hidden=16 batch=2 chunk=8"} {
		args := []string{"run", "../../stdlib/models/" + model + ".mdl", "--data", "corpus=" + text, "--out", filepath.Join(dir, model), "-q"}
		for _, s := range strings.Fields(settings) {
			args = append(args, "--set", s)
		}
		_, stderr, code := call(append(args, "train", "--steps", "1")...)
		require.Equal(t, 0, code, stderr)
		generate := func(device string, n string) string {
			said, stderr, code := call(append(args, "sample", "text", "--prompt", "on", "--n", n, "--device", device)...)
			require.Equal(t, 0, code, stderr)
			return said
		}
		var drivers []*fake.Driver
		for _, n := range []string{"30", "70"} { // both go beyond gpt2's context, so both launch the same kernels for the first time
			driver := &fake.Driver{Major: 9, Minor: 0, Memory: 1 << 30, GPUs: 1}
			driver.Install()
			require.Equal(t, generate("cpu", n), generate("cuda", n), model)
			drivers = append(drivers, driver)
		}
		short, long := drivers[0], drivers[1]
		require.Equal(t, short.Waits, long.Waits, model)
		require.Equal(t, short.Copies, long.Copies, model)
		require.Greater(t, long.Launched-short.Launched, 40*10, model)
		if model == "gpt2" {
			require.Less(t, long.Asked+long.Changed-short.Asked, 40*10)
		}
	}
}

// A turn that is made on a GPU before it is known whether it is to be made leaves nothing behind.
func TestCUDAGeneratesUntil(t *testing.T) {
	driver := &fake.Driver{Major: 9, Minor: 0, Memory: 1 << 30, GPUs: 1}
	driver.Install()
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("until.mdl", []byte(`sample text(prompt: text = "a", stop: i32 = 10) {
  generate tok: i32[1, T] from prompt for 60 until tok[0, -1] == stop {
    tok[:, T] = (tok[:, -1] * 7 + 3) % 128
  }
  show tok
  generate more: i32[1, T] from tok for 60 until more[0, -2] % 64 == stop {
    more[:, T] = more[:, -1] + 1
  }
  show more
  x: f32[3] = 1
  n = 0
  while x[2] < f32(stop) { x = x * 1.0625 + x[0] * 0.03125  n = n + 1 }
  show x  show n
}
`), 0o644))
	said := map[string]bool{}
	for _, prompt := range []string{"a", "long"} {
		for _, stop := range []string{"10", "26", "61", "1000"} {
			flags := []string{"run", "until.mdl", "sample", "--prompt", prompt, "--stop", stop, "-q", "--device"}
			want, stderr, code := call(append(flags, "cpu")...)
			require.Equal(t, 0, code, stderr)
			got, stderr, code := call(append(flags, "cuda")...)
			require.Equal(t, 0, code, stderr)
			require.Equal(t, want, got, "%s %s", prompt, stop)
			said[want] = true
		}
	}
	require.Len(t, said, 8)
	require.Greater(t, driver.Looks, 200)
}

// Rounds of launches are nodes of a graph as others are.
func TestCUDALaunchesInRounds(t *testing.T) {
	driver := &fake.Driver{Major: 9, Minor: 0, Memory: 1 << 30, GPUs: 1}
	driver.Install()
	sameRounds(t, 2, "cpu", "cuda")
	require.Positive(t, driver.Graphs)
	require.Zero(t, driver.Left())
}

// The same with the GPU of this machine, in a process that has no fake.
func TestGPUTrainsWithTheBitsOfTheCPU(t *testing.T) {
	if os.Getenv("MDLC_TEST_GPU") != "" {
		if _, _, err := runtime.FindDevice("cuda"); err != nil {
			t.Skipf("skipped: %v", err)
		}
		sameBits(t, "cpu", "cuda")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestGPUTrainsWithTheBitsOfTheCPU$", "-test.v")
	cmd.Env = append(os.Environ(), "MDLC_TEST_GPU=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	if _, reason, skipped := strings.Cut(string(out), "skipped: "); skipped {
		reason, _, _ = strings.Cut(reason, "\n")
		t.Skip("skipped: " + reason)
	}
}
