package lang

import (
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
	"mdlc/passes"
)

// build is Build for a text that must be right.
func build(t *testing.T, src string, set ...ir.Setting) *ir.Module {
	t.Helper()
	m, ds := Build("test.mdl", []byte(src), Options{Set: set})
	for _, d := range ds {
		if d.Severity == Error {
			t.Fatal(d.Text())
		}
	}
	require.NoError(t, ir.VerifyModule(m))
	return m
}

func entryOf(t *testing.T, m *ir.Module, kind ir.EntryKind, name string) *ir.Entry {
	t.Helper()
	for _, e := range m.Entries {
		if e.Kind == kind && e.Name == name {
			return e
		}
	}
	t.Fatalf("no entry %s %s", kind, name)
	return nil
}

type values map[string]*ir.Tensor

// evaluate runs a graph through the reference evaluator; results are keyed by name.
func evaluate(t *testing.T, g *ir.Graph, in values, lens map[string]int) values {
	t.Helper()
	g, err := passes.Grad(g)
	require.NoError(t, err)
	e := &ir.Evaluator{Lens: lens, Params: func(kind ir.ParamKind, name string) *ir.Tensor {
		if kind == ir.ParamSeed && in[name] == nil {
			return ir.Ints(loop.U32, []int64{7, 9}, 2)
		}
		return in[name]
	}}
	out, err := e.Run(g)
	require.NoError(t, err)
	named := values{}
	for i, r := range g.Results {
		named[r.Name] = out[i]
	}
	return named
}

// run evaluates `eval e` of a file.
func run(t *testing.T, src string, in values) values {
	t.Helper()
	m := build(t, src)
	states := evaluate(t, entryOf(t, m, ir.EntryInit, "").Graph, values{}, nil)
	for k, v := range states {
		if in[k] == nil {
			in[k] = v
		}
	}
	return evaluate(t, entryOf(t, m, ir.EntryEval, "e").Graph, in, nil)
}

func random(r *rand.Rand, dims ...int) *ir.Tensor {
	x := ir.NewTensor(loop.F32, dims...)
	for i := range x.F {
		x.F[i] = r.NormFloat64()
	}
	return x
}

func near(t *testing.T, want, got []float64) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if math.IsNaN(want[i]) {
			require.True(t, math.IsNaN(got[i]), "element %d is %v, not NaN", i, got[i])
			continue
		}
		if math.IsInf(want[i], 0) {
			require.Equal(t, want[i], got[i], "element %d", i)
			continue
		}
		require.InDelta(t, want[i], got[i], 1e-6*(1+math.Abs(want[i])), "element %d", i)
	}
}

func TestPlusOne(t *testing.T) {
	out := run(t, `data d = npy("x")  eval e { each x: f32[2, 3] from d.train  y = x + 1  show y }`, values{"x": ir.Floats([]float64{1, 2, 3, 4, 5, 6}, 2, 3)})
	near(t, []float64{2, 3, 4, 5, 6, 7}, out["y"].F)
}

func TestCausalAttention(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	const B, T, H, G, D = 2, 5, 4, 2, 3
	q, k, v := random(r, B, T, H, D), random(r, B, T, G, D), random(r, B, T, G, D)
	out := run(t, `use nn  data d = npy("x")
eval e {
  each q: f32[2, 5, 4, 3], k: f32[2, 5, 2, 3], v: f32[2, 5, 2, 3] from d.train
  y = nn.causal_attention(q, k, v)
  show y
}`, values{"q": q, "k": k, "v": v})
	var want []float64
	for b := range B {
		for tt := range T {
			for h := range H {
				g := h / (H / G)
				p, sum := make([]float64, T), 0.0
				for s := 0; s <= tt; s++ {
					dot := 0.0
					for d := range D {
						dot += q.F[((b*T+tt)*H+h)*D+d] * k.F[((b*T+s)*G+g)*D+d]
					}
					p[s] = math.Exp(dot / math.Sqrt(D))
					sum += p[s]
				}
				for d := range D {
					x := 0.0
					for s := 0; s <= tt; s++ {
						x += p[s] / sum * v.F[((b*T+s)*G+g)*D+d]
					}
					want = append(want, x)
				}
			}
		}
	}
	near(t, want, out["y"].F)
}

func TestReducersOverNothing(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each x: f32[2, 3], m: i32[2, 3] from d.train
  a[i] = sum[j where m[i, j] > 0] x[i, j]
  b[i] = max[j where m[i, j] > 0] x[i, j]
  c[i] = mean[j where m[i, j] > 0] x[i, j]
  p[i, j] = softmax[j where m[i, j] > 0] x[i, j]
  l[i] = logsumexp[j where m[i, j] > 0] x[i, j]
  n[i] = sum[j where m[i, j] > 0] 1
  q[i] = prod[j where m[i, j] > 0] x[i, j]
  g[i] = argmax[j where m[i, j] > 0] x[i, j]
  show a show b show c show p show l show n show q show g
}`, values{"x": ir.Floats([]float64{1, 2, 4, 5, 6, 7}, 2, 3), "m": ir.Ints(loop.I32, []int64{1, 0, 1, 0, 0, 0}, 2, 3)})
	e1, e4 := math.Exp(1), math.Exp(4)
	near(t, []float64{5, 0}, out["a"].F)
	near(t, []float64{4, math.Inf(-1)}, out["b"].F)
	near(t, []float64{2.5, math.NaN()}, out["c"].F)
	near(t, []float64{e1 / (e1 + e4), 0, e4 / (e1 + e4), 0, 0, 0}, out["p"].F)
	near(t, []float64{math.Log(e1 + e4), math.Inf(-1)}, out["l"].F)
	require.Equal(t, []int64{2, 0}, out["n"].I)
	near(t, []float64{4, 1}, out["q"].F)
	require.Equal(t, int64(2), out["g"].I[0])
}

// A reducer that keeps its axis, or takes one, takes the only one of a vector.
func TestVectorsNeedNoAxis(t *testing.T) {
	out := trainOnce(t, `train for 1 {
  x: f32[4] = [1, 2, 3, 3]
  report a = softmax(0 * x), b = cumsum(x), c = argmax(x)
}`, values{})
	near(t, []float64{.25, .25, .25, .25}, out["a"].F)
	near(t, []float64{1, 3, 6, 9}, out["b"].F)
	require.Equal(t, []int64{2}, out["c"].I)
}

func TestGathersAndShifts(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each tok: i32[2, 2], w: f32[3, 2] from d.train
  a = w[tok]
  b[i, t, k] = w[tok[i, t], k]
  c[i < 3, k] = w[i - 1, k | 9]
  f = w[1:, -1]
  g[i < 2] = w[i + 1, 0] - w[i, 0]
  h = w[tok[0], 1]
  show a show b show c show f show g show h
}`, values{"tok": ir.Ints(loop.I32, []int64{2, 0, 1, 1}, 2, 2), "w": ir.Floats([]float64{1, 2, 3, 4, 5, 6}, 3, 2)})
	near(t, []float64{5, 6, 1, 2, 3, 4, 3, 4}, out["a"].F)
	near(t, out["a"].F, out["b"].F)
	near(t, []float64{9, 9, 1, 2, 3, 4}, out["c"].F)
	near(t, []float64{4, 6}, out["f"].F)
	near(t, []float64{2, 2}, out["g"].F)
	near(t, []float64{6, 2}, out["h"].F)
}

func TestLayerNormAndFriends(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	x, s, h := random(r, 3, 4), random(r, 4), random(r, 4)
	out := run(t, `use nn  data d = npy("x")  norm = nn.LayerNorm(4)
eval e {
  each x: f32[3, 4] from d.train
  y = norm(x)
  p = softmax(x, axis: -1)
  v = var(x, axis: 0)
  u = gelu(x)
  show y show p show v show u
}`, values{"x": x, "norm.scale": s, "norm.shift": h})
	var y, p, u []float64
	for i := range 3 {
		row := x.F[4*i : 4*i+4]
		mean, v, z := 0.0, 0.0, 0.0
		for _, e := range row {
			mean += e / 4
			z += math.Exp(e)
		}
		for _, e := range row {
			v += (e - mean) * (e - mean) / 4
		}
		for k, e := range row {
			y = append(y, (e-mean)/math.Sqrt(v+1e-5)*s.F[k]+h.F[k])
			p = append(p, math.Exp(e)/z)
			u = append(u, e/2*(1+math.Erf(e/math.Sqrt2)))
		}
	}
	near(t, y, out["y"].F)
	near(t, p, out["p"].F)
	near(t, u, out["u"].F)
	want := make([]float64, 4)
	for k := range 4 {
		m := (x.F[k] + x.F[4+k] + x.F[8+k]) / 3
		for i := range 3 {
			want[k] += (x.F[4*i+k] - m) * (x.F[4*i+k] - m) / 3
		}
	}
	near(t, want, out["v"].F)
}

func TestLoops(t *testing.T) {
	out := run(t, `data d = npy("x")
fn fib(n: int) -> f32 {
  a: f32 = 0
  b: f32 = 1
  for i in n { a, b = b, a + b }
  return a
}
eval e {
  each x: f32[2, 3] from d.train
  sum: f32[2] = 0
  for i in 3 {
    sum = sum + x[:, i]
    run[:, i] = sum
    turn[i] = i
  }
  for i in range(1, 3) { late[i] = x[0, i] }
  for w, i in [1, 2, 3], 3 { scaled[i] = w * x[1, i] }
  grown = []
  for i in 3 { grown = grown + [x[:, i]] }
  joined = stack(grown)
  f = fib(10)
  y = x
  y[:, 1] = 7
  y[0, 2] = 8
  show sum show run show turn show f show y show late show scaled show joined
}`, values{"x": ir.Floats([]float64{1, 2, 3, 4, 5, 6}, 2, 3)})
	near(t, []float64{6, 15}, out["sum"].F)
	near(t, []float64{1, 3, 6, 4, 9, 15}, out["run"].F)
	require.Equal(t, []int64{0, 1, 2}, out["turn"].I)
	near(t, []float64{55}, out["f"].F)
	near(t, []float64{1, 7, 8, 4, 7, 6}, out["y"].F)
	near(t, []float64{2, 3}, out["late"].F)
	near(t, []float64{4, 10, 18}, out["scaled"].F)
	near(t, []float64{1, 4, 2, 5, 3, 6}, out["joined"].F)
}

// A list of equal modules is one loop over stacked weights and means the same as the modules one by one.
func TestStackedModules(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	x, w, b := random(r, 2, 3), random(r, 4, 3, 3), random(r, 4, 3)
	m := build(t, `use nn  data d = npy("x")
module Block { lin = nn.Linear(3, 3)  fn (x: f32[B, 3]) -> f32[B, 3] = x + tanh(lin(x)) }
blocks = [Block() for 4]
eval e {
  each x: f32[2, 3] from d.train
  y = x
  for block in blocks { y = block(y) }
  z = x
  for i in 4 { z = blocks[i](z) }
  show y show z
}`)
	e := entryOf(t, m, ir.EntryEval, "e")
	out := evaluate(t, e.Graph, values{"x": x, "blocks.#.lin.weight": w, "blocks.#.lin.offset": b}, nil)
	y := append([]float64{}, x.F...)
	for l := range 4 {
		next := append([]float64{}, y...)
		for i := range 2 {
			for o := range 3 {
				a := b.F[3*l+o]
				for k := range 3 {
					a += y[3*i+k] * w.F[(3*l+k)*3+o]
				}
				next[3*i+o] += math.Tanh(a)
			}
		}
		y = next
	}
	near(t, y, out["y"].F)
	near(t, y, out["z"].F)
}

func TestAdamWStep(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	x, w, b := random(r, 5, 3), random(r, 2, 3, 3), random(r, 3)
	m := build(t, `use optim  data d = npy("x")
module M { param w: f32[3, 3] = 0  fn (x: f32[B, 3]) -> f32[B, 3] = x @ w }
module N { ms = [M() for 2]  param b: f32[3] = 0  fn (x: f32[B, 3]) -> f32[B, 3] { for m in ms { x = m(x) }  return x + b } }
n = N()
train for 10 {
  each x: f32[5, 3] from d.train
  loss = mean(n(x)^2)
  minimize loss over n with optim.adamw(lr: 0.01, clip: 0.5)
  report loss
}`)
	g := entryOf(t, m, ir.EntryTrain, "").Graph
	in := values{"x": x, "n.ms.#.w": w, "n.b": b, "step": ir.IntScalar(loop.I32, 0)}
	moments := map[string]*ir.Tensor{}
	for _, s := range m.States {
		if s.Kind == ir.KindMoment {
			var dims []int
			for _, d := range s.Type.Dims {
				dims = append(dims, d.Size)
			}
			in[s.Name] = ir.NewTensor(s.Type.Elem, dims...)
			moments[s.Name] = in[s.Name]
		}
	}
	require.Len(t, moments, 6)
	out := evaluate(t, g, in, nil)
	// By hand, with gradients by central differences.
	loss := func(w, b []float64) float64 {
		y := append([]float64{}, x.F...)
		for l := range 2 {
			next := make([]float64, 15)
			for i := range 5 {
				for o := range 3 {
					for k := range 3 {
						next[3*i+o] += y[3*i+k] * w[(3*l+k)*3+o]
					}
				}
			}
			y = next
		}
		sum := 0.0
		for i, v := range y {
			sum += (v + b[i%3]) * (v + b[i%3])
		}
		return sum / 15
	}
	require.InDelta(t, loss(w.F, b.F), out["loss"].F[0], 1e-9)
	slope := func(at []float64, f func() float64) []float64 {
		g := make([]float64, len(at))
		for i := range at {
			old := at[i]
			at[i] = old + 1e-5
			up := f()
			at[i] = old - 1e-5
			g[i] = (up - f()) / 2e-5
			at[i] = old
		}
		return g
	}
	f := func() float64 { return loss(w.F, b.F) }
	gw, gb := slope(w.F, f), slope(b.F, f)
	norm := 0.0
	for _, v := range append(append([]float64{}, gw...), gb...) {
		norm += v * v
	}
	scale := math.Min(1, 0.5/(math.Sqrt(norm)+1e-6))
	step := func(p, g []float64, decay float64) []float64 {
		var next []float64
		for i := range p {
			gi := g[i] * scale
			m, v := 0.1*gi, 0.05*gi*gi
			next = append(next, p[i]-0.01*(m/0.1/(math.Sqrt(v/0.05)+1e-8)+decay*p[i]))
		}
		return next
	}
	near(t, step(w.F, gw, 0.1), out["n.ms.#.w"].F)
	near(t, step(b.F, gb, 0), out["n.b"].F)
	require.Equal(t, []int64{1, 1}, out["train.1.n.ms.#.w.t"].I)
	require.Equal(t, []int64{1}, out["train.1.n.b.t"].I)
}

func readModel(name string) (string, error) {
	src, err := os.ReadFile("../stdlib/models/" + name + ".mdl")
	return string(src), err
}

func madeSource(t *testing.T) string {
	t.Helper()
	src, err := readModel("made")
	require.NoError(t, err)
	return src
}

// The probabilities of all vectors add up to 1, and a pixel does not move what stands before it in the order.
func TestMadeIsAutoregressive(t *testing.T) {
	m := build(t, madeSource(t), ir.Setting{Name: "n", Value: "6"}, ir.Setting{Name: "hidden", Value: "9"}, ir.Setting{Name: "batch", Value: "64"}, ir.Setting{Name: "orders", Value: "3"})
	states := evaluate(t, entryOf(t, m, ir.EntryInit, "").Graph, values{}, nil)
	x := ir.NewTensor(loop.F32, 64, 6)
	for i := range 64 {
		for k := range 6 {
			x.F[6*i+k] = float64(i >> k & 1)
		}
	}
	for k := range states {
		if states[k].F != nil {
			for i := range states[k].F {
				states[k].F[i] *= 3
			}
		}
	}
	sizes := map[int64]bool{}
	for _, p := range states["made.place"].I[:6] {
		sizes[p] = true
	}
	require.Len(t, sizes, 6, "place is a permutation")
	states["x"] = x
	m2 := build(t, madeSource(t)+"\neval all { each x: f32[64, n] from digits.test  p = sum(exp(made.log_prob(x, 1)))  q = sum(exp(made.ensemble(x)))  l = made.logits(x, 1)  show p show q show l }\n",
		ir.Setting{Name: "n", Value: "6"}, ir.Setting{Name: "hidden", Value: "9"}, ir.Setting{Name: "orders", Value: "3"})
	out := evaluate(t, entryOf(t, m2, ir.EntryEval, "all").Graph, states, nil)
	require.InDelta(t, 1, out["p"].F[0], 1e-9)
	require.InDelta(t, 1, out["q"].F[0], 1e-6) // the constant log(3) is rounded to f32
	place := states["made.place"].I[6:12]
	moved := 0
	for j := range 6 {
		for i := range 6 {
			a, b := out["l"].F[i], out["l"].F[6*(1<<j)+i] // the zero vector, and pixel j set
			if place[i] <= place[j] {
				require.Equal(t, a, b, "pixel %d moves %d", j, i)
			} else if a != b {
				moved++
			}
		}
	}
	require.Positive(t, moved)
}

// The most likely next token of a table is found again and again.
func TestGenerate(t *testing.T) {
	m := build(t, `
module Next { param w: f32[5, 5] = 0  fn logits(tok: i32[B, T]) -> f32[B, T, 5] = w[tok] }
net = Next()
sample text(prompt: text = "a", n: int = 6) {
  generate tok: i32[1, T] from prompt for n { tok[:, T] ~ categorical(net.logits(tok[:, -2:])[:, -1], top_k: 1) }
  show tok as text
}`)
	w := ir.NewTensor(loop.F32, 5, 5)
	for i := range 5 {
		w.F[5*i+(i*2+1)%5] = 1
	}
	e := entryOf(t, m, ir.EntrySample, "text")
	require.Equal(t, []ir.Flag{{Name: "prompt", Kind: "text", Default: "a", Len: "len.prompt"}, {Name: "n", Kind: "int", Default: "6", Static: true}}, e.Flags)
	out := evaluate(t, e.Graph, values{"net.w": w, "prompt": ir.Ints(loop.I32, []int64{4, 0}, 1, 2)}, map[string]int{"len.prompt": 2})
	require.Equal(t, []int64{4, 0, 1, 3, 2, 0, 1, 3}, out["tok"].I)
}

// What a generation changes beside its tokens goes on from turn to turn, and is there after it.
func TestGenerateCarries(t *testing.T) {
	m := build(t, `
sample text(prompt: text = "a", n: int = 5) {
  total = 0
  last: i32[1] = 0
  generate tok: i32[1, T] from prompt for n {
    total = total + tok[0, -1]
    last = 2 * tok[:, -1] % 7
    tok[:, T] = last
  }
  show tok  show total  show last
}`)
	e := entryOf(t, m, ir.EntrySample, "text")
	out := evaluate(t, e.Graph, values{"prompt": ir.Ints(loop.I32, []int64{9, 3}, 1, 2)}, map[string]int{"len.prompt": 2})
	require.Equal(t, []int64{9, 3, 6, 5, 3, 6, 5}, out["tok"].I)
	require.Equal(t, int64(3+6+5+3+6), out["total"].I[0])
	require.Equal(t, []int64{5}, out["last"].I)
}

// An untrained GPT-2 is almost uniform over 256 bytes, and its gradient moves every weight.
func TestGPT2(t *testing.T) {
	src, err := readModel("gpt2")
	require.NoError(t, err)
	for _, tied := range []string{"true", "false"} {
		m := build(t, src, ir.Setting{Name: "layers", Value: "2"}, ir.Setting{Name: "dim", Value: "8"}, ir.Setting{Name: "heads", Value: "2"}, ir.Setting{Name: "ctx", Value: "6"}, ir.Setting{Name: "batch", Value: "2"}, ir.Setting{Name: "tied", Value: tied})
		in := evaluate(t, entryOf(t, m, ir.EntryInit, "").Graph, values{}, nil)
		in["tok"] = ir.Ints(loop.I32, []int64{1, 2, 3, 4, 5, 6, 7, 250, 3, 2, 1, 0, 9, 8}, 2, 7)
		in["step"] = ir.IntScalar(loop.I32, 0)
		out := evaluate(t, entryOf(t, m, ir.EntryTrain, "").Graph, in, nil)
		require.InDelta(t, math.Log(256), out["loss"].F[0], 0.1)
		for _, s := range m.States {
			if s.Kind == ir.KindParam {
				require.NotEqual(t, in[s.Name].F, out[s.Name].F, s.Name)
			}
		}
		again := evaluate(t, entryOf(t, m, ir.EntryEval, "valid").Graph, values(out).with(in), nil)
		require.Less(t, again["loss"].F[0], out["loss"].F[0])
	}
}

func (v values) with(more values) values {
	for k, x := range more {
		if v[k] == nil {
			v[k] = x
		}
	}
	return v
}

// Every instance draws first values of its own, and a list that grows keeps those that it has.
func TestFirstValuesOfLists(t *testing.T) {
	first := func(n string, list string) values {
		m := build(t, "use nn\nconfig { n = "+n+" }\nblocks = "+list+"\n")
		return evaluate(t, entryOf(t, m, ir.EntryInit, "").Graph, values{}, nil)
	}
	three := first("3", "[nn.Linear(2, 2) for n]")["blocks.#.weight"].F
	require.Len(t, three, 12)
	require.NotEqual(t, three[:4], three[4:8])
	require.NotEqual(t, three[4:8], three[8:])
	require.Equal(t, three[:8], first("2", "[nn.Linear(2, 2) for n]")["blocks.#.weight"].F)
	require.Equal(t, three[:4], first("1", "[nn.Linear(2, 2) for n]")["blocks.0.weight"].F)
	require.Equal(t, three[:8], first("2", "[nn.Linear(2, 2) for i in n]")["blocks.#.weight"].F)
	uneven := first("3", "[nn.Linear(2, 2, bias: i == 1) for i in n]")
	require.Equal(t, three[8:], uneven["blocks.2.weight"].F)
}

// What a graph looks like: small files and their text.
func TestGraphs(t *testing.T) {
	files, err := filepath.Glob("../testdata/lang/graphs/*.mdl")
	require.NoError(t, err)
	require.Greater(t, len(files), 5)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			src, err := os.ReadFile(f)
			require.NoError(t, err)
			m, ds := Build(filepath.Base(f), src, Options{})
			require.Empty(t, ds)
			require.NoError(t, ir.VerifyModule(m))
			again, err := ir.ParseModule(m.String())
			require.NoError(t, err)
			require.Equal(t, m.String(), again.String())
			golden(t, strings.TrimSuffix(f, ".mdl")+".graph", m.String())
		})
	}
}

// Equal input gives equal text, and the library's models build as they stand.
func TestDeterministic(t *testing.T) {
	for _, name := range []string{"gpt", "gpt2", "made"} {
		src, err := readModel(name)
		require.NoError(t, err)
		a, ds := Build(name, []byte(src), Options{})
		require.Empty(t, ds)
		b, _ := Build(name, []byte(src), Options{})
		require.Equal(t, a.String(), b.String())
	}
}

// The graph does not grow with depth.
func TestDepthCostsNothing(t *testing.T) {
	src, err := readModel("gpt")
	require.NoError(t, err)
	lines := func(layers string) int {
		return strings.Count(build(t, src, ir.Setting{Name: "layers", Value: layers}).String(), "\n")
	}
	require.Equal(t, lines("6"), lines("24"))
}

// A loop draws the same numbers whether it stays a loop or is unrolled.
func TestDrawsInLoops(t *testing.T) {
	draws := func(over string) []float64 {
		return run(t, "eval e {\n  for i in "+over+" { u ~ uniform[2]  a[i] = u }\n  show a\n}", values{})["a"].F
	}
	rolled := draws("3")
	require.NotEqual(t, rolled[:2], rolled[2:4])
	require.Equal(t, rolled, draws("[0, 1, 2]"))
}

// A draw after a loop is another one than the loop's of the same name, whichever turns draw.
func TestDrawsAfterLoops(t *testing.T) {
	for _, body := range []string{"u ~ uniform[2]", "if i == 0 { u ~ uniform[2] } else { u = a[0] }"} {
		out := run(t, "eval e {\n  a: f32[2, 2] = 0\n  for i in [0, 1] { "+body+"  a[i] = u }\n  u ~ uniform[2]\n  show a  show u\n}", values{})
		require.NotEqual(t, out["a"].F[:2], out["u"].F)
	}
}

// A `minimize` in a `repeat` takes a batch and a step each time, with one optimizer.
func TestRepeatedSteps(t *testing.T) {
	m := build(t, `use optim  data d = npy("x")  param w: f32[2] = 0
train for 3 {
  repeat 2 {
    each x: f32[2] from d.train
    loss = sum((w - x)^2)
    minimize loss over w with optim.sgd(lr: 0.25, momentum: 1)
  }
}`)
	e := entryOf(t, m, ir.EntryTrain, "")
	require.Len(t, e.Feeds, 2)
	require.Len(t, m.States, 2)
	out := evaluate(t, e.Graph, values{"w": ir.NewTensor(loop.F32, 2), "train.1.w.v": ir.NewTensor(loop.F32, 2), e.Feeds[0].Name: ir.Floats([]float64{2, 4}, 2), e.Feeds[1].Name: ir.Floats([]float64{0, 0}, 2)}, nil)
	// w: 0 -> 0.5x with v = -2x; then v = -2x + 2(0.5x) = -x, w = 0.5x + 0.25x.
	near(t, []float64{1.5, 3}, out["w"].F)
	near(t, []float64{-2, -4}, out["train.1.w.v"].F)
}

// Of the language's model files these build; the others are refused with a line, never with an internal error.
func TestModelFiles(t *testing.T) {
	refused := map[string]bool{"deepseek_v3": true, "packed": true}
	files, err := filepath.Glob("../testdata/lang/models/*.mdl")
	require.NoError(t, err)
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".mdl")
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		m, ds := Build(name+".mdl", src, Options{})
		require.Equal(t, !refused[name], m != nil, "%s: %v", name, ds)
		if m != nil {
			require.NoError(t, ir.VerifyModule(m), name)
		}
		for _, d := range ds {
			require.NotContains(t, d.Message, "internal error", name)
			require.Positive(t, d.Span.Pos.Line, d.Message)
		}
	}
}

// `x[i | v]` reads v outside, which may be a value and may use the indices.
func TestOutsideValues(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each x: f32[3, 2], blank: f32[2] from d.train
  y[i < 5, j] = x[i - 1, j | blank[j] + i]
  z[i < 4] = x[i, 0 | blank[1]]
  dx = grad(sum(y), blank)
  show y  show z  show dx
}`, values{"x": ir.Floats([]float64{1, 2, 3, 4, 5, 6}, 3, 2), "blank": ir.Floats([]float64{10, 20}, 2)})
	near(t, []float64{10, 20, 1, 2, 3, 4, 5, 6, 14, 24}, out["y"].F)
	near(t, []float64{1, 3, 5, 20}, out["z"].F)
	near(t, []float64{2, 2}, out["dx"].F)
}

// An axis that a draw's bracket writes as 1 stretches.
func TestWrittenOneOfADraw(t *testing.T) {
	out := run(t, "eval e {\n  x: f32[2, 3] = 0\n  u ~ uniform[2, 1]\n  y = x + u\n  show y\n}", values{})
	require.Equal(t, out["y"].F[0], out["y"].F[2])
	require.NotEqual(t, out["y"].F[0], out["y"].F[3])
}

// An axis that the type of a param or state writes as 1 stretches; one that happens to be 1 does not.
func TestWrittenOneOfAState(t *testing.T) {
	out := run(t, "param b: f32[2, 1] = 1\nstate s: f32[1] = 2\neval e {\n  x: f32[2, 3] = 1\n  y = x + b * s\n  show y\n}", values{"b": ir.Floats([]float64{1, 2}, 2, 1), "s": ir.Floats([]float64{2}, 1)})
	near(t, []float64{3, 3, 3, 5, 5, 5}, out["y"].F)
	_, ds := Build("test.mdl", []byte("config { n = 1 }\nparam b: f32[n] = 1\neval e {\n  x: f32[3] = 1\n  report y = sum(x + b)\n}"), Options{})
	require.Len(t, ds, 1)
	require.Contains(t, ds[0].Message, "these shapes do not fit")
}

// An array as a parameter of a sample takes one of its lengths from a file.
func TestArrayFlag(t *testing.T) {
	m := build(t, "sample s(v: f32[1, T, 2]) {\n  y[b, t] = v[b, t, 0] + v[b, t - 1, 1 | 0]\n  show y\n}")
	out := evaluate(t, entryOf(t, m, ir.EntrySample, "s").Graph, values{"v": ir.Floats([]float64{1, 2, 3, 4}, 1, 2, 2)}, map[string]int{"len.v": 2})
	near(t, []float64{1, 5}, out["y"].F)
}

// A norm has a gradient everywhere: 0 where it is 0, also behind another gradient.
func TestGradOfNorm(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each x: f32[2, 2] from d.train
  slope = grad(sum(norm(x, axis: 1)), x)
  bend = grad(sum(slope[:, 0]), x)
  show slope  show bend
}`, values{"x": ir.Floats([]float64{3, 4, 0, 0}, 2, 2)})
	near(t, []float64{0.6, 0.8, 0, 0}, out["slope"].F)
	near(t, []float64{16. / 125, -12. / 125, 0, 0}, out["bend"].F)
}

// An index on which no place depends is summed over all the same, and costs no axis of the access.
func TestIndexThatDoesNotMatter(t *testing.T) {
	const src = `data d = npy("x")
eval e {
  each x: f32[2] from d.train
  total = sum[k < 3] x[k div 3]
  y[o < 4, c < 2] = sum[k < 2] x[o div 4 * 2 + c] * (k + 1)
  show total  show y
}`
	out := run(t, src, values{"x": ir.Floats([]float64{1, 2}, 2)})
	near(t, []float64{3}, out["total"].F)
	near(t, []float64{3, 6, 3, 6, 3, 6, 3, 6}, out["y"].F)
	m, _ := Build("test.mdl", []byte(src), Options{})
	require.Regexp(t, `index %\d+ {\(i0, i1\) -> \(i1\)} \[4, 2\] : f32\[4, 2\] "y"`, m.String(), "y is computed without o and repeated")
}

// A gradient by a parameter is not by other arguments that are equal to it, unless they are the same value by name.
func TestGradByOneOfEqualArguments(t *testing.T) {
	out := run(t, `data d = npy("x")
fn f(a: f32, b: f32) -> f32 = grad(a * a * b, b)
fn h(a: f32[2], b: f32[2]) -> f32[2] = grad(sum(a * a * b), b)
fn both(a: f32[2], b: f32[2]) -> f32[2] {
  da, db = grad(sum(a * a * b), [a, b])
  return da - db
}
fn given(s: f32, x: f32[2]) -> f32[2] = grad(s, x)
eval e {
  each x: f32[2] from d.train
  u = 2 * x
  v = 2 * x
  c = f(3, 3)
  uv = h(u, v)
  xx = h(x, x)
  terms = h(2 * x, 2 * x)
  two = both(u, v)
  before = given(sum(x^2), x)
  show c  show uv  show xx  show terms  show two  show before
}`, values{"x": ir.Floats([]float64{1, 2}, 2)})
	near(t, []float64{9}, out["c"].F)
	near(t, []float64{4, 16}, out["uv"].F)
	near(t, []float64{3, 12}, out["xx"].F)
	near(t, []float64{4, 16}, out["terms"].F)
	near(t, []float64{4, 16}, out["two"].F)
	near(t, []float64{2, 4}, out["before"].F)
}

// A gradient is by a named value, not by others that are equal to it.
func TestGradByOneOfEqualValues(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each x: f32[2] from d.train
  a: f32[2] = 3
  b: f32[2] = 3
  u = x + 1
  v = x + 1
  da = grad(sum(a * b^2), a)
  du = grad(sum(u * v^2), u)
  dv = grad(sum(u * v^2), v)
  dx = grad(sum(u * v^2), x)
  show da  show du  show dv  show dx
}`, values{"x": ir.Floats([]float64{1, 2}, 2)})
	near(t, []float64{9, 9}, out["da"].F)
	near(t, []float64{4, 9}, out["du"].F)
	near(t, []float64{8, 18}, out["dv"].F)
	near(t, []float64{12, 27}, out["dx"].F)
}
