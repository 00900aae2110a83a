package loop

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

// The canonical text of every example, with the types that the printer adds.
func TestGoldenText(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(kirDir, "*.kir"))
	require.NoError(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		ks, err := Parse(f, string(text))
		require.NoError(t, err)
		var out strings.Builder
		for _, k := range ks {
			out.WriteString(k.String())
		}
		golden := strings.TrimSuffix(f, ".kir") + ".golden"
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(out.String()), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), out.String())
	}
}

// A chain that uses each value twice has text of linear size.
func TestSharedValuesAreNamed(t *testing.T) {
	b := NewBuilder("chain")
	x, y := b.Buffer("X", F32, InOut, 4), b.Buffer("Y", F32, Out, 4)
	i := b.Index(b.Axis("i", 4))
	v := b.Load(x, []*Value{i}, nil)
	for range 40 {
		v = b.Op(Add, b.Op(Sin, b.Op(Mul, v, v)), b.Op(Cos, v))
	}
	b.Store(y, []*Value{i}, nil, v)
	b.Store(x, []*Value{i}, nil, b.Float(F32, 1))
	b.Store(y, []*Value{i}, nil, v)
	text := b.Kernel().String()
	require.Less(t, len(text), 10000)
	again := one(t, text)
	require.Equal(t, text, again.String())
	args := buffers{"X": Floats(F32, []float64{1, 2, 3, 4}, 4)}
	a, c := eval(t, b.Kernel(), args, EvalOptions{}), eval(t, again, args, EvalOptions{})
	require.Equal(t, a["Y"], c["Y"])
}

func TestSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"kernel":                                                             "t:1:7: kernel name expected, found the end of the text",
		"kernel k(in X f32[2]) { }":                                          `t:1:15: ":" expected, found "f32"`,
		"kernel k(in X: f31[2]) { }":                                         `t:1:16: unknown element type "f31"`,
		"kernel k() {\n  y = x\n}":                                           "t:2:7: no value x",
		"kernel k() { x = 1 + 2.5 * true }":                                  "t:1:22: bool expected, found a number",
		"kernel k() { x = f32(1) + i64(2) }":                                 "t:1:25: add: operands are f32 and i64; convert one",
		"kernel k() { axis i: 4 x = sum[j](i) }":                             "t:1:32: no axis j",
		"kernel k() { axis i: 4, i: 5 }":                                     "t:1:25: i is already defined",
		"kernel k() { sum = 1 }":                                             `t:1:14: "sum" is a word of the kernel language`,
		"kernel k() { turn t { } }":                                          "t:1:14: turn belongs to GPU kernels",
		"kernel k() { ring r[2] take q 0 }":                                  "t:1:29: no ring q",
		"kernel k() { axis i: 2 cluster }":                                   "t:1:24: cluster belongs to GPU kernels",
		"kernel k(in X: f32[n <= 2]) { }":                                    "t:1:20: no buffer n",
		"kernel k(in n: i64[]) { axis i: n[] }":                              "t:1:33: the extent of axis i is data: write its bound",
		"kernel k(in X: f32[2]) { x = X[0,1] }":                              "t:1:30: X has rank 1, the index 2",
		"kernel k() { axis l: 2 for l { } }":                                 "t:1:24: axis l is open",
		"kernel k() { axis l: 2 loop for l carry a = 1 { } }":                "the loop carries 1 value, the yield gives 0",
		"kernel k() { axis l: 2 loop a, b = for l carry a = 1 { yield a } }": "the loop carries 1 value for 2 names",
		"kernel k() { axis i: 2 x: f32[i] = 1.0 }":                           "t:1:24: x is written f32[i], but its type is f32",
		"kernel k() { x = 300 + i8(1) }":                                     "t:1:18: 300 does not fit i8",
		"kernel k() { x = exq(1.0) }":                                        "t:1:18: no function exq",
		"kernel k() { x = 1 ? }":                                             "t:1:20: unexpected character '?'",
		"kernel k(in X: f32[2]) { axis i: 2 x = sum[i](bf16(X[i])) }":        "sum: operand is bf16, not f32, f64 or an integer",
	} {
		_, err := Parse("t", text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := Parse("t", "kernel k() { x = "+strings.Repeat("(", 10000)+"1 }")
	require.ErrorContains(t, err, "nested too deeply")
}
