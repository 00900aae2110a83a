package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
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
	cases := [][4]any{{"bf16", "f32", "bf16", "sgd(lr: 0.1, momentum: 0.9)"}, {"bf16", "bf16", "bf16", "sgd(lr: 0.1)"}, {"f16", "f32", "f32", "adam(lr: 1e-3)"}}
	if os.Getenv("MDLC_CHECK") == "" {
		cases = cases[:1]
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c), func(t *testing.T) { agrees(t, fmt.Sprintf(src, c[:]...), 3, 1.0/128) })
	}
}
