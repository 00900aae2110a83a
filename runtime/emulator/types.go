package emulator

import "strings"

// An elem is a PTX type: kind 'u', 's', 'b' (bits), 'f' (IEEE float), 'x'
// (bfloat16), 't' (tf32), 'q' (e4m3), 'r' (e5m2) or 'p' (predicate); pair marks the packed x2 forms,
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
	"e4m3": {'q', 8, false}, "e5m2": {'r', 8, false},
	"e4m3x2": {'q', 8, true}, "e5m2x2": {'r', 8, true},
}

func (e elem) float() bool { return strings.IndexByte("fxtqr", e.kind) >= 0 }

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
// They remember which of them were asked for, so that one that means something the
// emulator does not know of is refused and not passed over.
type mods struct {
	names []string
	asked []bool
}

func (m mods) has(name string) bool { return m.one(name) != "" }

// one is the first of names that is among the modifiers, or "".
func (m mods) one(names ...string) string {
	for i, s := range m.names {
		for _, n := range names {
			if s == n {
				m.asked[i] = true
				return s
			}
		}
	}
	return ""
}

// all asks for every modifier.
func (m mods) all() {
	for i := range m.asked {
		m.asked[i] = true
	}
}

// types are the element types among the modifiers, in order.
func (m mods) types() []elem {
	var out []elem
	for i, s := range m.names {
		if e, ok := elems[s]; ok {
			m.asked[i] = true
			out = append(out, e)
		}
	}
	return out
}

// hints change the speed of a GPU and not what is computed.
var hints = map[string]bool{"uni": true, "weak": true, "volatile": true, "ca": true, "cg": true, "cs": true, "lu": true, "cv": true, "wb": true, "wt": true}

// unknown is a modifier that nobody asked for and that is no hint, or "".
func (m mods) unknown() string {
	for i, s := range m.names {
		if !m.asked[i] && !hints[s] && !strings.HasPrefix(s, "L1::") && !strings.HasPrefix(s, "L2::") {
			return s
		}
	}
	return ""
}

func splitOpcode(word string) (string, mods) {
	base, rest, found := strings.Cut(word, ".")
	if !found {
		return base, mods{}
	}
	names := strings.Split(rest, ".")
	return base, mods{names, make([]bool, len(names))}
}
