package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What check says of generations: where in the model's file it is, what changes as elements come, and what to write instead.
func TestCheckTellsWhyGenerationsRecompute(t *testing.T) {
	t.Chdir(t.TempDir())
	const text = `use nn
embed = nn.Linear(256, 32)
head = nn.Linear(32, 256)
a = nn.Linear(32, 32)
blocks = [nn.Encoder(32, 2%s) for 2]
fn logits(tok: i32[B, T]) -> f32[B, T, 256] {
  x = embed(one_hot(tok, 256))
  %s
  return head(x)
}
sample text(prompt: text = "a", n: int = 200) {
  generate tok: i32[1, T] from prompt for n {
    tok[:, T] ~ categorical(logits(tok%s)[:, -1], top_k: 40)
  }
  show tok as text
}
`
	const upTo = "   = help: what an element has of those up to it stays as it is: `mean[s where s <= t] x[b, s, d]`, causal attention (`causal: true`), a loop `for t in T`\n"
	for _, c := range []struct {
		body, causal string
		want         []string // in the warning; nil: there is none
	}{
		{body: "x = x + a(x - mean(x, axis: 1, keep: true))\n  x = x + a(x - mean(x, axis: 1, keep: true))", want: []string{
			"m.mdl:8:7: warning: each turn of `generate` computes from the whole prefix: this product over the elements so far depends on later ones\n  |\n8 |   x = x + a(",
			"   = the sum of all elements so far changes with each that comes, at m.mdl:8:17\n   = the place in the library is stdlib/nn.mdl:10:16\n" + upTo}},
		{body: "for b in blocks { x = b(x) }", want: []string{
			"m.mdl:8:3: warning: each turn of `generate` computes from the whole prefix: this product", "   = the sum of products over all elements so far changes with each that comes\n   = the place in the library is stdlib/nn.mdl:", upTo}},
		{body: "y[b, t, d] = x[b, t, d] + x[b, t + 1, d | 0]\n  z = a(y)\n  w[b, t < T, d] = z[b, t - 1, d | 0]\n  x = w", want: []string{
			"m.mdl:16:29: warning: each turn of `generate` computes from the whole prefix: ", "   = a later element is read, at m.mdl:8:29\n", "   = help: read earlier ones, as in `x[b, t - 1, d | 0]`: "}},
		// Element by element: a step, which computes nothing but this.
		{body: "x = x - mean(x, axis: 1, keep: true)\n  x = tanh(x) - mean(tanh(x), axis: 1, keep: true)", want: []string{
			"m.mdl:9:7: warning: each turn of `generate` computes this for all elements so far\n  |\n9 |   x = tanh(x)", "   = the sum of all elements so far changes with each that comes, at m.mdl:8:11\n" + upTo}},
		{body: "x = x - mean(x, axis: 1, keep: true)"},
		{body: "for b in blocks { x = b(x) }", causal: ", causal: true"},
		{body: "q = a(x)[:, -1]\n  p[b, s] = softmax[s] (sum[d] x[b, s, d] * q[b, d])\n  m[b, d] = sum[s] p[b, s] * x[b, s, d]\n  x = x + m[:, none]"},
	} {
		for _, window := range []string{"", "[:, -16:]"} {
			require.NoError(t, os.WriteFile("m.mdl", fmt.Appendf(nil, text, c.causal, c.body, window), 0o644))
			_, stderr, code := call("check", "m.mdl")
			require.Zero(t, code, stderr)
			require.Equal(t, len(c.want) > 0, strings.Contains(stderr, "warning: each turn"), "%s\n%s", c.body, stderr)
			for _, w := range c.want {
				require.Contains(t, stderr, w, c.body)
			}
		}
	}
}
