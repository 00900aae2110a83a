package ir

import (
	"strconv"
	"strings"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Elem is an element type.
type Elem = loop.Elem

// Pos is a place in the user's source.
type Pos = loop.Pos

// Dim is one axis of a type. Size is what the compiler knows: the exact size
// where Len is nil, else the capacity that memory is laid out by. Len is a
// runtime length, an expression over the symbols of the graph, 0 <= Len <= Size.
type Dim struct {
	Size int
	Len  *index.Expr
}

// Type is the type of a value: a tensor of Elem, or, for ops with several
// results (loop, cluster, grad), a tuple. A rank-0 tensor is a scalar.
type Type struct {
	Elem  Elem
	Dims  []Dim
	Tuple []Type
}

// TensorOf is the type of a tensor of fixed sizes.
func TensorOf(e Elem, sizes ...int) Type {
	t := Type{Elem: e}
	for _, n := range sizes {
		t.Dims = append(t.Dims, Dim{Size: n})
	}
	return t
}

// OfDims is the type of a tensor with the given dims.
func OfDims(e Elem, dims []Dim) Type { return Type{Elem: e, Dims: dims} }

// TupleOf is the type of an op with several results.
func TupleOf(ts ...Type) Type {
	if ts == nil {
		ts = []Type{}
	}
	return Type{Tuple: ts}
}

// DynDim is an axis of length n, an expression over the symbols, with the
// given capacity. A constant length that fills the capacity is a fixed size.
func DynDim(n *index.Expr, capacity int) Dim {
	if n == nil || n.IsConst(capacity) {
		return Dim{Size: capacity}
	}
	return Dim{Size: capacity, Len: n}
}

// Length is the length of the axis as an expression.
func (d Dim) Length() *index.Expr {
	if d.Len != nil {
		return d.Len
	}
	return index.C(d.Size)
}

// Equal reports whether the axes have the same length and capacity.
func (d Dim) Equal(e Dim) bool { return d.Size == e.Size && index.Equal(d.Len, e.Len) }

func (d Dim) String() string {
	if d.Len == nil {
		return strconv.Itoa(d.Size)
	}
	return d.Len.String() + "<=" + strconv.Itoa(d.Size)
}

// IsTuple reports whether t has several values.
func (t Type) IsTuple() bool { return t.Tuple != nil }

// Rank is the number of axes.
func (t Type) Rank() int { return len(t.Dims) }

// Size is the number of elements at full capacity.
func (t Type) Size() int {
	n := 1
	for _, d := range t.Dims {
		if n > 0 && d.Size > beyond/n {
			n = beyond
		} else {
			n *= d.Size
		}
	}
	return n
}

// beyond is more elements than any memory has. What is larger counts as many, so that bytes and their sums are no negative numbers.
const beyond = 1 << 50

// Bytes is the memory of a value of type t at full capacity.
func (t Type) Bytes() int {
	if t.IsTuple() {
		n := 0
		for _, x := range t.Tuple {
			n += x.Bytes()
		}
		return n
	}
	return t.Size() * t.Elem.Size()
}

// IsDynamic reports whether an axis has a runtime length.
func (t Type) IsDynamic() bool {
	for _, d := range t.Dims {
		if d.Len != nil {
			return true
		}
	}
	for _, x := range t.Tuple {
		if x.IsDynamic() {
			return true
		}
	}
	return false
}

// WithElem is t with another element type.
func (t Type) WithElem(e Elem) Type { return Type{Elem: e, Dims: t.Dims} }

// Equal reports whether the types are the same.
func (t Type) Equal(u Type) bool {
	if t.IsTuple() != u.IsTuple() || len(t.Tuple) != len(u.Tuple) {
		return false
	}
	if t.IsTuple() {
		for i := range t.Tuple {
			if !t.Tuple[i].Equal(u.Tuple[i]) {
				return false
			}
		}
		return true
	}
	return t.Elem == u.Elem && SameDims(t.Dims, u.Dims)
}

// SameDims reports whether two shapes are equal.
func SameDims(a, b []Dim) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// String is the text form: f32[12, T<=64, 128], (f32[], i32[3]).
func (t Type) String() string {
	if t.IsTuple() {
		parts := make([]string, len(t.Tuple))
		for i, x := range t.Tuple {
			parts[i] = x.String()
		}
		return "(" + strings.Join(parts, ", ") + ")"
	}
	return t.Elem.String() + dimsText(t.Dims)
}

func dimsText(dims []Dim) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = d.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
