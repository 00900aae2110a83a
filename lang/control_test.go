package lang

import (
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

// trainOnce evaluates the first train of a file, from its first values.
func trainOnce(t *testing.T, src string, in values) values {
	t.Helper()
	m := build(t, src)
	for k, v := range evaluate(t, entryOf(t, m, ir.EntryInit, "").Graph, values{}, nil) {
		if in[k] == nil {
			in[k] = v
		}
	}
	for _, e := range m.Entries {
		if e.Kind == ir.EntryTrain {
			return evaluate(t, e.Graph, in, nil)
		}
	}
	t.Fatal("no train")
	return nil
}

// One branch of an `if` runs; what both bind, or what was bound before, lives on, with its gradient.
func TestIfAtRunTime(t *testing.T) {
	for _, c := range []struct{ x, y, z, dx float64 }{{3, 9, 1, 6}, {-3, 6, 2, -2}} {
		out := run(t, `data d = npy("x")
eval e {
  each v: f32[1] from d.train
  x = v[0]
  z = 0
  if x > 0 {
    y = x * x
    z = 1
  } else {
    y = -2 * x
    z = 2
  }
  dx = grad(y, x)
  show y  show z  show dx
}`, values{"v": ir.Floats([]float64{c.x}, 1)})
		near(t, []float64{c.y}, out["y"].F)
		require.Equal(t, []float64{c.z}, []float64{out["z"].At(0)})
		near(t, []float64{c.dx}, out["dx"].F)
	}
}

// An `else if`, and a branch without `else`.
func TestElseIfAtRunTime(t *testing.T) {
	for x, want := range map[float64]float64{-1: 10, 0.5: 20, 5: 31} {
		out := run(t, `data d = npy("x")
eval e {
  each v: f32[1] from d.train
  y: f32 = 0
  if v[0] < 0 { y = 10 } else if v[0] < 1 { y = 20 } else { y = 30  if v[0] > 2 { y = y + 1 } }
  show y
}`, values{"v": ir.Floats([]float64{x}, 1)})
		near(t, []float64{want}, out["y"].F)
	}
}

func TestWhile(t *testing.T) {
	out := run(t, `eval e {
  n: f32 = 1
  turns = 0
  while n < 100 { n = 2 * n  turns = turns + 1 }
  show n  show turns
}`, values{})
	near(t, []float64{128}, out["n"].F)
	require.Equal(t, int64(7), out["turns"].I[0])
}

// frozen: training is false, nothing is assigned and no gradient flows. copy: the same first values.
func TestFrozenAndCopy(t *testing.T) {
	src := `use optim
module M {
  param w: f32[2] ~ normal()
  state n: f32 = 0
  fn (x: f32[2]) -> f32 {
    if training { n <- n + 1 }
    return sum(w * x)
  }
}
m = M()
twin = copy(m)
train for 1 {
  one: f32[2] = 1
  a = m(one)
  b = frozen(m)(one)
  loss = (a + b)^2 + twin(one)
  minimize loss over m with optim.sgd(lr: 0.5)
  report a, b
}`
	out := trainOnce(t, src, values{"m.w": ir.Floats([]float64{1, 2}, 2)})
	near(t, []float64{1}, out["m.n"].F)
	near(t, []float64{1 - 6, 2 - 6}, out["m.w"].F) // 2 (a + b) = 12, halved
	first := evaluate(t, entryOf(t, build(t, src), ir.EntryInit, "").Graph, values{}, nil)
	require.Equal(t, first["m.w"].F, first["twin.w"].F)
}

// `<-` on a module: e for each of its params; stacks of layers, too.
func TestModuleArithmetic(t *testing.T) {
	out := trainOnce(t, `use nn
online = nn.MLP([2, 2, 2, 2])
target = copy(online)
train for 1 {
  online <- clamp(online, -0.5, 0.5)
  target <- lerp(online, target, 0.75)
}`, values{
		"online.layers.#.weight": ir.Floats([]float64{1, 1, 1, 1, -1, -1, -1, 0}, 2, 2, 2),
		"target.layers.#.weight": ir.Floats([]float64{1, 1, 1, 1, 1, 1, 1, 1}, 2, 2, 2),
	})
	near(t, []float64{.5, .5, .5, .5, -.5, -.5, -.5, 0}, out["online.layers.#.weight"].F)
	near(t, []float64{.875, .875, .875, .875, .625, .625, .625, .75}, out["target.layers.#.weight"].F)
}

// A state changes in a loop over stacked modules, over time, and in an unrolled list.
func TestStatesInLoops(t *testing.T) {
	module := `module M { state n: f32 = 0  fn (x: f32) -> f32 { n <- n + x  return n } }
`
	out := trainOnce(t, module+`ms = [M() for 3]
train for 1 {
  y: f32 = 1
  for m in ms { y = m(y) + 1 }
  report y
}`, values{"ms.#.n": ir.Floats([]float64{1, 2, 3}, 3)})
	near(t, []float64{2, 5, 9}, out["ms.#.n"].F)
	near(t, []float64{10}, out["y"].F)
	out = trainOnce(t, module+`m = M()
train for 1 {
  for i in 4 { last = m(i)  seen[i] = last }
  report seen
}`, values{})
	near(t, []float64{6}, out["m.n"].F)
	near(t, []float64{0, 1, 3, 6}, out["seen"].F)
	out = trainOnce(t, module+`ms = [M() for 3]
train for 1 {
  y: f32 = 1
  for m in reverse(ms) { y = m(y) }
  report y
}`, values{})
	near(t, []float64{1, 1, 1}, out["ms.#.n"].F)
}

// The indices of a state that is assigned run over its axes, and `step` names a slot.
func TestStatesByIndex(t *testing.T) {
	out := trainOnce(t, `state a: f32[2, 3] = 0
state b: f32[2, 3] = 0
state c: f32[2, 3] = 0
train for 2 {
  a[i, j] <- where i == j then 1 else 2
  p[j < 3] = j + 1
  b[step] <- p
  c[step, j] <- p[j] * 2
  report n = sum(b)
}`, values{"step": ir.Ints(loop.I32, []int64{1})})
	near(t, []float64{1, 2, 2, 2, 1, 2}, out["a"].F)
	near(t, []float64{0, 0, 0, 1, 2, 3}, out["b"].F)
	near(t, []float64{0, 0, 0, 2, 4, 6}, out["c"].F)
}

// A loop at file level computes settings.
func TestLoopOverSettings(t *testing.T) {
	out := trainOnce(t, `sizes = [2, 3, 4]
fn weights() {
  total = 0
  for i in len(sizes) - 1 { total = total + (sizes[i] + 1) * sizes[i + 1] }
  return total
}
state w: f32[weights()] = 0
train for 1 { report n = f32(len(w)) }`, values{})
	near(t, []float64{25}, out["n"].F)
}

// A state changes only in the branch that runs, and a `minimize` there moves its params only then.
func TestStatesInBranches(t *testing.T) {
	src := `use optim
param w: f32[2] = 1
state seen: f32 = 0
train for 2 {
  loss = sum(w^2)
  if step >= 1 {
    loss2 = sum(w^2)
    minimize loss2 over w with optim.adam(lr: 0.1)
    seen <- seen + 1
    report loss2
  }
  report loss
}`
	for step, want := range []float64{1, 0.9} {
		out := trainOnce(t, src, values{"step": ir.Ints(loop.I32, []int64{int64(step)})})
		require.InDelta(t, want, out["w"].F[0], 1e-5)
		require.Equal(t, float64(step), out["seen"].F[0])
		require.Equal(t, step == 0, out["loss2"].F[0] != out["loss2"].F[0])
	}
}

// An `every` reads values of its step.
func TestEveryReadsItsStep(t *testing.T) {
	m := build(t, `data d = npy("x")
train for 4 {
  each x: f32[2] from d.train
  y = 2 * x
  every 2 { z = y + 1  show z  report top = max(y) }
}`)
	e := entryOf(t, m, ir.EntryTrain, "")
	out := evaluate(t, e.Graph, values{"x": ir.Floats([]float64{1, 2}, 2)}, nil)
	every := evaluate(t, e.Every[0].Graph, out, nil)
	near(t, []float64{3, 5}, every["z"].F)
	near(t, []float64{4}, every["top"].F)
}

// A later loss sees what a `minimize` or `<-` assigned as it is: no gradient flows through the update.
func TestGradientsEndAtUpdates(t *testing.T) {
	out := trainOnce(t, `use optim
param a: f32 = 3
param b: f32 = 2
state c: f32 = 1
train for 1 {
  minimize a * b over b with optim.sgd(lr: 0.5)
  c <- 10 * a
  loss = a * b + c
  minimize loss over a with optim.sgd(lr: 1)
}`, values{})
	near(t, []float64{0.5}, out["b"].F) // 2 - 3/2
	near(t, []float64{2.5}, out["a"].F) // 3 - 0.5
	near(t, []float64{30}, out["c"].F)
}

// A `minimize` is an assignment in program order: what stands behind it reads the new params.
func TestReportsBehindAnUpdate(t *testing.T) {
	out := trainOnce(t, `use optim
module Line {
  param w: f32 = 0
  fn (x: f32) -> f32 = w * x
}
line = Line()
train for 1 {
  before = line(1)
  loss = (line(1) - 1)^2
  minimize loss over line with optim.sgd(lr: 0.25)
  report before, loss, after = line(1)
}`, values{})
	near(t, []float64{0, 1, 0.5}, []float64{out["before"].F[0], out["loss"].F[0], out["after"].F[0]})
}

// A loop that runs backwards is one loop, as a forward one is, and sets the elements that its name tells.
func TestLoopsBackwards(t *testing.T) {
	src := `data d = npy("x")
eval e {
  each v: f32[1] from d.train
  x: f32 = 1
  for t in reverse(4) {
    x = 2 * x + t
    y[t] = x
  }
  for t in reverse(range(1, 3)) { x = 10 * x + t }
  for t in reverse(3) { z[t] = t }
  for t in reverse(2) { // unrolled: its name is a setting
    u = [5, 6, 7][t]
    w[:, t] = y[:2] + u
  }
  show x  show y  show z  show w
}`
	m := build(t, src)
	loops := 0
	for _, n := range entryOf(t, m, ir.EntryEval, "e").Graph.Nodes() {
		if n.Op == ir.OpLoop {
			loops++
		}
	}
	require.Equal(t, 3, loops)
	out := run(t, src, values{"v": ir.Floats([]float64{0}, 1)})
	near(t, []float64{50, 25, 12, 5}, out["y"].F)
	near(t, []float64{5021}, out["x"].F)
	near(t, []float64{55, 56, 30, 31}, out["w"].F)
	require.Equal(t, []float64{0, 1, 2}, []float64{out["z"].At(0), out["z"].At(1), out["z"].At(2)})
}

// What a `while` assigns may be a setting before it, also where the compiler knows that it runs once at least; an inner loop
// may run over a range whose ends depend on the turn.
func TestCountsThatChange(t *testing.T) {
	out := run(t, `data d = npy("x")
eval e {
  each v: f32[1] from d.train
  n = 0    k: i32 = 1
  while n < 3 {
    k = 2 * k
    n = n + 1
  }
  first = true
  while first { // once
    k = 10 * k
    first = false
  }
  for t in reverse(range(1, 6)) {
    m: f32 = v[0]
    for s in range(t, 6) { m = 10 * m + s }
    y[t] = m
  }
  show k  show n  show y
}`, values{"v": ir.Floats([]float64{0}, 1)})
	require.Equal(t, []float64{80, 3}, []float64{out["k"].At(0), out["n"].At(0)})
	near(t, []float64{12345, 2345, 345, 45, 5}, out["y"].F)
}
