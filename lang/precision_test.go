package lang

import (
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

const linearTrain = `use nn, optim
data d = npy("x")
net = nn.Linear(3, 2)
param pinned: bf16[4] ~ normal
param scalar: f32 = 0
train for 3 {
  each x: f32[5, 3] from d.train
  loss = mean(net(x)^2) + sum(pinned^2) + scalar
  minimize loss over net, pinned, scalar with optim.adam(lr: 1e-1)
  report loss
}
eval e {
  each x: f32[5, 3] from d.train
  y = net(x)
  show y
}
`

// Arrays are stored as precision says; scalars count and stay f32, what is pinned stays pinned.
func TestPrecisionStores(t *testing.T) {
	m := build(t, linearTrain+"precision { compute = bf16  master = f16  moments = bf16  keep = [\"net.*\"] }")
	require.Equal(t, loop.BF16, m.Compute)
	elems := map[string]ir.Elem{}
	for _, s := range m.States {
		elems[s.Name] = s.Type.Elem
	}
	for name, e := range map[string]ir.Elem{
		"net.weight": loop.F16, "net.offset": loop.F16, "pinned": loop.BF16, "scalar": loop.F32,
		"train.1.net.weight.m": loop.BF16, "train.1.net.weight.v": loop.BF16, "train.1.net.weight.t": loop.I32,
		"train.1.pinned.m": loop.BF16, "train.1.scalar.m": loop.F32,
	} {
		require.Equal(t, e, elems[name], name)
	}
	require.Equal(t, ir.Elem(0), build(t, linearTrain+"precision { compute = f32 }").Compute)
}

// With f64 what says f32, or nothing, is f64; a type of fewer bits holds as written.
func TestDoublePrecision(t *testing.T) {
	elems := func(m *ir.Module) map[string]ir.Elem {
		require.Equal(t, loop.F64, m.Compute)
		out := map[string]ir.Elem{}
		for _, s := range m.States {
			out[s.Name] = s.Type.Elem
		}
		return out
	}
	got := elems(build(t, linearTrain+"precision { master = f32  moments = bf16  compute = f64 }"))
	for name, e := range map[string]ir.Elem{
		"net.weight": loop.F64, "pinned": loop.BF16, "scalar": loop.F64,
		"train.1.net.weight.m": loop.BF16, "train.1.net.weight.t": loop.I32, "train.1.scalar.m": loop.F64,
	} {
		require.Equal(t, e, got[name], name)
	}
	m, ds := Build("m.mdl", []byte(linearTrain+"precision { compute = f64 }"), Options{Float: loop.F32})
	require.False(t, HasErrors(ds))
	require.Equal(t, loop.F32, m.States[0].Type.Elem, "an option wins")

	m = build(t, "precision { compute = f64 }\neval e {\n  x = 0.1\n  a = exp(x)\n  b: f32[2] = [0.1, 0.2]\n  c = 1 / 3\n  k[i < 3] = i\n  d = k / 7\n  g = sqrt(k)\n  s = sum(b * x)\n  h = f32(k) + bf16(b[0])\n  report a = a + s, c, s, d, g, h\n}")
	for _, r := range entryOf(t, m, ir.EntryEval, "e").Graph.Results {
		require.Equal(t, loop.F64, r.Value.Type.Elem, r.Name)
	}
}

// A step of a net whose params are stored in bf16 assigns what the f32 step gives, rounded.
func TestMasterIsRounded(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	x := random(r, 5, 3)
	step := func(precision string) values {
		m := build(t, linearTrain+precision)
		in := values{"x": x, "step": ir.IntScalar(loop.I32, 0)}
		r := rand.New(rand.NewSource(2))
		for _, s := range m.States {
			v := ir.NewTensor(s.Type.Elem, sizesOf(s.Type)...)
			for i := range v.F {
				v.F[i] = loop.RoundTo(loop.BF16, r.NormFloat64())
			}
			if s.Kind == ir.KindMoment {
				clear(v.F)
			}
			in[s.Name] = v
		}
		return evaluate(t, entryOf(t, m, ir.EntryTrain, "").Graph, in, nil)
	}
	exact, stored := step(""), step("precision { master = bf16 }")
	for i, w := range exact["net.weight"].F {
		got := stored["net.weight"].F[i]
		require.Equal(t, loop.RoundTo(loop.BF16, got), got)
		require.InDelta(t, w, got, 1e-2*max(1, w))
	}
	require.Equal(t, loop.BF16, stored["net.weight"].Elem)
}

func sizesOf(t ir.Type) []int {
	out := []int{}
	for _, d := range t.Dims {
		out = append(out, d.Size)
	}
	return out
}
