package runtime

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"mdlc/ir/loop"
)

var little = binary.LittleEndian

// readElem is element i of mem as a float64.
func readElem(e loop.Elem, mem []byte, i int) float64 {
	mem = mem[i*e.Size():]
	switch e {
	case loop.Bool, loop.U8:
		return float64(mem[0])
	case loop.F8E4M3, loop.F8E5M2:
		return loop.FromBits(e, uint64(mem[0]))
	case loop.I8:
		return float64(int8(mem[0]))
	case loop.I32:
		return float64(int32(little.Uint32(mem)))
	case loop.U32:
		return float64(little.Uint32(mem))
	case loop.I64:
		return float64(int64(little.Uint64(mem)))
	case loop.F16:
		return decodeF16(little.Uint16(mem))
	case loop.BF16:
		return float64(math.Float32frombits(uint32(little.Uint16(mem)) << 16))
	case loop.F32:
		return float64(math.Float32frombits(little.Uint32(mem)))
	case loop.F64:
		return math.Float64frombits(little.Uint64(mem))
	}
	panic(fmt.Sprintf("runtime: reading an element of type %s", e))
}

func decodeF16(h uint16) float64 {
	mantissa, exponent := float64(h&0x3ff), int(h>>10&0x1f)
	v := math.Ldexp(mantissa/1024+1, exponent-15)
	switch {
	case exponent == 0:
		v = math.Ldexp(mantissa, -24)
	case exponent == 31 && mantissa == 0:
		v = math.Inf(1)
	case exponent == 31:
		return math.NaN()
	}
	return math.Copysign(v, float64(1-2*int(h>>15)))
}

// canFeed reports whether writeElem knows e.
func canFeed(e loop.Elem) bool {
	return e != loop.F8E4M3 && e != loop.F8E5M2 && e != loop.F16 && e != loop.BF16
}

// writeElem sets element i of mem to v, rounded to the element type.
func writeElem(e loop.Elem, mem []byte, i int, v float64) {
	mem = mem[i*e.Size():]
	switch e {
	case loop.Bool:
		mem[0] = 0
		if v != 0 {
			mem[0] = 1
		}
	case loop.I8, loop.U8:
		mem[0] = byte(int64(v))
	case loop.I32, loop.U32:
		little.PutUint32(mem, uint32(int64(v)))
	case loop.I64:
		little.PutUint64(mem, uint64(int64(v)))
	case loop.F32:
		little.PutUint32(mem, math.Float32bits(float32(v)))
	case loop.F64:
		little.PutUint64(mem, math.Float64bits(v))
	default:
		panic(fmt.Sprintf("runtime: writing an element of type %s", e))
	}
}

// appendNumber writes v of type e for people or programs: an integer in full, another with so many digits that count, or with
// those that tell it from its neighbours (-1).
func appendNumber(line []byte, e loop.Elem, v float64, digits int) []byte {
	bits := 64
	switch {
	case !e.IsFloat():
		return strconv.AppendInt(line, int64(v), 10)
	case digits < 0 && e.Size() < 8:
		bits = 32
	}
	return strconv.AppendFloat(line, v, 'g', digits, bits)
}
