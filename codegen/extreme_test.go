package codegen

import "testing"

// The place of the least and of the largest is that of a NaN, if there is one, as the least and the largest are then.
func TestPlacesOfNaN(t *testing.T) {
	eachLevel(t, func(t *testing.T, target *Target) {
		checkTexts(t, target, `kernel places(in X: f32[8,59], in B: i32[8,59], out I: i32[8], out J: i32[8], out M: f32[59], out K: i32[59]) {
  axis i: 8, j: 59
  x = where(B[i,j] == 0, f32(nan), where(B[i,j] == 2, f32(-inf), X[i,j]))
  I[i] = argmin[j](x)
  J[i] = argmax[j](x)
  M[j] = min[i](x)
  K[j] = argmin[i](x)
}`)
	})
}
