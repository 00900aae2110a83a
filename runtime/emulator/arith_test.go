package emulator

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// reference rounds an exact result to a format, with another method than the
// emulator: through the numbers of the format next to it.
func reference(f format, x *big.Float, r rounding) uint64 {
	if x.Sign() == 0 {
		if x.Signbit() {
			return f.sign()
		}
		return 0
	}
	abs := new(big.Float).SetPrec(4000).Abs(x)
	lo, hi := uint64(0), f.infinity() // the largest number that is at most abs
	for lo+1 < hi {
		mid := (lo + hi) / 2
		if value(f, mid).Cmp(abs) <= 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	below, above := value(f, lo), value(f, lo+1)
	pick := lo
	if below.Cmp(abs) != 0 {
		toLow := new(big.Float).SetPrec(4000).Sub(abs, below)
		toHigh := new(big.Float).SetPrec(4000).Sub(above, abs)
		c := toLow.Cmp(toHigh)
		switch {
		case r == toEven && (c > 0 || c == 0 && lo&1 != 0), r == down && x.Sign() < 0, r == up && x.Sign() > 0, r == awayTies && c >= 0:
			pick = lo + 1
		}
	}
	if x.Sign() < 0 {
		pick |= f.sign()
	}
	return pick
}

// value is the number of an encoding; that of infinity is where the next binade would begin.
func value(f format, v uint64) *big.Float {
	exp, man := int(v>>f.man), v&(1<<f.man-1)
	if exp == 0 {
		exp = 1
	} else {
		man |= 1 << f.man
	}
	x := new(big.Float).SetPrec(4000).SetUint64(man)
	return x.SetMantExp(x, exp-f.bias-f.man)
}

// operandsOf draws encodings: special ones in all pairs, then any, then ones near each other.
func operandsOf(f format, n int) [][3]uint64 {
	rnd := rand.New(rand.NewPCG(1, uint64(f.bits+f.man)))
	one := uint64(f.bias) << f.man
	special := []uint64{0, f.sign(), 1, f.sign() | 1, 1<<f.man - 1, 1 << f.man, one, one | f.sign(), one + 1, one - 1, f.infinity() - 1, f.infinity(), f.infinity() | f.sign(), f.nan}
	var out [][3]uint64
	for _, a := range special {
		for _, b := range special {
			out = append(out, [3]uint64{a, b, special[rnd.IntN(len(special))]})
		}
	}
	for len(out) < n {
		a, b, c := rnd.Uint64()&ones(f.bits), rnd.Uint64()&ones(f.bits), rnd.Uint64()&ones(f.bits)
		if rnd.IntN(2) == 0 { // near each other, so that sums cancel and round
			b = a ^ rnd.Uint64()&ones(f.man+3) ^ uint64(rnd.IntN(2))<<(f.bits-1)
			c = one ^ rnd.Uint64()&ones(f.man+2) ^ uint64(rnd.IntN(2))<<(f.bits-1)
		}
		out = append(out, [3]uint64{a, b, c})
	}
	return out
}

func TestRoundedArithmetic(t *testing.T) {
	formats := []struct {
		f         format
		name, reg string
	}{{f16, "f16", "b16"}, {bf16, "bf16", "b16"}, {f32, "f32", "f32"}}
	ops := []struct {
		name string
		n    int
		exec func(z, a, b, c *big.Float) *big.Float
		host func(a, b, c float64) float64 // for infinities, NaN and the sign of zero
	}{
		{"add", 2, func(z, a, b, c *big.Float) *big.Float { return z.Add(a, b) }, func(a, b, c float64) float64 { return a + b }},
		{"sub", 2, func(z, a, b, c *big.Float) *big.Float { return z.Sub(a, b) }, func(a, b, c float64) float64 { return a - b }},
		{"mul", 2, func(z, a, b, c *big.Float) *big.Float { return z.Mul(a, b) }, func(a, b, c float64) float64 { return a * b }},
		{"fma", 3, func(z, a, b, c *big.Float) *big.Float { return z.Add(z.Mul(a, b), c) }, math.FMA},
		{"div", 2, func(z, a, b, c *big.Float) *big.Float { return z.Quo(a, b) }, func(a, b, c float64) float64 { return a / b }},
		{"sqrt", 1, func(z, a, b, c *big.Float) *big.Float { return z.Sqrt(a) }, func(a, b, c float64) float64 { return math.Sqrt(a) }},
		{"rcp", 1, func(z, a, b, c *big.Float) *big.Float { return z.Quo(big.NewFloat(1), a) }, func(a, b, c float64) float64 { return 1 / a }},
	}
	for _, f := range formats {
		in := operandsOf(f.f, 1200)
		for _, op := range ops {
			modes := []string{"rn", "rz", "rm", "rp"}
			if f.f != f32 {
				modes = modes[:1]
				if op.name == "div" || op.name == "sqrt" || op.name == "rcp" {
					continue
				}
			}
			for _, mode := range modes {
				line := op.name + "." + mode + "." + f.name + " %d" + strings.Join([]string{", %a", ", %b", ", %c"}[:op.n], "") + ";"
				got := one(t, line, strings.Repeat(f.reg+" ", op.n+1), Nearest, in)
				for i, x := range in {
					v := [3]float64{1, 1, 1}
					for j := range op.n {
						v[j] = f.f.decode(x[j])
					}
					a, b, c := v[0], v[1], v[2]
					y := op.host(a, b, c)
					want := f.f.encode(y, toEven)
					switch finite := a-a == 0 && b-b == 0 && c-c == 0 && y-y == 0; {
					case finite && y != 0:
						z := new(big.Float).SetPrec(3000)
						want = reference(f.f, op.exec(z, big.NewFloat(a), big.NewFloat(b), big.NewFloat(c)), roundings[mode])
					case y == 0 && mode == "rm":
						continue // the sign of an exact zero has a test of its own
					}
					require.Equal(t, want, got[i], "%s of %x = %v, %v, %v", line, x, a, b, c)
				}
			}
		}
	}
}

func TestZeroSumsRoundedDown(t *testing.T) {
	got := one(t, "add.rm.f32 %d, %a, %b;", "f32 f32 f32", Nearest, [][3]uint64{{0x3f800000, 0xbf800000}, {0, 0}, {0, 0x80000000}, {0x80000000, 0x80000000}})
	require.Equal(t, []uint64{0x80000000, 0, 0x80000000, 0x80000000}, got)
}

// A row of a table: an instruction and what it must give, written apart from the emulator.
type row1 struct {
	line, regs string
	f          func(a, b, c uint64) uint64
}

func u32(x uint64) uint32  { return uint32(x) }
func i32(x uint64) int32   { return int32(x) }
func low(x int64) uint64   { return uint64(uint32(x)) }
func oneIf(b bool) uint64  { return map[bool]uint64{true: 1}[b] }
func fl(x uint64) float32  { return math.Float32frombits(uint32(x)) }
func db(x uint64) float64  { return math.Float64frombits(x) }
func bit(x float64) uint64 { return math.Float64bits(x) }

var integerTable = []row1{
	{"add.s32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a) + u32(b)) }},
	{"sub.s32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a) - u32(b)) }},
	{"add.sat.s32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 {
		return low(min(max(int64(i32(a))+int64(i32(b)), math.MinInt32), math.MaxInt32))
	}},
	{"add.s64 %d, %a, %b;", "b64 b64 b64", func(a, b, c uint64) uint64 { return a + b }},
	{"sub.s16 %d, %a, %b;", "b16 b16 b16", func(a, b, c uint64) uint64 { return uint64(uint16(a - b)) }},
	{"mul.lo.s32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a) * u32(b)) }},
	{"mul.hi.s32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 { return low(int64(i32(a)) * int64(i32(b)) >> 32) }},
	{"mul.hi.u32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a)) * uint64(u32(b)) >> 32 }},
	{"mul.wide.s32 %d, %a, %b;", "b64 b32 b32", func(a, b, c uint64) uint64 { return uint64(int64(i32(a)) * int64(i32(b))) }},
	{"mul.wide.u32 %d, %a, %b;", "b64 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a)) * uint64(u32(b)) }},
	{"mul.wide.s16 %d, %a, %b;", "b32 b16 b16", func(a, b, c uint64) uint64 { return low(int64(int16(a)) * int64(int16(b))) }},
	{"mul.hi.s64 %d, %a, %b;", "b64 b64 b64", func(a, b, c uint64) uint64 {
		p := new(big.Int).Mul(big.NewInt(int64(a)), big.NewInt(int64(b)))
		return uint64(p.Rsh(p, 64).Int64())
	}},
	{"mul.hi.u64 %d, %a, %b;", "b64 b64 b64", func(a, b, c uint64) uint64 {
		p := new(big.Int).Mul(new(big.Int).SetUint64(a), new(big.Int).SetUint64(b))
		return p.Rsh(p, 64).Uint64()
	}},
	{"mad.lo.s32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a)*u32(b) + u32(c)) }},
	{"mad.wide.s32 %d, %a, %b, %c;", "b64 b32 b32 b64", func(a, b, c uint64) uint64 { return uint64(int64(i32(a))*int64(i32(b))) + c }},
	{"mad.hi.u32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(uint32(uint64(u32(a))*uint64(u32(b))>>32) + u32(c)) }},
	{"or.b32 %r5, %b, 1; div.s32 %d, %a, %r5;", "b32 b32 b32", func(a, b, c uint64) uint64 { return low(int64(i32(a)) / int64(i32(b|1))) }},
	{"or.b32 %r5, %b, 1; rem.s32 %d, %a, %r5;", "b32 b32 b32", func(a, b, c uint64) uint64 { return low(int64(i32(a)) % int64(i32(b|1))) }},
	{"or.b32 %r5, %b, 1; div.u32 %d, %a, %r5;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a) / u32(b|1)) }},
	{"or.b64 %rd5, %b, 1; rem.u64 %d, %a, %rd5;", "b64 b64 b64", func(a, b, c uint64) uint64 { return a % (b | 1) }},
	{"min.s32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 { return low(int64(min(i32(a), i32(b)))) }},
	{"max.u32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(max(u32(a), u32(b))) }},
	{"max.s64 %d, %a, %b;", "b64 b64 b64", func(a, b, c uint64) uint64 { return uint64(max(int64(a), int64(b))) }},
	{"min.s16 %d, %a, %b;", "b16 b16 b16", func(a, b, c uint64) uint64 { return uint64(uint16(min(int16(a), int16(b)))) }},
	{"abs.s32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 { return low(max(int64(i32(a)), -int64(i32(a)))) }},
	{"neg.s32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 { return uint64(-u32(a)) }},
	{"sad.u32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 {
		return uint64(max(u32(a), u32(b)) - min(u32(a), u32(b)) + u32(c))
	}},
	{"dp4a.s32.s32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 {
		s := i32(c)
		for i := range 4 {
			s += int32(int8(a>>(8*i))) * int32(int8(b>>(8*i)))
		}
		return low(int64(s))
	}},
	{"not.b32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 { return uint64(^u32(a)) }},
	{"xor.b64 %d, %a, %b;", "b64 b64 b64", func(a, b, c uint64) uint64 { return a ^ b }},
	{"and.b32 %r5, %b, 63; shl.b32 %d, %a, %r5;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a) << (b & 63)) }},
	{"and.b32 %r5, %b, 63; shr.u32 %d, %a, %r5;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a) >> (b & 63)) }},
	{"and.b32 %r5, %b, 63; shr.s32 %d, %a, %r5;", "b32 b32 b32", func(a, b, c uint64) uint64 { return low(int64(i32(a) >> (b & 63))) }},
	{"and.b32 %r5, %b, 127; shr.s64 %d, %a, %r5;", "b64 b64 b32", func(a, b, c uint64) uint64 { return uint64(int64(a) >> (b & 127)) }},
	{"and.b32 %r5, %b, 31; shr.s16 %d, %a, %r5;", "b16 b16 b32", func(a, b, c uint64) uint64 { return uint64(uint16(int16(a) >> (b & 31))) }},
	{"shf.l.wrap.b32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 {
		return low(int64((uint64(u32(b))<<32 | uint64(u32(a))) << (c & 31) >> 32))
	}},
	{"shf.r.wrap.b32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 { return low(int64((uint64(u32(b))<<32 | uint64(u32(a))) >> (c & 31))) }},
	{"shf.r.clamp.b32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 {
		return low(int64((uint64(u32(b))<<32 | uint64(u32(a))) >> min(u32(c), 32)))
	}},
	{"popc.b32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 {
		n := uint64(0)
		for i := range 32 {
			n += a >> i & 1
		}
		return n
	}},
	{"clz.b32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 { return uint64(32 - new(big.Int).SetUint64(uint64(u32(a))).BitLen()) }},
	{"clz.b64 %d, %a;", "b32 b64", func(a, b, c uint64) uint64 { return uint64(64 - new(big.Int).SetUint64(a).BitLen()) }},
	{"brev.b32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 {
		r := uint64(0)
		for i := range 32 {
			r |= a >> i & 1 << (31 - i)
		}
		return r
	}},
	{"bfind.u32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 { return low(int64(new(big.Int).SetUint64(uint64(u32(a))).BitLen()) - 1) }},
	{"prmt.b32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 {
		bytes := append(bytesOf(u32(a)), bytesOf(u32(b))...)
		r := uint32(0)
		for i := range 4 {
			s := c >> (4 * i) & 15
			x := bytes[s&7]
			if s&8 != 0 {
				x = map[bool]byte{true: 0xff}[x >= 128]
			}
			r |= uint32(x) << (8 * i)
		}
		return uint64(r)
	}},
	{"bfe.u32 %d, %a, 5, 9;", "b32 b32", func(a, b, c uint64) uint64 { return a >> 5 & 511 }},
	{"bfe.s32 %d, %a, 28, 9;", "b32 b32", func(a, b, c uint64) uint64 { return low(int64(i32(a) >> 28)) }},
	{"bfe.s32 %d, %a, 3, 7;", "b32 b32", func(a, b, c uint64) uint64 { return low(int64(i32(a) << 22 >> 25)) }},
	{"bfi.b32 %d, %a, %b, 4, 8;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(b)&^0xff0 | u32(a)&0xff<<4) }},
	{"lop3.b32 %d, %a, %b, %c, 0xe8;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a&b | b&c | a&c)) }},
	{"lop3.b32 %d, %a, %b, %c, 0x1a;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 { // the manual's table: a=0xF0, b=0xCC, c=0xAA
		r := uint32(0)
		for i := range 32 {
			r |= uint32(0x1a>>(a>>i&1<<2|b>>i&1<<1|c>>i&1)&1) << i
		}
		return uint64(r)
	}},
	{"selp.b32 %d, %a, %b, %p1; setp.lt.s32 %p2, %a, %b; selp.b32 %d, %a, %b, %p2;", "b32 b32 b32", func(a, b, c uint64) uint64 { return low(int64(min(i32(a), i32(b)))) }},
	{"setp.lo.u32 %p2|%p3, %a, %b; selp.b32 %d, 1, 0, %p3;", "b32 b32 b32", func(a, b, c uint64) uint64 { return oneIf(u32(a) >= u32(b)) }},
	{"setp.ne.s32 %p2, %c, 0; setp.gt.and.s64 %p3, %a, %b, !%p2; selp.b32 %d, 1, 0, %p3;", "b32 b64 b64 b32", func(a, b, c uint64) uint64 { return oneIf(int64(a) > int64(b) && u32(c) == 0) }},
	{"set.ge.u32.s32 %d, %a, %b;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(-uint32(oneIf(i32(a) >= i32(b)))) }},
	{"slct.b32.s32 %d, %a, %b, %c;", "b32 b32 b32 b32", func(a, b, c uint64) uint64 {
		if i32(c) >= 0 {
			return uint64(u32(a))
		}
		return uint64(u32(b))
	}},
	{"mov.b32 {%rs1, %rs2}, %a; mov.b32 %d, {%rs2, %rs1};", "b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a)>>16 | u32(a)<<16) }},
	{"mov.b64 %d, {%a, %b};", "b64 b32 b32", func(a, b, c uint64) uint64 { return uint64(u32(a)) | uint64(u32(b))<<32 }},
	{"add.cc.u32 %r5, %a, %b; addc.u32 %d, 0, 0;", "b32 b32 b32", func(a, b, c uint64) uint64 { return (uint64(u32(a)) + uint64(u32(b))) >> 32 }},
	{"sub.cc.u32 %r5, %a, %b; subc.u32 %d, 0, 0;", "b32 b32 b32", func(a, b, c uint64) uint64 { return uint64(-uint32(oneIf(u32(a) < u32(b)))) }},
	{"cvt.s32.s8 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 { return low(int64(int8(a))) }},
	{"cvt.u64.u32 %d, %a;", "b64 b32", func(a, b, c uint64) uint64 { return uint64(u32(a)) }},
	{"cvt.s64.s32 %d, %a;", "b64 b32", func(a, b, c uint64) uint64 { return uint64(int64(i32(a))) }},
	{"cvt.u16.u32 %d, %a;", "b16 b32", func(a, b, c uint64) uint64 { return uint64(uint16(a)) }},
	{"cvt.sat.u8.s32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 { return uint64(min(max(i32(a), 0), 255)) }},
	{"cvt.sat.s16.s32 %d, %a;", "b32 b32", func(a, b, c uint64) uint64 { return low(int64(min(max(i32(a), -32768), 32767))) }},
	{"cvt.rn.f32.s32 %d, %a;", "f32 b32", func(a, b, c uint64) uint64 { return uint64(math.Float32bits(float32(i32(a)))) }},
	{"cvt.rn.f32.u64 %d, %a;", "f32 b64", func(a, b, c uint64) uint64 { return uint64(math.Float32bits(float32(a))) }},
	{"cvt.rn.f64.s64 %d, %a;", "f64 b64", func(a, b, c uint64) uint64 { return bit(float64(int64(a))) }},
	{"add.rn.f64 %d, %a, %b;", "f64 f64 f64", func(a, b, c uint64) uint64 { return bit(db(a) + db(b)) }},
	{"fma.rn.f64 %d, %a, %b, %c;", "f64 f64 f64 f64", func(a, b, c uint64) uint64 { return bit(math.FMA(db(a), db(b), db(c))) }},
	{"div.rn.f64 %d, %a, %b;", "f64 f64 f64", func(a, b, c uint64) uint64 { return bit(db(a) / db(b)) }},
}

func TestIntegerTable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	edge := []uint64{0, 1, 2, 31, 32, 33, 63, 64, 127, 128, 0xffff, 0x8000, 1 << 31, 1<<31 - 1, 1<<32 - 1, 1 << 32, 1 << 63, 1<<63 - 1, math.MaxUint64}
	var in [][3]uint64
	for range 3000 {
		var x [3]uint64
		for i := range x {
			x[i] = rnd.Uint64() >> rnd.IntN(64)
			if rnd.IntN(3) == 0 {
				x[i] = edge[rnd.IntN(len(edge))]
			}
		}
		in = append(in, x)
	}
	for _, r := range integerTable {
		line := strings.Replace(r.line, "selp.b32 %d, %a, %b, %p1;", "", 1)
		got := one(t, line, r.regs, Nearest, in)
		for i, x := range in {
			want := r.f(x[0], x[1], x[2])
			if f := db(want); strings.HasPrefix(r.regs, "f64") && f != f {
				continue // which NaN it is is open
			}
			require.Equal(t, want, got[i], "%s of %x", line, x)
		}
	}
}

// The conversions of floats, against the reference rounding.
func TestConversions(t *testing.T) {
	regs := map[string]string{"f16": "b16", "bf16": "b16", "f32": "f32", "f64": "f64"}
	formats := map[string]format{"f16": f16, "bf16": bf16, "f32": f32, "f64": f64}
	for _, c := range []struct{ to, from, mode string }{
		{"f16", "f32", "rn"}, {"f16", "f32", "rz"}, {"bf16", "f32", "rn"}, {"bf16", "f32", "rz"}, {"f32", "f64", "rn"}, {"f32", "f64", "rz"}, {"f32", "f64", "rm"}, {"f32", "f64", "rp"},
		{"f16", "f64", "rn"}, {"f32", "f16", ""}, {"f32", "bf16", ""}, {"f64", "f32", ""}, {"f64", "f16", ""},
	} {
		line := "cvt." + c.mode + "." + c.to + "." + c.from + " %d, %a;"
		line = strings.Replace(line, "..", ".", 1)
		from, to := formats[c.from], formats[c.to]
		in := operandsOf(from, 1500)
		got := one(t, line, regs[c.to]+" "+regs[c.from], Nearest, in)
		for i, x := range in {
			y := from.decode(x[0])
			want := to.encode(y, toEven)
			if y-y == 0 {
				want = reference(to, big.NewFloat(y), roundings[c.mode])
			}
			require.Equal(t, want, got[i], "%s of %x = %v", line, x[0], y)
		}
	}
}

const nan, inf, ninf = 0x7fffffff, 0x7f800000, 0xff800000

// Instructions on floats where the table of the manual decides.
var floatTable = []struct {
	line, regs string
	a, b, want uint64
}{
	{"min.f32 %d, %a, %b;", "f32 f32 f32", nan, 0x3f800000, 0x3f800000},
	{"min.NaN.f32 %d, %a, %b;", "f32 f32 f32", nan, 0x3f800000, nan},
	{"max.f32 %d, %a, %b;", "f32 f32 f32", 0x80000000, 0, 0},
	{"min.f32 %d, %a, %b;", "f32 f32 f32", 0, 0x80000000, 0x80000000},
	{"max.bf16 %d, %a, %b;", "b16 b16 b16", 0x3f80, 0xbf80, 0x3f80},
	{"max.f16x2 %d, %a, %b;", "b32 b32 b32", 0x3c00bc00, 0x40003c00, 0x40003c00},
	{"add.rn.f16x2 %d, %a, %b;", "b32 b32 b32", 0x3c003c00, 0x3c004000, 0x40004200},
	{"fma.rn.bf16x2 %d, %a, %a, %b;", "b32 b32 b32", 0x40003f80, 0x3f803f80, 0x40a04000},
	{"add.ftz.f32 %d, %a, %b;", "f32 f32 f32", 1, 0x80000001, 0},
	{"mul.ftz.f32 %d, %a, %b;", "f32 f32 f32", 0x00ffffff, 0x3e800000, 0},
	{"mul.sat.f32 %d, %a, %b;", "f32 f32 f32", 0x40000000, 0x40000000, 0x3f800000},
	{"add.sat.f32 %d, %a, %b;", "f32 f32 f32", nan, 0x40000000, 0},
	{"neg.f32 %d, %a;", "f32 f32", 0, 0, 0x80000000},
	{"abs.f32 %d, %a;", "f32 f32", 0xc0000000, 0, 0x40000000},
	{"neg.bf16 %d, %a;", "b16 b16", 0x3f80, 0, 0xbf80},
	{"copysign.f32 %d, %a, %b;", "f32 f32 f32", 0x80000000, 0x40000000, 0xc0000000},
	{"cvt.rzi.s32.f32 %d, %a;", "b32 f32", uint64(math.Float32bits(-2.7)), 0, 0xfffffffe},
	{"cvt.rni.s32.f32 %d, %a;", "b32 f32", uint64(math.Float32bits(2.5)), 0, 2},
	{"cvt.rmi.s32.f32 %d, %a;", "b32 f32", uint64(math.Float32bits(-2.1)), 0, 0xfffffffd},
	{"cvt.rpi.s32.f32 %d, %a;", "b32 f32", uint64(math.Float32bits(2.1)), 0, 3},
	{"cvt.rzi.s32.f32 %d, %a;", "b32 f32", inf, 0, 0x7fffffff},
	{"cvt.rzi.s32.f32 %d, %a;", "b32 f32", ninf, 0, 0x80000000},
	{"cvt.rzi.s32.f32 %d, %a;", "b32 f32", nan, 0, 0},
	{"cvt.rzi.u32.f32 %d, %a;", "b32 f32", uint64(math.Float32bits(-3)), 0, 0},
	{"cvt.rzi.u64.f32 %d, %a;", "b64 f32", inf, 0, math.MaxUint64},
	{"cvt.rni.f32.f32 %d, %a;", "f32 f32", uint64(math.Float32bits(3.5)), 0, uint64(math.Float32bits(4))},
	{"cvt.rmi.f32.f32 %d, %a;", "f32 f32", uint64(math.Float32bits(-3.5)), 0, uint64(math.Float32bits(-4))},
	{"cvt.sat.f32.f32 %d, %a;", "f32 f32", uint64(math.Float32bits(-3.5)), 0, 0},
	{"cvt.rn.f16x2.f32 %d, %a, %b;", "b32 f32 f32", 0x3f800000, 0x40000000, 0x3c004000},
	{"cvt.rn.bf16x2.f32 %d, %a, %b;", "b32 f32 f32", 0x3f808000, 0x3f818000, 0x3f803f82},
	{"cvt.rn.relu.bf16x2.f32 %d, %a, %b;", "b32 f32 f32", 0xbf800000, 0x3f800000, 0x3f80},
	{"cvt.rna.tf32.f32 %d, %a;", "b32 f32", 0x3f801000, 0, 0x3f802000},
	{"cvt.rn.satfinite.e4m3x2.f32 %d, %a, %b;", "b16 f32 f32", 0x3f800000, 0x43e80000, 0x387e}, // 1, 464
	{"cvt.rn.satfinite.e4m3x2.f32 %d, %a, %b;", "b16 f32 f32", nan, 0xc7000000, 0x7ffe},
	{"cvt.rn.satfinite.e5m2x2.f32 %d, %a, %b;", "b16 f32 f32", inf, 0x3f900000, 0x7b3c},
	{"cvt.rn.satfinite.relu.e5m2x2.f32 %d, %a, %b;", "b16 f32 f32", 0xbf800000, 0x37800000, 0x0001},
	{"cvt.rn.f16x2.e4m3x2 %d, %a;", "b32 b16", 0x7e01, 0, 0x5f001800},
	{"cvt.rn.f16x2.e5m2x2 %d, %a;", "b32 b16", 0xfc3c, 0, 0xfc003c00},
	{"cvt.rna.satfinite.tf32.f32 %d, %a;", "b32 f32", 0x7f7fffff, 0, 0x7f7fe000},
	{"testp.normal.f32 %p2, %a; selp.b32 %d, 1, 0, %p2;", "b32 f32", 1, 0, 0},
	{"setp.ltu.f32 %p2, %a, %b; selp.b32 %d, 1, 0, %p2;", "b32 f32 f32", nan, 0, 1},
	{"setp.lt.f32 %p2, %a, %b; selp.b32 %d, 1, 0, %p2;", "b32 f32 f32", nan, 0, 0},
	{"setp.ne.f32 %p2, %a, %b; selp.b32 %d, 1, 0, %p2;", "b32 f32 f32", nan, 0, 0},
	{"setp.neu.f32 %p2, %a, %b; selp.b32 %d, 1, 0, %p2;", "b32 f32 f32", nan, 0, 1},
	{"setp.num.f32 %p2, %a, %b; selp.b32 %d, 1, 0, %p2;", "b32 f32 f32", nan, 0, 0},
	{"setp.lt.f16x2 %p2|%p3, %a, %b; selp.b32 %r5, 1, 0, %p2; selp.b32 %d, 2, %r5, %p3;", "b32 b32 b32", 0x3c004000, 0x40003c00, 2},
}

func TestFloatTable(t *testing.T) {
	for _, c := range floatTable {
		got := one(t, c.line, c.regs, Nearest, [][3]uint64{{c.a, c.b}})
		require.Equal(t, c.want, got[0], "%s of %x, %x: got %x", c.line, c.a, c.b, got[0])
	}
}

// Approximate instructions: within the bound of the manual at both ends, and the ends differ.
func TestApproximations(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		op     string
		lo, hi float64
		f      func(x float64) float64
		within func(got, want, x float64) bool
	}{
		{"ex2.approx.ftz.f32", -120, 120, math.Exp2, relative(2.5 * 0x1p-23)},
		{"lg2.approx.f32", 2, 1e6, math.Log2, relative(0x1p-22)},
		{"lg2.approx.f32", 0.5, 2, math.Log2, absolute1(0x1p-22)},
		{"rcp.approx.f32", 0.001, 1000, func(x float64) float64 { return 1 / x }, relative(1.5 * 0x1p-23)},
		{"rsqrt.approx.f32", 0.001, 1000, func(x float64) float64 { return 1 / math.Sqrt(x) }, relative(math.Exp2(-22.9))},
		{"sqrt.approx.f32", 0.001, 1000, math.Sqrt, relative(0x1p-23)},
		{"sin.approx.f32", -6.28, 6.28, math.Sin, absolute1(math.Exp2(-20.5))},
		{"cos.approx.f32", -6.28, 6.28, math.Cos, absolute1(math.Exp2(-20.5))},
		{"tanh.approx.f32", -5, 5, math.Tanh, relative(0x1p-11)},
	} {
		var in [][3]uint64
		for range 500 {
			in = append(in, [3]uint64{f32s(float32(c.lo + rnd.Float64()*(c.hi-c.lo)))[0]})
		}
		var ends [2][]uint64
		for i, approx := range []Approx{Low, High} {
			ends[i] = one(t, c.op+" %d, %a;", "f32 f32", approx, in)
			for j, x := range in {
				got, want := float64(fl(ends[i][j])), c.f(float64(fl(x[0])))
				require.True(t, c.within(got, want, float64(fl(x[0]))), "%s of %v: %v, exactly %v", c.op, fl(x[0]), got, want)
			}
		}
		apart := 0
		for j := range in {
			require.GreaterOrEqual(t, fl(ends[1][j]), fl(ends[0][j]))
			if ends[0][j] != ends[1][j] {
				apart++
			}
		}
		require.Greater(t, apart, len(in)/2, "%s: the ends are the same", c.op)
	}
	for _, c := range []struct {
		line    string
		a, want uint64
	}{
		{"ex2.approx.f32 %d, %a;", 0, 0x3f800000}, {"ex2.approx.f32 %d, %a;", 0xff800000, 0}, {"rcp.approx.f32 %d, %a;", 0x80000000, 0xff800000},
		{"lg2.approx.f32 %d, %a;", 0, 0xff800000}, {"rsqrt.approx.f32 %d, %a;", 0xbf800000, 0x7fffffff}, {"sin.approx.f32 %d, %a;", 0x7f800000, 0x7fffffff},
	} {
		require.Equal(t, []uint64{c.want}, one(t, c.line, "f32 f32", High, [][3]uint64{{c.a}}), c.line)
	}
	lo := one(t, "div.full.f32 %d, %a, %b;", "f32 f32 f32", Low, [][3]uint64{{0x40400000, 0x3f800000}})
	require.Equal(t, uint64(0x40400000-2), lo[0])
}

func relative(bound float64) func(got, want, x float64) bool {
	return func(got, want, _ float64) bool { return math.Abs(got-want) <= bound*math.Abs(want) }
}

func absolute1(bound float64) func(got, want, x float64) bool {
	return func(got, want, _ float64) bool { return math.Abs(got-want) <= bound }
}

// exactly is a + b without any rounding.
func exactly(a, b float64) *big.Float {
	z := new(big.Float).SetPrec(3000)
	return z.Add(big.NewFloat(a), big.NewFloat(b))
}
