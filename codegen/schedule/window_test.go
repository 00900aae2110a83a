package schedule

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyConvolution is a convolution of any stride, dilation, margin and groups, its transposed or the gradient of its weight.
func anyConvolution(t *rapid.T) string {
	pick := func(name string, of ...int) int { return rapid.SampledFrom(of).Draw(t, name) }
	n, g, cin, cout := pick("n", 1, 2, 3), pick("groups", 1, 2), pick("in", 1, 2, 3, 8, 17), pick("out", 1, 2, 5, 8, 16, 19)
	h, w, kh, kw := pick("h", 1, 2, 5, 9), pick("w", 1, 3, 7, 16, 21), pick("kh", 1, 2, 3), pick("kw", 1, 2, 3, 5)
	sh, sw, dh, dw, ph, pw := pick("sh", 1, 2, 3), pick("sw", 1, 2, 3), pick("dh", 1, 2), pick("dw", 1, 2, 7), pick("ph", 0, 1, 3), pick("pw", 0, 1, 4)
	kind := pick("kind", 0, 1, 2, 3)
	if kind == 3 {
		dh, dw = 1, 1
	}
	oh, ow := (h+2*ph-dh*(kh-1)-1)/sh+1, (w+2*pw-dw*(kw-1)-1)/sw+1
	if oh < 1 || ow < 1 {
		t.Skip("no output")
	}
	y, x := fmt.Sprintf("y*%d + kh*%d - %d", sh, dh, ph), fmt.Sprintf("x*%d + kw*%d - %d", sw, dw, pw)
	inside := fmt.Sprintf("%[1]s >= 0 & %[1]s < %[2]d & %[3]s >= 0 & %[3]s < %[4]d", y, h, x, w)
	axes := fmt.Sprintf("  axis n: %d, g: %d, m: %d, o: %d, y: %d, x: %d, kh: %d, kw: %d, v: %d, u: %d\n", n, g, cin, cout, oh, ow, kh, kw, h, w)
	input := fmt.Sprintf("where(%[1]s, X[n,g,m,%[2]s,%[3]s; %[1]s], 0.0)", inside, y, x)
	bufs := fmt.Sprintf("in X: f32[%d,%d,%d,%d,%d], in W: f32[%d,%d,%d,%d,%d]", n, g, cin, h, w, g, cout, cin, kh, kw)
	switch kind {
	case 0:
		return fmt.Sprintf("kernel conv(%s, out Y: f32[%d,%d,%d,%d,%d]) {\n%s  Y[n,g,o,y,x] = dot[m,kh,kw](%s, W[g,o,m,kh,kw])\n}",
			bufs, n, g, cout, oh, ow, axes, input)
	case 1:
		return fmt.Sprintf("kernel weight(%s, in Z: f32[%d,%d,%d,%d,%d], out D: f32[%d,%d,%d,%d,%d]) {\n%s  D[g,o,m,kh,kw] = dot[n,y,x](Z[n,g,o,y,x], %s)\n}",
			bufs, n, g, cout, oh, ow, g, cout, cin, kh, kw, axes, input)
	}
	if kind == 3 {
		return inputByResidue(bufs, [4]int{n, g, cin, cout}, [2][5]int{{h, oh, kh, sh, ph}, {w, ow, kw, sw, pw}})
	}
	a, b := fmt.Sprintf("(v + %d - kh*%d)", ph, dh), fmt.Sprintf("(u + %d - kw*%d)", pw, dw)
	cond := fmt.Sprintf("%[1]s >= 0 & %[1]s %% %[2]d == 0 & %[1]s / %[2]d < %[3]d & %[4]s >= 0 & %[4]s %% %[5]d == 0 & %[4]s / %[5]d < %[6]d", a, sh, oh, b, sw, ow)
	return fmt.Sprintf("kernel input(%s, in Z: f32[%d,%d,%d,%d,%d], out D: f32[%d,%d,%d,%d,%d]) {\n%s  D[n,g,m,v,u] = dot[o,kh,kw](where(%s, Z[n,g,o,%s/%d,%s/%d; %s], 0.0), W[g,o,m,kh,kw])\n}",
		bufs, n, g, cout, oh, ow, n, g, cin, h, w, axes, cond, a, sh, b, sw, cond)
}

// inputByResidue is the gradient of a convolution's input where each place sums up the taps of its residue only. Of each side are
// given the size of input, output and kernel, stride and margin.
func inputByResidue(bufs string, sizes [4]int, sides [2][5]int) string {
	var at, taps, turns [2]string
	for i, s := range sides {
		place, tap := string("vu"[i]), [2]string{"kh", "kw"}[i]
		at[i] = fmt.Sprintf("((%s + %d) / %d - %s)", place, s[4], s[3], tap)
		taps[i] = fmt.Sprintf("((%s + %d) %% %d + %s*%d)", place, s[4], s[3], tap, s[3])
		turns[i] = fmt.Sprintf("%s: %d", tap, (s[2]+s[3]-1)/s[3])
	}
	n, g, cin, cout, h, w := sizes[0], sizes[1], sizes[2], sizes[3], sides[0], sides[1]
	inside := fmt.Sprintf("%[1]s >= 0 & %[1]s < %[2]d & %[3]s >= 0 & %[3]s < %[4]d", at[0], h[1], at[1], w[1])
	there := fmt.Sprintf("%s < %d & %s < %d", taps[0], h[2], taps[1], w[2])
	return fmt.Sprintf(`kernel input(%s, in Z: f32[%d,%d,%d,%d,%d], out D: f32[%d,%d,%d,%d,%d]) {
  axis n: %d, g: %d, m: %d, o: %d, v: %d, u: %d, %s, %s
  D[n,g,m,v,u] = dot[o,kh,kw](where(%s, Z[n,g,o,%s,%s; %s], 0.0), where(%s, W[g,o,m,%s,%s; %s], 0.0))
}`, bufs, n, g, cout, h[1], w[1], n, g, cin, h[0], w[0], n, g, cin, cout, h[0], w[0], turns[0], turns[1],
		inside, at[0], at[1], inside, there, taps[0], taps[1], there)
}

func TestAnyConvolution(t *testing.T) {
	packed := 0
	rapid.Check(t, func(t *rapid.T) {
		k := parse(t, anyConvolution(t))
		steps, err := Run(k, anyMachine(t))
		require.NoError(t, err)
		packed += windows(steps)
		right(t, k, steps, rapid.Uint64().Draw(t, "seed"))
	})
	require.Positive(t, packed)
}

// windows counts the opts that pack one.
func windows(steps []Step) (n int) {
	for _, o := range steps[len(steps)-1].Kernel.Opts {
		if o.Word == "window" {
			n++
		}
	}
	return n
}

func TestWindowsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"an axis of two sums": `kernel k(in X: f32[5], in W: f32[3,9], out Y: f32[3,3,9]) {
  axis a: 3, c: 3, o: 9, z: 3
  Y[a,c,o] = dot[z](where(a + z < 5 & c - z >= 0, X[a+c], 0.0), W[z,o])
}`,
		"a copy larger than what it is read for": `kernel k(in X: f32[7], in W: f32[3,9], out Y: f32[7,9]) {
  axis i: 7, o: 9, k: 3
  Y[i,o] = dot[k](where(i + k*1000 - 1000 >= 0 & i + k*1000 - 1000 < 7, X[i+k*1000-1000; i + k*1000 - 1000 >= 0 & i + k*1000 - 1000 < 7], 0.0), W[k,o])
}`,
	} {
		t.Run(name, func(t *testing.T) {
			k := parse(t, text)
			steps, err := Run(k, AVX2)
			require.NoError(t, err)
			require.Zero(t, windows(steps))
			right(t, k, steps, 1)
		})
	}
}

// Gradients of inputs with channels for the lanes, some residues of which have fewer taps than others.
func TestAnyResidues(t *testing.T) {
	ends := 0
	rapid.Check(t, func(t *rapid.T) {
		pick := func(name string, of ...int) int { return rapid.SampledFrom(of).Draw(t, name) }
		sizes := [4]int{pick("n", 1, 3), pick("groups", 1, 2), pick("in", 8, 17), pick("out", 1, 3)}
		var sides [2][5]int // input, output, kernel, stride, margin
		for i := range sides {
			kernel, stride, margin := pick("kernel", 3, 4, 5), pick("stride", 2, 3), pick("margin", 0, 1, 2)
			size := stride * pick("size", 2, 5)
			sides[i] = [5]int{size, (size+2*margin-kernel)/stride + 1, kernel, stride, margin}
			if sides[i][1] < 1 {
				t.Skip("no output")
			}
		}
		n, g, cin, cout, h, w := sizes[0], sizes[1], sizes[2], sizes[3], sides[0], sides[1]
		bufs := fmt.Sprintf("in X: f32[%d,%d,%d,%d,%d], in W: f32[%d,%d,%d,%d,%d]", n, g, cin, h[0], w[0], g, cout, cin, h[2], w[2])
		k := parse(t, inputByResidue(bufs, sizes, sides))
		m := *AVX2
		m.PackRows = 1
		steps, err := Run(k, &m)
		require.NoError(t, err)
		ends += len(ofKind(steps[len(steps)-1].Kernel.Opts, Taps))
		right(t, k, steps, rapid.Uint64().Draw(t, "seed"))
	})
	require.Positive(t, ends)
}
