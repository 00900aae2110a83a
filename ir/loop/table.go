package loop

import (
	"fmt"
	"math"
)

// Class says what kind of row an op is.
type Class uint8

const (
	ClassLeaf Class = iota
	ClassArith
	ClassTranscendental
	ClassCompare
	ClassConvert // cast, bitcast
	ClassReduce
	ClassDot
	ClassSelect // where, at
)

// Info is a row of the op table. The float functions compute in float64; the
// typed evaluator rounds their result to the element type, which for add, sub,
// mul, div and sqrt of f32 and narrower types is the correctly rounded result.
type Info struct {
	Name  string // in text: exp(x), sum[j](x)
	Infix string // in text, where it has one: a + b, -a
	Prec  int    // of the infix form, higher binds tighter
	Arity int    // -1: any
	Class Class
	Cost  float64 // in multiplications
	// Rule gives the result's type; nil where the type is given from outside
	// (leaves, conversions).
	Rule func(args []Elem) (Elem, error)

	f1 func(x float64) float64
	f2 func(x, y float64) float64
	f3 func(x, y, z float64) float64
	i1 func(x int64) int64
	i2 func(x, y int64) (r int64, ok bool) // !ok: undefined, as a division by 0 is
	// exact gives the one rounding of ops where rounding the float64 result would round twice.
	exact func(x, y, z float64, e Elem) float64
	cmpF  func(x, y float64) bool
	cmpI  func(x, y int64) bool
	// reduce: the step, for floats and integers, and its identity.
	unitF float64
	unitI func(e Elem) int64
	arg   int // arg reductions: +1 the largest, -1 the smallest
	// decides: this value of one bool operand makes the result, whatever the other is.
	decides *int64
}

// Info is the row of op.
func (op Op) Info() *Info {
	if int(op) >= len(table) {
		return &table[Invalid]
	}
	return &table[op]
}

func (op Op) String() string {
	if r := op.Info(); r.Name != "" {
		return r.Name
	}
	return fmt.Sprintf("op%d", op)
}

// OpByName finds an op of the function form.
func OpByName(name string) (Op, bool) {
	op, ok := opNames[name]
	return op, ok
}

// opNames maps the function form of table ops; reductions and dot use
// brackets and live in bracketNames, since `max` is both.
var opNames, bracketNames, infixNames map[string]Op

func init() {
	opNames, bracketNames, infixNames = map[string]Op{}, map[string]Op{}, map[string]Op{}
	for op := Invalid + 1; op < NumOps; op++ {
		r := op.Info()
		switch {
		case r.Class == ClassReduce || r.Class == ClassDot || op == At:
			bracketNames[r.Name] = op
		case r.Class != ClassLeaf && r.Class != ClassConvert && r.Infix == "":
			opNames[r.Name] = op
		case r.Infix != "" && r.Arity == 2:
			infixNames[r.Infix] = op
		}
	}
	opNames["bitcast"] = Bitcast
}

// Precedences of infix forms.
const (
	precOr = iota + 1
	precXor
	precAnd
	precCompare
	precShift
	precAdd
	precMul
	precUnary
	precAtom
)

var truth int64 = 1

var table = [NumOps]Info{
	Invalid:   {Name: "invalid"},
	Const:     {Name: "const"},
	AxisIndex: {Name: "index"},
	Load:      {Name: "load", Arity: -1, Cost: 1},
	CarryIn:   {Name: "carry"},
	CarryOut:  {Name: "carryout"},

	Add:   {Name: "add", Infix: "+", Prec: precAdd, Arity: 2, Class: ClassArith, Cost: 1, Rule: same(number), f2: func(x, y float64) float64 { return x + y }, i2: total(func(x, y int64) int64 { return x + y })},
	Sub:   {Name: "sub", Infix: "-", Prec: precAdd, Arity: 2, Class: ClassArith, Cost: 1, Rule: same(number), f2: func(x, y float64) float64 { return x - y }, i2: total(func(x, y int64) int64 { return x - y })},
	Mul:   {Name: "mul", Infix: "*", Prec: precMul, Arity: 2, Class: ClassArith, Cost: 1, Rule: same(number), f2: func(x, y float64) float64 { return x * y }, i2: total(func(x, y int64) int64 { return x * y })},
	Div:   {Name: "div", Infix: "/", Prec: precMul, Arity: 2, Class: ClassArith, Cost: 5, Rule: same(number), f2: func(x, y float64) float64 { return x / y }, i2: floorDiv},
	Mod:   {Name: "mod", Infix: "%", Prec: precMul, Arity: 2, Class: ClassArith, Cost: 5, Rule: same(integer), i2: floorMod},
	Neg:   {Name: "neg", Infix: "-", Prec: precUnary, Arity: 1, Class: ClassArith, Cost: 1, Rule: same(number), f1: func(x float64) float64 { return -x }, i1: func(x int64) int64 { return -x }},
	Abs:   {Name: "abs", Arity: 1, Class: ClassArith, Cost: 1, Rule: same(number), f1: math.Abs, i1: func(x int64) int64 { return max(x, -x) }},
	Min:   {Name: "min", Arity: 2, Class: ClassArith, Cost: 1, Rule: same(number), f2: minF, i2: total(func(x, y int64) int64 { return min(x, y) })},
	Max:   {Name: "max", Arity: 2, Class: ClassArith, Cost: 1, Rule: same(number), f2: maxF, i2: total(func(x, y int64) int64 { return max(x, y) })},
	Floor: {Name: "floor", Arity: 1, Class: ClassArith, Cost: 1, Rule: same(float), f1: math.Floor},
	Round: {Name: "round", Arity: 1, Class: ClassArith, Cost: 1, Rule: same(float), f1: math.RoundToEven},
	Sqrt:  {Name: "sqrt", Arity: 1, Class: ClassArith, Cost: 8, Rule: same(float), f1: math.Sqrt},
	FMA:   {Name: "fma", Arity: 3, Class: ClassArith, Cost: 1, Rule: same(float), f3: math.FMA, exact: fmaRound},

	Rsqrt:   {Name: "rsqrt", Arity: 1, Class: ClassTranscendental, Cost: 10, Rule: same(float), f1: func(x float64) float64 { return 1 / math.Sqrt(x) }},
	Exp:     {Name: "exp", Arity: 1, Class: ClassTranscendental, Cost: 12, Rule: same(float), f1: math.Exp},
	ExpNeg:  {Name: "expneg", Arity: 1, Class: ClassTranscendental, Cost: 12, Rule: same(float), f1: math.Exp},
	Log:     {Name: "log", Arity: 1, Class: ClassTranscendental, Cost: 16, Rule: same(float), f1: math.Log},
	Log1p:   {Name: "log1p", Arity: 1, Class: ClassTranscendental, Cost: 18, Rule: same(float), f1: math.Log1p},
	Expm1:   {Name: "expm1", Arity: 1, Class: ClassTranscendental, Cost: 16, Rule: same(float), f1: math.Expm1},
	Tanh:    {Name: "tanh", Arity: 1, Class: ClassTranscendental, Cost: 16, Rule: same(float), f1: math.Tanh},
	Sigmoid: {Name: "sigmoid", Arity: 1, Class: ClassTranscendental, Cost: 18, Rule: same(float), f1: sigmoid},
	Erf:     {Name: "erf", Arity: 1, Class: ClassTranscendental, Cost: 20, Rule: same(float), f1: math.Erf},
	Sin:     {Name: "sin", Arity: 1, Class: ClassTranscendental, Cost: 20, Rule: same(float), f1: math.Sin},
	Cos:     {Name: "cos", Arity: 1, Class: ClassTranscendental, Cost: 20, Rule: same(float), f1: math.Cos},
	Pow:     {Name: "pow", Arity: 2, Class: ClassTranscendental, Cost: 40, Rule: same(float), f2: math.Pow},

	Eq: compareRow("eq", "==", anyElem, func(x, y float64) bool { return x == y }, func(x, y int64) bool { return x == y }),
	Ne: compareRow("ne", "!=", anyElem, func(x, y float64) bool { return x != y }, func(x, y int64) bool { return x != y }),
	Lt: compareRow("lt", "<", number, func(x, y float64) bool { return x < y }, func(x, y int64) bool { return x < y }),
	Le: compareRow("le", "<=", number, func(x, y float64) bool { return x <= y }, func(x, y int64) bool { return x <= y }),
	Gt: compareRow("gt", ">", number, func(x, y float64) bool { return x > y }, func(x, y int64) bool { return x > y }),
	Ge: compareRow("ge", ">=", number, func(x, y float64) bool { return x >= y }, func(x, y int64) bool { return x >= y }),

	And:   {Name: "and", Infix: "&", Prec: precAnd, Arity: 2, Class: ClassArith, Cost: 0.5, Rule: same(bitsElem), i2: total(func(x, y int64) int64 { return x & y }), decides: new(int64)},
	Or:    {Name: "or", Infix: "|", Prec: precOr, Arity: 2, Class: ClassArith, Cost: 0.5, Rule: same(bitsElem), i2: total(func(x, y int64) int64 { return x | y }), decides: &truth},
	Xor:   {Name: "xor", Infix: "^", Prec: precXor, Arity: 2, Class: ClassArith, Cost: 0.5, Rule: same(bitsElem), i2: total(func(x, y int64) int64 { return x ^ y })},
	Not:   {Name: "not", Infix: "!", Prec: precUnary, Arity: 1, Class: ClassArith, Cost: 0.5, Rule: same(bitsElem), i1: func(x int64) int64 { return ^x }},
	Shl:   {Name: "shl", Infix: "<<", Prec: precShift, Arity: 2, Class: ClassArith, Cost: 1, Rule: same(integer), i2: func(x, y int64) (int64, bool) { return x << uint64(y&63), y >= 0 && y < 64 }},
	Shr:   {Name: "shr", Infix: ">>", Prec: precShift, Arity: 2, Class: ClassArith, Cost: 1, Rule: same(integer), i2: func(x, y int64) (int64, bool) { return x >> uint64(y&63), y >= 0 && y < 64 }},
	MulHi: {Name: "mulhi", Arity: 2, Class: ClassArith, Cost: 2, Rule: same(isU32), i2: total(func(x, y int64) int64 { return int64(uint64(x) * uint64(y) >> 32) })},

	Cast:    {Name: "cast", Arity: 1, Class: ClassConvert, Cost: 1},
	Bitcast: {Name: "bitcast", Arity: 1, Class: ClassConvert},
	Where:   {Name: "where", Arity: 3, Class: ClassSelect, Cost: 1, Rule: whereRule},
	Philox:  {Name: "philox", Arity: 7, Class: ClassArith, Cost: 40, Rule: same(isU32)},

	ReduceSum:    {Name: "sum", Arity: 1, Class: ClassReduce, Cost: 1, Rule: same(sumElem), f2: func(x, y float64) float64 { return x + y }, i2: total(func(x, y int64) int64 { return x + y }), unitI: constant(0)},
	ReduceSeq:    {Name: "seqsum", Arity: 1, Class: ClassReduce, Cost: 1, Rule: same(sumElem), f2: func(x, y float64) float64 { return x + y }, i2: total(func(x, y int64) int64 { return x + y }), unitI: constant(0)},
	ReduceProd:   {Name: "prod", Arity: 1, Class: ClassReduce, Cost: 1, Rule: same(sumElem), f2: func(x, y float64) float64 { return x * y }, i2: total(func(x, y int64) int64 { return x * y }), unitF: 1, unitI: constant(1)},
	ReduceMin:    {Name: "min", Arity: 1, Class: ClassReduce, Cost: 1, Rule: same(number), f2: minF, i2: total(func(x, y int64) int64 { return min(x, y) }), unitF: math.Inf(1), unitI: func(e Elem) int64 { _, hi := intRange(e); return hi }},
	ReduceMax:    {Name: "max", Arity: 1, Class: ClassReduce, Cost: 1, Rule: same(number), f2: maxF, i2: total(func(x, y int64) int64 { return max(x, y) }), unitF: math.Inf(-1), unitI: func(e Elem) int64 { lo, _ := intRange(e); return lo }},
	ReduceArgMax: {Name: "argmax", Arity: 1, Class: ClassReduce, Cost: 2, Rule: argRule, arg: 1},
	ReduceArgMin: {Name: "argmin", Arity: 1, Class: ClassReduce, Cost: 2, Rule: argRule, arg: -1},
	Dot:          {Name: "dot", Arity: -1, Class: ClassDot, Cost: 1, Rule: dotRule},
	At:           {Name: "at", Arity: 2, Class: ClassSelect, Rule: atRule},
}

func compareRow(name, infix string, want kind, f func(x, y float64) bool, i func(x, y int64) bool) Info {
	operands := same(want)
	return Info{Name: name, Infix: infix, Prec: precCompare, Arity: 2, Class: ClassCompare, Cost: 1, cmpF: f, cmpI: i,
		Rule: func(args []Elem) (Elem, error) {
			_, err := operands(args)
			return Bool, err
		}}
}

func total(f func(x, y int64) int64) func(x, y int64) (int64, bool) {
	return func(x, y int64) (int64, bool) { return f(x, y), true }
}

func constant(k int64) func(Elem) int64 { return func(Elem) int64 { return k } }

// kind is a set of element types, with its name for messages.
type kind struct {
	name string
	has  func(Elem) bool
}

var (
	number   = kind{"a number", func(e Elem) bool { return e != Bool }}
	integer  = kind{"an integer", Elem.IsInt}
	float    = kind{"a float", Elem.IsFloat}
	bitsElem = kind{"a bool or an integer", func(e Elem) bool { return !e.IsFloat() }}
	anyElem  = kind{"an element", func(Elem) bool { return true }}
	isU32    = kind{"a u32", func(e Elem) bool { return e == U32 }}
	// Sums of narrower floats are made in f32: the cast is written.
	sumElem = kind{"f32, f64 or an integer", func(e Elem) bool { return e == F32 || e == F64 || e.IsInt() }}
)

func same(want kind) func([]Elem) (Elem, error) {
	return func(args []Elem) (Elem, error) {
		for _, e := range args {
			if e != args[0] {
				return 0, fmt.Errorf("operands are %s and %s; convert one", args[0], e)
			}
		}
		if !want.has(args[0]) {
			return 0, fmt.Errorf("operand is %s, not %s", args[0], want.name)
		}
		return args[0], nil
	}
}

func whereRule(args []Elem) (Elem, error) {
	if args[0] != Bool {
		return 0, fmt.Errorf("condition is %s, not bool", args[0])
	}
	return same(anyElem)(args[1:])
}

func argRule(args []Elem) (Elem, error) {
	_, err := same(number)(args)
	return I32, err
}

func atRule(args []Elem) (Elem, error) {
	if args[0] != I64 {
		return 0, fmt.Errorf("coordinate is %s, not i64", args[0])
	}
	return args[1], nil
}

// dotRule: f32 accumulation of floats up to f32, f64 of f64, i32 of bytes.
func dotRule(args []Elem) (Elem, error) {
	if len(args) != 2 && len(args) != 3 {
		return 0, fmt.Errorf("takes 2 or 3 arguments, not %d", len(args))
	}
	e, err := same(number)(args[:2])
	if err != nil {
		return 0, err
	}
	switch {
	case e.IsFloat() && e != F64:
		e = F32
	case e == I8 || e == U8:
		e = I32
	}
	if len(args) == 3 && args[2] != e {
		return 0, fmt.Errorf("accumulator is %s, not %s", args[2], e)
	}
	return e, nil
}

// minF and maxF order -0 before +0, so that any order of a reduction gives the same bits.
func minF(x, y float64) float64 {
	if math.IsNaN(x) || math.IsNaN(y) {
		return math.NaN()
	}
	return math.Min(x, y)
}

func maxF(x, y float64) float64 {
	if math.IsNaN(x) || math.IsNaN(y) {
		return math.NaN()
	}
	return math.Max(x, y)
}

func sigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

func floorDiv(a, b int64) (int64, bool) {
	if b == 0 {
		return 0, false
	}
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q, true
}

func floorMod(a, b int64) (int64, bool) {
	q, ok := floorDiv(a, b)
	return a - b*q, ok
}
