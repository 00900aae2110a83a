package loop

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// clusteredText is two points that share the second operand: each copies half of it to both.
const clusteredText = `kernel k(in X: bf16[128,256], in W: bf16[256,8], out Y: f32[128,8]) guarded {
  local A: bf16[2,64,64] in panel swizzle(128)
  local B: bf16[2,8,64] in panel swizzle(128)
  ring R[2] cluster 2
  axis p: 2 par
  axis w: 4 warp
  axis r: 16 fragrow
  axis c: 8 fragcol
  axis k0: 4 loop
  axis k1: 4
  axis k2: 16 fragsum
  axis t: 64 box
  axis b: 64 box
  axis h: 4 box
  role ask warps 4 {
    for k0 {
      fill R k0 {
        A[k0 % 2,t,b] = X[p * 64 + t,k0 * 64 + b] async
        B[k0 % 2,p * 4 + h,b] = W[k0 * 64 + b,p * 4 + h] async multicast
      }
    }
  }
  role multiply {
    z: f32[w,r,c] = for k0 carry s: f32[w,r,c] = 0.0 {
      take R k0
      z: f32[w,r,c] = dot[k1,k2](A[k0 % 2,w * 16 + r,k1 * 16 + k2], B[k0 % 2,c,k1 * 16 + k2], s) @wgmma
      settle 1 z
      if k0 >= 1 {
        free R k0 - 1
      }
      yield z
    }
    settle 0 z
    Y[p * 64 + w * 16 + r,c] = z
  }
}
`

// Points of a cluster go through the turns of a ring together, each with slots of its own, and what one copies comes to all.
func TestClusters(t *testing.T) {
	r := newSource(1)
	args := buffers{"X": r.floats(BF16, 128, 256), "W": r.floats(BF16, 256, 8)}
	run := func(text string, seed uint64) (buffers, error) {
		k := roundTrip(t, text)
		out := cloneAll(args)
		return out, Eval(k, out, EvalOptions{Typed: true, Seed: seed})
	}
	want := cloneAll(args)
	require.NoError(t, Eval(one(t, `kernel k(in X: bf16[128,256], in W: bf16[256,8], out Y: f32[128,8]) { axis i: 128, j: 8, k: 256   Y[i,j] = dot[k](X[i,k], W[k,j]) }`), want, EvalOptions{Typed: true}))
	for seed := range uint64(4) {
		got, err := run(clusteredText, seed)
		require.NoError(t, err)
		require.Equal(t, want["Y"].F, got["Y"].F)
	}
	for _, c := range []struct{ old, new, want string }{
		{" multicast", "", "poison"},
		{"B[k0 % 2,p * 4 + h,b] = W[k0 * 64 + b,p * 4 + h]", "B[k0 % 2,h,b] = W[k0 * 64 + b,h]", "poison"},
		{"k0 >= 1 {", "k0 >= 1 & p == 0 {", "is not freed"},
		{"    for k0 {\n", "    for k0 in 0..4 - p {\n", "turn 3 waits for ever: nobody fills it"},
		{"free R k0 - 1", "free R k0", "turn 1, where turn 0 is next"},
		{"settle 1 z", "settle 2 z", "is freed while a product of a group of warps reads it"},
		{"B[k0 % 2,p * 4 + h,b]", "B[(k0 + 1) % 2,p * 4 + h,b]", "B[1,0,0] is freed while a product of a group of warps reads it"},
		{"      take R k0\n", "", "turn 0 is freed before it is taken"},
	} {
		require.Contains(t, clusteredText, c.old)
		_, err := run(strings.Replace(clusteredText, c.old, c.new, 1), 1)
		require.ErrorContains(t, err, c.want, "%q", c.new)
	}
}

// The verifier says what is no cluster.
func TestClustersAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{" cluster 2", "", "B is filled for other points, and each has its own ring"},
		{" cluster 2", " cluster 3", "the points of the phase are no clusters of 3"},
		{"p: 2 par", "p: 3 par", "the points of the phase are no clusters of 2"},
	} {
		require.Contains(t, clusteredText, c.old)
		require.ErrorContains(t, Verify(one(t, strings.Replace(clusteredText, c.old, c.new, 1))), c.want, c.new)
	}
	k := one(t, strings.Replace(clusteredText, "    settle 0 z\n", "    settle 0 z\n    A[0,t,b] = X[p * 64 + t,b] async multicast\n", 1))
	require.ErrorContains(t, Verify(k), "nothing but a fill stores for other points")
}
