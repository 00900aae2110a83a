package loop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// roled is ringed with a role that fills.
const roled = `kernel k(in X: bf16[64,256], in W: bf16[256,8], out Y: f32[64,8]) guarded {
  local A: bf16[2,64,64] in panel swizzle(128)
  local B: bf16[2,8,64] in panel swizzle(128)
  ring R[2]
  axis w: 4 warp
  axis r: 16 fragrow
  axis c: 8 fragcol
  axis k0: 4 loop
  axis k1: 4
  axis k2: 16 fragsum
  axis t: 64 box
  axis b: 64 box
  axis h: 8 box
  role ask warps 4 regs 40 {
    for k0 {
      fill R k0 {
        A[k0 % 2,t,b] = X[t,k0 * 64 + b] async
        B[k0 % 2,h,b] = W[k0 * 64 + b,h] async
      }
    }
  }
  role multiply regs 232 {
    z: f32[w,r,c] = for k0 carry s: f32[w,r,c] = 0.0 {
      take R k0
      z: f32[w,r,c] = dot[k1,k2](A[k0 % 2,w * 16 + r,k1 * 16 + k2], B[k0 % 2,c,k1 * 16 + k2], s) @wgmma
      settle 0 z
      free R k0
      yield z
    }
    settle 0 z
    Y[w * 16 + r,c] = z
  }
}
`

// Roles go on side by side, in any order that their rings allow, and compute what one role does.
func TestRoles(t *testing.T) {
	r := newSource(1)
	args := buffers{"X": r.floats(BF16, 64, 256), "W": r.floats(BF16, 256, 8)}
	run := func(text string, seed uint64) (buffers, error) {
		k := roundTrip(t, text)
		out := cloneAll(args)
		return out, Eval(k, out, EvalOptions{Typed: true, Seed: seed})
	}
	want, err := run(ringed, 1)
	require.NoError(t, err)
	for seed := range uint64(5) {
		got, err := run(roled, seed)
		require.NoError(t, err)
		require.Equal(t, want["Y"].F, got["Y"].F)
	}
	for _, c := range []struct{ old, new, want string }{
		{"    for k0 {\n", "    for k0 in 0..3 {\n", "turn 3 waits for ever: nobody fills it"},
		{"      free R k0\n", "", "turn 2 waits for ever: its slot is that of turn 0, which is not freed"},
		{"      take R k0\n", "", "turn 0 is freed before it is taken"},
		{"      settle 0 z\n      free R k0\n", "      free R k0\n      settle 0 z\n", "is freed while a product of a group of warps reads it"},
		{"A[k0 % 2,t,b]", "A[(k0 + 1) % 2,t,b]", ""}, // what is wrong first depends on the order
	} {
		require.Contains(t, roled, c.old)
		for seed := range uint64(5) {
			_, err := run(strings.Replace(roled, c.old, c.new, 1), seed)
			require.ErrorContains(t, err, c.want, "%q", c.new)
		}
	}
	// What is read too late is found in some orders.
	found := 0
	for seed := range uint64(9) {
		_, err := run(strings.Replace(roled, "ring R[2]", "ring R[3]", 1), seed)
		if err != nil {
			found++
		}
	}
	require.Positive(t, found)
}

// The verifier says what is no role.
func TestRolesAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"regs 40", "regs 42", "registers are a multiple of 8"},
		{"  role ask", "  Y[0,0] = 1.0\n  role ask", "more than values stands before roles"},
		{"    Y[w * 16 + r,c] = z\n  }\n", "    Y[w * 16 + r,c] = z\n  }\n  Y[0,0] = 1.0\n", "something stands behind roles"},
		{"    for k0 {\n", "    role inner {\n    }\n    for k0 {\n", "roles are not within other statements"},
		{"    settle 0 z\n    Y[w * 16 + r,c] = z\n  }\n", "    settle 0 z\n  }\n  role store {\n    Y[w * 16 + r,c] = z\n  }\n", "z"},
	} {
		require.Contains(t, roled, c.old)
		text := strings.Replace(roled, c.old, c.new, 1)
		ks, err := Parse("k", text)
		if err == nil {
			err = Verify(ks[0])
		}
		require.ErrorContains(t, err, c.want, c.new)
	}
}
