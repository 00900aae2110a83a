package lang

import (
	"fmt"
	"math"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
	"mdlc/ir/loop"
)

func pixel(x *ir.Tensor, outside float64, at ...int) float64 {
	flat := 0
	for k, i := range at {
		if i < 0 || i >= x.Dims[k] {
			return outside
		}
		flat = flat*x.Dims[k] + i
	}
	return x.F[flat]
}

// Convolutions with every setting are the plain sums; the transposed ones are their adjoints.
func TestConvolutionLayers(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	x, line := random(r, 2, 4, 7, 5), random(r, 2, 4, 7)
	w, w1 := random(r, 6, 2, 3, 3), random(r, 6, 2, 3)
	image, sound := random(r, 2, 6, 3, 4), random(r, 2, 6, 3)
	out := run(t, `use nn
data d = npy("x")
grouped = nn.Conv(4, 6, stride: 2, dilation: 2, pad: 1, groups: 2, bias: false)
sound = nn.Conv1d(4, 6, stride: 2, dilation: 2, groups: 2, bias: false)
down = nn.Conv(4, 6, kernel: 4, stride: 2, pad: 1, bias: false)
up = nn.ConvTranspose(6, 4, bias: false)
down1 = nn.Conv1d(4, 6, kernel: 4, stride: 2, pad: 1, bias: false)
up1 = nn.ConvTranspose1d(6, 4, bias: false)
eval e {
  each x: f32[2, 4, 7, 5], line: f32[2, 4, 7], image: f32[2, 6, 3, 4], tone: f32[2, 6, 3], u: f32[2, 4, 6, 8], v: f32[2, 4, 6] from d.train
  a = grouped(x)
  b = sound(line)
  left = sum(down(u) * image)
  slope = grad(left, u)
  up_same[n, c, i < 6, j < 8] = up(image)[n, c, i, j]
  left1 = sum(down1(v) * tone)
  right = sum(u * up(image))
  right1 = sum(v * up1(tone))
  show a  show b  show left  show right  show slope  show up_same  show left1  show right1
}`, values{"x": x, "line": line, "image": image, "tone": sound, "u": random(r, 2, 4, 6, 8), "v": random(r, 2, 4, 6), "grouped.weight": w, "sound.weight": w1,
		"down.weight": wrapped(6, 4, 4, 4), "up.weight": wrapped(6, 4, 4, 4), "down1.weight": wrapped(6, 4, 4), "up1.weight": wrapped(6, 4, 4)})
	var a, b []float64
	for n := range 2 {
		for o := range 6 {
			for i := range 3 {
				for j := range 2 {
					y := 0.0
					for c := range 2 {
						for di := range 3 {
							for dj := range 3 {
								y += pixel(x, 0, n, o/3*2+c, 2*i+2*di-1, 2*j+2*dj-1) * pixel(w, 0, o, c, di, dj)
							}
						}
					}
					a = append(a, y)
				}
			}
			for i := range 4 {
				y := 0.0
				for c := range 2 {
					for d := range 3 {
						y += pixel(line, 0, n, o/3*2+c, 2*i+2*d-2) * pixel(w1, 0, o, c, d)
					}
				}
				b = append(b, y)
			}
		}
	}
	near(t, a, out["a"].F)
	near(t, b, out["b"].F)
	near(t, out["left"].F, out["right"].F)
	near(t, out["left1"].F, out["right1"].F)
	near(t, out["slope"].F, out["up_same"].F)
}

// Whatever kernel, stride and padding are, a transposed convolution is the adjoint of the convolution.
func TestTransposedConvolutionsAreAdjoints(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	for _, c := range []struct{ kernel, stride, pad int }{{3, 1, 1}, {2, 2, 0}, {3, 2, 1}, {5, 3, 2}, {2, 3, 0}, {5, 2, 0}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			size := func(n int) int { return (n-1)*c.stride + c.kernel - 2*c.pad }
			h, w := size(3), size(4)
			given := fmt.Sprintf("kernel: %d, stride: %d, pad: %d, bias: false", c.kernel, c.stride, c.pad)
			out := run(t, fmt.Sprintf(`use nn
data d = npy("x")
down = nn.Conv(3, 2, %[1]s)
up = nn.ConvTranspose(2, 3, %[1]s)
down1 = nn.Conv1d(3, 2, %[1]s)
up1 = nn.ConvTranspose1d(2, 3, %[1]s)
eval e {
  each u: f32[2, 3, %[2]d, %[3]d], image: f32[2, 2, 3, 4], v: f32[2, 3, %[2]d], tone: f32[2, 2, 3] from d.train
  left = sum(down(u) * image)
  right = sum(u * up(image))
  left1 = sum(down1(v) * tone)
  right1 = sum(v * up1(tone))
  show left  show right  show left1  show right1
}`, given, h, w), values{"u": random(r, 2, 3, h, w), "image": random(r, 2, 2, 3, 4), "v": random(r, 2, 3, h), "tone": random(r, 2, 2, 3),
				"down.weight": wrapped(2, 3, c.kernel, c.kernel), "up.weight": wrapped(2, 3, c.kernel, c.kernel),
				"down1.weight": wrapped(2, 3, c.kernel), "up1.weight": wrapped(2, 3, c.kernel)})
			require.NotZero(t, out["left"].F[0])
			near(t, out["left"].F, out["right"].F)
			near(t, out["left1"].F, out["right1"].F)
		})
	}
}

// wrapped is a tensor of fixed numbers.
func wrapped(dims ...int) *ir.Tensor {
	x := ir.NewTensor(loop.F32, dims...)
	for i := range x.F {
		x.F[i] = math.Sin(float64(3*i + 1))
	}
	return x
}

func TestPoolingAndResizing(t *testing.T) {
	x := random(rand.New(rand.NewSource(4)), 1, 2, 5, 7)
	out := run(t, `use nn
data d = npy("x")
eval e {
  each x: f32[1, 2, 5, 7], weight: f32[1, 2, 9, 4] from d.train
  most = nn.max_pool(x, size: 3, stride: 2, pad: 1)
  mid = nn.mean_pool(x)
  near = nn.nearest(x, 8, 3)
  smooth = nn.bilinear(x, 9, 4)
  slope = grad(sum(smooth * weight), x)
  linear = sum(slope * x) - sum(smooth * weight)
  twice = nn.upsample(x)
  show most  show mid  show near  show smooth  show linear  show twice
}`, values{"x": x, "weight": wrapped(1, 2, 9, 4)})
	var most, mid, nearest, smooth, twice []float64
	for c := range 2 {
		for i := range 3 {
			for j := range 4 {
				best := math.Inf(-1)
				for a := range 3 {
					for b := range 3 {
						best = max(best, pixel(x, math.Inf(-1), 0, c, 2*i+a-1, 2*j+b-1))
					}
				}
				most = append(most, best)
			}
		}
		for i := range 2 {
			for j := range 3 {
				mid = append(mid, (pixel(x, 0, 0, c, 2*i, 2*j)+pixel(x, 0, 0, c, 2*i, 2*j+1)+pixel(x, 0, 0, c, 2*i+1, 2*j)+pixel(x, 0, 0, c, 2*i+1, 2*j+1))/4)
			}
		}
		for i := range 8 {
			for j := range 3 {
				nearest = append(nearest, pixel(x, 0, 0, c, i*5/8, j*7/3))
			}
		}
		for i := range 9 {
			for j := range 4 {
				u, v := max(0, (float64(i)+0.5)*5/9-0.5), max(0, (float64(j)+0.5)*7/4-0.5)
				p, q := int(u), int(v)
				fu, fv := u-float64(p), v-float64(q)
				p1, q1 := min(p+1, 4), min(q+1, 6)
				at := func(i, j int) float64 { return pixel(x, 0, 0, c, i, j) }
				smooth = append(smooth, (1-fu)*((1-fv)*at(p, q)+fv*at(p, q1))+fu*((1-fv)*at(p1, q)+fv*at(p1, q1)))
			}
		}
		for i := range 10 {
			for j := range 14 {
				twice = append(twice, pixel(x, 0, 0, c, i/2, j/2))
			}
		}
	}
	near(t, most, out["most"].F)
	near(t, mid, out["mid"].F)
	near(t, nearest, out["near"].F)
	near(t, smooth, out["smooth"].F)
	near(t, twice, out["twice"].F)
	require.InDelta(t, 0, out["linear"].F[0], 1e-6)
}

// Attention under a mask is attention among what the mask leaves.
func TestMaskedAttention(t *testing.T) {
	out := run(t, `use nn
eval e {
  q ~ normal[2, 4, 2, 3]
  k ~ normal[2, 4, 2, 3]
  v ~ normal[2, 4, 2, 3]
  causal[b < 2, t < 4, s < 4] = s <= t
  none_of[b < 2, t < 4, s < 4] = s > 3 + t
  first[b < 2, t < 4, s < 4] = s == 0
  a = nn.masked_attention(q, k, v, causal) - nn.causal_attention(q, k, v)
  c = nn.masked_attention(q, k, v, none_of)
  f[b, t < 4, h, d] = nn.masked_attention(q, k, v, first)[b, t, h, d] - v[b, 0, h, d]
  show a  show c  show f
}`, values{})
	for _, name := range []string{"a", "c", "f"} {
		near(t, make([]float64, 48), out[name].F)
	}
}

// A rotation by positions keeps lengths, and products depend on distances only.
func TestRotaryPositions(t *testing.T) {
	out := run(t, `use nn
eval e {
  one ~ normal[1, 1, 1, 6]
  x[b < 1, t < 5, h < 1, d < 6] = one[b, 0, h, d]
  y = nn.rope(x)
  product[t, s] = sum[d] y[0, t, 0, d] * y[0, s, 0, d]
  far[t < 4] = product[t, t + 1] - product[0, 1]
  length[t] = product[t, t] - sum(one^2)
  show far  show length
}`, values{})
	near(t, make([]float64, 4), out["far"].F)
	near(t, make([]float64, 5), out["length"].F)
}

// RNN and GRU over three steps are their equations.
func TestRecurrences(t *testing.T) {
	r := rand.New(rand.NewSource(6))
	x, h := random(r, 1, 3, 2), random(r, 1, 2)
	wx, wh, b := random(r, 2, 2), random(r, 2, 2), random(r, 2)
	gx, gh, gb := random(r, 2, 3, 2), random(r, 2, 3, 2), random(r, 3, 2)
	out := run(t, `use nn
data d = npy("x")
rnn = nn.RNN(2, 2)
gru = nn.GRU(2, 2)
eval e {
  each x: f32[1, 3, 2], h: f32[1, 2] from d.train
  y, a = rnn(x, h)
  z, b = gru(x, h)
  show y  show a  show z  show b
}`, values{"x": x, "h": h, "rnn.wx": wx, "rnn.wh": wh, "rnn.offset": b, "gru.wx": gx, "gru.wh": gh, "gru.offset": gb})
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	s, g := append([]float64{}, h.F...), append([]float64{}, h.F...)
	var y, z []float64
	for step := range 3 {
		in := x.F[2*step : 2*step+2]
		var next, gru []float64
		for j := range 2 {
			a := b.F[j]
			for i := range 2 {
				a += in[i]*wx.F[2*i+j] + s[i]*wh.F[2*i+j]
			}
			next = append(next, math.Tanh(a))
			var from, back [3]float64
			for k := range 3 {
				from[k] = gb.F[2*k+j]
				for i := range 2 {
					from[k] += in[i] * gx.F[(i*3+k)*2+j]
					back[k] += g[i] * gh.F[(i*3+k)*2+j]
				}
			}
			keep := sigmoid(from[0] + back[0])
			n := math.Tanh(from[2] + sigmoid(from[1]+back[1])*back[2])
			gru = append(gru, (1-keep)*n+keep*g[j])
		}
		s, g = next, gru
		y, z = append(y, s...), append(z, g...)
	}
	near(t, y, out["y"].F)
	near(t, s, out["a"].F)
	near(t, z, out["z"].F)
	near(t, g, out["b"].F)
}

// Norms leave mean 0 and mean square 1 where they say so; dropout keeps the mean; a table is looked up.
func TestNormsDropoutAndTables(t *testing.T) {
	out := trainOnce(t, `use nn
group = nn.GroupNorm(2, 4)
batch = nn.BatchNorm(3)
rms = nn.RMSNorm(5)
drop = nn.Dropout(0.25)
table = nn.Embedding(4, 2)
train for 1 {
  x ~ normal(mean: 3, std: 2)[6, 4, 3, 3]
  g = reshape(group(x), [6, 2, 18])
  y ~ normal(mean: 3, std: 2)[50, 3]
  b = batch(y)
  z = rms(x[:5, 0, 0, 0] * y[:5, 0])
  ones: f32[20000] = 1
  kept = drop(ones)
  k: i32[2] = 3
  report group_mean = max(abs(mean(g, axis: 2))), group_square = mean(g^2), batch_mean = max(abs(mean(b, axis: 0)))
  report square = mean(z^2), kept = mean(kept), most = max(kept), row = table(k)[1], left = mean(batch.center), right = mean(y) / 10
}`, values{"batch.scale": ir.Floats([]float64{1, 1, 1}, 3), "step": ir.IntScalar(loop.I32, 0)})
	require.InDelta(t, 0, out["group_mean"].F[0], 1e-6)
	require.InDelta(t, 1, out["group_square"].F[0], 1e-4)
	require.InDelta(t, 0, out["batch_mean"].F[0], 1e-6)
	require.InDelta(t, 1, out["square"].F[0], 1e-4)
	require.InDelta(t, 1, out["kept"].F[0], 0.02)
	require.InDelta(t, 4./3, out["most"].F[0], 1e-6)
	require.InDelta(t, out["right"].F[0], out["left"].F[0], 1e-6)
}
