package codegen

import "testing"

// A panel of a warp lies where no other does: threads go on to the next one while others still read the last.
func TestPanelsOfAWarpAreApart(t *testing.T) {
	target := gpuTarget(t, "sm_80")
	k := parseKernel(t, `kernel panels(in X: f32[4,64], out Y: f32[4,64], out Z: f32[4,64]) guarded {
  axis i: 4 par, jr: 2 reg, jl: 32 lane, j: 64 = jr*32 + jl
  local E: f32[64] in panel
  local F: f32[64] in panel
  E[j] = X[i,j]
  Y[i,j] = E[63 - j]
  F[j] = X[i,j] * 2.0
  Z[i,j] = F[j] + 1.0
}`)
	for _, m := range runners(t, target, k) {
		checkAgainst(t, k, m, -5)
	}
}

// What the warps of a point have alike, one of them stores; what they share out, each its part.
func TestWarpsOfAPoint(t *testing.T) {
	target := gpuTarget(t, "sm_80")
	k := parseKernel(t, `kernel warps(in X: f32[3,2,64], out Y: f32[3,2,64], out Z: f32[3,64], out S: f32[3]) guarded {
  axis i: 3 par, w: 2 warp, jr: 2 reg, jl: 32 lane, j: 64 = jr*32 + jl
  Y[i,w,j] = X[i,w,j] + 1.0
  Z[i,j] = X[i,1,j]
  S[i] = X[i,0,7]
}`)
	for _, m := range runners(t, target, k) {
		checkAgainst(t, k, m, -5)
	}
}
