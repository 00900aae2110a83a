package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// A Transformer, a gather of experts, a convolution and a recurrence whose products are made of
// 16-bit floats, and whose params and moments are kept in them: machine code has the same bits at
// any thread count and without fusion, and about the numbers of the reference, which rounds the
// same values. Where the two differ by a rounding of 8 bits, weights differ by about one too.
func TestPrecisionAgrees(t *testing.T) {
	t.Setenv("MDLC_CACHE", filepath.Join(os.TempDir(), "mdlc-test-cache"))
	const src = `use nn, optim
precision { compute = %s  master = %s  moments = %s }
blocks = [nn.Encoder(24, 3, causal: true) for 2]
norm = nn.RMSNorm(24)
conv = nn.Conv(2, 3, 3)
param experts: f32[5, 24, 7] ~ normal(std: 0.2)
param pinned: bf16[24] ~ normal
state seen: bf16[24] = 0
train for 3 {
  x ~ normal[3, 17, 24]
  y = x
  for block in blocks { y = block(y) }
  pick = argmax(x[:, :, :5], axis: -1)
  z[b, t, o] = sum[d] y[b, t, d] * experts[pick[b, t], d, o]
  image ~ normal[2, 2, 9, 9]
  h: f32[3, 7] = 0
  for t in 17 { h = tanh(h @ experts[0, :7] + z[:, t]) }
  seen <- 0.5 * seen + mean(norm(y) * pinned, axis: [0, 1])
  minimize mean(z^2) + mean(conv(image)^2) + mean(h) + mean(norm(y) * pinned) over blocks, norm, conv, experts, pinned
    with optim.%s
}
`
	cases := [][4]any{{"bf16", "f32", "bf16", "sgd(lr: 0.1, momentum: 0.9)"}, {"bf16  product = f8e4m3  keep = [\"experts\"]", "f32", "f32", "sgd(lr: 0.01)"}, {"bf16", "bf16", "bf16", "sgd(lr: 0.1)"}, {"f16", "f32", "f32", "adam(lr: 1e-3)"}}
	if os.Getenv("MDLC_CHECK") == "" {
		cases = cases[:2]
	}
	for i, c := range cases {
		tolerance := 1.0 / 128
		if i == 1 { // a rounding of 4 bits
			tolerance = 1.0 / 16
		}
		t.Run(fmt.Sprint(c), func(t *testing.T) { agrees(t, fmt.Sprintf(src, c[:]...), 3, tolerance) })
	}
}

// --precision means what `compute` of the file would, and wins over it; -v says so.
func TestPrecisionFlag(t *testing.T) {
	_, file := model(t)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	graph := func(compute, flag string) (string, string) {
		said := string(text)
		if compute != "" {
			said += "precision { compute = " + compute + " }\n"
		}
		require.NoError(t, os.WriteFile(file, []byte(said), 0o644))
		stdout, stderr, code := call(append([]string{"compile", file, "-v", "--stop-after", "grad"}, strings.Fields(flag)...)...)
		require.Equal(t, 0, code, stderr)
		note, _, _ := strings.Cut(stderr, "\n")
		return stdout, note
	}
	said := map[string]string{}
	for _, e := range []string{"f32", "bf16", "f16", "f64"} {
		said[e], _ = graph(e, "")
	}
	require.Regexp(t, `cast %\d+ bf16`, said["bf16"])
	require.NotContains(t, said["f32"], "f16")
	require.Contains(t, said["f64"], "param linear.w f64[7]")
	require.NotContains(t, said["f64"], "f32[")
	for _, c := range []struct{ compute, flag, file string }{{"", "bf16", "f32"}, {"", "f32", "f32"}, {"f16", "bf16", "f16"}, {"bf16", "f32", "bf16"}, {"bf16", "bf16", "bf16"},
		{"", "f64", "f32"}, {"bf16", "f64", "bf16"}, {"f64", "f32", "f64"}, {"f64", "bf16", "f64"}, {"f64", "f64", "f64"}} {
		got, note := graph(c.compute, "--precision "+c.flag)
		require.Equal(t, said[c.flag], got, c)
		if c.flag != c.file {
			require.Equal(t, map[bool]string{true: "everything", false: "products"}[c.flag == "f64"]+" in "+c.flag+", as --precision says: the file says "+c.file, note)
		} else {
			require.NotContains(t, note, "products", c)
		}
	}
}

// Weights of a training in f32 are those of a run in f64, and the other way round: `--precision f64` tells what rounding does to them.
func TestDoubleWeights(t *testing.T) {
	_, file := model(t)
	run := func(args string) string {
		stdout, stderr, code := call(append([]string{"run", file}, strings.Fields(args)...)...)
		require.Equal(t, 0, code, stderr)
		return stdout
	}
	loss := func(said string) float64 {
		var r struct{ Loss float64 }
		lines := strings.Split(strings.TrimSpace(said), "\n")
		require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &r), said)
		return r.Loss
	}
	f32 := loss(run("train --steps 60 --json --out single --precision f32"))
	f64 := loss(run("eval --json --out single --precision f64"))
	require.InEpsilon(t, f64, f32, 1e-5)
	require.NotEqual(t, f64, f32)
	require.NotEqual(t, f64, float64(float32(f64)), "the report has f32's digits")

	run("train --steps 60 --json --out double --precision f64")
	single, double := weightsOf(t, "single"), weightsOf(t, "double")
	for name, x := range double {
		if len(x.F) == 0 {
			continue
		}
		require.Equal(t, loop.F64, x.Elem, name)
		require.Equal(t, loop.F32, single[name].Elem, name)
		for i := range x.F {
			require.InDelta(t, x.F[i], single[name].F[i], 1e-4, name)
			require.NotEqual(t, x.F[i], float64(float32(x.F[i])), "%s has f32's digits", name)
		}
	}
	require.InEpsilon(t, loss(run("eval --json --out double")), loss(run("eval --json --out double --precision f32")), 1e-5)
	run("train --steps 70 --json --out double --precision f32 --resume")
	require.Equal(t, loop.F32, weightsOf(t, "double")["linear.w"].Elem)
}

// Eval, sample and resume take --precision from the run that trained, unless it is given anew.
func TestPrecisionOfTheRun(t *testing.T) {
	dir, file := model(t)
	run := func(args string) (string, string) {
		stdout, stderr, code := call(append([]string{"run", file}, strings.Fields(args)...)...)
		require.Equal(t, 0, code, stderr)
		return stdout, stderr
	}
	const taken = "as runs/regression was trained: --precision bf16\n"
	trained, _ := run("train --steps 60 --json --precision bf16")
	exact, _ := run("train --steps 60 --json --out exact")
	require.NotEqual(t, exact, trained)
	stdout, stderr := run("eval --json")
	require.Contains(t, stderr, taken)
	require.True(t, strings.HasSuffix(trained, stdout), "%s%s", trained, stdout)
	stdout, stderr = run("eval --json --precision f32")
	require.NotContains(t, stderr, "was trained")
	require.False(t, strings.HasSuffix(trained, stdout), "%s%s", trained, stdout)
	_, stderr = run("sample --precision bf16")
	require.NotContains(t, stderr, "was trained")

	half, _ := run("train --steps 30 --json --precision bf16 --out half")
	rest, stderr := run("train --steps 60 --json --resume --out half")
	require.Contains(t, stderr, "half was trained: --precision bf16\n")
	last := strings.LastIndex(strings.TrimSuffix(half, "\n"), "\n") + 1 // the eval at its end
	require.Equal(t, trained, half[:last]+rest)
	sameFile(t, "weights.safetensors", filepath.Join(dir, "runs/regression"), filepath.Join(dir, "half"))

	said, _ := run("train --steps 60 --json --resume --out half")
	other, _ := run("train --steps 60 --json --resume --precision f16 --out half")
	require.Contains(t, other, "eval valid")
	require.NotEqual(t, said, other, "what the log says is of another precision")
	_, stderr = run("sample --out half")
	require.Contains(t, stderr, "half was trained: --precision bf16\n", "nothing was left to train in f16")
	_, stderr = run("train --steps 70 --resume --precision f32 --out half")
	require.Contains(t, stderr, "warning: products are made in f32; the run began with bf16\n")
	_, stderr = run("sample --out half")
	require.Contains(t, stderr, "half was trained: --precision f32\n", "what a resumed run took is its own")
	_, stderr = run("train --resume --out half")
	require.Contains(t, stderr, "half was trained: --precision f32 --steps 70\n")
	require.Contains(t, stderr, ", products in f32\n")
	require.Contains(t, stderr, "nothing is left to train: 70 of 70 steps are done")
	_, stderr = run("train --steps 70 --resume --precision f16 --out exact")
	require.Contains(t, stderr, "warning: products are made in f16; the run began with what the model says\n")
}
