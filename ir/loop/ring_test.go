package loop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ringed is a product of a group of warps in four turns, whose two slots are a ring.
const ringed = `kernel k(in X: bf16[64,256], in W: bf16[256,8], out Y: f32[64,8]) guarded {
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
  fill R 0 {
    A[0,t,b] = X[t,b] async
    B[0,h,b] = W[b,h] async
  }
  z: f32[w,r,c] = for k0 carry s: f32[w,r,c] = 0.0 {
    take R k0
    z: f32[w,r,c] = dot[k1,k2](A[k0 % 2,w * 16 + r,k1 * 16 + k2], B[k0 % 2,c,k1 * 16 + k2], s) @wgmma
    settle 1 z
    if k0 >= 1 {
      free R k0 - 1
    }
    if k0 + 1 < 4 {
      fill R k0 + 1 {
        A[(k0 + 1) % 2,t,b] = X[t,k0 * 64 + b + 64] async
        B[(k0 + 1) % 2,h,b] = W[k0 * 64 + b + 64,h] async
      }
    }
    yield z
  }
  settle 0 z
  Y[w * 16 + r,c] = z
}
`

// A turn of a ring is filled when its slot is free, read after it is taken and until it is freed, and all turns come in order.
func TestRings(t *testing.T) {
	r := newSource(1)
	args := buffers{"X": r.floats(BF16, 64, 256), "W": r.floats(BF16, 256, 8)}
	run := func(text string) error {
		k := roundTrip(t, text)
		return Eval(k, cloneAll(args), EvalOptions{Typed: true, Seed: 1})
	}
	require.NoError(t, run(ringed))
	for _, c := range []struct{ old, new, want string }{
		{"    take R k0\n", "", "turn 0 is freed before it is taken"},
		{"    take R k0\n", "    if k0 < 3 {\n      take R k0\n    }\n", "poison"},
		{"k0 + 1 < 4", "k0 + 2 < 4", "turn 3 waits for ever: nobody fills it"},
		{"free R k0 - 1", "free R k0", "turn 1, where turn 0 is next"},
		{"    if k0 >= 1 {\n      free R k0 - 1\n    }\n", "", "turn 2 waits for ever: its slot is that of turn 0, which is not freed"},
		{"settle 1 z\n    if k0 >= 1 {\n      free R k0 - 1\n    }\n", "settle 1 z\n    free R k0\n", "is freed while a product of a group of warps reads it"},
		{"settle 1 z\n", "settle 2 z\n", "is freed while a product of a group of warps reads it"},
		{"A[(k0 + 1) % 2,t,b]", "A[k0 % 2,t,b]", "is stored while a product of a group of warps reads it"},
		{"ring R[2]", "ring R[3]", "is stored while a product of a group of warps reads it"},
		{"    settle 1 z\n    if k0 >= 1 {\n      free R k0 - 1\n    }\n", "    settle 0 z\n    free R k0\n    A[k0 % 2,t,b] = A[k0 % 2,t,b]\n", "poison"},
	} {
		require.Contains(t, ringed, c.old)
		text := strings.Replace(ringed, c.old, c.new, 1)
		if c.new == "ring R[3]" { // the last turn's slot is filled a turn early
			text = strings.Replace(text, "fill R 0 {", "fill R 0 {\n    A[1,t,b] = X[t,b + 64] async\n    B[1,h,b] = W[b + 64,h] async\n  }\n  fill R 1 {", 1)
			text = strings.ReplaceAll(text, "k0 + 1", "k0 + 2")
			text = strings.ReplaceAll(text, "b + 64", "b + 128")
		}
		require.ErrorContains(t, run(text), c.want, "%q", c.new)
	}
}

// The verifier says what is no step of a ring.
func TestRingsAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"X[t,b] async", "X[t,b]", "a fill has asynchronous stores"},
		{"fill R 0 {", "fill R t {", "the turn depends on open axes [t]"},
		{"ring R[2]", "ring R[0]", "no ring of the kernel, of one slot at least"},
	} {
		require.Contains(t, ringed, c.old)
		require.ErrorContains(t, Verify(one(t, strings.Replace(ringed, c.old, c.new, 1))), c.want, c.new)
	}
	_, err := Parse("k", strings.Replace(ringed, "take R", "take Q", 1))
	require.ErrorContains(t, err, "no ring Q")
}
