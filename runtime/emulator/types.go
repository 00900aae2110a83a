package emulator

import "strings"

// An elem is a PTX type: kind 'u', 's', 'b' (bits), 'f' (IEEE float), 'x'
// (bfloat16), 't' (tf32) or 'p' (predicate); pair marks the packed x2 forms,
// whose bits are those of one half.
type elem struct {
	kind byte
	bits int
	pair bool
}

var elems = map[string]elem{
	"pred": {'p', 1, false},
	"b8":   {'b', 8, false}, "b16": {'b', 16, false}, "b32": {'b', 32, false}, "b64": {'b', 64, false},
	"u8": {'u', 8, false}, "u16": {'u', 16, false}, "u32": {'u', 32, false}, "u64": {'u', 64, false},
	"s8": {'s', 8, false}, "s16": {'s', 16, false}, "s32": {'s', 32, false}, "s64": {'s', 64, false},
	"f16": {'f', 16, false}, "f32": {'f', 32, false}, "f64": {'f', 64, false}, "f16x2": {'f', 16, true},
	"bf16": {'x', 16, false}, "bf16x2": {'x', 16, true}, "tf32": {'t', 32, false},
}

func (e elem) float() bool { return e.kind == 'f' || e.kind == 'x' || e.kind == 't' }

// width is the number of bits of a register that holds e.
func (e elem) width() int {
	if e.pair {
		return 2 * e.bits
	}
	return e.bits
}

func (e elem) bytes() int { return max(1, e.width()/8) }

func (e elem) mask() uint64 { return ones(e.width()) }

func ones(bits int) uint64 {
	if bits >= 64 {
		return ^uint64(0)
	}
	return 1<<bits - 1
}

// signExtend reads the low bits of v as a signed number.
func signExtend(v uint64, bits int) int64 {
	s := uint(64 - bits)
	return int64(v<<s) >> s
}

// extend makes a register's value of v, which is of type e: sign or zeros to 64 bits.
func (e elem) extend(v uint64) uint64 {
	if e.kind == 's' {
		return uint64(signExtend(v, e.bits))
	}
	return v & e.mask()
}

// mods are the parts of an opcode after its base: cvt.rn.f32.s32 has rn, f32, s32.
type mods []string

func (m mods) has(name string) bool {
	for _, s := range m {
		if s == name {
			return true
		}
	}
	return false
}

// one is the first of names that is among the modifiers, or "".
func (m mods) one(names ...string) string {
	for _, s := range m {
		for _, n := range names {
			if s == n {
				return s
			}
		}
	}
	return ""
}

// types are the element types among the modifiers, in order.
func (m mods) types() []elem {
	var out []elem
	for _, s := range m {
		if e, ok := elems[s]; ok {
			out = append(out, e)
		}
	}
	return out
}

func splitOpcode(word string) (string, mods) {
	base, rest, found := strings.Cut(word, ".")
	if !found {
		return base, nil
	}
	return base, strings.Split(rest, ".")
}
