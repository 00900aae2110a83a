package emulator

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Parts have bounds and names of their own and share bytes, what was written, and races.
func TestPartsOfABuffer(t *testing.T) {
	text := header + `.visible .entry copy(.param .u64 to, .param .u64 from)
{
	.reg .b32 %r<4>;
	.reg .b64 %rd<6>;
	mov.u32 %r1, %tid.x;
	mul.wide.u32 %rd1, %r1, 4;
	ld.param.u64 %rd2, [to];
	ld.param.u64 %rd3, [from];
	add.s64 %rd4, %rd3, %rd1;
	add.s64 %rd5, %rd2, %rd1;
	ld.global.u32 %r2, [%rd4];
	st.global.u32 [%rd5], %r2;
	ret;
}`
	d := &Device{}
	all := d.Alloc("arena", 256)
	part := func(name string, offset, n int) *Buffer {
		b, err := d.Part(all, name, offset, n)
		require.NoError(t, err)
		return b
	}
	a, b, over := part("a", 0, 64), part("b", 64, 64), part("over", 32, 64)
	k := kernelOf(t, text, "copy")
	run := func(threads int, to, from *Buffer) error {
		_, err := d.Launch(k, [3]int{1, 1, 1}, [3]int{threads, 1, 1}, 0, to, from)
		return err
	}
	require.ErrorContains(t, run(16, b, a), "a read of 4 bytes at byte 0 of buffer a, which nothing has written yet")
	require.NoError(t, a.Write(0, bytesOf([]uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})))
	require.NoError(t, run(16, b, a))
	require.Equal(t, []uint32{14, 15, 0, 1}, get[uint32](t, all, 18)[14:])
	require.Equal(t, uint32(8), get[uint32](t, over, 1)[0])
	require.ErrorContains(t, run(17, b, a), "byte 64 of buffer a, which has 64")
	require.ErrorContains(t, run(16, over, a), "data race")
	require.NoError(t, over.Forget(32, 8))
	require.ErrorContains(t, run(16, a, b), "a read of 4 bytes at byte 0 of buffer b, which nothing has written yet")
	require.Error(t, all.Read(64, make([]byte, 1)))
	require.NoError(t, all.Read(72, make([]byte, 1)))

	found, at := d.Find(b.Addr() + 5)
	require.Same(t, b, found)
	require.Equal(t, 5, at)
	found, _ = d.Find(b.Addr() + 65)
	require.Nil(t, found)
	require.Equal(t, all.Addr()%(1<<20)+64, b.Addr()%(1<<20), "aligned as its place is")
	_, err := d.Part(all, "long", 200, 57)
	require.ErrorContains(t, err, "buffer arena has 256 bytes, not 57 at 200 for long")
}
