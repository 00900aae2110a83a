package schedule

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"mdlc/ir/loop"
)

// Of convolutions that are like one of boxes but for one thing some are of boxes, too, others are not.
func TestConvolutionsOfBoxes(t *testing.T) {
	const plain = `kernel k(in X: bf16[2,64,40,64], in W: bf16[128,64,3,3], out Y: bf16[2,128,40,64]) {
  axis i: 2, j: 128, y: 40, x: 64, c: 64, r: 3, s: 3
  v = y + r - 1 >= 0 & y + r - 1 < 40 & x + s - 1 >= 0 & x + s - 1 < 64
  Y[i,j,y,x] = bf16(dot[c,r,s](where(v, X[i,c,y + r - 1,x + s - 1; v], bf16(0.0)), W[j,c,r,s]))
}`
	const weight = `kernel k(in X: bf16[2,64,40,64], in D: bf16[2,128,40,64], out Y: f32[128,64,3,3]) {
  axis j: 128, c: 64, r: 3, s: 3, i: 2, y: 40, x: 64
  v = y + r - 1 >= 0 & y + r - 1 < 40 & x + s - 1 >= 0 & x + s - 1 < 64
  Y[j,c,r,s] = dot[i,y,x](where(v, X[i,c,y + r - 1,x + s - 1; v], bf16(0.0)), D[i,j,y,x])
}`
	for _, c := range []struct {
		name, text string
		change     []string
		boxes      bool
	}{
		{"as it is", plain, nil, true},
		{"a wide image", plain, []string{"64]", "192]", "x: 64", "x: 192", "- 1 < 64", "- 1 < 192"}, true},
		{"places that fill half of a patch", plain, []string{"64]", "32]", "x: 64", "x: 32", "- 1 < 64", "- 1 < 32"}, true},
		{"fewer places", plain, []string{"64]", "24]", "x: 64", "x: 24", "- 1 < 64", "- 1 < 24"}, false},
		{"lines that are no multiple of 16 bytes", plain, []string{"64]", "60]", "x: 64", "x: 60", "- 1 < 64", "- 1 < 60"}, false},
		{"few channels", plain, []string{"2,64,", "2,24,", "128,64,", "128,24,", "c: 64", "c: 24"}, false},
		{"channels that fill half of a turn", plain, []string{"2,64,", "2,32,", "128,64,", "128,32,", "c: 64", "c: 32"}, true},
		{"lines apart", plain, []string{"y + r", "y * 2 + r", "X: bf16[2,64,40", "X: bf16[2,64,80", "- 1 < 40", "- 1 < 80"}, true},
		{"places apart", plain, []string{"x + s", "x * 2 + s", "40,64], in W", "40,128], in W", "- 1 < 64", "- 1 < 128"}, false},
		{"taps apart", plain, []string{"x + s - 1", "x + s * 2 - 2"}, true},
		{"a window within the image", plain, []string{"s - 1 < 64", "s - 1 < 60"}, true},
		{"a window that another one shifts", plain, []string{"x + s - 1 >= 0", "x + s - 1 >= r"}, false},
		{"one number at all places", plain, []string{"X: bf16[2,64,40,64]", "X: bf16[]", "X[i,c,y + r - 1,x + s - 1; v]", "X[; v]"}, false},
		{"numbers of 32 bits", plain, []string{"bf16", "f32"}, false},
		{"the weight's gradient", weight, nil, true},
		{"of lines that are no whole rows of a slot", weight, []string{"64]", "72]", "x: 64", "x: 72", "- 1 < 64", "- 1 < 72"}, false},
	} {
		k, err := prepare(parse(t, strings.NewReplacer(c.change...).Replace(c.text)), SM90)
		require.NoError(t, err, c.name)
		opts, ok := chooseBoxes(k, SM90)
		require.Equal(t, c.boxes, ok, "%s: %v", c.name, opts)
		chosen, err := Choose(k, SM90)
		require.NoError(t, err, c.name)
		require.Equal(t, c.boxes, len(ofKind(chosen, Bulk)) > 0, "%s: %v", c.name, chosen)
	}
}

// What is no window, and what has an order, stays as it is.
func TestSlideRefuses(t *testing.T) {
	k := parse(t, `kernel k(in A: f32[32,64], in B: f32[64,64], in C: bf16[32,64], out Y: f32[32,64], out Z: f32[32,64]) {
  axis i: 32, j: 64, k: 64
  Y[i,j] = dot[k](A[i,k], B[k,j])
  Z[i,j] = dot[k](C[i,k], bf16(B[k,j]))
}`)
	k, err := prepare(k, SM90)
	require.NoError(t, err)
	for want, o := range map[string]string{
		"z_a is not 0 beyond what it loads":  "Guard z_a",
		"the order of z is the contract's":   "Last k z",
		"z_1 does not sum up i":              "Last i z_1",
		"there is no value z_2":              "Last k z_2",
		"there is no axis m":                 "Last m z_1",
		"z_1_b is not 0 beyond what it load": "Guard z_1_b",
	} {
		w := strings.Fields(o + " ")
		word := ""
		if len(w) > 2 {
			word = w[2]
		}
		_, err := Apply(k, []loop.Opt{opt(w[0], w[1], 0, word)})
		require.ErrorContains(t, err, want)
	}
}
