package emulator

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// boxPTX copies a box of a tensor to shared memory, from there as it lies to y, and the box back to another tensor.
func boxPTX(rank, bytes int, store string) string {
	var coords []string
	for i := range rank {
		coords = append(coords, fmt.Sprintf("%%r%d", 10+i))
	}
	at := "{" + strings.Join(coords, ", ") + "}"
	return hopperHeader + fmt.Sprintf(`.visible .entry box(.param .align 64 .b8 from[128], .param .align 64 .b8 to[128], .param .u64 y, .param .u32 c0, .param .u32 c1, .param .u32 c2, .param .u32 c3, .param .u32 c4)
{
	.shared .align 1024 .b8 tile[%[1]d];
	.shared .align 8 .b8 full[8];
	.reg .pred %%p<8>;
	.reg .b32 %%r<24>;
	.reg .b64 %%rd<8>;
	mov.u32 %%r1, %%tid.x;
	ld.param.u32 %%r10, [c0];
	ld.param.u32 %%r11, [c1];
	ld.param.u32 %%r12, [c2];
	ld.param.u32 %%r13, [c3];
	ld.param.u32 %%r14, [c4];
	mov.b64 %%rd1, from;
	cvta.param.u64 %%rd1, %%rd1;
	mov.b64 %%rd2, to;
	cvta.param.u64 %%rd2, %%rd2;
	setp.ne.u32 %%p1, %%r1, 0;
	@%%p1 bra READY;
	mbarrier.init.shared::cta.b64 [full], 1;
	fence.proxy.async; // init
	prefetch.tensormap [%%rd1];
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [full], %[1]d;
	mov.u32 %%r2, tile;
	mov.u32 %%r3, full;
	cp.async.bulk.tensor.%[2]dd.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%%r2], [%%rd1, %[3]s], [%%r3];
READY:
	bar.sync 0;
FULL:
	mbarrier.try_wait.parity.shared::cta.b64 %%p2, [full], 0;
	@!%%p2 bra FULL;
	ld.param.u64 %%rd3, [y];
	mul.wide.u32 %%rd4, %%r1, 4;
	add.u64 %%rd3, %%rd3, %%rd4;
	mov.u32 %%r4, tile;
	shl.b32 %%r5, %%r1, 2;
	add.u32 %%r4, %%r4, %%r5;
	mov.u32 %%r6, 0;
NEXT:
	ld.shared.u32 %%r7, [%%r4];
	st.global.u32 [%%rd3], %%r7;
	add.u32 %%r4, %%r4, 128;
	add.u64 %%rd3, %%rd3, 128;
	add.u32 %%r6, %%r6, 128;
	setp.lt.u32 %%p3, %%r6, %[1]d;
	@%%p3 bra NEXT;
	@%%p1 bra DONE;
	%[4]s.%[2]dd.global.shared::cta%[5]s.tile.bulk_group [%%rd2, %[3]s], [%%r2];
	cp.async.bulk.commit_group;
	cp.async.bulk.wait_group 0;
DONE:
	ret;
}
`, bytes, rank, at, map[string]string{"": "cp.async.bulk.tensor", ".add": "cp.reduce.async.bulk.tensor"}[store], store)
}

// Boxes of every rank, over the ends of tensors, with every swizzle: what lies where in shared memory, and what comes back.
func TestBoxes(t *testing.T) {
	for _, c := range []struct {
		elem    string
		dims    []int
		box     []int
		every   []int
		at      []int
		swizzle int
		nan     bool
		store   string
	}{
		{elem: "f32", dims: []int{64}, box: []int{32}, at: []int{16}},
		{elem: "f32", dims: []int{64}, box: []int{32}, at: []int{48}},
		{elem: "f32", dims: []int{64}, box: []int{32}, at: []int{-12}, nan: true},
		{elem: "bf16", dims: []int{96, 40}, box: []int{64, 16}, at: []int{40, 30}, swizzle: 128},
		{elem: "f16", dims: []int{96, 40}, box: []int{32, 16}, at: []int{65, -3}, swizzle: 64, nan: true},
		{elem: "u8", dims: []int{96, 40}, box: []int{32, 16}, at: []int{0, 2}, swizzle: 32},
		{elem: "u16", dims: []int{96, 40}, box: []int{24, 8}, at: []int{8, 36}},
		{elem: "f32", dims: []int{8, 9, 10}, box: []int{8, 4, 4}, at: []int{4, 7, 8}},
		{elem: "s32", dims: []int{8, 9, 10}, box: []int{8, 8, 7}, every: []int{1, 2, 3}, at: []int{0, 1, 2}},
		{elem: "f64", dims: []int{4, 5, 6, 3}, box: []int{2, 4, 2, 2}, at: []int{2, 3, 5, 2}},
		{elem: "f32", dims: []int{4, 3, 3, 3, 4}, box: []int{4, 2, 2, 2, 2}, every: []int{1, 1, 1, 1, 2}, at: []int{0, 2, 1, -1, 1}},
		{elem: "f32", dims: []int{32, 16}, box: []int{32, 8}, at: []int{0, 4}, swizzle: 128, store: ".add"},
		{elem: "bf16", dims: []int{32, 16}, box: []int{32, 8}, at: []int{8, 12}, swizzle: 64, store: ".add"},
	} {
		e := elems[c.elem]
		size := e.bytes()
		rank := len(c.dims)
		total, bytes := 1, size
		counts := make([]int, rank)
		m := TensorMap{Elem: c.elem, Swizzle: c.swizzle, FillNaN: c.nan}
		for i := range rank {
			counts[i] = c.box[i]
			if c.every != nil {
				m.ElementStrides = append(m.ElementStrides, uint32(c.every[i]))
				if i > 0 {
					counts[i] = (c.box[i] + c.every[i] - 1) / c.every[i]
				}
			}
			if i > 0 {
				m.Strides = append(m.Strides, uint64(total*size))
			}
			total *= c.dims[i]
			m.Dims, m.Box = append(m.Dims, uint64(c.dims[i])), append(m.Box, uint32(c.box[i]))
			bytes *= counts[i]
		}
		d := &Device{}
		data := make([]byte, total*size)
		for i := range total {
			storeLE(data[i*size:], size, uint64(i+1)&e.mask())
			if e.float() {
				storeLE(data[i*size:], size, e.format().encode(float64(i%200+1), toEven))
			}
		}
		from, back, y := d.with("from", data), d.with("back", make([]byte, total*size)), d.Alloc("y", bytes)
		encode := func(b *Buffer) []byte {
			m.Addr = b.Addr()
			p, err := m.Encode()
			require.NoError(t, err)
			return p
		}
		params := []any{encode(from), encode(back), y}
		for i := range 5 {
			params = append(params, append(append([]int{}, c.at...), 0, 0, 0, 0)[i])
		}
		_, err := d.Launch(kernelOf(t, boxPTX(rank, bytes, c.store), "box"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, params...)
		require.NoError(t, err, "%+v", c)

		// By the rules, element by element.
		want, wantBack := make([]byte, bytes), make([]byte, total*size)
		row := counts[0] * size
		for i := range bytes / size {
			rest, at, inside := i, 0, true
			for j, stride := 0, 1; j < rank; j++ {
				x := c.at[j] + rest%counts[j]
				if j > 0 && c.every != nil {
					x = c.at[j] + rest%counts[j]*c.every[j]
				}
				rest /= counts[j]
				inside = inside && x >= 0 && x < c.dims[j]
				at += x * stride
				stride *= c.dims[j]
			}
			line, piece, within := i*size/row, i*size%row/16, i*size%16
			switch c.swizzle {
			case 128:
				piece ^= line % 8
			case 64:
				piece ^= line / 2 % 4
			case 32:
				piece ^= line / 4 % 2
			}
			v := uint64(0)
			switch {
			case inside:
				v = loadLE(data[at*size:], size)
				storeLE(wantBack[at*size:], size, v)
			case c.nan:
				v = e.format().encode(math.NaN(), toEven)
			}
			storeLE(want[line*row+piece*16+within:], size, v)
		}
		require.Equal(t, want, get[byte](t, y, bytes), "%+v", c)
		require.Equal(t, wantBack, get[byte](t, back, total*size), "%+v", c)
	}
}

func TestTensorMapErrors(t *testing.T) {
	good := func() *TensorMap {
		return &TensorMap{Elem: "bf16", Addr: 1 << 20, Dims: []uint64{64, 64}, Strides: []uint64{128}, Box: []uint32{64, 8}, Swizzle: 128}
	}
	_, err := good().Encode()
	require.NoError(t, err)
	for want, spoil := range map[string]func(m *TensorMap){
		"no multiple of 16":                func(m *TensorMap) { m.Addr += 8 },
		"is 136 bytes, no multiple of 16":  func(m *TensorMap) { m.Strides[0] = 136 },
		"more than the swizzle's 64":       func(m *TensorMap) { m.Swizzle = 64 },
		"fewer than the swizzle's 128":     func(m *TensorMap) { m.Box[0] = 32 },
		"cannot have 257 elements":         func(m *TensorMap) { m.Box[1] = 257 },
		"has 24 bytes, no multiple of 16":  func(m *TensorMap) { m.Box[0], m.Swizzle = 12, 0 },
		"there is no swizzle of 16":        func(m *TensorMap) { m.Swizzle = 16 },
		"1 to 5 dimensions":                func(m *TensorMap) { m.Dims = nil },
		"there are no tensors of \"e4m3\"": func(m *TensorMap) { m.Elem = "e4m3" },
		"dimension 1 is 9, not 1 to 8":     func(m *TensorMap) { m.ElementStrides = []uint32{1, 9} },
	} {
		m := good()
		spoil(m)
		_, err := m.Encode()
		require.ErrorContains(t, err, want)
	}
}

// Sums of plain pieces in global memory, by two threads one after the other.
func TestBulkAdd(t *testing.T) {
	for _, e := range []string{"f32", "u32", "u64", "bf16", "f16", "f64"} {
		noftz := map[string]string{"bf16": ".noftz", "f16": ".noftz"}[e]
		text := hopperHeader + `.visible .entry k(.param .u64 y)
{
	.shared .align 16 .b8 words[128];
	.reg .pred %p<4>;
	.reg .b32 %r<8>;
	.reg .b64 %rd<8>;
	mov.u32 %r1, %tid.x;
	ld.param.u64 %rd1, [y];
	mov.u32 %r2, words;
	shl.b32 %r3, %r1, 2;
	add.u32 %r3, %r3, %r2;
	mov.u32 %r4, 0x00010001;
	st.shared.u32 [%r3], %r4;
	fence.proxy.async.shared::cta;
	bar.sync 0;
	setp.ne.u32 %p1, %r1, 0;
	@%p1 bra DONE;
	mov.u32 %r5, 0;
AGAIN:
	cp.reduce.async.bulk.global.shared::cta.bulk_group.add` + noftz + "." + e + ` [%rd1], [%r2], 128;
	cp.async.bulk.commit_group;
	cp.async.bulk.wait_group 0;
	add.u32 %r5, %r5, 1;
	setp.lt.u32 %p2, %r5, 2;
	@%p2 bra AGAIN;
DONE:
	ret;
}`
		d := &Device{}
		y := d.with("y", make([]byte, 128))
		_, err := d.Launch(kernelOf(t, text, "k"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, y)
		require.NoError(t, err)
		el := elems[e]
		one := uint64(0x0001000100010001) & el.mask()
		want := one + one
		if el.float() {
			f := el.format()
			want = f.encode(2*f.decode(one), toEven)
		}
		for _, p := range get[[8]byte](t, y, 16) {
			require.Equal(t, want, loadLE(p[:], el.bytes()), e)
		}
		if tool, err := ptxasPath(); err == nil {
			assemble(t, tool, text, "sm_90a")
		}
		_, err = d.Launch(kernelOf(t, strings.Replace(text, "cp.async.bulk.wait_group 0;", "", 1), "k"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, y)
		wantFault(t, err, Race)
	}
}
