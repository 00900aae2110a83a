package codegen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/codegen/schedule"
	"mdlc/ir/loop"
)

// slid is a convolution of some images, with so many results of so many lines and places. Taps may be apart, lines of the image left out, and
// the order of taps turned round, as in the gradient of the input.
type slid struct {
	images, channels, results, lines, places int
	taps, pad, stride, dilation              int
	turned                                   bool
}

// size is how many lines and places an image has.
func (s slid) size() (lines, places int) {
	reach := s.dilation*(s.taps-1) + 1 - 2*s.pad
	return (s.lines-1)*s.stride + reach, s.places - 1 + reach
}

// at are the line and the place of the image that belong to axes y, x, r and s, and the condition that there are such.
func (s slid) at() (line, place, inside string) {
	line = fmt.Sprintf("y * %d + r * %d - %d", s.stride, s.dilation, s.pad)
	place = fmt.Sprintf("x + s * %d - %d", s.dilation, s.pad)
	if s.turned {
		line, place = fmt.Sprintf("y + %d - r", s.taps-1-s.pad), fmt.Sprintf("x + %d - s", s.taps-1-s.pad)
	}
	lines, places := s.size()
	return line, place, fmt.Sprintf("%s >= 0 & %s < %d & %s >= 0 & %s < %d", line, line, lines, place, place, places)
}

// forward is the convolution.
func (s slid) forward(name string) string {
	line, place, inside := s.at()
	lines, places := s.size()
	return fmt.Sprintf(`kernel %[1]s(in X: bf16[%[2]d,%[3]d,%[4]d,%[5]d], in W: bf16[%[6]d,%[3]d,%[7]d,%[7]d], in D: f32[%[6]d], out Y: bf16[%[2]d,%[6]d,%[8]d,%[9]d]) {
  axis i: %[2]d, j: %[6]d, y: %[8]d, x: %[9]d, c: %[3]d, r: %[7]d, s: %[7]d
  v = %[12]s
  z = dot[c,r,s](where(v, X[i,c,%[10]s,%[11]s; v], bf16(0.0)), W[j,c,r,s])
  Y[i,j,y,x] = bf16(z + D[j])
}`, name, s.images, s.channels, lines, places, s.results, s.taps, s.lines, s.places, line, place, inside)
}

// weight is the gradient of the weight.
func (s slid) weight(name string) string {
	line, place, inside := s.at()
	lines, places := s.size()
	return fmt.Sprintf(`kernel %[1]s(in X: bf16[%[2]d,%[3]d,%[4]d,%[5]d], in D: bf16[%[2]d,%[6]d,%[8]d,%[9]d], out G: f32[%[6]d,%[3]d,%[7]d,%[7]d]) {
  axis j: %[6]d, c: %[3]d, r: %[7]d, s: %[7]d, i: %[2]d, y: %[8]d, x: %[9]d
  v = %[12]s
  G[j,c,r,s] = dot[i,y,x](where(v, X[i,c,%[10]s,%[11]s; v], bf16(0.0)), D[i,j,y,x])
}`, name, s.images, s.channels, lines, places, s.results, s.taps, s.lines, s.places, line, place, inside)
}

// What the hardware copies of convolutions is what the evaluator reads: zeros around images, lines that a stride leaves out, taps apart, channels that fill no turn,
// lines and places that fill no patch, and so of the gradients of their inputs, which are convolutions, and of their weights.
func TestConvolutionsByBoxes(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	rng := rand.New(rand.NewPCG(9, 10))
	any := func(lo, hi int) int { return lo + rng.IntN(hi-lo+1) }
	forms := []slid{
		{2, 64, 136, 4, 64, 3, 1, 1, 1, false}, // all whole
		{1, 72, 136, 5, 56, 3, 1, 1, 1, false}, // nothing is
		{1, 40, 128, 4, 72, 5, 4, 1, 2, false}, // taps apart
		{1, 64, 128, 7, 64, 3, 1, 2, 1, false}, // lines left out
		{2, 48, 128, 3, 40, 3, 1, 1, 1, true},
		{1, 64, 128, 4, 58, 3, 2, 1, 1, false},  // of which threads store results
		{1, 80, 128, 3, 130, 1, 1, 1, 1, false}, // one tap, with a margin
	}
	for range 5 {
		s := slid{any(1, 2), any(32, 100), any(128, 150), any(1, 6), 0, any(2, 4), 0, 1, 1, rng.IntN(2) == 0}
		s.pad = any(0, s.taps-1)
		if !s.turned {
			s.stride, s.dilation = any(1, 3), any(1, 2)
		}
		_, around := s.size()
		s.places = 8*any(5, 12) - around + s.places // so that lines of the image are multiples of 16 bytes
		forms = append(forms, s)
	}
	weights := []slid{
		{2, 64, 72, 3, 64, 3, 1, 1, 1, false},
		{1, 80, 64, 2, 128, 3, 1, 2, 1, false},
		{1, 130, 64, 3, 64, 3, 2, 1, 2, false},
		{1, 70, 64, 4, 64, 2, 0, 1, 8, false},
	}
	tiles := []string{"wgmma64x64", "wgmma128x128", "wgmma128x256, 2 processors", "wgmma128x64, 4 processors"}
	var equations, kernels []*loop.Kernel
	count := map[string]int{}
	for n, s := range slices.Concat(forms, weights) {
		text, tile := s.forward(fmt.Sprintf("slid_%d", n)), tiles[n%len(tiles)]
		if n >= len(forms) {
			text, tile = s.weight(fmt.Sprintf("slid_%d", n)), tiles[0]
			if s.channels > 128 {
				tile = tiles[3]
			}
		}
		p := parseKernel(t, text)
		steps, err := schedule.Run(p, withTile(target.Machine, tile))
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		for _, o := range last.Opts {
			count[o.Kind]++
		}
		require.True(t, slices.ContainsFunc(last.Opts, func(o loop.Opt) bool { return o.Kind == schedule.Bulk }), "%+v: %s", s, last)
		butForOrder(t, p, steps[1].Kernel)
		equations, kernels = append(equations, schedule.Expand(steps[1].Kernel)), append(kernels, last)
	}
	t.Log(count)
	require.GreaterOrEqual(t, count[schedule.Persist], 3)
	require.GreaterOrEqual(t, count[schedule.Cluster], 2)
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			m.(*emulated).device.Seed = uint64(i % 2) // copies land at any time, or when they are waited for
			checkAgainst(t, equations[i], m, -5)
		})
	}
}

// butForOrder requires that n, which has the parameters of k and work, computes what k does, in another order.
func butForOrder(t *testing.T, k, n *loop.Kernel) {
	r := rand.New(rand.NewPCG(1, 2))
	want, got := map[string]*loop.Data{}, map[string]*loop.Data{}
	for _, b := range k.Bufs {
		if b.Mode == loop.In {
			want[b.Name], _ = fill(r, b, b.Dims, 1)
			got[b.Name] = want[b.Name].Clone()
		}
	}
	require.NoError(t, loop.Eval(k, want, loop.EvalOptions{Seed: 1}))
	require.NoError(t, loop.Eval(n, got, loop.EvalOptions{Seed: 2}))
	for _, b := range k.Bufs {
		for i, x := range want[b.Name].F {
			require.InDelta(t, x, got[b.Name].F[i], 1e-9*(1+math.Abs(x)), "%s[%d]", b.Name, i)
		}
	}
}

// A convolution of one tap is a product of lines and places as one, whatever an image's size, and its hardware copies and stores what the evaluator has.
func TestConvolutionsOfOneTap(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	var equations, kernels []*loop.Kernel
	for n, size := range [][2]int{{24, 22}, {20, 26}, {28, 28}} {
		p := parseKernel(t, fmt.Sprintf(`kernel tap_%[1]d(in X: bf16[2,136,%[2]d,%[3]d], in W: bf16[130,136,1,1], in D: f32[130], out Y: bf16[2,130,%[2]d,%[3]d]) {
  axis i: 2, j: 130, y: %[2]d, x: %[3]d, c: 136
  Y[i,j,y,x] = bf16(dot[c](X[i,c,y,x], W[j,c,0,0]) + D[j])
}`, n, size[0], size[1]))
		steps, err := schedule.Run(p, withTile(target.Machine, []string{"wgmma64x64", "wgmma128x128", "wgmma128x64, 4 processors"}[n]))
		require.NoError(t, err)
		last := steps[len(steps)-1].Kernel
		require.Contains(t, last.String(), "fill ")
		require.Contains(t, last.String(), "send {")
		equations, kernels = append(equations, schedule.Expand(p)), append(kernels, last)
	}
	for i, m := range runners(t, target, kernels...) {
		t.Run(kernels[i].Name, func(t *testing.T) {
			m.(*emulated).device.Seed = uint64(i % 2)
			checkAgainst(t, equations[i], m, -5)
		})
	}
}

// A tensor map that says something else of the image is noticed: by its results, or by the emulator.
func TestSpoiltMapsOfImages(t *testing.T) {
	target := gpuTarget(t, "sm_90a")
	p := parseKernel(t, slid{1, 72, 64, 3, 64, 3, 1, 1, 1, false}.forward("maps"))
	steps, err := schedule.Run(p, withTile(target.Machine, "wgmma64x64"))
	require.NoError(t, err)
	run := func(spoil func(m *EmittedMap)) ([]byte, error) {
		r := emulate(t, target, steps[len(steps)-1].Kernel)[0]
		for _, ph := range r.e.Phases {
			for i := range ph.Maps {
				if m := &ph.Maps[i]; spoil != nil && m.Buf.Name == "X" {
					box := *m.Box
					m.Box, m.Dims, m.Strides = &box, slices.Clone(box.Dims), slices.Clone(box.Strides)
					spoil(m)
				}
			}
		}
		rng := rand.New(rand.NewPCG(3, 4))
		var bufs [][]byte
		var results []byte
		for _, b := range params(r.k) {
			_, mem := fill(rng, b, b.Dims, 1)
			if bufs = append(bufs, mem); b.Name == "Y" {
				results = mem
			}
		}
		err := r.try(bufs)
		return results, err
	}
	right, err := run(nil)
	require.NoError(t, err)
	number := func(n int) *loop.Value { return &loop.Value{Op: loop.Const, Elem: loop.I64, Bits: uint64(n)} }
	for name, spoil := range map[string]func(m *EmittedMap){
		"no zeros below the last line":    func(m *EmittedMap) { m.Dims[1] = number(4) },
		"zeros for the last line":         func(m *EmittedMap) { m.Dims[1] = number(2) },
		"no zeros beside the last place":  func(m *EmittedMap) { m.Dims[0] = number(65) },
		"lines twice as far apart":        func(m *EmittedMap) { m.Strides[0] *= 2 },
		"channels as near as lines":       func(m *EmittedMap) { m.Strides[1] = m.Strides[0] },
		"lines and channels in one place": func(m *EmittedMap) { m.Strides[0], m.Strides[1] = m.Strides[1], m.Strides[0] },
	} {
		got, err := run(spoil)
		require.True(t, err != nil || !slices.Equal(right, got), name)
	}
}
