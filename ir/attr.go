package ir

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"mdlc/ir/index"
)

// ConstAttr is the attribute of const: a splat (one value) or a dense table,
// row-major. Values are bits as in loop.Const: those of a float64 for every
// float type, else the integer (bool: 0 or 1).
type ConstAttr struct {
	Type Type
	Bits []uint64
}

// IotaAttr is the attribute of iota: the index along one axis, i32.
type IotaAttr struct {
	Dims []Dim
	Axis int
}

// CastAttr is the attribute of cast.
type CastAttr struct{ To Elem }

// IndexAttr is the attribute of index and scatter: a map from the indices i0, i1, …
// of one tensor to those of another. $1, $2, … are the values of the data
// operands at i0, i1, …. Index: from the result (Shape) to the operand; where
// the map leads out of it the result is Outside. Scatter: from the operand to
// the result (Shape); what leads out is dropped.
type IndexAttr struct {
	Vars    int // number of index variables
	Out     []*index.Expr
	Outside *float64 // index only; nil: the map stays inside
	Shape   []Dim
}

// ReduceKind is what a reduction computes.
type ReduceKind uint8

const (
	Sum ReduceKind = iota
	Prod
	Max
	Min
	ArgMax
	ArgMin
	Any
	All
)

var reduceNames = []string{"sum", "prod", "max", "min", "argmax", "argmin", "any", "all"}

func (k ReduceKind) String() string { return reduceNames[k] }

// ParseReduceKind is the inverse of String.
func ParseReduceKind(s string) (ReduceKind, error) {
	for k, name := range reduceNames {
		if name == s {
			return ReduceKind(k), nil
		}
	}
	return 0, fmt.Errorf("unknown reduction %q", s)
}

// ReduceAttr is the attribute of reduce. Axes ascend; they leave the shape.
type ReduceAttr struct {
	Kind ReduceKind
	Axes []int
}

// DotAttr is the attribute of dot: one label (a letter) for each axis. A label
// of both operands is a batch axis where the result has it, else contracted;
// a label of one operand is free and the result has it.
type DotAttr struct{ A, B, Out string }

// ParseDot reads an einsum spec like "bik,kj->bij".
func ParseDot(spec string) (DotAttr, error) {
	in, out, ok1 := strings.Cut(strings.ReplaceAll(spec, " ", ""), "->")
	a, b, ok2 := strings.Cut(in, ",")
	if !ok1 || !ok2 {
		return DotAttr{}, fmt.Errorf("dot: %q is not of the form ab,bc->ac", spec)
	}
	return DotAttr{a, b, out}, nil
}

// Contracted is the labels that are summed over, in the order of A.
func (d DotAttr) Contracted() string { return d.filter(d.A, true, false) }

// Batch is the labels of both operands and the result, in the order of Out.
func (d DotAttr) Batch() string { return d.filter(d.Out, true, true) }

// FreeA and FreeB are the labels of one operand and the result, in the order of Out.
func (d DotAttr) FreeA() string { return strings.Map(keep(d.A, d.B), d.Out) }
func (d DotAttr) FreeB() string { return strings.Map(keep(d.B, d.A), d.Out) }

func keep(in, notIn string) func(rune) rune {
	return func(l rune) rune {
		if strings.ContainsRune(in, l) && !strings.ContainsRune(notIn, l) {
			return l
		}
		return -1
	}
}

func (d DotAttr) filter(from string, inB, inOut bool) string {
	return strings.Map(func(l rune) rune {
		if strings.ContainsRune(d.A, l) && strings.ContainsRune(d.B, l) == inB && strings.ContainsRune(d.Out, l) == inOut {
			return l
		}
		return -1
	}, from)
}

// BitsAttr is the attribute of bits: draw site (a path of names) and shape.
type BitsAttr struct {
	Site  string
	Shape []Dim
}

// TopKAttr is the attribute of top_k.
type TopKAttr struct{ K int }

// SolveKind is what solve knows of its matrices.
type SolveKind uint8

const (
	General SolveKind = iota
	Lower
	Upper
)

var solveNames = []string{"general", "lower", "upper"}

// transposed is what is known of the transposed matrices.
func (k SolveKind) transposed() SolveKind { return [...]SolveKind{General, Upper, Lower}[k] }

// SolveAttr is the attribute of solve.
type SolveAttr struct{ Kind SolveKind }

// LoopAttr is the attribute of loop. Args are Carry carries, Xs stacked inputs
// and invariants; the region's params are the turn (i32[]), the carries, one slice of each
// stacked input and the invariants; its results are the next carries and the
// per-turn outputs, which are stacked.
//
// A loop with While makes a turn only as long as carry 0, a bool, holds, and at most
// Count: `while`; with Count 1 it is a branch of an `if`. The outputs of turns that were not made have no value.
type LoopAttr struct {
	Count     *index.Expr
	Carry, Xs int
	Reverse   bool   // turns from Count-1 down to 0
	Sym       string // the turn as a symbol of the region; "": none
	While     bool
	Made      string // While: the symbol of the loop's graph that is the number of turns made; "": none
}

// Branch reports whether the loop is a branch: one turn, or none.
func (a LoopAttr) Branch() bool { return a.While && a.Count.IsConst(1) }

// GetAttr is the attribute of get: which value of a tuple.
type GetAttr struct{ I int }

// ClusterAttr is the attribute of cluster: what kind of kernel its region is.
type ClusterAttr struct{ Kind string }

func (a ParamAttr) Text() string {
	return a.Kind.String() + " " + quoteName(a.Name) + " " + a.Type.String()
}
func (a CastAttr) Text() string  { return a.To.String() }
func (a IotaAttr) Text() string  { return dimsText(a.Dims) + " axis " + strconv.Itoa(a.Axis) }
func (a BitsAttr) Text() string  { return strconv.Quote(a.Site) + " " + dimsText(a.Shape) }
func (a TopKAttr) Text() string  { return strconv.Itoa(a.K) }
func (a DigitAttr) Text() string { return strconv.Itoa(a.K) }
func (a SolveAttr) Text() string { return solveNames[a.Kind] }
func (a GetAttr) Text() string   { return strconv.Itoa(a.I) }
func (a DotAttr) Text() string   { return "{" + a.Spec() + "}" }

// Spec is the einsum spec: ik,kj->ij.
func (d DotAttr) Spec() string { return d.A + "," + d.B + "->" + d.Out }

func (a ReduceAttr) Text() string {
	return a.Kind.String() + " " + intsText(a.Axes)
}
func (a ClusterAttr) Text() string { return a.Kind }

func (a LoopAttr) Text() string {
	s := fmt.Sprintf("count(%s) carry %d xs %d", a.Count, a.Carry, a.Xs)
	if a.Reverse {
		s += " reverse"
	}
	if a.Sym != "" {
		s += " turn " + a.Sym
	}
	if a.While {
		s += " while"
	}
	if a.Made != "" {
		s += " made " + a.Made
	}
	return s
}

func (a IndexAttr) Text() string {
	vars := make([]string, a.Vars)
	for k := range vars {
		vars[k] = "i" + strconv.Itoa(k)
	}
	out := make([]string, len(a.Out))
	for k, e := range a.Out {
		out[k] = e.String()
	}
	s := "{(" + strings.Join(vars, ", ") + ") -> (" + strings.Join(out, ", ") + ")} " + dimsText(a.Shape)
	if a.Outside != nil {
		s += " outside " + floatText(*a.Outside, 64)
	}
	return s
}

func (a ConstAttr) Text() string {
	if len(a.Bits) == 1 && a.Type.Size() != 0 {
		return a.Type.String() + " " + bitsText(a.Type.Elem, a.Bits[0])
	}
	parts := make([]string, len(a.Bits))
	for i, b := range a.Bits {
		parts[i] = bitsText(a.Type.Elem, b)
	}
	return a.Type.String() + " {" + strings.Join(parts, ", ") + "}"
}

func intsText(xs []int) string {
	parts := make([]string, len(xs))
	for i, x := range xs {
		parts[i] = strconv.Itoa(x)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func bitsText(e Elem, b uint64) string {
	switch {
	case e.IsFloat():
		return floatText(math.Float64frombits(b), floatWidth(e))
	case e.String()[0] == 'u':
		return strconv.FormatUint(b, 10)
	}
	return strconv.FormatInt(int64(b), 10)
}

// floatWidth is the width at which constants of e are kept and printed.
func floatWidth(e Elem) int {
	if e.String() == "f32" {
		return 32
	}
	return 64
}

func floatText(f float64, width int) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.ToLower(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return strconv.FormatFloat(f, 'g', -1, width)
}

// FloatBits is the constant f of type e, rounded to f32 where e is f32;
// narrower types round when they are lowered.
func FloatBits(e Elem, f float64) uint64 {
	if floatWidth(e) == 32 {
		f = float64(float32(f))
	}
	return math.Float64bits(f)
}

// NumberBits is the number f as a constant of type e.
func NumberBits(e Elem, f float64) uint64 {
	if e.IsFloat() {
		return FloatBits(e, f)
	}
	return uint64(int64(f))
}

// Float gives element i of a constant as a float64.
func (a ConstAttr) Float(i int) float64 {
	if len(a.Bits) == 1 {
		i = 0
	}
	switch e := a.Type.Elem; {
	case e.IsFloat():
		return math.Float64frombits(a.Bits[i])
	case e.String()[0] == 'u':
		return float64(a.Bits[i])
	}
	return float64(int64(a.Bits[i]))
}

// Splat reports whether all elements of the constant are the same, and which.
func (a ConstAttr) Splat() (float64, bool) {
	if len(a.Bits) != 1 {
		return 0, false
	}
	return a.Float(0), true
}

// Var is index variable k of an index map; Data is the value of data operand k (from 1).
func Var(k int) *index.Expr  { return index.V("i" + strconv.Itoa(k)) }
func Data(k int) *index.Expr { return index.V("$" + strconv.Itoa(k)) }

// varIndex is the inverse of Var.
func varIndex(name string) (int, bool) {
	if !reserved(name) || name[0] != 'i' {
		return 0, false
	}
	k, err := strconv.Atoi(name[1:])
	return k, err == nil
}

// dataIndex is the inverse of Data.
func dataIndex(name string) (int, bool) {
	if !strings.HasPrefix(name, "$") {
		return 0, false
	}
	k, err := strconv.Atoi(name[1:])
	return k, err == nil
}
