package emulator_test

import (
	"errors"
	"fmt"

	"mdlc/runtime/emulator"
)

// Each thread leaves a word for its neighbour and forgets the barrier.
const careless = `.version 8.0
.target sm_80
.address_size 64
.visible .entry turn(.param .u64 y)
{
	.shared .align 4 .b8 words[256];
	.reg .b32 %r<6>;
	.reg .b64 %rd<4>;
	mov.u32 %r1, %tid.x;
	shl.b32 %r2, %r1, 2;
	mov.u32 %r3, words;
	add.s32 %r4, %r3, %r2;
	st.shared.u32 [%r4], %r1;
	xor.b32 %r5, %r4, 128;
	ld.shared.u32 %r1, [%r5];
	ld.param.u64 %rd1, [y];
	cvt.u64.u32 %rd2, %r2;
	add.s64 %rd3, %rd1, %rd2;
	st.global.u32 [%rd3], %r1;
	ret;
}`

func ExampleDevice_Launch() {
	module, err := emulator.Load(careless)
	if err != nil {
		fmt.Println(err)
		return
	}
	kernel, err := module.Kernel("turn")
	if err != nil {
		fmt.Println(err)
		return
	}
	device := &emulator.Device{Seed: 1}
	y := device.Alloc("y", 256)
	_, err = device.Launch(kernel, [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, y)
	var fault *emulator.Fault
	if errors.As(err, &fault) {
		fmt.Println(fault.Line, fault.Kind)
	}
	// Output: 15 uninitialised read
}
