//go:build cuda

package fake

/*
#include "fake.h"
*/
import "C"

import (
	"unsafe"

	"mdlc/runtime/emulator"
)

// tensorElems are the types of elements that tensors may have here.
var tensorElems = map[C.CUtensorMapDataType]string{C.CU_TENSOR_MAP_DATA_TYPE_FLOAT16: "f16", C.CU_TENSOR_MAP_DATA_TYPE_FLOAT32: "f32", C.CU_TENSOR_MAP_DATA_TYPE_BFLOAT16: "bf16", C.CU_TENSOR_MAP_DATA_TYPE_UINT8: "u8"}

//export fake_cuTensorMapEncodeTiled
func fake_cuTensorMapEncodeTiled(out *C.CUtensorMap, elem C.CUtensorMapDataType, rank C.cuuint32_t, at C.uintptr_t, dims, strides *C.cuuint64_t, box, every *C.cuuint32_t, interleave C.CUtensorMapInterleave, swizzle C.CUtensorMapSwizzle, promotion C.CUtensorMapL2promotion, fill C.CUtensorMapFloatOOBfill) C.CUresult {
	d, r := enter(false)
	defer d.mu.Unlock()
	if r != 0 || uintptr(unsafe.Pointer(out))%64 != 0 || interleave != C.CU_TENSOR_MAP_INTERLEAVE_NONE || promotion != C.CU_TENSOR_MAP_L2_PROMOTION_L2_256B || fill != C.CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE || d.Major < 9 {
		return max(r, C.CUDA_ERROR_INVALID_VALUE)
	}
	t := emulator.TensorMap{Elem: tensorElems[elem], Addr: uint64(at)}
	for i := range int(rank) {
		t.Dims = append(t.Dims, uint64(unsafe.Slice(dims, rank)[i]))
		t.Box = append(t.Box, uint32(unsafe.Slice(box, rank)[i]))
		t.ElementStrides = append(t.ElementStrides, uint32(unsafe.Slice(every, rank)[i]))
		if i > 0 {
			t.Strides = append(t.Strides, uint64(unsafe.Slice(strides, rank-1)[i-1]))
		}
	}
	if swizzle != C.CU_TENSOR_MAP_SWIZZLE_NONE {
		t.Swizzle = 16 << swizzle
	}
	p, err := t.Encode()
	if err != nil {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	copy(bytesAt(unsafe.Pointer(out), C.sizeof_CUtensorMap), p)
	return 0
}
