package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A model trains whatever its number of layers is equal to, and as without fusion.
func TestDepthsThatAreOtherSizes(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range [][2]int{{3, 3}, {4, 4}, {4, 3}, {6, 6}, {5, 5}, {6, 1}, {1, 1}} {
		require.NoError(t, os.WriteFile("deep.mdl", fmt.Appendf(nil, `use nn, optim
module Block {
  param w: f32[6, 6] ~ normal(0, 0.4)
  param g: f32 = 1
  fn (x: f32[B, 6]) -> f32[B, 6] { return g * tanh(x @ w) }
}
blocks = [Block() for %d]
head = nn.Linear(6, %d)
train for 3 {
  x[b < 5, i < 6] = sin(b * 2.0 + i)
  h = x
  for block in blocks { h = block(h) }
  z = head(h)
  loss = mean(z * z)
  minimize loss over blocks, head with optim.adam(lr: 0.1, clip: 0.1)
  report loss
}
`, c[0], c[1]), 0o644))
		said, stderr, code := call("run", "deep.mdl", "train", "--json", "--out", "fused")
		require.Equal(t, 0, code, stderr)
		alone, stderr, code := call("run", "deep.mdl", "train", "--json", "--out", "alone", "--no-fusion", "--threads=1")
		require.Equal(t, 0, code, stderr)
		require.Equal(t, said, alone, "%d layers, %d outputs", c[0], c[1])
	}
}
