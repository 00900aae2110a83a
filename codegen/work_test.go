package codegen

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWorkOfKernels(t *testing.T) {
	for text, want := range map[string][2]float64{
		`kernel gemm(in X: f32[3,5], in W: bf16[2,5,7], out Y: f32[2,3,7]) {
  axis b: 2, i: 3, j: 7, k: 5
  z = dot[k](X[i,k], f32(W[b,k,j]))
  Y[b,i,j] = z * z
}`: {2 * 2 * 3 * 7 * 5, 4*3*5 + 2*2*5*7 + 4*2*3*7},
		`kernel twice(in X: f32[4,6], inout Y: f32[4,4], out Z: f32[4]) {
  axis i: 4, j: 4, k: 6
  Y[i,j] = Y[i,j] + dot[k](X[i,k], X[j,k])
  Z[i] = dot[k](X[i,k], X[0,k])
}`: {2*4*4*6 + 2*4*6, 4*4*6 + 2*4*4*4 + 4*4},
		`kernel map(in X: f32[4], out Y: f32[4]) {
  axis i: 4
  Y[i] = X[i] + 1.0
}`: {0, 32},
		`kernel groups(in S: i64[3], in A: f32[10,4], in B: f32[10,6], out Y: f32[2,4,6]) {
  axis e: 2, i: 4, j: 6, k: S[e + 1] - S[e] <= 10, p: 10 = S[e] + k
  Y[e,i,j] = dot[k](A[p,i], B[p,j])
}`: {2 * 4 * 6 * 10, 4*10*4 + 4*10*6 + 4*2*4*6},
		`kernel gather(in E: f32[5000,8], in T: i32[3], inout C: f32[100,8], out Y: f32[3,8]) {
  axis i: 3, c: 8
  x = E[i64(T[i]),c]
  Y[i,c] = x
  C[7,c] = C[7,c] + 1.0
}`: {0, 4*3*8 + 4*3 + 2*4*8 + 4*3*8},
	} {
		products, bytes := workOf(parseKernel(t, text), nil)
		require.Equal(t, want, [2]float64{products, bytes}, text)
	}
}
