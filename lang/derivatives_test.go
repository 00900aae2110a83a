package lang

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

const lstmLast = `net = nn.LSTM(2, 3)
fn last(x: f32[2, 4, 2]) -> f32[2, 3] {
  rest: f32[2, 3] = 0
  y, h, c = net(x, rest, rest)
  return h + c + y[:, 1]
}`

// smooth are scalars f(x), made of parts that models have, and what to differentiate by.
var smooth = []struct {
	name, modules, y, by string
	x, v                 []int // shapes of x and of what `by` names
}{
	{"tanh MLP by x", "net = nn.MLP([3, 4, 4, 2], act: tanh)", "sum(net(x)^2)", "x", []int{2, 3}, []int{2, 3}},
	{"tanh MLP by a weight", "net = nn.MLP([3, 4, 2], act: tanh)", "sum(tanh(net(x))^2)", "net.last.weight", []int{2, 3}, []int{4, 2}},
	{"convolution by x", "down = nn.Conv(2, 3, stride: 2)  up = nn.ConvTranspose(3, 2, init: normal())", "sum(up(tanh(down(x)))^3)", "x", []int{1, 2, 4, 4}, []int{1, 2, 4, 4}},
	{"convolution by a weight", "down = nn.Conv(2, 3, stride: 2)", "sum(tanh(down(tanh(x)))^3)", "down.weight", []int{1, 2, 4, 4}, []int{3, 2, 3, 3}},
	{"attention by x", "net = nn.Attention(4, 2, causal: true, rotary: true, init: normal(std: 0.7))", "sum(net(x)^2)", "x", []int{2, 3, 4}, []int{2, 3, 4}},
	{"attention by a weight", "net = nn.Attention(4, 2, init: normal(std: 0.7))", "sum(net(x)^2)", "net.key.weight", []int{2, 3, 4}, []int{4, 4}},
	{"recurrence by x", lstmLast, "sum(last(x)^2)", "x", []int{2, 4, 2}, []int{2, 4, 2}},
	{"recurrence by a weight", lstmLast, "sum(last(x)^2)", "net.wh", []int{2, 4, 2}, []int{3, 4, 3}},
	{"cumulative reducers", "", "sum(cumlogsumexp(x, axis: 1)^2) + sum(cumprod(x, axis: 0) * cumsum(x^3, axis: 1)) + sum(cummax(x, axis: 1)^4) + sum(cummin(x, axis: 0)^4)", "x", []int{2, 5}, []int{2, 5}},
	{"matrices", "fn s(x: f32[2, 3, 3]) -> f32 {  eye[i < 3, j < 3] = f32(i == j)  k[b, i, j] = 2 * eye[i, j] + sum[e] x[b, i, e] * x[b, j, e]  l = cholesky(k)  a, size = slogdet(x + 3 * eye)  return sum(solve_lower(l, x[:, 0])^3) + sum(size^2) + sum(solve(k, x)^2) }", "s(x)", "x", []int{2, 3, 3}, []int{2, 3, 3}},
	{"layer norm and loss", "norm = nn.LayerNorm(5)  fn nll(x: f32[3, 5]) -> f32 {  k: i32[3] = 2  return mean(cross_entropy(gelu(norm(x)), k)) }", "nll(x)", "x", []int{3, 5}, []int{3, 5}},
}

// The first three derivatives are what central differences of the one before say: the gradient of f, of
// f's derivative along v, and of its second derivative along v.
func TestDerivativesOfHigherOrder(t *testing.T) {
	for _, c := range smooth {
		t.Run(c.name, func(t *testing.T) {
			dims := func(d []int) string { return strings.Trim(strings.ReplaceAll(fmt.Sprint(d), " ", ", "), "[]") }
			m := build(t, fmt.Sprintf(`use nn
%s
data d = npy("x")
eval e {
  each x: f32[%s], v: f32[%s] from d.train
  f = %s
  d1 = grad(f, %[5]s)
  f1 = sum(d1 * v)
  d2 = grad(f1, %[5]s)
  f2 = sum(d2 * v)
  d3 = grad(f2, %[5]s)
  show f  show f1  show f2  show d1  show d2  show d3
}`, c.modules, dims(c.x), dims(c.v), c.y, c.by))
			r := rand.New(rand.NewSource(11))
			in := evaluate(t, entryOf(t, m, ir.EntryInit, "").Graph, values{}, nil)
			in["x"], in["v"] = random(r, c.x...), random(r, c.v...)
			at := func(k int, by float64) values {
				x := in[c.by].F
				old := x[k]
				x[k] += by
				out := evaluate(t, entryOf(t, m, ir.EntryEval, "e").Graph, in, nil)
				x[k] = old
				return out
			}
			want := at(0, 0)
			const h = 1e-4
			for k := range in[c.by].F {
				up, down := at(k, h), at(k, -h)
				for order, name := range []string{"f", "f1", "f2"} {
					slope := (up[name].F[0] - down[name].F[0]) / (2 * h)
					require.InDelta(t, slope, want[fmt.Sprintf("d%d", order+1)].F[k], 1e-5*(1+10*max(slope, -slope)), "derivative %d by element %d", order+1, k)
				}
			}
			require.NotZero(t, want["d3"].F[0])
		})
	}
}
