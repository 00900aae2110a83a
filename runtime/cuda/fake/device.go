//go:build cuda

package fake

/*
#include "fake.h"
#include <string.h>
*/
import "C"

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

//export fake_cuInit
func fake_cuInit(C.uint) C.CUresult { return 0 }

//export fake_cuDriverGetVersion
func fake_cuDriverGetVersion(v *C.int) C.CUresult {
	*v = 12080
	return 0
}

//export fake_cuDeviceGetCount
func fake_cuDeviceGetCount(n *C.int) C.CUresult {
	*n = C.int(driver.GPUs)
	return 0
}

//export fake_cuDeviceGet
func fake_cuDeviceGet(device *C.CUdevice, n C.int) C.CUresult {
	*device = C.CUdevice(n)
	if int(n) >= driver.GPUs {
		return C.CUDA_ERROR_INVALID_DEVICE
	}
	return 0
}

//export fake_cuDeviceGetName
func fake_cuDeviceGetName(name *C.char, size C.int, _ C.CUdevice) C.CUresult {
	copy(bytesAt(unsafe.Pointer(name), C.size_t(size)), "Fake GPU\x00")
	return 0
}

//export fake_cuDeviceTotalMem
func fake_cuDeviceTotalMem(n *C.size_t, _ C.CUdevice) C.CUresult {
	*n = C.size_t(driver.Memory)
	return 0
}

//export fake_cuDeviceGetAttribute
func fake_cuDeviceGetAttribute(value *C.int, a C.CUdevice_attribute, _ C.CUdevice) C.CUresult {
	switch a {
	case C.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
		*value = C.int(driver.Major)
	case C.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
		*value = C.int(driver.Minor)
	case C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
		*value = driver.maxShared()
	default:
		return C.CUDA_ERROR_INVALID_VALUE
	}
	return 0
}

//export fake_cuDevicePrimaryCtxRetain
func fake_cuDevicePrimaryCtxRetain(context *C.CUcontext, _ C.CUdevice) C.CUresult {
	d, r := enter(false)
	defer d.mu.Unlock()
	*context = C.CUcontext(pointer(d.handle("context")))
	return r
}

//export fake_cuDevicePrimaryCtxRelease
func fake_cuDevicePrimaryCtxRelease(C.CUdevice) C.CUresult {
	d, _ := enter(false)
	defer d.mu.Unlock()
	for h, x := range d.handles {
		if x == any("context") {
			delete(d.handles, h)
			return d.broken
		}
	}
	return C.CUDA_ERROR_INVALID_CONTEXT
}

//export fake_cuCtxSetCurrent
func fake_cuCtxSetCurrent(context C.CUcontext) C.CUresult {
	d, r := enter(false)
	defer d.mu.Unlock()
	if _, ok := get[string](d, uintptr(unsafe.Pointer(context))); !ok {
		return C.CUDA_ERROR_INVALID_CONTEXT
	}
	d.current[unix.Gettid()] = true
	return r
}

//export fake_cuCtxGetCurrent
func fake_cuCtxGetCurrent(context *C.CUcontext) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	for h, x := range d.handles {
		if x == any("context") {
			*context = C.CUcontext(pointer(h))
		}
	}
	return r
}

// names are C's for as long as the process lives.
var names = map[C.CUresult]*C.char{}

//export fake_cuGetErrorName
func fake_cuGetErrorName(r C.CUresult, name **C.char) C.CUresult {
	text := map[C.CUresult]string{C.CUDA_ERROR_INVALID_VALUE: "CUDA_ERROR_INVALID_VALUE", C.CUDA_ERROR_OUT_OF_MEMORY: "CUDA_ERROR_OUT_OF_MEMORY",
		C.CUDA_ERROR_LAUNCH_FAILED: "CUDA_ERROR_LAUNCH_FAILED", C.CUDA_ERROR_NOT_FOUND: "CUDA_ERROR_NOT_FOUND", C.CUDA_ERROR_INVALID_PTX: "CUDA_ERROR_INVALID_PTX",
		C.CUDA_ERROR_NOT_SUPPORTED: "CUDA_ERROR_NOT_SUPPORTED"}[r]
	if text == "" {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	if names[r] == nil {
		names[r] = C.CString(text)
	}
	*name = names[r]
	return 0
}

//export fake_cuGetErrorString
func fake_cuGetErrorString(r C.CUresult, text **C.char) C.CUresult {
	return fake_cuGetErrorName(r, text)
}
