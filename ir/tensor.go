package ir

import (
	"fmt"

	"mdlc/ir/loop"
)

// Tensor is a value of the reference evaluator, at its actual lengths,
// row-major: floats of any type as float64, integers and bools exactly. A
// tuple has only Tuple.
type Tensor struct {
	Elem  Elem
	Dims  []int
	F     []float64 // floats
	I     []int64   // integers and bools
	Tuple []*Tensor
}

// NewTensor is zeros.
func NewTensor(e Elem, dims ...int) *Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	t := &Tensor{Elem: e, Dims: dims}
	if e.IsFloat() {
		t.F = make([]float64, size)
	} else {
		t.I = make([]int64, size)
	}
	return t
}

// Floats is a tensor of f32 with the given values.
func Floats(values []float64, dims ...int) *Tensor {
	t := NewTensor(loop.F32, dims...)
	copy(t.F, values)
	return t
}

// Ints is a tensor of an integer type with the given values.
func Ints(e Elem, values []int64, dims ...int) *Tensor {
	t := NewTensor(e, dims...)
	copy(t.I, values)
	return t
}

// IntScalar is a rank-0 integer.
func IntScalar(e Elem, v int64) *Tensor { return Ints(e, []int64{v}) }

// Len is the number of elements.
func (t *Tensor) Len() int { return len(t.F) + len(t.I) }

func (t *Tensor) offset(at []int) int {
	flat := 0
	for k, d := range t.Dims {
		flat = flat*d + at[k]
	}
	return flat
}

// each calls f for each element, in order; idx is reused.
func (t *Tensor) each(f func(flat int, idx []int)) {
	idx := make([]int, len(t.Dims))
	for flat := range t.Len() {
		f(flat, idx)
		for k := len(idx) - 1; k >= 0; k-- {
			if idx[k]++; idx[k] < t.Dims[k] {
				break
			}
			idx[k] = 0
		}
	}
}

func (t *Tensor) copyFrom(at int, x *Tensor, from int) {
	if t.F != nil {
		t.F[at] = x.F[from]
	} else {
		t.I[at] = x.I[from]
	}
}

func (t *Tensor) setNumber(at int, v float64) {
	if t.F != nil {
		t.F[at] = v
	} else {
		t.I[at] = wrap(t.Elem, int64(v))
	}
}

// slice is row i of the first axis, setSlice sets it.
func (t *Tensor) slice(i int) *Tensor {
	s := NewTensor(t.Elem, t.Dims[1:]...)
	n := s.Len()
	if t.F != nil {
		copy(s.F, t.F[i*n:(i+1)*n])
	} else {
		copy(s.I, t.I[i*n:(i+1)*n])
	}
	return s
}

func (t *Tensor) setSlice(i int, s *Tensor) {
	n := s.Len()
	if t.F != nil {
		copy(t.F[i*n:(i+1)*n], s.F)
	} else {
		copy(t.I[i*n:(i+1)*n], s.I)
	}
}

// wrap reduces an integer to its type.
func wrap(e Elem, v int64) int64 {
	switch e {
	case loop.Bool:
		return v & 1
	case loop.I8:
		return int64(int8(v))
	case loop.U8:
		return int64(uint8(v))
	case loop.I32:
		return int64(int32(v))
	case loop.U32:
		return int64(uint32(v))
	}
	return v
}

// saturate converts a float to an integer type: truncated, at the ends of the range, NaN to 0.
func saturate(e Elem, f float64) int64 {
	lo, hi := int64(-1<<63), int64(1<<63-1)
	switch e {
	case loop.I8:
		lo, hi = -1<<7, 1<<7-1
	case loop.U8:
		lo, hi = 0, 1<<8-1
	case loop.I32:
		lo, hi = -1<<31, 1<<31-1
	case loop.U32:
		lo, hi = 0, 1<<32-1
	}
	switch {
	case f != f:
		return 0
	case f <= float64(lo):
		return lo
	case f >= float64(hi):
		return hi
	}
	return int64(f)
}

// At is the element at flat place i as a number.
func (t *Tensor) At(i int) float64 {
	if t.F != nil {
		return t.F[i]
	}
	return float64(t.I[i])
}

func (t *Tensor) String() string {
	if t.Tuple != nil {
		return fmt.Sprint(t.Tuple)
	}
	if t.F != nil {
		return fmt.Sprintf("%s%v%v", t.Elem, t.Dims, t.F)
	}
	return fmt.Sprintf("%s%v%v", t.Elem, t.Dims, t.I)
}
