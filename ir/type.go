package ir

import (
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
