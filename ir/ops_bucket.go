package ir

import (
	"fmt"
	"math"

	"mdlc/ir/loop"
)

// Sorting by digits. A number has a place among all numbers of its type; digit is a byte of that place, and bucket sorts by such
// bytes. Sorted by each of its digits, from the lowest on, a row is in order (expand_sort.go).

// Buckets is how many buckets there are: the values of a byte.
const Buckets = 1 << 8

// DigitAttr is the attribute of digit: which one, from the lowest on.
type DigitAttr struct{ K int }

func init() {
	OpDigit = define(&Op{
		Name: "digit", Arity: 1, Doc: "a byte, the lowest being 0, of the place of x among all numbers of its type, u8; -0 is 0, and NaN the largest", Class: ClassElementwise,
		Infer: func(_ *Scope, n *Node) (Type, error) {
			x, k := n.Args[0].Type, n.Attr.(DigitAttr).K
			if x.IsTuple() || x.Elem == loop.Bool {
				return x, takes("numbers", x)
			}
			if k < 0 || k >= Digits(x.Elem) {
				return x, fmt.Errorf("digit %d of %d that %s has", k, Digits(x.Elem), x.Elem)
			}
			return x.WithElem(loop.U8), nil
		},
		NoGrad:    flat,
		Lower:     lowerDigit,
		Cost:      func(*Node) float64 { return 8 },
		Eval:      evalDigit,
		ParseAttr: parseDigit,
	})
	OpBucket = define(&Op{
		Name: "bucket", Arity: 2, Doc: "the last axis of x in the order of the buckets that d, u8, names; in a bucket as before", Class: ClassScatter,
		Infer: func(_ *Scope, n *Node) (Type, error) {
			x, d := n.Args[0].Type, n.Args[1].Type
			if x.IsTuple() || x.Rank() == 0 || !d.Equal(x.WithElem(loop.U8)) {
				return x, shapesDiffer(d, x.WithElem(loop.U8))
			}
			return x, nil
		},
		NoGrad: "expand makes it, after gradients are taken",
		Cost:   func(*Node) float64 { return 6 },
		Eval:   evalBucket,
	})
}

// Digits is how many digits the numbers of a type have. Floats narrower than f32 have those of f32 but the lowest, which are
// alike in all of them.
func Digits(e Elem) int {
	switch {
	case e == loop.F16:
		return 3
	case e.IsFloat() && e.Size() == 1:
		return 4
	}
	return e.Size()
}

// lowest is the byte that is digit 0.
func lowest(e Elem) int {
	if e.IsFloat() {
		return max(e.Size(), 4) - Digits(e)
	}
	return 0
}

// lowerDigit: integers that are ordered as floats are their bits with the sign turned, of negative ones all bits.
func lowerDigit(c *LowerCtx, n *Node, idx []*loop.Value) *loop.Value {
	x, k := c.Args[0](idx), 8*(n.Attr.(DigitAttr).K+lowest(n.Args[0].Type.Elem))
	wide, least := loop.U32, float64(math.MinInt32)
	if x.Elem.Size() == 8 {
		wide, least = loop.I64, math.MinInt64
	}
	sign := number(c, wide, least)
	switch {
	case x.Elem.IsFloat():
		if x.Elem.Size() < 4 {
			x = convert(c, x, loop.F32)
		}
		y := c.B.Op(loop.Add, x, number(c, x.Elem, 0)) // -0 becomes 0
		bits := c.B.Bitcast(wide, y)
		negative := c.B.Op(loop.Lt, y, number(c, x.Elem, 0))
		bits = c.B.Where(negative, c.B.Op(loop.Not, bits), c.B.Op(loop.Xor, bits, sign))
		x = c.B.Where(c.B.Op(loop.Ne, x, x), number(c, wide, -1), bits)
	case x.Elem == loop.I8:
		x = c.B.Op(loop.Add, convert(c, x, loop.I32), number(c, loop.I32, 128))
	case x.Elem == loop.I32:
		x = c.B.Op(loop.Xor, c.B.Bitcast(wide, x), sign)
	case x.Elem == loop.I64:
		x = c.B.Op(loop.Xor, x, sign)
	}
	if k > 0 {
		x = c.B.Op(loop.Shr, x, number(c, x.Elem, float64(k)))
	}
	if x.Elem.Size() > 1 {
		x = c.B.Op(loop.And, x, number(c, x.Elem, Buckets-1))
	}
	return convert(c, x, loop.U8)
}

func evalDigit(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	x, k := args[0], 8*(n.Attr.(DigitAttr).K+lowest(n.Args[0].Type.Elem))
	return e.fill(n.Type, func(t *Tensor, at int, _ []int) {
		var bits uint64
		switch size := max(x.Elem.Size(), 4); {
		case x.F == nil:
			bits = uint64(x.I[at])
			if x.Elem != loop.U8 && x.Elem != loop.U32 {
				bits ^= 1 << (8*x.Elem.Size() - 1)
			}
		case x.F[at] != x.F[at]:
			bits = math.MaxUint64
		case size == 4:
			if bits = uint64(math.Float32bits(float32(math.Abs(x.F[at])))) | 1<<31; x.F[at] < 0 {
				bits = ^bits
			}
		default:
			if bits = math.Float64bits(math.Abs(x.F[at])) | 1<<63; x.F[at] < 0 {
				bits = ^bits
			}
		}
		t.I[at] = int64(bits >> k & (Buckets - 1))
	})
}

func evalBucket(e *Evaluator, n *Node, args []*Tensor) *Tensor {
	x, d := args[0], args[1]
	t := e.zeros(n.Type)
	size := x.Dims[len(x.Dims)-1]
	for row := 0; row < len(d.I); row += size {
		place := row
		for bucket := range int64(Buckets) {
			for at := row; at < row+size; at++ {
				if d.I[at] == bucket {
					t.copyFrom(place, x, at)
					place++
				}
			}
		}
	}
	return t
}
