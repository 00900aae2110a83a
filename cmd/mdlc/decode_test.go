package main

import (
	"fmt"
	"hash/fnv"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
	"mdlc/lang"
	"mdlc/passes"
)

// generations are bodies of `generate`: what y[b, t, d] is of x, or what is returned, and why it cannot be made row by row, or "".
var generations = []struct {
	name, y string
	caches  int    // carries that the loop gets; -1: any number
	reason  string // of recomputing; "": a step a turn
}{
	{name: "attention", y: "y = nn.merge(nn.causal_attention(nn.split(x @ w1, 2), nn.split(x @ w2, 2), nn.split(x @ w3, 2)))", caches: 2},
	{name: "attention twice", y: `h = x + nn.merge(nn.causal_attention(nn.split(x @ w1, 2), nn.split(x @ w2, 2), nn.split(x @ w3, 2)))
    y = h + nn.merge(nn.causal_attention(nn.split(h @ w2, 2), nn.split(h @ w1, 2), nn.split(h @ w3, 2)))`, caches: 4},
	{name: "layers", y: `for block in blocks { x = block(x) }
    y = x`, caches: 2},
	{name: "window of scores", y: `s[b, i < T, j < T] = sum[d] (x @ w1)[b, i, d] * (x @ w2)[b, j, d]
    a[b, i, j] = where j <= i and j > i - 3 then exp(s[b, i, j]) else 0
    y[b, i, d] = sum[j] a[b, i, j] * (x @ w3)[b, j, d]`, caches: 2},
	{name: "running mean", y: "y[b, t < T, d] = mean[s where s <= t] (x @ w1)[b, s, d]", caches: 1},
	{name: "causal convolution", y: `h = x @ w1
    y[b, t, d] = h[b, t, d] + 2 * h[b, t - 1, d | 0] - h[b, t - 3, d | 0]`, caches: 1},
	{name: "two convolutions", y: `h = x @ w1
    g[b, t, d] = tanh(h[b, t, d] + h[b, t - 1, d | 0])
    y[b, t, d] = g[b, t, d] - (g @ w2)[b, t - 2, d | 0]`, caches: -1},
	{name: "recurrence", y: `h: f32[B, 4] = 0
    for t in T {
      h = tanh(x[:, t] @ w1 + h @ w2)
      y[:, t] = h
    }`, caches: -1},
	{name: "two recurrences", y: `h: f32[B, 4] = 0
    c: f32[B, 4] = 0
    for t in T {
      h = tanh(x[:, t] @ w1 + h @ w2)
      g[:, t] = h
    }
    for t in T {
      c = 0.5 * c + g[:, t] @ w3
      y[:, t] = c - x[:, t]
    }`, caches: -1},
	{name: "first element", y: "y[b, t < T, d] = (x @ w1)[b, 0, d | 0] + x[b, t, d]", caches: 0},
	{name: "mean of all", y: `m = mean(x @ w1, axis: 1)
    y[b, t, d] = x[b, t, d] + m[b, d]`, caches: 1},
	{name: "all see all", y: `h = x + nn.merge(nn.attention(nn.split(x @ w1, 2), nn.split(x @ w2, 2), nn.split(x @ w3, 2)))
    y = h + nn.merge(nn.causal_attention(nn.split(h @ w2, 2), nn.split(h @ w1, 2), nn.split(h @ w3, 2)))`, reason: "depends on later ones"},
	{name: "later element", y: `h[b, t, d] = x[b, t, d] + x[b, t + 1, d | 0]
    g = h @ w1
    y[b, t, d] = g[b, t, d] + g[b, t - 1, d | 0]`, reason: "depends on later ones"},
	{name: "backwards", y: `h: f32[B, 4] = 0
    for t in reverse(T) {
      h = tanh(x[:, t] @ w1 + h @ w2)
      y[:, t] = h
    }`, reason: "depends on later ones"},
	{name: "normalised over all", y: `h = x - mean(x, axis: 1, keep: true)
    g = h @ w1
    y = nn.merge(nn.causal_attention(nn.split(g, 2), nn.split(g @ w2, 2), nn.split(x @ w3, 2)))`, reason: "depends on later ones"},
	{name: "causal by data", y: `s[b, i < T, j < T] = sum[d] (x @ w1)[b, i, d] * (x @ w2)[b, j, d]
    a[b, i, j] = softmax[j where j <= i and tok[b, j] > 1] s[b, i, j]
    y[b, i, d] = sum[j] a[b, i, j] * (x @ w3)[b, j, d]`, caches: 2},
	{name: "later ones only", y: `s[b, i < T, j < T] = sum[d] (x @ w1)[b, i, d] * (x @ w2)[b, j, d]
    a[b, i, j] = softmax[j where j >= i] s[b, i, j]
    h[b, i, d] = sum[j] a[b, i, j] * (x @ w3)[b, j, d]
    y[b, t, d] = (h @ w1)[b, t, d] + (h @ w2)[b, t - 1, d | 0]`, reason: "depends on later ones"},
	{name: "sum of all, not of a row", y: `z[b, d] = sum[t] (x @ w1)[b, t, d]
    return z @ head`, caches: 1},
	{name: "argmax of all, not of a row", y: `best[b] = argmax[t] (x @ w1)[b, t, 0]
    z[b, d] = w2[d, 0] * (1 + best[b])
    return z @ head`, caches: 1},
	{name: "the last element asks all", y: `q = (x @ w1)[:, -1]
    p[b, s] = softmax[s] (sum[d] (x @ w2)[b, s, d] * q[b, d])
    z[b, d] = sum[s] p[b, s] * (x @ w3)[b, s, d]
    return z @ head`, caches: 2},
	{name: "the first element, if there is one", y: `z[b, d] = (x @ w1)[b, 0, d | 7]
    return z @ head`, caches: 0},
	{name: "recurrence from the first element, if there is one", y: `h[b, d] = embed[tok[b, 0 | 2], d]
    for t in T {
      h = tanh(x[:, t] @ w1 + h @ w2)
      y[:, t] = h
    }`, reason: "depends on later ones"},
	{name: "last state of a recurrence", y: `h: f32[B, 4] = 0
    for t in T { h = tanh(x[:, t] @ w1 + h @ w2) }
    return h @ head`, caches: -1},
	{name: "recurrence that draws anew in each turn", y: `h: f32[B, 4] = 0
    for t in T {
      u ~ uniform(0, 1)[B, 4]
      h = tanh(x[:, t] @ w1 + h @ w2) * u
      y[:, t] = h
    }`, reason: "depends on later ones"},
	{name: "states of two recurrences in one array", y: `s: f32[2, B, 4] = 0
    h = s[0]
    for t in T {
      h = tanh(x[:, t] @ w1 + h @ w2)
      g[:, t] = h
    }
    s[0] = h
    h = s[1]
    for t in T {
      h = tanh(g[:, t] @ w1 + h @ w3)
      y[:, t] = h
    }`, caches: -1},
	{name: "layers that carry the sum of all", y: `m: f32[B, 4] = 0
    for block in blocks {
      x = block(x)
      m = m + sum(x, axis: 1)
      x = x + m[:, none]
    }
    y = x`, reason: "depends on later ones"},
	{name: "whole numbers beside a large one", y: `k[b, t < T] = where 100 * tok[b, t] > 150 then 1 else 3
    y[b, t < T, d] = x[b, t, d] * k[b, t] + max(100 * tok[b, t], 150)`, caches: 0},
	{name: "numbers beside a large one", y: `k[b, t < T, d] = where x[b, t, d] * 1e36 > 1e35 then 1 else 3
    y[b, t < T, d] = x[b, t, d] * k[b, t, d]`, caches: 0},
	{name: "comparison with zero", y: `y[b, t < T, d] = where max(x[b, t, d], 0) == 0 then 2 else x[b, t, d]`, caches: 0},
	{name: "sign of a zero", y: `y[b, t < T, d] = where 1 / (0 * x[b, t, d]) > 0 then x[b, t, d] else 2`, caches: 0},
	{name: "comparison with what a mask leaves", y: `s[b, i < T, j < T] = where j <= i and j > i - 3 then (sum[d] (x @ w1)[b, i, d] * (x @ w2)[b, j, d]) else -inf
    a[b, i, j] = where s[b, i, j] == -inf then 0 else 1 + tok[b, j]
    y[b, i, d] = sum[j] a[b, i, j] * (x @ w3)[b, j, d]`, caches: 2},
	{name: "infinite by data", y: `s[b, i < T, j < T] = where tok[b, j] == 1 then -inf else 1.0 + i
    c[b, i < T] = any[j < T] (s[b, i, j] == -inf)
    h[b, i, d] = where c[b, i] then x[b, i, d] else 2 * x[b, i, d]
    y[b, t, d] = (h @ w1)[b, t, d] + (h @ w2)[b, t - 1, d | 0]`, reason: "depends on later ones"},
}

const generationText = `use nn
config { dim = 4 }
module Block {
  param a: f32[4, 4] ~ normal()
  param b: f32[4, 4] ~ normal()
  fn (x: f32[B, T, dim]) -> f32[B, T, dim] = x + nn.merge(nn.causal_attention(nn.split(x @ a, 2), nn.split(x @ b, 2), nn.split(tanh(x), 2)))
}
module Model {
  param embed: f32[5, 4] ~ normal()
  param w1: f32[4, 4] ~ normal()
  param w2: f32[4, 4] ~ normal()
  param w3: f32[4, 4] ~ normal()
  param head: f32[4, 5] ~ normal()
  blocks = [Block() for 3]
  fn logits(tok: i32[B, T]) -> f32[B, 5] {
    x[b, t < T, d] = embed[tok[b, t], d] + sin(0.3 * t + d)
    %s
  }
}
model = Model()
sample text(prompt: i32[2, P], n: int = 4) {
  generate tok: i32[2, T] from prompt for n%s {
    logits = model.logits(tok%s)
    drawn ~ categorical(logits)
    tok[:, T] = (drawn + i32(1000 * abs(logits[:, 0]))) %% 5       // a small difference shows
  }
  show tok as text
}
`

// What a generation computes row by row is what it computes from the whole prefix, for prompts of any length; and where it
// cannot, the reason names the operation.
func TestGenerationsRowByRow(t *testing.T) {
	for _, g := range generations {
		for _, form := range []struct{ name, until, window string }{{"", "", ""}, {", window", "", "[:, -6:]"}, {", until", " until all(tok[:, -1] == 3)", ""}} {
			t.Run(g.name+form.name, func(t *testing.T) {
				y := g.y
				if !strings.Contains(y, "return") {
					y += "\n    return y[:, -1] @ head"
				}
				text := fmt.Sprintf(generationText, y, form.until, form.window)
				module, diagnostics := lang.Build("model.mdl", []byte(text), lang.Options{})
				for _, d := range diagnostics {
					require.NotEqual(t, lang.Error, d.Severity, d.Text())
				}
				require.Len(t, module.Entries, 2)
				reasons, err := passes.Recomputing(module)
				require.NoError(t, err)
				reasons = slices.DeleteFunc(reasons, func(r *passes.Recomputes) bool { return !strings.Contains(r.What, "whole prefix") })
				entry := module.Entries[1]
				before := entry.Graph
				m := *module
				m.Entries = []*ir.Entry{entry}
				require.NoError(t, passes.Run(&m, passes.Options{StopAfter: "decode"}))
				if g.reason != "" {
					require.NotEmpty(t, reasons)
					require.Contains(t, reasons[0].Error(), g.reason)
					require.NotEmpty(t, reasons[0].Pos.File)
				} else {
					require.Empty(t, reasons)
					require.NotZero(t, carriesOf(entry.Graph), "the loop carries the sequence only")
					if g.caches >= 0 && form.window == "" && form.until == "" {
						require.Equal(t, 1+g.caches, carriesOf(entry.Graph))
					}
				}
				for _, length := range []int{0, 1, 5, 8} { // with a window of 6: before it is full, as it gets full, and when it is
					want, got := runSample(t, before, length), runSample(t, entry.Graph, length)
					require.Equal(t, want[0].I, got[0].I, "a prompt of %d elements", length)
				}
			})
		}
	}
}

// A generation in a loop is not a step a turn, and that is told.
func TestGenerationsInLoops(t *testing.T) {
	text := fmt.Sprintf(generationText, "return x[:, -1] @ head", "", "")
	for _, loop := range []string{"for k in 3 {", "if sum(prompt) > 3 {"} {
		inLoop := strings.Replace(strings.Replace(text, "  generate", "  s: i32[2] = 0\n  "+loop+"\n  generate", 1), "  show tok as text", "  s = s + tok[:, -1]\n  }\n  show s", 1)
		module, diagnostics := lang.Build("model.mdl", []byte(inLoop), lang.Options{})
		for _, d := range diagnostics {
			require.NotEqual(t, lang.Error, d.Severity, d.Text())
		}
		reasons, err := passes.Recomputing(module)
		require.NoError(t, err)
		require.NotEmpty(t, reasons)
		require.Contains(t, reasons[0].Error(), "stands in a loop")
	}
}

// carriesOf is the largest number of carries of a loop of g.
func carriesOf(g *ir.Graph) (most int) {
	for _, n := range g.Nodes() {
		if a, ok := n.Attr.(ir.LoopAttr); ok {
			most = max(most, a.Carry)
		}
	}
	return most
}

// runSample evaluates a sample's graph with random states and a prompt of some length.
func runSample(t *testing.T, g *ir.Graph, length int) []*ir.Tensor {
	lens := map[string]int{}
	for _, y := range g.Syms {
		if y.Def == nil {
			lens[y.Name] = length
		}
	}
	e := ir.Evaluator{Lens: lens, Params: func(kind ir.ParamKind, name string) *ir.Tensor {
		for _, p := range g.Params {
			a := p.Attr.(ir.ParamAttr)
			if a.Kind != kind || a.Name != name {
				continue
			}
			h := fnv.New64a()
			h.Write([]byte(name))
			r := rand.New(rand.NewSource(int64(h.Sum64())))
			var dims []int
			for _, d := range a.Type.Dims {
				if d.Len != nil {
					d.Size = d.Len.Eval(func(s string) int { return lens[s] })
				}
				dims = append(dims, d.Size)
			}
			x := ir.NewTensor(a.Type.Elem, dims...)
			for i := range x.F {
				x.F[i] = r.NormFloat64()
			}
			for i := range x.I {
				x.I[i] = int64(r.Intn(5))
			}
			return x
		}
		return nil
	}}
	out, err := e.Run(g)
	require.NoError(t, err)
	require.Equal(t, loop.I32, out[0].Elem)
	return out
}
