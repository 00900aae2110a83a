package emulator

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExchange(t *testing.T) {
	d := &Device{}
	x := make([]uint32, 32)
	for i := range x {
		x[i] = uint32(i * i)
	}
	y := d.Alloc("y", 128)
	_, err := d.Launch(kernelOf(t, read(t, "warp.ptx"), "exchange"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, d.with("x", x), y)
	require.NoError(t, err)
	for i, v := range get[uint32](t, y, 32) {
		require.Equal(t, x[i^16], v)
	}
}

func TestCollect(t *testing.T) {
	d := &Device{}
	y := d.Alloc("y", 32*32)
	_, err := d.Launch(kernelOf(t, read(t, "warp.ptx"), "collect"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, y)
	require.NoError(t, err)
	got := get[uint32](t, y, 32*8)
	for l := range uint32(32) {
		up, ok := l, uint32(0)
		if l >= 3 {
			up, ok = l-3, 1
		}
		down := l + 3
		if down > 31 {
			down = l
		}
		even := uint32(0)
		if l%2 == 0 {
			even = 0x55555555 + 30
		}
		require.Equal(t, []uint32{0x55555555, up, down, l&^7 | 5, 31 * 32 / 2, ok, even, 0x11111111 << (l % 4)}, got[l*8:l*8+8], "lane %d", l)
	}
}

func TestCollatz(t *testing.T) {
	steps := func(n int) (c uint32) {
		for ; n != 1; c++ {
			if n%2 == 0 {
				n /= 2
			} else {
				n = 3*n + 1
			}
		}
		return c
	}
	for seed := range uint64(20) {
		d := &Device{Seed: seed}
		y := d.Alloc("y", 64*4)
		_, err := d.Launch(kernelOf(t, read(t, "warp.ptx"), "collatz"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, y)
		require.NoError(t, err)
		for i, v := range get[uint32](t, y, 64) {
			require.Equal(t, steps(i+1)+steps(i&^31+27)<<16, v)
		}
	}
}

func TestCountingBarrier(t *testing.T) {
	d := &Device{}
	y := d.Alloc("y", 64*4)
	_, err := d.Launch(kernelOf(t, read(t, "warp.ptx"), "count"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, y)
	require.NoError(t, err)
	for _, v := range get[uint32](t, y, 64) {
		require.Equal(t, uint32(16+100), v)
	}
}

func TestNamedBarriers(t *testing.T) {
	for seed := range uint64(20) {
		d := &Device{Seed: seed}
		n := 9
		x := make([]uint32, 32*n)
		for i := range x {
			x[i] = uint32(i)
		}
		y := d.Alloc("y", 4*len(x))
		_, err := d.Launch(kernelOf(t, read(t, "pipe.ptx"), "pipe"), [3]int{1, 1, 1}, [3]int{64, 1, 1}, 0, d.with("x", x), y, n)
		require.NoError(t, err)
		for i, v := range get[uint32](t, y, 32*n) {
			require.Equal(t, uint32(i^1+1), v)
		}
	}
}

// The layouts of fragments: every product against plain loops. Operands go to registers
// element by element, as the manual's tables say.
var productTests = []struct {
	name          string
	m, n, k, bits int
	types         string
}{
	{"m16n8k8", 16, 8, 8, 16, "f32.f16.f16.f32"}, {"m16n8k16", 16, 8, 16, 16, "f32.f16.f16.f32"}, {"m16n8k8", 16, 8, 8, 16, "f32.bf16.bf16.f32"},
	{"m16n8k16", 16, 8, 16, 16, "f32.bf16.bf16.f32"}, {"m16n8k16", 16, 8, 16, 16, "f16.f16.f16.f16"}, {"m16n8k4", 16, 8, 4, 32, "f32.tf32.tf32.f32"},
	{"m16n8k8", 16, 8, 8, 32, "f32.tf32.tf32.f32"}, {"m16n8k16", 16, 8, 16, 8, "s32.s8.s8.s32"}, {"m16n8k32", 16, 8, 32, 8, "s32.u8.s8.s32"},
	{"m8n8k16", 8, 8, 16, 8, "s32.s8.u8.s32"}, {"m8n8k4", 8, 8, 4, 64, "f64.f64.f64.f64"},
}

func TestProducts(t *testing.T) {
	for _, s := range productTests {
		t.Run(s.name+"."+s.types, func(t *testing.T) { testProduct(t, s.name, s.types, s.m, s.n, s.k, s.bits) })
	}
}

func testProduct(t *testing.T, name, types string, m, n, k, width int) {
	text := productPTX(name, types, m, n, k, width)
	d := &Device{}
	e := func(i int) elem { return elems[splitMods(types)[i]] }
	encode := func(e elem, v int) uint64 {
		switch {
		case !e.float():
			return uint64(v) & e.mask()
		case e.kind == 't':
			return f32.encode(float64(v), toEven)
		}
		return e.format().encode(float64(v), toEven)
	}
	valueA, valueB := func(i, l int) int { return (i*7+l*3)%11 - 3 }, func(l, j int) int { return (l*5+j*2)%9 - 2 }
	if types[4] == 'u' {
		valueA = func(i, l int) int { return (i*7 + l*3) % 250 }
	}
	if len(types) > 10 && types[7] == 'u' {
		valueB = func(l, j int) int { return (l*50 + j*2) % 250 }
	}
	pack := func(size int, v []uint64) []byte {
		var out []byte
		for _, x := range v {
			out = append(out, bytesOf(x)[:size/8]...)
		}
		return out
	}
	var a, b, c []uint64
	for l := range 32 { // the manual's formulas, one register of 32 (or 64) bits after the other
		g, q := l/4, l%4
		per := max(1, 32/width)
		for i := range m * k / 32 {
			r, in := i/per, i%per
			a = append(a, encode(e(1), valueA(g+8*(r%2), q*per+in+4*per*(r/2))))
		}
		for i := range k * n / 32 {
			r, in := i/per, i%per
			b = append(b, encode(e(2), valueB(q*per+in+4*per*r, g)))
		}
		for i := range m * n / 32 {
			c = append(c, encode(e(0), (g+8*(i/2))*8+2*q+i%2))
		}
	}
	cbits := e(0).bits
	out := d.Alloc("d", m*n*cbits/8)
	_, err := d.Launch(kernelOf(t, text, "k"), [3]int{1, 1, 1}, [3]int{32, 1, 1}, 0, d.with("a", pack(width, a)), d.with("b", pack(width, b)), d.with("c", pack(cbits, c)), out)
	require.NoError(t, err)
	p := make([]byte, out.Len())
	require.NoError(t, out.Read(0, p))
	at := 0
	for l := range 32 {
		g, q := l/4, l%4
		for i := range m * n / 32 {
			row, col := g+8*(i/2), 2*q+i%2
			want := row*8 + col
			for x := range k {
				want += valueA(row, x) * valueB(x, col)
			}
			require.Equal(t, pack(cbits, []uint64{encode(e(0), want)}), p[at:at+cbits/8], "row %d, column %d", row, col)
			at += cbits / 8
		}
	}
}

func splitMods(s string) []string { _, m := splitOpcode("x." + s); return m.names }

func productPTX(name, types string, m, n, k, width int) string {
	reg := max(32, width)
	na, nb := m*k*width/32/reg, k*n*width/32/reg
	cbits := elems[splitMods(types)[0]].bits
	nc, creg := m*n*cbits/32/max(32, cbits), max(32, cbits)
	class := map[string]string{"s32": "b32", "f16": "b32"}
	typ := splitMods(types)[0]
	if class[typ] == "" {
		class[typ] = typ
	}
	b := []byte(header + ".visible .entry k(.param .u64 a, .param .u64 b, .param .u64 c, .param .u64 d)\n{\n\t.reg .b32 %r1; .reg .b64 %rd<9>;\n")
	put := func(s string) { b = append(b, s...) }
	ab := map[int]string{32: "b32", 64: "f64"}[reg]
	put("\t.reg ." + ab + " %a<9>; .reg ." + ab + " %b<9>; .reg ." + class[typ] + " %c<9>; .reg ." + class[typ] + " %d<9>;\n\tmov.u32 %r1, %laneid;\n")
	list := func(c string, n int) string {
		s := ""
		for i := range n {
			if i > 0 {
				s += ", "
			}
			s += "%" + c + string(rune('0'+i))
		}
		return "{" + s + "}"
	}
	for i, o := range []struct {
		name  string
		n, sz int
	}{{"a", na, reg / 8}, {"b", nb, reg / 8}, {"c", nc, creg / 8}, {"d", nc, creg / 8}} {
		rd := "%rd" + string(rune('1'+i))
		put("\tld.param.u64 " + rd + ", [" + o.name + "]; mad.wide.u32 " + rd + ", %r1, " + strconv.Itoa(o.n*o.sz) + ", " + rd + ";\n")
		for j := range o.n {
			if o.name != "d" {
				put("\tld.global.b" + strconv.Itoa(o.sz*8) + " %" + o.name + strconv.Itoa(j) + ", [" + rd + "+" + strconv.Itoa(j*o.sz) + "];\n")
			}
		}
	}
	put("\tmma.sync.aligned." + name + ".row.col." + types + " " + list("d", nc) + ", " + list("a", na) + ", " + list("b", nb) + ", " + list("c", nc) + ";\n")
	for j := range nc {
		put("\tst.global.b" + strconv.Itoa(creg) + " [%rd4+" + strconv.Itoa(j*creg/8) + "], %d" + strconv.Itoa(j) + ";\n")
	}
	put("\tret;\n}\n")
	return string(b)
}

func TestShuffleSources(t *testing.T) {
	// The manual's pseudo-code, in segments of 8 lanes: c has the segment mask 0x18.
	for l := range 32 {
		seg := l &^ 7
		from, ok := shuffleSource("down", l, 2, 0x1800|31)
		require.Equal(t, l+2 <= seg|7, ok)
		if ok {
			require.Equal(t, l+2, from)
		} else {
			require.Equal(t, l, from)
		}
		from, ok = shuffleSource("up", l, 2, 0x1800)
		require.Equal(t, l-2 >= seg, ok)
		require.Equal(t, map[bool]int{true: l - 2, false: l}[ok], from)
		from, _ = shuffleSource("bfly", l, 5, 0x1800|31)
		require.Equal(t, l^5, from)
		from, _ = shuffleSource("idx", l, 3, 0x1800|31)
		require.Equal(t, seg|3, from)
	}
}
