package passes

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// writer writes graphs as the front end does: index notation, every factor
// broadcast to all axes.
type writer struct {
	*ir.Builder
	params []*ir.Node
}

func newWriter(name string) *writer { return &writer{Builder: ir.NewBuilder(name)} }

func (w *writer) param(name string, sizes ...int) *ir.Node {
	p := w.Param(ir.ParamState, name, f32(sizes...))
	w.params = append(w.params, p)
	return p
}

func (w *writer) like(x *ir.Node, v float64) *ir.Node { return w.Like(x, v) }

// linear is y[.., o] = sum[i] x[.., i] * weight[i, o] + offset[o].
func (w *writer) linear(x, weight, offset *ir.Node) *ir.Node {
	r := x.Type.Rank()
	full := append(append([]ir.Dim{}, x.Type.Dims[:r-1]...), weight.Type.Dims[1], weight.Type.Dims[0])
	at := []int{}
	for k := range r - 1 {
		at = append(at, k)
	}
	left := w.Broadcast(x, full, append(at, r)...)
	right := w.Index(weight, full, []*index.Expr{ir.Var(r), ir.Var(r - 1)}, nil)
	y := w.Reduce(ir.Sum, []int{r}, w.Mul(left, right))
	return w.Add(y, w.Broadcast(offset, y.Type.Dims, r-1))
}

func (w *writer) gelu(x *ir.Node) *ir.Node {
	return w.Mul(w.Mul(w.like(x, 0.5), x), w.Add(w.like(x, 1), w.Op("erf", w.Div(x, w.like(x, 1.4142135)))))
}

// along repeats a row's value along the row.
func (w *writer) along(r, x *ir.Node) *ir.Node {
	at := []int{}
	for k := range r.Type.Dims {
		at = append(at, k)
	}
	return w.Broadcast(r, x.Type.Dims, at...)
}

func (w *writer) mean(x *ir.Node) *ir.Node {
	r := x.Type.Rank() - 1
	s := w.Reduce(ir.Sum, []int{r}, x)
	return w.Div(s, w.like(s, float64(x.Type.Dims[r].Size)))
}

func (w *writer) layerNorm(x, scale, shift *ir.Node) *ir.Node {
	r := x.Type.Rank() - 1
	x = w.Sub(x, w.along(w.mean(x), x))
	v := w.mean(w.Mul(x, x))
	rs := w.Op("rsqrt", w.Add(v, w.like(v, 1e-5)))
	return w.Add(w.Mul(w.Mul(x, w.along(rs, x)), w.Broadcast(scale, x.Type.Dims, r)), w.Broadcast(shift, x.Type.Dims, r))
}

func (w *writer) softmax(x, mask *ir.Node) *ir.Node {
	r := x.Type.Rank() - 1
	m := w.Stop(w.Reduce(ir.Max, []int{r}, w.Where(mask, x, w.like(x, -1e30))))
	e := w.Where(mask, w.Op("exp", w.Sub(x, w.along(m, x))), w.like(x, 0))
	return w.Div(e, w.along(w.Reduce(ir.Sum, []int{r}, e), x))
}

// size of the Transformer block that the tests use.
type size struct{ b, t, d, h, v int }

func (w *writer) split(x *ir.Node, s size) *ir.Node {
	n := s.d / s.h
	return w.Index(x, dimsOf(s.b, s.t, s.h, n), []*index.Expr{ir.Var(0), ir.Var(1), index.Sum(index.Prod(ir.Var(2), index.C(n)), ir.Var(3))}, nil)
}

func (w *writer) merge(x *ir.Node, s size) *ir.Node {
	n := index.C(s.d / s.h)
	return w.Index(x, dimsOf(s.b, s.t, s.d), []*index.Expr{ir.Var(0), ir.Var(1), index.Quo(ir.Var(2), n), index.Rem(ir.Var(2), n)}, nil)
}

// attention of q, k, v [b, t, h, d], causal.
func (w *writer) attention(q, k, v *ir.Node, s size) *ir.Node {
	n := s.d / s.h
	full := dimsOf(s.b, s.h, s.t, s.t, n)
	product := w.Mul(w.Broadcast(q, full, 0, 2, 1, 4), w.Broadcast(k, full, 0, 3, 1, 4))
	score := w.Reduce(ir.Sum, []int{4}, w.Div(product, w.like(product, 5.65)))
	dims := score.Type.Dims
	p := w.softmax(score, w.Op("le", w.Iota(dims, 3), w.Iota(dims, 2)))
	full = dimsOf(s.b, s.t, s.h, n, s.t)
	return w.Reduce(ir.Sum, []int{4}, w.Mul(w.Broadcast(p, full, 0, 2, 1, 4), w.Broadcast(v, full, 0, 4, 2, 3)))
}

func (w *writer) crossEntropy(logits, target *ir.Node) *ir.Node {
	m := w.Stop(w.Reduce(ir.Max, []int{2}, logits))
	e := w.Op("exp", w.Sub(logits, w.along(m, logits)))
	nll := w.Sub(w.Add(m, w.Op("log", w.Reduce(ir.Sum, []int{2}, e))),
		w.Index(logits, logits.Type.Dims[:2], []*index.Expr{ir.Var(0), ir.Var(1), ir.Data(1)}, nil, target))
	s := w.Reduce(ir.Sum, []int{0, 1}, nll)
	return w.Div(s, w.like(s, float64(nll.Type.Size())))
}

// gpt is a training step of a Transformer of one block with tied embeddings and plain gradient descent.
func gpt(s size) *ir.Graph {
	w := newWriter("gpt")
	token := w.Param(ir.ParamFeed, "token", ir.TensorOf(loop.I32, s.b, s.t))
	target := w.Param(ir.ParamFeed, "target", ir.TensorOf(loop.I32, s.b, s.t))
	embed := w.param("embed", s.v, s.d)
	dims := dimsOf(s.b, s.t, s.d)
	x := w.Index(embed, dims, []*index.Expr{ir.Data(1), ir.Var(2)}, nil, w.Broadcast(token, dims, 0, 1))
	n := w.layerNorm(x, w.param("scale1", s.d), w.param("shift1", s.d))
	q := w.split(w.linear(n, w.param("query", s.d, s.d), w.param("query.offset", s.d)), s)
	k := w.split(w.linear(n, w.param("key", s.d, s.d), w.param("key.offset", s.d)), s)
	v := w.split(w.linear(n, w.param("value", s.d, s.d), w.param("value.offset", s.d)), s)
	a := w.merge(w.attention(q, k, v, s), s)
	x = w.Add(x, w.linear(a, w.param("mix", s.d, s.d), w.param("mix.offset", s.d)))
	n = w.layerNorm(x, w.param("scale2", s.d), w.param("shift2", s.d))
	h := w.gelu(w.linear(n, w.param("up", s.d, 4*s.d), w.param("up.offset", 4*s.d)))
	x = w.Add(x, w.linear(h, w.param("down", 4*s.d, s.d), w.param("down.offset", s.d)))
	n = w.layerNorm(x, w.param("scale3", s.d), w.param("shift3", s.d))
	full := dimsOf(s.b, s.t, s.v, s.d)
	logits := w.Reduce(ir.Sum, []int{3}, w.Mul(w.Broadcast(n, full, 0, 1, 3), w.Broadcast(embed, full, 2, 3)))
	loss := w.crossEntropy(logits, target)
	grads := w.Grad(loss, w.params...)
	results := []ir.Result{{Kind: ir.ResultReport, Name: "loss", Value: loss}}
	for i, p := range w.params {
		g := w.Get(grads, i)
		results = append(results, ir.Result{Kind: ir.ResultState, Name: p.Name, Value: w.Sub(p, w.Mul(w.like(g, 0.1), g))})
	}
	return w.Finish(results...)
}

// conv is a convolution with tanh before and relu after it, and its gradients.
func conv(stride, kernel, pad int) *ir.Graph {
	w := newWriter("conv")
	n, c, o, size := 2, 3, 4, 8
	out := (size+2*pad-kernel)/stride + 1
	x, weight, offset := w.param("x", n, c, size, size), w.param("weight", o, c, kernel, kernel), w.param("offset", o)
	full := dimsOf(n, o, out, out, c, kernel, kernel)
	zero := 0.0
	at := func(i, d int) *index.Expr {
		return index.Sum(index.Prod(ir.Var(i), index.C(stride)), ir.Var(d), index.C(-pad))
	}
	window := w.Index(w.Op("tanh", x), full, []*index.Expr{ir.Var(0), ir.Var(4), at(2, 5), at(3, 6)}, &zero)
	y := w.Reduce(ir.Sum, []int{4, 5, 6}, w.Mul(window, w.Broadcast(weight, full, 1, 4, 5, 6)))
	y = w.Add(y, w.Broadcast(offset, y.Type.Dims, 1))
	y = w.Op("max", y, w.like(y, 0))
	loss := w.Reduce(ir.Sum, []int{0, 1, 2, 3}, w.Mul(y, y))
	grads := w.Grad(loss, w.params...)
	results := []ir.Result{{Kind: ir.ResultReport, Name: "loss", Value: loss}}
	for i, p := range w.params {
		results = append(results, ir.Result{Kind: ir.ResultReport, Name: p.Name, Value: w.Get(grads, i)})
	}
	return w.Finish(results...)
}

// through runs the pipeline; after grad, each pass has to keep the values.
func through(t *testing.T, g *ir.Graph, opt Options, evaluated bool) *ir.Graph {
	var want []*ir.Tensor
	for _, p := range Pipeline(Types{}) {
		if p.Name == "fuse" && opt.NoFusion {
			p.Fn = Separate
		}
		var err error
		g, err = runPass(p, g, opt)
		require.NoError(t, err)
		switch {
		case !evaluated:
		case p.Name == "grad":
			want = evaluate(t, g, nil)
		case want != nil:
			requireEqual(t, want, evaluate(t, g, nil), p.Name)
		}
	}
	return g
}

// kernels lists the clusters of a graph, each as its kind and ops: `dot(dot add erf)`.
func kernels(g *ir.Graph) []string {
	var out []string
	for _, n := range g.Nodes() {
		a, ok := n.Attr.(ir.ClusterAttr)
		if !ok {
			continue
		}
		var ops []string
		for _, x := range n.Regions[0].Nodes() {
			if x.Op.Class != ir.ClassLeaf && x.Op.Class != ir.ClassMovement {
				ops = append(ops, x.Op.Name)
			}
		}
		out = append(out, fmt.Sprintf("%s(%s)", a.Kind, strings.Join(ops, " ")))
	}
	return out
}

func count(list []string, prefix string) int {
	n := 0
	for _, s := range list {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

func TestPipelineKeepsMeaning(t *testing.T) {
	small := size{2, 8, 16, 2, 12}
	through(t, gpt(small), Options{}, true)
	through(t, gpt(small), Options{NoFusion: true}, true)
}

func TestConvolutions(t *testing.T) {
	for _, c := range [][3]int{{1, 3, 1}, {2, 3, 1}, {2, 4, 1}, {1, 5, 0}, {2, 2, 0}} {
		ks := kernels(through(t, conv(c[0], c[1], c[2]), Options{}, true))
		require.Equal(t, 3, count(ks, "dot("), "forward, input's and weight's gradient: %v", ks)
		require.Equal(t, 0, count(ks, "scatter"), "%v", ks)
		require.Contains(t, ks[1], "dot(dot add max", "offset and relu in the convolution")
	}
}

// The kernels of a training step: what belongs together is together.
func TestTransformerKernels(t *testing.T) {
	ks := kernels(through(t, gpt(size{4, 64, 128, 4, 256}), Options{}, false))
	for prefix, n := range map[string]int{
		"dot(": 27, // nine products and two gradients each
		"nest(reduce mul sub mul reduce mul add rsqrt mul mul add": 3, // layer norm
		"nest(le where reduce sub exp where reduce div)":           1, // softmax
		"nest(reduce sub exp reduce log add sub eq where":          1, // cross-entropy and its gradient
		"dot(dot add mul div erf add mul)":                         1, // offset and GELU
		"dot(dot add add)":                                         3, // offset and residual; sum of three gradients
		"scatter(scatter)":                                         1, // of the embedding
		"nest(reduce mul abs le eq where where)":                   1, // the loss, and whether it is finite
		"nest(cast reduce)":                                        2, // whether tokens and targets are inside
	} {
		require.Equal(t, n, count(ks, prefix), "%s in\n%s", prefix, strings.Join(ks, "\n"))
	}
	require.Len(t, ks, 46, "%s", strings.Join(ks, "\n"))
}

func TestFusionIsDeterministic(t *testing.T) {
	s := size{2, 8, 16, 2, 12}
	want := through(t, gpt(s), Options{}, false).String()
	for seed := range int64(5) {
		require.Equal(t, want, through(t, gpt(s), Options{Shuffle: rand.New(rand.NewSource(seed))}, false).String())
	}
}

// generating is the last position's logits of a sequence whose length is known at run time.
func generating() *ir.Graph {
	w := newWriter("generating")
	n := w.Sym("T", 15, nil) // positions before the last
	dims := []ir.Dim{{Size: 2}, ir.DynDim(index.Sum(n, index.C(1)), 16), {Size: 8}}
	x := w.Param(ir.ParamFlag, "x", ir.OfDims(loop.F32, dims))
	h := w.gelu(w.linear(w.layerNorm(x, w.param("scale", 8), w.param("shift", 8)), w.param("up", 8, 32), w.param("offset", 32)))
	last := w.Index(h, dimsOf(2, 32), []*index.Expr{ir.Var(0), n, ir.Var(1)}, nil)
	return w.Finish(ir.Result{Kind: ir.ResultShow, Name: "", As: "table", Value: last})
}

func TestLastPositionOnly(t *testing.T) {
	g := generating()
	lens := map[string]int{"T": 5}
	want := evaluate(t, g, lens)
	for _, p := range Pipeline(Types{}) {
		var err error
		g, err = runPass(p, g, Options{})
		require.NoError(t, err)
	}
	requireEqual(t, want, evaluate(t, g, lens), "generating")
	for _, n := range g.Nodes() {
		require.False(t, n.Type.IsDynamic() && n.Op != ir.OpParam, "only the last position is computed: %s", g)
	}
}
