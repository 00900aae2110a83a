package loop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each edit breaks a kernel; parser, verifier or evaluator must say how.
func TestMutations(t *testing.T) {
	s := newSource(11)
	attention := attentionArgs()
	linear := buffers{"X": s.floats(BF16, 9, 70), "W": s.ints(I8, -9, 9, 70, 70), "S": s.floats(F32, 5, 70), "B": s.floats(F32, 70)}
	grad := buffers{"X": s.floats(F32, 7, 6), "DY": s.floats(F32, 7, 6), "G": s.floats(F32, 6), "MU": s.floats(F32, 7), "RS": s.floats(F32, 7)}
	tok := buffers{"tok": s.ints(I32, 0, 3, 10)}
	place := buffers{"tok": Ints(I32, []int64{2, 0, 2, 1, 2, 0, 0, 2, 1, 2}, 10), "BASE": Ints(I32, []int64{0, 3, 5, 0, 1, 4, 7, 10, 3, 4, 9, 10}, 3, 4)}
	moe := buffers{"X": s.floats(BF16, 4, 5), "perm": s.ints(I32, 0, 3, 8), "off": Ints(I32, []int64{0, 3, 3, 8}, 4), "W": s.floats(BF16, 3, 5, 3),
		"TE": Ints(I32, []int64{0, 2, 2, 3, 3}, 5), "TR": Ints(I32, []int64{0, 0, 1, 0, 0}, 5)}
	for _, c := range []struct {
		name, file, kernel string
		args               buffers
		old, new           string
		want               string
	}{
		{"guard of a load", "attention.kir", "attention.cpu", attention, "K[b,s,g,d; s < 7]", "K[b,s,g,d]", "K: index 7 of dimension 1 is outside 0..7"},
		{"guard of a store", "attention.kir", "attention.cpu", attention, "O[b,t,h,e; t < 7]", "O[b,t,h,e]", "O: index 7 of dimension 1 is outside 0..7"},
		{"guard of padding", "linear.kir", "linear_gelu.cpu", linear, "W[r,n; n < 70]", "W[r,n]", "W: index 70 of dimension 1"},
		{"guard of the first block", "linear.kir", "linear_gelu.cpu", linear, "; k0 > 0", "", "poison is stored in"},
		{"guard on rows and columns", "linear.kir", "linear_gelu.cpu", linear, "i < 9 & j < 70", "i < 9", "Y: index 70 of dimension 1"},
		{"phase of a packed operand", "linear.kir", "linear_gelu.cpu", linear, "phase", "", "par axis"},
		{"phase of partial rows", "layernorm.kir", "layernorm_grad.cpu", grad, "phase", "", "par axis"},
		{"phase of keys", "attention.kir", "attention.cpu", attention, "phase", "", "par axis"},
		{"swapped indices of a load", "layernorm.kir", "layernorm_grad.cpu", grad, "(X[i,j]", "(X[j,i]", "X: index 6 of dimension 1 is outside 0..6"},
		{"swapped indices of a store", "layernorm.kir", "layernorm_grad.cpu", grad, "PG[p,j] =", "PG[j,p] =", "PG: index 3 of dimension 0"},
		{"reduction over a par axis", "layernorm.kir", "layernorm_grad.cpu", grad, "sum[j](g)", "sum[i](g)", "sum over i: p is bound by par"},
		{"reduction over another axis", "linear.kir", "linear_gelu", linear, "dot[k]", "dot[j]", "which the index of Y lacks"},
		{"axis outside its loop", "layernorm.kir", "layernorm_grad.cpu", grad, "DG[c] = a", "DG[c] = a + PG[q,c]", "axis q is used outside its loop"},
		{"panel never written", "softmax.kir", "softmax_drop_add.cpu", softmaxArgs(), "E[j] = e", "", "poison is stored in Y"},
		{"counts not cleared", "sort.kir", "sort_count", tok, "CNT[q,v] = 0", "", "poison is stored in CNT"},
		{"one row of counters for all", "sort.kir", "sort_place", place, "BASE[q,", "BASE[0,", "race: BASE"},
		{"row of another worker", "sort.kir", "sort_place", place, "= BASE[q,", "= BASE[(q + 1) % 3,", "race"},
		{"index without an axis", "moe.kir", "moe_up.tiles", moe, "Y[i64(off[e]) + r,j] = bf16(y)", "Y[i64(off[e]),j] = bf16(y)", "the value depends on [r1]"},
		{"index of another type", "sort.kir", "sort_place", place, "order[i64(p)]", "order[p]", "i64 expected, found i32"},
		{"carried type", "sort.kir", "sort_scan", buffers{"CNT": s.ints(I32, 0, 3, 3, 4)}, "a: i32 = 0", "a: f32 = 0", "i32 expected, found f32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(kirDir, c.file))
			require.NoError(t, err)
			require.NoError(t, run(string(text), c.kernel, c.args), "unchanged")
			start := strings.Index(string(text), "kernel "+c.kernel+"(")
			head, tail := string(text)[:start], string(text)[start:]
			require.Contains(t, tail, c.old)
			err = run(head+strings.ReplaceAll(tail, c.old, c.new), c.kernel, c.args)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func run(text, name string, args buffers) error {
	ks, err := Parse("m.kir", text)
	if err != nil {
		return err
	}
	for _, k := range ks {
		if k.Name != name {
			continue
		}
		if err := Verify(k); err != nil {
			return err
		}
		if err := Eval(k, cloneAll(args), EvalOptions{Seed: 1}); err != nil {
			return err
		}
	}
	return nil
}

// Without the guard against a fully masked block the running maximum gives -inf - -inf.
func TestMaskedBlock(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(kirDir, "attention.kir"))
	require.NoError(t, err)
	bad := strings.Replace(string(text), "where(m == -inf, 0.0, m)", "m", 1)
	require.NotEqual(t, string(text), bad)
	ks, err := Parse("m.kir", bad)
	require.NoError(t, err)
	out := eval(t, ks[1], attentionArgs(), EvalOptions{})
	nan := 0
	for _, x := range out["O"].F {
		if x != x {
			nan++
		}
	}
	require.Positive(t, nan)
}

func TestVerifierErrors(t *testing.T) {
	for want, body := range map[string]string{
		"X is an input": "X[i] = 1.0",
		"the value depends on [j], which the index":   "Y[i] = Z[i,j]",
		"several points of [i,j] store the same":      "Y[i*2 + j] = Z[i,j]",
		"the condition depends on open axes":          "if X[i] > 0.0 { Y[0] = 1.0 }",
		"sum over l: l is bound by loop":              "for l { Y[i] = sum[l](X[i]) }",
		"axis l is used outside its loop":             "for l { Y[l] = X[l] } Y[i] = X[l]",
		"the value depends on [l], which the index":   "Y[i] = X[l]",
		"the axis is already bound":                   "for l { for l { Y[i] = X[i] } }",
		"dot over l: l is bound by loop":              "for l { Y[i] = dot[l](X[l], X[i]) }",
		"dot over l, which neither operand has":       "Y[i] = dot[l](X[i], X[i])",
		"dot over j, which neither operand has":       "Y[i] = dot[j](X[i], X[i])",
		"every point of par axis p stores the same":   "Y[i] = X[p]",
		"the bound of the loop depends on open axes":  "for l in 0..i { Y[i] = X[i] }",
		"at[j]: the value does not depend on j":       "Y[i] = at[j=1](X[i])",
		"a phase ends at the top or in a loop around": "if true { phase }",
		"carries no values":                           "a = for l carry b = 0.0 { Y[i] = b phase yield 1.0 }",
	} {
		k := one(t, "kernel k(in X: f32[8], in Z: f32[8,8], out Y: f32[8]) { axis i: 4, j: 4, l: 4 loop, p: 4 par "+body+" }")
		require.ErrorContains(t, Verify(k), want, body)
	}
}

// A buffer that is read may stand still, and its text says so.
func TestStillBuffers(t *testing.T) {
	k := one(t, "kernel k(in X: f32[8] still, in Z: f32[8] strides[2], out Y: f32[8]) { axis i: 8 Y[i] = X[i] + Z[i] }")
	require.NoError(t, Verify(k))
	require.True(t, k.Clone().Bufs[0].Still)
	require.Contains(t, k.String(), "in X: f32[8] still, in Z: f32[8] strides[2], out Y")
	k.Bufs[2].Still = true
	require.ErrorContains(t, Verify(k), "only what is read stands still")
}

// The first dimension of a parameter may be as long as the launch says, and then there is no more memory.
func TestLengthsOfBuffers(t *testing.T) {
	k := one(t, "kernel k(in n: i64[], in X: f32[n <= 8,2], out Y: f32[n <= 8,2]) { axis i: n[] <= 8, j: 2 Y[i,j] = X[i,j] + 1.0 }")
	require.NoError(t, Verify(k))
	c := k.Clone()
	require.Same(t, c.Bufs[0], c.Bufs[1].Length)
	s := newSource(1)
	x := s.floats(F32, 3, 2)
	args := map[string]*Data{"n": Ints(I64, []int64{3}), "X": x}
	require.NoError(t, Eval(k, args, EvalOptions{}))
	require.Equal(t, []int{3, 2}, args["Y"].Dims)
	require.Equal(t, x.F[5]+1, args["Y"].F[5])
	args["X"] = s.floats(F32, 8, 2)
	require.ErrorContains(t, Eval(k, args, EvalOptions{}), "X is f32[3 2], its data f32[8 2] with 16 elements")
	args["n"] = Ints(I64, []int64{9})
	require.ErrorContains(t, Eval(k, args, EvalOptions{}), "X: n is no length up to 8")
	beyond := one(t, "kernel k(in n: i64[], in X: f32[n <= 8], out Y: f32[8]) { axis i: 8 Y[i] = X[i] }")
	require.ErrorContains(t, Eval(beyond, map[string]*Data{"n": Ints(I64, []int64{3}), "X": s.floats(F32, 3)}, EvalOptions{}), "X: index 3 of dimension 0 is outside 0..3")
	for _, params := range []string{"in n: i32[], in X: f32[n <= 8]", "in n: i64[1], in X: f32[n <= 8]", "out n: i64[], in X: f32[n <= 8]", "in n: i64[], in X: f32[n <=]", "in n: i64[], work X: f32[n <= 8]",
		"in n: i64[], in X: f32[n <= 8] strides[1]"} {
		require.ErrorContains(t, Verify(one(t, "kernel k("+params+") { }")), "the length of the first dimension is an i64[] parameter before it", params)
	}
}

func TestRacesBetweenParPoints(t *testing.T) {
	k := one(t, "kernel k(in P: i64[8], inout Y: f32[8]) { axis p: 8 par Y[P[p]] = Y[P[p]] + 1.0 }")
	require.NoError(t, Verify(k))
	perm := Ints(I64, []int64{3, 1, 0, 2, 7, 6, 5, 4}, 8)
	require.NoError(t, Eval(k, buffers{"P": perm, "Y": NewData(F32, 8)}, EvalOptions{}))
	perm.I[5] = 3
	require.ErrorContains(t, Eval(k, buffers{"P": perm, "Y": NewData(F32, 8)}, EvalOptions{}), "race: Y[3]")
	k = one(t, "kernel k(in P: i64[8], out Y: f32[8]) { axis i: 8 Y[P[i]] = 1.0 }")
	require.ErrorContains(t, Eval(k, buffers{"P": perm}, EvalOptions{}), "two points of the store write Y[3]")
}
