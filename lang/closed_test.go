package lang

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir"
)

// With weights of zero a cell is multiplied by sigmoid(forget) a step and nothing else: so is its gradient.
func TestForgetGateOfLSTM(t *testing.T) {
	for forget, want := range map[float64]float64{5: 0.71479, 1: 1.576e-7, 0: math.Pow(0.5, 50)} {
		src := fmt.Sprintf(`use nn
net = nn.LSTM(1, 1, forget: %v)
data d = npy("x")
eval e {
  each c: f32[1, 1] from d.train
  x: f32[1, 50, 1] = 1
  rest: f32[1, 1] = 0
  _, _, end = net(x, rest, c)
  slope = grad(sum(end), c)
  show slope
}`, forget)
		out := run(t, src, values{"c": ir.Floats([]float64{0.3}, 1, 1), "net.wx": ir.Floats(make([]float64, 4), 1, 4, 1), "net.wh": ir.Floats(make([]float64, 4), 1, 4, 1)})
		require.InEpsilon(t, want, out["slope"].F[0], 1e-3)
	}
}

// VQGAN's adaptive weight makes the gradient of the adversarial loss 0.8 times as long as the reconstruction's,
// whatever the loss is multiplied by.
func TestAdaptiveWeight(t *testing.T) {
	out := run(t, `use nn
decoder = nn.MLP([3, 6, 2], act: tanh)
judge = nn.MLP([2, 6, 1], act: tanh)
fn pull(z: f32[N, 3], x: f32[N, 2], scale: float) -> (f32, f32) {
  y = decoder(z)
  last = decoder.last.weight
  g_rec = grad(mae(y, x), last)
  g_gan = grad(-scale * mean(judge(y)), last)
  weight = stop(0.8 * clamp(norm(g_rec) / (norm(g_gan) + 1e-4), 0, 1e4))
  return norm(weight * g_gan), norm(g_rec)
}
eval e {
  z ~ normal[16, 3]
  x ~ normal[16, 2]
  once, rec = pull(z, x, 20)
  tenfold, _ = pull(z, x, 200)
  show once  show tenfold  show rec
}`, values{})
	once, tenfold, rec := out["once"].F[0], out["tenfold"].F[0], out["rec"].F[0]
	require.InEpsilon(t, once, tenfold, 1e-3)
	require.NotEqual(t, once, tenfold)
	require.InEpsilon(t, 0.8*rec, tenfold, 1e-3)
}
