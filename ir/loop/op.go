package loop

// Op is a row of the op table. Nothing outside the table's rows switches over
// ops: what differs between ops is a field of the row.
type Op uint8

const (
	Invalid Op = iota
	// Leaves.
	Const
	AxisIndex // the index along Value.Axis, i64
	Load
	CarryIn
	CarryOut
	// Arithmetic on equal element types. Integer Div and Mod round down; Div of floats is IEEE.
	Add
	Sub
	Mul
	Div
	Mod
	Neg
	Abs
	Min // NaN if either is NaN
	Max
	Floor
	Round // half to even
	Sqrt
	FMA // a*b + c, rounded once
	// Transcendental, expanded to the above by step expand.
	Rsqrt
	Exp
	ExpNeg // of an argument that is not positive
	Log
	Log1p
	Expm1
	Tanh
	Sigmoid
	Erf
	Sin
	Cos
	Pow
	// Comparison: bool.
	Eq
	Ne
	Lt
	Le
	Gt
	Ge
	// Bool, and bits of integers.
	And
	Or
	Xor
	Not
	Shl
	Shr   // logical for u32, arithmetic for signed
	MulHi // high 32 bits of the product of two u32
	// Conversion.
	Cast    // to Value.Elem; float to integer truncates and saturates, float to bool is x != 0
	Bitcast // same size
	Where   // where(cond, a, b)
	// Random bits: philox(key0, key1, c0, c1, c2, c3, w) is word w (0..3) of Philox4x32-10, u32. All arguments u32.
	Philox
	// Over axes.
	ReduceSum  // 64 partials, element j to partial j mod 64 ascending; registers of 16 in order; lanes by xor-halving
	ReduceSeq  // ascending, last axis of Over fastest: a sum over axes that are not on lanes
	ReduceProd // the order of ReduceSum
	ReduceMin
	ReduceMax
	ReduceArgMax // i32, index along the one axis of Over; the first of equals; NaN is what either looks for
	ReduceArgMin
	Dot // dot[Over](a, b [, c])
	At  // at[Axis = Args[0]](Args[1])
	NumOps
)
