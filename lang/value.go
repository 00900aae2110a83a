package lang

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"mdlc/ir"
	"mdlc/ir/index"
)

// A Value is what an expression means while the compiler runs the file.
type Value interface{ what() string }

type (
	// Num is a number known to the compiler. It has no element type until it
	// meets a tensor; Whole: it was made of whole numbers.
	Num struct {
		V     float64
		Whole bool
	}
	// Size is a whole number over runtime lengths.
	Size struct{ E *index.Expr }
	// Bool, Text and None are known to the compiler.
	Bool bool
	Text string
	None struct{}
	// List is a list known to the compiler.
	List struct{ Items []Value }
	// Tensor is a value of the graph. One marks the axes that are written as 1 and may stretch.
	Tensor struct {
		N   *ir.Node
		F   *frame
		One []bool
	}
	// Func is a function of a file or an instance, or a builtin.
	Func struct {
		Name    string
		Decl    *Fn
		Scope   *scope
		Self    turns // how the instance was reached
		Frozen  bool  // of a frozen module
		Builtin func(b *builder, c *call) Value
	}
	// UnitValue is the name of a module, optimizer or distribution.
	UnitValue struct {
		Decl  *Unit
		Scope *scope
	}
	// Draw is a distribution with its arguments.
	Draw struct {
		Unit  *UnitValue // nil: bits, the primitive
		Args  []arg
		Shape []ir.Dim // of the bracket
		Given bool     // there was a bracket
		One   []bool   // axes that the bracket writes as 1
		Span  Span
	}
	// Optimizer is an optimizer with its arguments.
	Optimizer struct {
		Unit *UnitValue
		Args []arg
		Span Span
	}
	// Namespace is an imported file.
	Namespace struct {
		Name  string
		Scope *scope
	}
	// DataSource is a `data` declaration, Split a part of it, FeedValue a way to read it.
	DataSource struct{ Source *ir.Source }
	Split      struct {
		Source *ir.Source
		Part   string
	}
	FeedValue struct {
		Split        Split
		Kind         string
		Stride       int
		Past, Future int // clips
	}
	// Tuple is the result of a function with several results.
	Tuple struct{ Items []Value }
	// Dims is what `..` stands for.
	Dims struct{ Dims []ir.Dim }
	// Range is the whole numbers From to To - 1, the last first where Down.
	Range struct {
		From, To Value
		Down     bool
	}
	// Live is `step` or `training`: it depends on what runs.
	Live string
	// Poison is a value whose making failed: its use is not a new mistake.
	Poison struct{}
)

func (Num) what() string        { return "a number" }
func (Size) what() string       { return "a length" }
func (Bool) what() string       { return "a truth value" }
func (Text) what() string       { return "a text" }
func (None) what() string       { return "none" }
func (List) what() string       { return "a list" }
func (t Tensor) what() string   { return t.N.Type.String() }
func (Func) what() string       { return "a function" }
func (*UnitValue) what() string { return "a unit" }
func (Draw) what() string       { return "a distribution" }
func (Optimizer) what() string  { return "an optimizer" }
func (Namespace) what() string  { return "an imported file" }
func (DataSource) what() string { return "a data source" }
func (Split) what() string      { return "a part of a data source" }
func (FeedValue) what() string  { return "a feed" }
func (Tuple) what() string      { return "several values" }
func (Dims) what() string       { return "axes" }
func (Range) what() string      { return "a range" }
func (Live) what() string       { return "a value of the run" }
func (Poison) what() string     { return "a failed value" }

func whole(n int) Num { return Num{float64(n), true} }

func (n Num) isWhole() bool { return n.V == math.Trunc(n.V) && math.Abs(n.V) < 1<<53 }

// wholeHelp is how a number becomes the whole one that is asked for; "" where v is another thing, or whole and only too small.
func wholeHelp(v Value) string {
	if n, ok := v.(Num); !ok || n.isWhole() {
		return ""
	}
	return "`a div b` rounds down, `round(x)` to the nearest; or choose numbers that divide without a rest"
}

func (n Num) String() string {
	if n.isWhole() && math.Abs(n.V) < 1e15 {
		return strconv.FormatFloat(n.V, 'f', -1, 64)
	}
	return strconv.FormatFloat(n.V, 'g', -1, 64)
}

// describe names a value for a message.
func describe(v Value) string {
	switch v := v.(type) {
	case Num:
		return v.String()
	case Size:
		return v.E.String()
	case Bool:
		return fmt.Sprint(bool(v))
	case Text:
		return strconv.Quote(string(v))
	case *UnitValue:
		return "the " + v.Decl.Kind + " " + v.Decl.Name
	}
	return v.what()
}

// dimsText prints a shape without element type.
func dimsText(dims []ir.Dim) string {
	parts := make([]string, len(dims))
	for i, d := range dims {
		parts[i] = dimText(d)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func dimText(d ir.Dim) string { return d.Length().String() }

// lengthSymbol is the length of x, which a user would write `len(x)`.
var lengthSymbol = regexp.MustCompile(`\blen\.([\pL_][\pL\d_.]*)`)

func typeText(t ir.Type) string { return t.Elem.String() + dimsText(t.Dims) }

// sizeOf is an axis as a value.
func sizeOf(d ir.Dim) Value {
	if d.Len != nil {
		return Size{d.Len}
	}
	return whole(d.Size)
}

// exprOf is a whole number as an index expression; nil: it is none.
func exprOf(v Value) *index.Expr {
	switch v := v.(type) {
	case Num:
		if v.isWhole() {
			return index.C(int(v.V))
		}
	case Size:
		return v.E
	}
	return nil
}
