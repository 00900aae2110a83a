// Package loop is the kernel IR: tiles with named axes, one language from
// equations to scheduled loops. ARCHITECTURE.md describes it.
package loop

import "fmt"

// Elem is an element type, shared by both IRs and the runtime.
type Elem uint8

const (
	Bool Elem = iota // one byte, 0 or 1
	I8
	U8
	I32
	U32
	I64
	F8E4M3
	F8E5M2
	F16
	BF16
	F32
	F64
	numElems
)

var elems = [numElems]struct {
	name  string
	size  int
	float bool
}{
	Bool: {"bool", 1, false}, I8: {"i8", 1, false}, U8: {"u8", 1, false}, I32: {"i32", 4, false}, U32: {"u32", 4, false},
	I64: {"i64", 8, false}, F8E4M3: {"f8e4m3", 1, true}, F8E5M2: {"f8e5m2", 1, true}, F16: {"f16", 2, true},
	BF16: {"bf16", 2, true}, F32: {"f32", 4, true}, F64: {"f64", 8, true},
}

func (e Elem) String() string { return elems[e].name }

// Size is the number of bytes of one element in memory.
func (e Elem) Size() int { return elems[e].size }

// IsFloat reports whether e is a floating-point type.
func (e Elem) IsFloat() bool { return elems[e].float }

// IsInt reports whether e is an integer type; bool is not.
func (e Elem) IsInt() bool { return e != Bool && !elems[e].float }

// ParseElem is the inverse of String.
func ParseElem(s string) (Elem, error) {
	for e := range elems {
		if elems[e].name == s {
			return Elem(e), nil
		}
	}
	return 0, fmt.Errorf("unknown element type %q", s)
}

// MarshalText and UnmarshalText write and read the name.
func (e Elem) MarshalText() ([]byte, error) {
	if e >= numElems {
		return nil, fmt.Errorf("element type %d does not exist", e)
	}
	return []byte(e.String()), nil
}

func (e *Elem) UnmarshalText(b []byte) (err error) {
	*e, err = ParseElem(string(b))
	return err
}

// Pos is a place in the user's source.
type Pos struct {
	File      string
	Line, Col int
	From      string `json:",omitempty"` // of a place in the library: file:line:column of the call in the user's files that led there
}

func (p Pos) String() string {
	if p.File == "" {
		return "-"
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Trail is p and what led there.
func (p Pos) Trail() string {
	if p.From == "" {
		return p.String()
	}
	return p.String() + ", called from " + p.From
}
