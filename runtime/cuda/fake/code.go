//go:build cuda

package fake

/*
#include "fake.h"
*/
import "C"

import (
	"strings"
	"unsafe"

	"mdlc/runtime/emulator"
)

// cubinMagic begins what the fake assembles: the text of the PTX follows.
const cubinMagic = "FAKECUBIN"

// pointer makes a handle look like the pointer that C takes it for.
func pointer(h uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&h)) }

//export fake_cuLinkCreate
func fake_cuLinkCreate(count C.uint, options *C.CUjit_option, values *unsafe.Pointer, state *C.CUlinkState) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	*state = C.CUlinkState(pointer(d.handle(&link{log: logOf(count, options, values)})))
	return 0
}

// errorLog is memory of the caller for what is wrong with a text.
type errorLog struct {
	text unsafe.Pointer
	room int
}

func logOf(count C.uint, options *C.CUjit_option, values *unsafe.Pointer) (l errorLog) {
	for i, o := range unsafe.Slice(options, count) {
		switch v := unsafe.Slice(values, count)[i]; o {
		case C.CU_JIT_ERROR_LOG_BUFFER:
			l.text = v
		case C.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
			l.room = int(uintptr(v))
		}
	}
	return l
}

func (l errorLog) write(err error) {
	if l.room > 0 {
		copy(bytesAt(l.text, C.size_t(l.room))[:l.room-1], err.Error())
	}
}

//export fake_cuLinkAddData
func fake_cuLinkAddData(state C.CUlinkState, kind C.CUjitInputType, data unsafe.Pointer, size C.size_t, name *C.char, count C.uint, options *C.CUjit_option, values *unsafe.Pointer) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	l, ok := get[*link](d, uintptr(unsafe.Pointer(state)))
	text := bytesAt(data, size)
	switch {
	case r != 0:
		return r
	case !ok || kind != C.CU_JIT_INPUT_PTX || text[size-1] != 0:
		return C.CUDA_ERROR_INVALID_VALUE
	}
	if d.OldLinker {
		return C.CUDA_ERROR_INVALID_PTX
	}
	d.Assembled++
	if _, err := emulator.Load(string(text[:size-1])); err != nil {
		l.log.write(err)
		return C.CUDA_ERROR_INVALID_PTX
	}
	l.cubin, l.size = C.CBytes(append([]byte(cubinMagic), text...)), len(cubinMagic)+len(text)
	return 0
}

//export fake_cuLinkComplete
func fake_cuLinkComplete(state C.CUlinkState, cubin *unsafe.Pointer, size *C.size_t) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	l, ok := get[*link](d, uintptr(unsafe.Pointer(state)))
	if !ok || l.cubin == nil {
		return C.CUDA_ERROR_INVALID_VALUE
	}
	*cubin, *size = l.cubin, C.size_t(l.size)
	return r
}

//export fake_cuLinkDestroy
func fake_cuLinkDestroy(state C.CUlinkState) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if l, ok := get[*link](d, uintptr(unsafe.Pointer(state))); ok && l.cubin != nil {
		clear(bytesAt(l.cubin, C.size_t(l.size))) // it is the driver's, and gone now
		C.free(l.cubin)
	}
	delete(d.handles, uintptr(unsafe.Pointer(state)))
	return r
}

//export fake_cuModuleLoadDataEx
func fake_cuModuleLoadDataEx(m *C.CUmodule, image unsafe.Pointer, count C.uint, options *C.CUjit_option, values *unsafe.Pointer) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	text, cubin := strings.CutPrefix(C.GoString((*C.char)(image)), cubinMagic)
	code, err := emulator.Load(text)
	if err != nil {
		logOf(count, options, values).write(err)
		return C.CUDA_ERROR_INVALID_PTX
	}
	if !cubin {
		d.Loaded++
	}
	*m = C.CUmodule(pointer(d.handle(&module{code})))
	return 0
}

//export fake_cuModuleUnload
func fake_cuModuleUnload(m C.CUmodule) C.CUresult {
	d, _ := enter(true)
	defer d.mu.Unlock()
	return drop(d, uintptr(unsafe.Pointer(m)), func(x any, whole *module) bool {
		f, ok := x.(*function)
		return ok && f.of == whole
	})
}

//export fake_cuModuleGetFunction
func fake_cuModuleGetFunction(f *C.CUfunction, m C.CUmodule, name *C.char) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	code, ok := get[*module](d, uintptr(unsafe.Pointer(m)))
	if r != 0 || !ok {
		return max(r, C.CUDA_ERROR_INVALID_HANDLE)
	}
	k, err := code.code.Kernel(C.GoString(name))
	if err != nil {
		return C.CUDA_ERROR_NOT_FOUND
	}
	*f = C.CUfunction(pointer(d.handle(&function{of: code, kernel: k, shared: 48 << 10})))
	return 0
}

//export fake_cuFuncSetAttribute
func fake_cuFuncSetAttribute(h C.CUfunction, a C.CUfunction_attribute, value C.int) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	f, ok := get[*function](d, uintptr(unsafe.Pointer(h)))
	if r != 0 || !ok || a != C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value > d.maxShared() {
		return max(r, C.CUDA_ERROR_INVALID_VALUE)
	}
	f.shared = int(value)
	return 0
}

//export fake_cuLaunchKernel
func fake_cuLaunchKernel(h C.CUfunction, gx, gy, gz, bx, by, bz, shared C.uint, s C.CUstream, params *unsafe.Pointer, extra *unsafe.Pointer) C.CUresult {
	d, r := enter(true)
	defer d.mu.Unlock()
	if r != 0 {
		return r
	}
	work, r := d.launch(h, [3]C.uint{gx, gy, gz}, [3]C.uint{bx, by, bz}, shared, params, extra)
	if r != 0 {
		return r
	}
	return d.put(s, work)
}

// launch is the work of a launch, which takes the values of the kernel's parameters now.
func (d *Driver) launch(h C.CUfunction, grid, block [3]C.uint, shared C.uint, params, extra *unsafe.Pointer) (work func(), r C.CUresult) {
	f, ok := get[*function](d, uintptr(unsafe.Pointer(h)))
	threads := block[0] * block[1] * block[2]
	if !ok || extra != nil || int(shared) > f.shared || grid[0]*grid[1]*grid[2] == 0 || threads == 0 || threads > 1024 {
		return nil, C.CUDA_ERROR_INVALID_VALUE
	}
	var args []any
	for i, size := range f.kernel.Params() {
		at := unsafe.Slice(params, i+1)[i]
		args = append(args, append([]byte(nil), bytesAt(at, C.size_t(size))...))
	}
	ints := func(x [3]C.uint) [3]int { return [3]int{int(x[0]), int(x[1]), int(x[2])} }
	return func() {
		d.Launched++
		if _, err := d.gpu.Launch(f.kernel, ints(grid), ints(block), int(shared), args...); err != nil {
			d.Fault, d.broken = err, C.CUDA_ERROR_LAUNCH_FAILED
		}
	}, 0
}
