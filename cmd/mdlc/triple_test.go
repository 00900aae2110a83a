package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Products of f32 made of three of bf16 are hundreds of times nearer to what they should be than one of bf16 is, on all devices alike, and Hopper makes them with one
// accumulator; without the setting they are of f32.
func TestProductsOfThree(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	const rows, sums, cols = 130, 400, 192
	far := map[string]float64{} // of a result, in the sum of the absolute values of its summands
	for name, setting := range map[string]string{"f32": "", "three": "precision { product = bf16x3 }\n", "bf16": "precision { compute = bf16 }\n"} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			text := setting + "param x: f32[130, 400] ~ normal\nparam w: f32[400, 192] ~ normal\nstate y: f32[130, 192] = 0\ntrain for 1 { y <- x @ w }\n"
			require.NoError(t, os.WriteFile("m.mdl", []byte(text), 0o644))
			kernels, stderr, code := call("compile", "m.mdl", "--target", "sm_90a", "--dump", "loops:stage")
			require.Equal(t, 0, code, stderr)
			require.Equal(t, 1, strings.Count(kernels, "dot["), "kernels of a product, or products of a kernel")
			require.Equal(t, name != "f32", strings.Contains(kernels, "@wgmma"), kernels)
			run := func(device, target string) []float64 {
				_, stderr, code := call("compile", "m.mdl", "--target", target, "-o", target+".bundle")
				require.Equal(t, 0, code, stderr)
				_, stderr, code = call("run", target+".bundle", "train", "--seed", "3", "--device", device, "--out", target)
				require.Equal(t, 0, code, stderr)
				return weightsOf(t, target)["y"].F
			}
			worst := func(got, x, w []float64) (far float64) {
				for i, y := range got {
					exact, size := 0.0, 0.0
					for k := range sums {
						p := x[i/cols*sums+k] * w[k*cols+i%cols]
						exact, size = exact+p, size+math.Abs(p)
					}
					far = max(far, math.Abs(y-exact)/size)
				}
				return far
			}
			cpu := run("cpu", "avx2")
			x, w := weightsOf(t, "avx2")["x"].F, weightsOf(t, "avx2")["w"].F
			require.Len(t, cpu, rows*cols)
			far[name] = worst(cpu, x, w)
			for _, target := range []string{"sm_80", "sm_90a"} {
				require.Less(t, worst(run("emulator", target), x, w), far[name]*1.5, target)
			}
		})
	}
	t.Log(far)
	require.Less(t, far["three"], math.Ldexp(1, -18))
	require.Less(t, far["three"]*200, far["bf16"])
}

// Products of three mean to machine code what they mean to the evaluator, forward and backward, beside those of a param that is kept.
func TestProductsOfThreeAgree(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	agrees(t, `use optim
precision { product = bf16x3  keep = ["head"] }
param w: f32[65, 70] ~ normal(std: 0.1)
param head: f32[70, 64] ~ normal(std: 0.1)
train for 1 {
  x ~ normal[66, 65]
  loss = mean((tanh(x @ w) @ head)^2)
  minimize loss over w, head with optim.sgd(lr: 0.1)
  report loss
}
`, 1, 1e-4)
}

// Samples stay in f32: what they generate element by element is what a product of all rows has, bit for bit.
func TestSamplesAreNotOfThree(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	t.Chdir(t.TempDir())
	const text = "param w: f32[96, 96] ~ normal\ntrain for 1 { x ~ normal[64, 96] report a = sum(x @ w) }\nsample s { x ~ normal[64, 96] show x @ w }\n"
	require.NoError(t, os.WriteFile("m.mdl", []byte("precision { product = bf16x3 }\n"+text), 0o644))
	loops, stderr, code := call("compile", "m.mdl", "--emit", "loops")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, loops, "in where_2: bf16[2,96,96], out dot_1: f32[64,96]", "what trains")
	require.Contains(t, loops, "in w: f32[96,96], out dot_1: f32[64,96]", "the sample")
}
