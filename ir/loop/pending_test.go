package loop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// grouped is a product of a group of warps in two turns, each of which has a slot of its own.
const grouped = `kernel k(in X: bf16[64,128], in W: bf16[128,8], out Y: f32[64,8]) guarded {
  local A: bf16[2,64,64] in panel swizzle(128)
  local B: bf16[2,8,64] in panel swizzle(128)
  axis w: 4 warp
  axis r: 16 fragrow
  axis c: 8 fragcol
  axis k0: 2 loop
  axis k1: 4
  axis k2: 16 fragsum
  axis t: 128 thread
  axis a: 32
  axis b: 8
  axis h: 2
  A[h,t / 2,t % 2 * 32 + a] = X[t / 2,h * 64 + t % 2 * 32 + a]
  B[h,b,t; t < 64] = W[h * 64 + t,b; t < 64]
  wait 0
  z: f32[w,r,c] = for k0 carry s: f32[w,r,c] = 0.0 {
    z: f32[w,r,c] = dot[k1,k2](A[k0,w * 16 + r,k1 * 16 + k2], B[k0,c,k1 * 16 + k2], s) @wgmma
    settle 1 z
    yield z
  }
  settle 0 z
  Y[w * 16 + r,c] = z
}
`

// What a product of a group of warps gives is poison until it is settled, but as what the next one adds to; and memory that it
// reads is its own until warps have met after that.
func TestPendingProducts(t *testing.T) {
	r := newSource(1)
	args := buffers{"X": r.floats(BF16, 64, 128), "W": r.floats(BF16, 128, 8)}
	run := func(text string) error {
		k := one(t, text)
		require.NoError(t, Verify(k), text)
		require.Equal(t, text, k.String(), "it is printed as it is read")
		return Eval(k, cloneAll(args), EvalOptions{Typed: true, Seed: 1})
	}
	require.NoError(t, run(grouped))
	for _, c := range []struct{ old, new, want string }{
		{"  settle 0 z\n", "", "poison is stored in Y"},
		{"settle 0 z", "settle 1 z", "poison is stored in Y"},
		{"yield z\n", "yield z + 1.0\n", "poison is stored in Y"}, // it is more than what the next product adds to
		{"    yield z\n", "    A[k0,t / 2,t % 2] = X[t / 2,t % 2]\n    yield z\n", "while a product of a group of warps reads it"},
		{"settle 1 z\n", "settle 0 z\n    A[k0,t / 2,t % 2] = X[t / 2,t % 2]\n", "while a product of a group of warps reads it"},
		{"settle 1 z\n", "settle 0 z\n    wait 0\n    A[k0,t / 2,t % 2] = X[t / 2,t % 2]\n", ""},
	} {
		require.Contains(t, grouped, c.old)
		err := run(strings.Replace(grouped, c.old, c.new, 1))
		if c.want == "" {
			require.NoError(t, err, c.new)
		} else {
			require.ErrorContains(t, err, c.want, "%q", c.new)
		}
	}
}

// A first operand may be computed: the product has its registers until it is settled, so the next turn may not compute it before.
func TestOperandsInRegisters(t *testing.T) {
	r := newSource(1)
	args := buffers{"X": r.floats(BF16, 64, 128), "W": r.floats(BF16, 128, 8)}
	run := func(text string) (Data, error) {
		k := roundTrip(t, text)
		out := cloneAll(args)
		err := Eval(k, out, EvalOptions{Typed: true, Seed: 1})
		return *out["Y"], err
	}
	computed := strings.NewReplacer("A[k0,w * 16 + r,k1 * 16 + k2]", "bf16(f32(X[w * 16 + r,k0 * 64 + k1 * 16 + k2]) * 0.5)", "settle 1 z", "settle 0 z").Replace(grouped)
	want, err := run(grouped)
	require.NoError(t, err)
	got, err := run(computed)
	require.NoError(t, err)
	for i := range got.F {
		got.F[i] *= 2
	}
	require.Equal(t, want, got)
	_, err = run(strings.Replace(computed, "    settle 0 z\n", "    settle 1 z\n", 1))
	require.ErrorContains(t, err, "the registers of what z multiplies are those of a product on its way")
	_, err = run(strings.Replace(computed, "  settle 0 z\n  Y", "  Y", 1))
	require.NoError(t, err)
	require.ErrorContains(t, Verify(one(t, strings.Replace(grouped, "A[k0,w * 16 + r,k1 * 16 + k2]", "X[w * 16 + r,k0 * 64 + k1 * 16 + k2]", 1))), "or the first is computed")
}

// The verifier says what is no product of a group of warps.
func TestGroupsAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"  local B: bf16[2,8,64] in panel swizzle(128)", "  local B: bf16[2,8,64] in panel", "the operands of wgmma lie in swizzled memory"},
		{"  local B: bf16[2,8,64] in panel swizzle(128)", "  local B: bf16[2,8,72] in panel swizzle(128)", "a swizzled buffer is local and has rows of 128 bytes"},
		{"settle 1 z", "settle 1 s", "is no product of a group of warps"},
	} {
		require.Contains(t, grouped, c.old)
		require.ErrorContains(t, Verify(one(t, strings.Replace(grouped, c.old, c.new, 1))), c.want, c.new)
	}
	_, err := Parse("k", strings.Replace(grouped, "swizzle(128)", "swizzle(64)", 1))
	require.ErrorContains(t, err, "swizzle(64): there is swizzle(128) only")
}
