package emulator

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The function gives 1 and keeps it in a register, in local memory and in its result; where %p1 is false it
// reads what was not written in this call.
const callPTX = header + `.func (.param .b32 result) f(.param .b32 which, .param .b32 unused)
{
	.local .align 4 .b8 kept[4];
	.reg .pred %p<4>; .reg .b32 %r<6>; .reg .b64 %rd<3>;
	mov.u64 %rd1, kept;
	ld.param.u32 %r1, [which];
	ld.param.u32 %r5, [unused];
	setp.eq.u32 %p1, %r1, 0;
	@%p1 mov.u32 %r2, 1;
	@%p1 st.local.u32 [%rd1], 1;
	@%p1 st.param.b32 [result], 1;
	setp.eq.u32 %p2, %r1, 1;
	@%p2 st.param.b32 [result], %r2;
	setp.eq.u32 %p3, %r1, 2;
	@!%p3 bra END;
	ld.local.u32 %r3, [%rd1];
	st.param.b32 [result], %r3;
END:
	ret;
}
.visible .entry k(.param .u64 y, .param .u32 which)
{
	.reg .b32 %r<6>; .reg .b64 %rd<3>;
	ld.param.u64 %rd1, [y];
	ld.param.u32 %r1, [which];
	{
		.param .b32 a; .param .b32 b; .param .b32 c;
		st.param.b32 [a], 0;
		call.uni (c), f, (a, b);
		ld.param.b32 %r2, [c];
	}
	{
		.param .b32 a; .param .b32 b; .param .b32 c;
		st.param.b32 [a], %r1;
		call.uni (c), f, (a, b);
		ld.param.b32 %r2, [c];
	}
	st.global.u32 [%rd1], %r2;
	ret;
}
`

func TestCallsBeginWithNothing(t *testing.T) {
	for which, want := range [][]Kind{nil, {Undefined}, {Uninitialised}, {Undefined}} {
		d := &Device{}
		y := d.Alloc("y", 4)
		_, err := d.Launch(kernelOf(t, callPTX, "k"), [3]int{1, 1, 1}, [3]int{1, 1, 1}, 0, y, which)
		if want == nil {
			require.NoError(t, err, "an argument that is not given and not used")
			require.Equal(t, []int32{1}, get[int32](t, y, 1))
			continue
		}
		wantFault(t, err, want...)
	}
}
