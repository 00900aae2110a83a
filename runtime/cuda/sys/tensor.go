//go:build cuda

package sys

// #include "sys.h"
import "C"

import (
	"math/bits"

	"gorgonia.org/cu"
)

// TensorElem is the type of a tensor's elements.
type TensorElem C.CUtensorMapDataType

// The types that tensors may have here.
const (
	TensorF16  TensorElem = C.CU_TENSOR_MAP_DATA_TYPE_FLOAT16
	TensorF32  TensorElem = C.CU_TENSOR_MAP_DATA_TYPE_FLOAT32
	TensorBF16 TensorElem = C.CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
	TensorByte TensorElem = C.CU_TENSOR_MAP_DATA_TYPE_UINT8 // whatever it means
)

// Words is how many words of 8 bytes an encoded tensor map has.
const Words = C.sizeof_CUtensorMap / 8

// Encode makes the map of a tensor at an address: its dimensions in elements, the first those that lie side by side, bytes
// between neighbours of the others, the size of a box, and the bytes of a row of it in which pieces of 16 change places. What a box has beyond the tensor is 0.
func Encode(elem TensorElem, at cu.DevicePtr, dims []int, strides []int64, box []int, swizzle int) (words [Words]uint64, err error) {
	var t C.struct_mdlc_tensor
	t.elem, t.at, t.rank = C.CUtensorMapDataType(elem), C.CUdeviceptr(at), C.cuuint32_t(len(dims))
	for i, n := range dims {
		t.dims[i], t.box[i] = C.cuuint64_t(n), C.cuuint32_t(box[i])
	}
	for i, n := range strides {
		t.strides[i] = C.cuuint64_t(n)
	}
	t.swizzle = C.CU_TENSOR_MAP_SWIZZLE_NONE
	if swizzle > 0 { // 32, 64 and 128 are 1, 2 and 3
		t.swizzle = C.CUtensorMapSwizzle(bits.Len(uint(swizzle)) - 5)
	}
	var out [Words]C.uint64_t
	err = check(C.mdlc_encode(t, &out[0]))
	for i, w := range out {
		words[i] = uint64(w)
	}
	return words, err
}
