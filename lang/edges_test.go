package lang

import (
	"fmt"
	"math"
	"testing"

	"mdlc/ir"
)

// What reducers, sorting and matrices give at the edges: nothing, one element, equals, infinities, NaN.
func TestValuesAtEdges(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		y       string
		x, want []float64
	}{
		{"sum(x[:0])", []float64{4}, []float64{0}},
		{"prod(x[:0])", []float64{4}, []float64{1}},
		{"max(x[:0])", []float64{4}, []float64{-inf}},
		{"min(x[:0])", []float64{4}, []float64{inf}},
		{"mean(x[:0])", []float64{4}, []float64{nan}},
		{"logsumexp(x[:0])", []float64{4}, []float64{-inf}},
		{"sum[i where x[i] > 5] x[i]", []float64{4, 5}, []float64{0}},
		{"max[i where x[i] > 5] x[i]", []float64{4, 5}, []float64{-inf}},
		{"logsumexp[i where x[i] > 5] x[i]", []float64{4, 5}, []float64{-inf}},
		{"f32(argmax(x))", []float64{4}, []float64{0}},
		{"f32(argmax(x))", []float64{1, 7, 7}, []float64{1}},
		{"f32(argmin(x))", []float64{7, 1, 1}, []float64{1}},
		{"max(x)", []float64{1, nan, 3}, []float64{nan}},
		{"min(x)", []float64{1, nan, -3}, []float64{nan}},
		{"max(x, 2)", []float64{1, nan, 3}, []float64{2, nan, 3}},
		{"max(x)", []float64{-inf, -inf}, []float64{-inf}},
		{"var(x)", []float64{4}, []float64{0}},
		{"softmax(x, axis: 0)", []float64{4}, []float64{1}},
		{"softmax(x, axis: 0)", []float64{-inf, 1, 1}, []float64{0, 0.5, 0.5}},
		{"log_softmax(x, axis: 0)", []float64{-inf, 1}, []float64{-inf, 0}},
		{"logsumexp(x)", []float64{1e4, 1e4}, []float64{1e4 + math.Log(2)}},
		{"logsumexp(x)", []float64{inf, 1}, []float64{inf}},
		{"logsumexp(x)", []float64{nan, 1}, []float64{nan}},
		{"sort(x)", []float64{4}, []float64{4}},
		{"sort(x)", []float64{2, nan, -inf, 2, inf}, []float64{-inf, 2, 2, inf, nan}},
		{"f32(argsort(x))", []float64{2, 1, 2, 1}, []float64{1, 3, 0, 2}},
		{"f32(top_k(x, 2))", []float64{2, 5, 5, 1}, []float64{1, 2}},
		{"f32(top_k(x, 1))", []float64{4}, []float64{0}},
		{"cholesky(x[:, none])[:, 0]", []float64{4}, []float64{2}},
		{"cholesky(x[:, none])[:, 0]", []float64{-4}, []float64{nan}},
		{"det(x[:, none])", []float64{-4}, []float64{-4}},
		{"det(reshape(x, [2, 2]))", []float64{1, 2, 2, 4}, []float64{0}},
		{"det(reshape(x, [3, 3]))", make([]float64, 9), []float64{0}},
		{"solve(reshape(x, [2, 2]), x[:2])", []float64{0, 0, 0, 0}, []float64{nan, nan}},
		{"det(reshape(x, [2, 2]))", []float64{0, 1, 1, 0}, []float64{-1}},
		{"flatten(inverse(reshape(x, [2, 2])))", []float64{0, 2, 4, 0}, []float64{0, 0.25, 0.5, 0}},
		{"solve_lower(reshape(x, [2, 2]), x[:2])", []float64{2, 9, 1, 4}, []float64{1, 2}},
		{"solve_upper(reshape(x, [2, 2]), x[:2])", []float64{2, 4, 9, 1}, []float64{-7, 4}},
		{"round(x)", []float64{0.5, 1.5, -2.5, inf}, []float64{0, 2, -2, inf}},
		{"softplus(x)", []float64{-inf, inf, 0, 1000}, []float64{0, inf, math.Ln2, 1000}},
		{"sigmoid(x)", []float64{-inf, inf, 0}, []float64{0, 1, 0.5}},
	} {
		m := build(t, fmt.Sprintf("data d = npy(\"x\")\neval e {\n  each x: f32[%d] from d.train\n  y = %s\n  show y\n}", len(c.x), c.y))
		out := evaluate(t, entryOf(t, m, ir.EntryEval, "e").Graph, values{"x": ir.Floats(c.x, len(c.x))}, nil)
		for i, w := range c.want {
			same(t, w, out["y"].F[i], fmt.Sprintf("element %d of %s at %v", i, c.y, c.x))
		}
	}
}

// The gradients at ties and infinities: each cotangent goes to the first of equals, and to nothing where all are -inf.
func TestGradientsAtEdges(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		y       string
		x, want []float64
	}{
		{"sum(cummax(x, axis: 0))", []float64{1, 3, 3, 2}, []float64{1, 3, 0, 0}},
		{"sum(cummin(x, axis: 0))", []float64{3, 3, 1, 1}, []float64{2, 0, 2, 0}},
		{"max(x)", []float64{2, 5, 5, 1}, []float64{0, 1, 0, 0}},
		{"min(x)", []float64{2, 1, 1, 1}, []float64{0, 1, 0, 0}},
		{"sum(sort(x)[:2])", []float64{4, 1, 1, 1}, []float64{0, 1, 1, 0}},
		{"sum(x[top_k(x, 2)])", []float64{4, 7, 4, 4}, []float64{1, 1, 0, 0}},
		{"logsumexp(x)", []float64{-inf, -inf}, []float64{0, 0}},
		{"logsumexp(x)", []float64{-inf, 3}, []float64{0, 1}},
		{"logsumexp(x)", []float64{700, 700}, []float64{0.5, 0.5}},
		{"sum(cumlogsumexp(x, axis: 0)[2:])", []float64{-inf, -inf, 2}, []float64{0, 0, 1}},
		{"sum(cumlogsumexp(x, axis: 0))", []float64{-inf, -inf, -inf}, []float64{0, 0, 0}},
		{"norm(x)", []float64{0, 0}, []float64{0, 0}},
		{"prod(x)", []float64{2, 0, 3}, []float64{0, 6, 0}},
		{"prod(x)", []float64{0, 0, 3}, []float64{0, 0, 0}},
		{"sum(abs(x))", []float64{0, -2, 3}, []float64{0, -1, 1}},
		{"sum(relu(x))", []float64{0, -2, 3}, []float64{0, 0, 1}},
		{"sum(softplus(x))", []float64{0, -inf, inf, -1000, 1000}, []float64{0.5, 0, 1, 0, 1}},
		{"sum(grad(sum(softplus(x)), x))", []float64{0, -1000, 1000}, []float64{0.25, 0, 0}},
		{"sum(bernoulli(x).log_prob(stop(x)))", []float64{0, 0}, []float64{-0.5, -0.5}},
	} {
		m := build(t, fmt.Sprintf("data d = npy(\"x\")\neval e {\n  each x: f32[%d] from d.train\n  g = grad(%s, x)\n  show g\n}", len(c.x), c.y))
		out := evaluate(t, entryOf(t, m, ir.EntryEval, "e").Graph, values{"x": ir.Floats(c.x, len(c.x))}, nil)
		for i, w := range c.want {
			same(t, w, out["g"].F[i], fmt.Sprintf("gradient %d of %s at %v", i, c.y, c.x))
		}
	}
}
