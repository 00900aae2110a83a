// Package llir is a thin layer over github.com/llir/llvm: opaque pointers,
// exact constants, and a builder that knows the instructions mdlc emits.
package llir

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/llir/llvm/ir/types"
	"github.com/llir/llvm/ir/value"
)

// ptrType is LLVM's opaque pointer into an address space; llir itself only has typed pointers.
type ptrType struct{ space int }

func (p ptrType) String() string {
	if p.space == 0 {
		return "ptr"
	}
	return fmt.Sprintf("ptr addrspace(%d)", p.space)
}
func (p ptrType) LLString() string        { return p.String() }
func (ptrType) Name() string              { return "" }
func (ptrType) SetName(string)            {}
func (p ptrType) Equal(u types.Type) bool { return u == types.Type(p) }

// Ptr is the type `ptr`; GlobalPtr and SharedPtr are those of a GPU's memory and of a block's.
var (
	Ptr       types.Type = ptrType{}
	GlobalPtr types.Type = ptrType{1}
	SharedPtr types.Type = ptrType{3}
)

// Vec is <n x t>; n = 0 is t itself.
func Vec(n int, t types.Type) types.Type {
	if n == 0 {
		return t
	}
	return types.NewVector(uint64(n), t)
}

// Lanes is the number of elements of a vector type, 0 for a scalar.
func Lanes(t types.Type) int {
	if v, ok := t.(*types.VectorType); ok {
		return int(v.Len)
	}
	return 0
}

// Scalar is the element type of a vector type, or t itself.
func Scalar(t types.Type) types.Type {
	if v, ok := t.(*types.VectorType); ok {
		return v.ElemType
	}
	return t
}

// Const is a constant with its exact text.
type Const struct {
	typ  types.Type
	text string
}

func (c *Const) String() string   { return c.typ.String() + " " + c.text }
func (c *Const) Type() types.Type { return c.typ }
func (c *Const) Ident() string    { return c.text }
func (c *Const) IsConstant()      {}

// Int is the integer k of type t (i1 prints as true or false).
func Int(t types.Type, k int64) *Const {
	if t.Equal(types.I1) {
		return &Const{t, strconv.FormatBool(k&1 == 1)}
	}
	return &Const{t, strconv.FormatInt(k, 10)}
}

// Float is x as float or double, in hexadecimal so that no digit is lost.
func Float(t types.Type, x float64) *Const {
	if t.Equal(types.Float) {
		x = float64(float32(x))
	}
	return &Const{t, fmt.Sprintf("0x%016X", math.Float64bits(x))}
}

// SplatConst repeats a scalar constant over n lanes.
func SplatConst(n int, c *Const) *Const {
	if n == 0 {
		return c
	}
	return &Const{Vec(n, c.typ), "splat (" + c.typ.String() + " " + c.text + ")"}
}

// Ints is the vector of n integers f(0), f(1), ….
func Ints(n int, t types.Type, f func(int) int64) *Const {
	parts := make([]string, n)
	elem := t.String() + " "
	for i := range parts {
		parts[i] = elem + Int(t, f(i)).text
	}
	if len(slices.Compact(slices.Clone(parts))) == 1 {
		return SplatConst(n, Int(t, f(0)))
	}
	return &Const{Vec(n, t), "<" + strings.Join(parts, ", ") + ">"}
}

// Zero is the zero of any type.
func Zero(t types.Type) *Const {
	if Lanes(t) > 0 {
		return &Const{t, "zeroinitializer"}
	}
	switch t.(type) {
	case *types.FloatType:
		return Float(t, 0)
	case *types.IntType:
		return Int(t, 0)
	}
	return &Const{t, "null"}
}

// Global is the address of a global symbol.
func Global(name string) value.Value { return GlobalIn(Ptr, name) }

// GlobalIn is one in another address space.
func GlobalIn(t types.Type, name string) value.Value { return &Const{t, "@" + name} }
