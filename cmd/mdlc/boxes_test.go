package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
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

// A net of convolutions is trained on Hopper as on the CPU, but for the order of additions: its convolutions, the gradients of their inputs and those of their weights
// are all of boxes of images.
func TestHopperTrainsConvolutions(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("m.mdl", []byte(`use nn, optim
config { steps = 2 }
precision { compute = bf16 }
module Net() {
  a = nn.Conv(64, 64)
  b = nn.Conv(64, 64, bias: false)
  fn (x: f32[1, 64, 4, 64]) -> f32[1, 64, 4, 64] { return b(relu(a(x))) }
}
net = Net()
state x: f32[1, 64, 4, 64] ~ normal()
train for steps {
  y = net(x)
  minimize mean(y * y) over net with optim.sgd(lr: 10.0)
}
`), 0o644))
	kernels, stderr, code := call("compile", "m.mdl", "--target", "sm_90a", "--dump", "loops:stage")
	require.Equal(t, 0, code, stderr)
	products := 0
	for k := range strings.SplitSeq(kernels, "\nkernel ") {
		if strings.Contains(k, " dot[") {
			require.Contains(t, k, "fill ring")
			products++
		}
	}
	require.Equal(t, 5, products)
	trained := map[string]map[string]*ir.Tensor{}
	for device, target := range map[string]string{"cpu": "avx2", "emulator": "sm_90a"} {
		for _, steps := range []string{"0", "2"} {
			_, stderr, code := call("compile", "m.mdl", "--set", "steps="+steps, "--target", target, "-o", target+".bundle")
			require.Equal(t, 0, code, stderr)
			_, stderr, code = call("run", target+".bundle", "train", "--seed", "3", "--device", device, "--out", device+steps)
			require.Equal(t, 0, code, stderr)
			trained[device+steps] = weightsOf(t, device+steps)
		}
	}
	for name, before := range trained["cpu0"] {
		if !strings.HasPrefix(name, "net.") {
			continue
		}
		apart, moved := 0.0, 0.0
		for i, x := range before.F {
			cpu := trained["cpu2"][name].F[i]
			apart, moved = apart+math.Pow(cpu-trained["emulator2"][name].F[i], 2), moved+math.Pow(cpu-x, 2)
		}
		require.Positive(t, moved, name)
		require.Less(t, math.Sqrt(apart/moved), 0.02, name)
	}
}
