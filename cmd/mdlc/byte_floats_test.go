package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Products of floats of 8 bits, which a file asks for by a setting or by casts, are made by Hopper's tensor cores of such operands, elsewhere of bf16 or f32 with the same
// values: all devices give about the same, which is as near to the product in f32 as 4 bits can be.
func TestProductsOfByteFloats(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	for name, form := range map[string]string{
		"setting": "precision { product = f8e4m3 }\nENTRY y <- x @ w }",
		"casts":   "ENTRY y <- f8e5m2(x) @ f8e5m2(w) }",
		"scales":  "ENTRY s = max(abs(x), axis: 1, keep: true) / 448    y <- f8e4m3(x / s) @ f8e4m3(w) * s }",
		"exact":   "ENTRY y <- x @ w }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			text := strings.Replace(form, "ENTRY", "param x: f32[130, 400] ~ normal\nparam w: f32[400, 192] ~ normal\nstate y: f32[130, 192] = 0\ntrain for 1 {", 1)
			require.NoError(t, os.WriteFile("m.mdl", []byte(text+"\n"), 0o644))
			kernels, stderr, code := call("compile", "m.mdl", "--target", "sm_90a", "--dump", "loops:stage")
			require.Equal(t, 0, code, stderr)
			require.Equal(t, name != "exact", strings.Contains(kernels, "@wgmma"), kernels)
			require.Equal(t, name != "exact", strings.Contains(kernels, "slot: f8e"), kernels)
			run := func(device, target string) []float64 {
				_, stderr, code := call("compile", "m.mdl", "--target", target, "-o", target+".bundle")
				require.Equal(t, 0, code, stderr)
				_, stderr, code = call("run", target+".bundle", "train", "--seed", "3", "--device", device, "--out", target)
				require.Equal(t, 0, code, stderr)
				return weightsOf(t, target)["y"].F
			}
			want, x, w := run("cpu", "avx2"), weightsOf(t, "avx2")["x"], weightsOf(t, "avx2")["w"]
			for _, target := range []string{"sm_80", "sm_90a"} {
				for i, g := range run("emulator", target) {
					require.InDelta(t, want[i], g, 1e-4*(10+math.Abs(want[i])), "%d for %s", i, target)
				}
			}
			far := 0.0
			for i, got := range want {
				exact := 0.0
				for k := range 400 {
					exact += x.F[i/192*400+k] * w.F[k*192+i%192]
				}
				far += (got - exact) * (got - exact) / float64(len(want))
			}
			far = math.Sqrt(far / 400) // of each summand
			switch name {
			case "exact":
				require.Less(t, far, 1e-6)
			case "casts":
				require.InDelta(t, 0.075, far, 0.01) // rounded to 3 bits
			default:
				require.InDelta(t, 0.037, far, 0.005)
			}
		})
	}
}

// Casts to 8 bits, params of 8 bits, and gradients through both mean to machine code what they mean to the evaluator.
func TestByteFloatsAgree(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	agrees(t, `use optim
param w: f32[40, 33] ~ normal(std: 0.1)
param u: f8e5m2[33, 21] ~ normal(std: 0.5)
train for 2 {
  x ~ normal[19, 40]
  s = max(abs(x), axis: 1, keep: true) / 448
  t = max(abs(w), axis: 0, keep: true) / 448
  h = tanh(f8e4m3(x / s) @ f8e4m3(w / t) * s * t)
  y = f8e5m2(h) @ u
  loss = mean(y^2) / 1000
  minimize loss over w, u with optim.sgd(lr: 100)
  report loss
}
`, 2, 1e-5)
}
