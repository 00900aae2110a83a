package lang

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// elements are the element types of the language.
var elements = map[string]ir.Elem{"f32": loop.F32, "bf16": loop.BF16, "f16": loop.F16, "f8e4m3": loop.F8E4M3, "f8e5m2": loop.F8E5M2, "i32": loop.I32, "u32": loop.U32, "u8": loop.U8, "bool": loop.Bool}

// elemNamed is the element type of a name: f32 is what the file computes in.
func (b *builder) elemNamed(name string) (e ir.Elem, ok bool) {
	if e, ok = elements[name]; e == loop.F32 {
		e = b.float
	}
	return e, ok
}

var settingTypes = []string{"int", "float", "bool", "text", "list", "fn", "dist", "module"}

// maxElements bounds the size of one tensor.
const maxElements = 1 << 38

func typeSpan(t *Type) Span { return Span{t.Pos, t.EndPos} }

func upper(name string) bool { return name != "" && unicode.IsUpper(rune(name[0])) }

// dimName is the name that stands alone as a dimension, or "".
func dimName(d *Dim) string {
	if d.Size == nil {
		return ""
	}
	if n, ok := d.Size.term().(*NameTerm); ok {
		return n.Name
	}
	return ""
}

// staticType is the type of a state: every size is known.
func (b *builder) staticType(t *Type) ir.Type {
	e := b.element(t)
	var dims []ir.Dim
	for _, d := range t.Dims {
		if d.Rest {
			rest, ok := b.sc.bound("..").(Dims)
			if !ok {
				b.fail(Span{d.Pos, d.EndPos}, "`..` stands for nothing here")
			}
			dims = append(dims, rest.Dims...)
			continue
		}
		dims = append(dims, b.dim(d))
	}
	total := 1
	for _, d := range dims {
		if d.Len != nil {
			b.failHelp(typeSpan(t), "an entry of `config` is a size that the compiler knows", "the size %s is known at run time only", d.Len)
		}
		if d.Size > 0 && total > maxElements/d.Size {
			b.fail(typeSpan(t), "%s is larger than any memory", dimsText(dims))
		}
		total *= max(d.Size, 1)
	}
	return ir.OfDims(e, dims)
}

func (b *builder) element(t *Type) ir.Elem {
	if e, ok := b.elemNamed(t.Name); ok {
		return e
	}
	names := append([]string{"f32", "bf16", "f16", "f8e4m3", "f8e5m2", "i32", "u32", "u8"}, settingTypes...)
	for _, n := range settingTypes {
		if t.Name == n {
			if help := map[string]string{"float": "`f32` or `f32[…]`", "int": "`i32` or `i32[…]`"}[n]; help != "" {
				b.failHelp(typeSpan(t), help, "`%s` is the type of a setting, not of a tensor", t.Name)
			}
			b.failHelp(typeSpan(t), "f32, bf16, f16, f8e4m3, f8e5m2, i32, u32, u8 and bool are elements", "`%s` is the type of a setting, not of a tensor", t.Name)
		}
	}
	const wider = "`f32`; `--precision f64`, or `precision { compute = f64 }`, makes 64 bits of what says f32"
	help := map[string]string{"float32": "`f32`", "float64": wider, "f64": wider, "int32": "`i32`", "int64": "`i32`", "i64": "`i32`", "string": "`text`", "tensor": "`f32[…]`", "Tensor": "`f32[…]`, with its sizes", "long": "`i32`", "str": "`text`"}[t.Name]
	if help == "" {
		help = DidYouMean(t.Name, names)
	}
	b.failHelp(typeSpan(t), help, "there is no type `%s`", t.Name)
	return 0
}

// dim evaluates a dimension in which every name is bound.
func (b *builder) dim(d *Dim) ir.Dim {
	at := Span{d.Pos, d.EndPos}
	if d.Ragged != "" {
		help := "write `" + d.Ragged + "`, all rows of one length: the rows of `lines(…)` are filled with 0, and `mean[b, t where x[b, t] != 0]` leaves that out"
		b.failHelp(at, help, "ragged axes (`~%s`) are not supported", d.Ragged)
	}
	size := d.Size.term()
	walk(size, func(t Term) bool {
		if n, ok := t.(*NameTerm); ok && t == size && !upper(n.Name) {
			if v, _ := b.sc.find(n.Name); v == nil {
				help := "a size that comes with the call has an upper-case name: `" + strings.ToUpper(n.Name) + "`"
				if near := DidYouMean(n.Name, b.sc.names()); near != "" {
					help = near + " " + help
				}
				b.failHelp(n.Span(), help, "the name `%s` is not known here", n.Name)
			}
		}
		if n, ok := t.(*NameTerm); ok && upper(n.Name) {
			if v, _ := b.sc.find(n.Name); v == nil {
				b.failHelp(n.Span(), "an upper-case name is bound where it stands alone in a parameter's type; elsewhere a size is a setting, such as an entry of `config`", "the dimension `%s` is not bound", n.Name)
			}
		}
		return true
	})
	return b.dimOf(b.eval(size), at)
}

// dimOf is a whole number as an axis.
func (b *builder) dimOf(v Value, at Span) ir.Dim {
	switch v := v.(type) {
	case Num:
		if !v.isWhole() {
			b.failHelp(at, wholeHelp(v), "the size %s = %s is not a whole number", b.src.text(at), v)
		}
		if v.V < 0 {
			b.fail(at, "the size %s = %s is negative", b.src.text(at), v)
		}
		return ir.Dim{Size: int(v.V)}
	case Size:
		b.need(v.E, complaint{at: at, message: "the size %v is negative", values: []*index.Expr{v.E}, shape: true})
		most := b.capacity(v.E)
		if b.f != nil && most > maxElements {
			b.failHelp(at, "`min(…, 1000)` bounds it", "the size %s may be larger than any memory", b.src.text(at))
		}
		return ir.DynDim(v.E, max(most, 0))
	case Tensor:
		b.needStatic(at, v, "a size")
	case Poison:
		panic(silent{})
	}
	b.fail(at, "a size is a whole number, not %s", describe(v))
	return ir.Dim{}
}

func (b *builder) capacity(e *index.Expr) int {
	if k, ok := e.Const(); ok {
		return k
	}
	if b.f == nil {
		return 1 << 40
	}
	return b.f.b.Scope().Capacity(e)
}

// accept checks v against a parameter's type, binds its dimensions, and converts numbers.
func (b *builder) accept(t *Type, v Value, name string, at Span) Value {
	if t == nil {
		return v
	}
	if t.Tuple != nil {
		b.fail(typeSpan(t), "a parameter has one type")
	}
	if !t.Array {
		if w, ok := b.acceptSetting(t, v, name, at); ok {
			return w
		}
	}
	return b.acceptTensor(t, v, name, at)
}

func (b *builder) acceptSetting(t *Type, v Value, name string, at Span) (Value, bool) {
	bad := func(what string) {
		if x, ok := v.(Tensor); ok {
			b.needStatic(at, x, "`"+name+"`, a setting,")
		}
		help := ""
		if t.Name == "int" {
			help = wholeHelp(v)
		}
		if text, ok := v.(Text); ok {
			v, _ := b.sc.find(string(text))
			switch v.(type) {
			case Func, *UnitValue, InstanceRef:
				help = fmt.Sprintf("`%s: %[2]s`, without quotes: `%[2]s` is a name", name, string(text))
			}
		}
		b.failHelp(at, help, "`%s` is %s: it cannot be %s", name, what, describe(v))
	}
	switch t.Name {
	case "int":
		if exprOf(v) == nil {
			bad("a whole number")
		}
		if n, ok := v.(Num); ok {
			return whole(int(n.V)), true
		}
	case "float":
		if n, ok := v.(Num); ok {
			return n, true
		}
		bad("a number")
	case "bool":
		switch v.(type) {
		case Bool:
		case Tensor:
			return nil, false
		default:
			bad("a truth value")
		}
	case "text":
		switch v := v.(type) {
		case Text:
		case Tensor:
			if v.N.Type.Elem != loop.I32 {
				bad("a text")
			}
		default:
			bad("a text")
		}
	case "list":
		switch v.(type) {
		case List, StackedList:
		default:
			bad("a list")
		}
	case "fn":
		switch v.(type) {
		case Func, InstanceRef:
		default:
			bad("a function")
		}
	case "dist":
		if u, ok := v.(*UnitValue); ok && u.Decl.Kind == "distribution" {
			return Draw{Unit: u, Span: at}, true
		}
		if _, ok := v.(Draw); !ok {
			bad("a distribution")
		}
	case "module":
		if _, ok := v.(InstanceRef); !ok {
			bad("a module")
		}
	default:
		return nil, false
	}
	return v, true
}

// acceptTensor matches the dimensions of a tensor with a type.
func (b *builder) acceptTensor(t *Type, v Value, name string, at Span) Value {
	e := b.element(t)
	if text, ok := v.(Text); ok && e == loop.I32 {
		v = b.textTensor(string(text))
	}
	if n, ok := v.(Num); ok && !e.IsFloat() && !n.isWhole() {
		b.fail(at, "`%s` is %s: it cannot be %s", name, t.Name, n)
	}
	x, ok := b.tensorLike(v, e)
	if !ok {
		if _, isPoison := v.(Poison); isPoison {
			panic(silent{})
		}
		help := ""
		switch v := v.(type) {
		case Draw:
			help = "`~` draws from it: `x ~ normal[n]`"
		case *UnitValue:
			if v.Decl.Kind == "distribution" {
				help = "`~` draws from it: `x ~ " + v.Decl.Name + "[n]`"
			}
		}
		b.failHelp(at, help, "`%s` is a tensor, %s: it cannot be %s", name, b.src.text(typeSpan(t)), describe(v))
	}
	have := x.N.Type
	if have.Elem != e {
		if len(have.Dims) > 0 && !(have.Elem.IsFloat() && e.IsFloat()) {
			help := ""
			switch {
			case e.IsFloat():
				help = t.Name + "(x) converts"
			case e.IsInt() && have.Elem == loop.Bool:
				help = t.Name + "(x) converts: 1 where it is true"
			case e.IsInt() && have.Elem.IsFloat():
				help = t.Name + "(x) converts and rounds towards 0; batches of whole numbers are `each k: i32[B] from …`"
			}
			b.failHelp(at, help, "`%s` is %s: it cannot be %s", name, b.src.text(typeSpan(t)), typeText(have))
		}
		if have.Elem.IsFloat() && !e.IsFloat() {
			b.failHelp(at, t.Name+"(x) converts", "`%s` is %s: it cannot be %s", name, t.Name, typeText(have))
		}
		x = b.cast(x, e)
	}
	if why := b.matchDims(t.Dims, x.N.Type.Dims); why != "" {
		help := b.lastAxisHelp(t, have.Dims)
		if _, ok := v.(Num); ok {
			help = fmt.Sprintf("`x: %s = %s` is an array of it, with the sizes that are meant", b.src.text(typeSpan(t)), describe(v))
			if d, bound := b.sc.bound("..").(Dims); bound && len(t.Dims) == 1 && t.Dims[0].Rest {
				help = fmt.Sprintf("`x: %s = %s` is an array of it", typeText(ir.OfDims(e, d.Dims)), describe(v))
			}
		}
		panic(mistake{b.withNotes(b.diagnostic(at, help, "these shapes do not fit: `%s` is %s and gets %s", name, b.src.text(typeSpan(t)), typeText(have)), why)})
	}
	return b.mark(x, t)
}

// lastAxisHelp is what to do about a last axis of 1 that one of two shapes has beyond the other.
func (b *builder) lastAxisHelp(t *Type, have []ir.Dim) string {
	drop := func(long, short []ir.Dim) bool {
		n := len(short)
		return len(long) == n+1 && long[n].Len == nil && long[n].Size == 1 && ir.SameDims(long[:n], short)
	}
	old, rest := b.sc.bound("..").(Dims)
	switch n := len(have); {
	case rest && len(t.Dims) == 1 && (drop(old.Dims, have) || drop(have, old.Dims)),
		!slices.ContainsFunc(t.Dims, func(d *Dim) bool { return d.Rest }) && n == len(t.Dims)+1 && have[n-1].Len == nil && have[n-1].Size == 1:
		return "`x[.., 0]` is x without its last axis of 1"
	}
	return ""
}

func (b *builder) withNotes(d Diagnostic, notes ...string) Diagnostic {
	d.Notes = append(notes, d.Notes...)
	return d
}

// mark notes the axes that a type writes as 1.
func (b *builder) mark(x Tensor, t *Type) Tensor {
	one := make([]bool, len(x.N.Type.Dims))
	for i, d := range t.Dims {
		k := i
		if d.Rest {
			continue
		}
		for _, e := range t.Dims[:i] {
			if e.Rest {
				k = len(one) - (len(t.Dims) - i)
			}
		}
		if d.Size != nil && k >= 0 && k < len(one) {
			if n, ok := d.Size.term().(*NumberTerm); ok && n.Text == "1" {
				one[k] = true
			}
		}
	}
	x.One = one
	return x
}

// matchDims binds and compares; it says what does not fit.
func (b *builder) matchDims(want []*Dim, have []ir.Dim) string {
	rest := -1
	for i, d := range want {
		if d.Rest {
			rest = i
		}
	}
	fixed := len(want)
	if rest >= 0 {
		fixed--
	}
	if len(have) < fixed || rest < 0 && len(have) != fixed {
		return "it has " + axes(len(have)) + ", the type has " + axesAtLeast(fixed, rest >= 0)
	}
	for i, d := range want {
		k := i
		if rest >= 0 && i > rest {
			k = len(have) - (len(want) - i)
		}
		if d.Rest {
			part := have[i : len(have)-(len(want)-i-1)]
			if old, ok := b.sc.bound("..").(Dims); ok {
				if !ir.SameDims(old.Dims, part) {
					return "`..` is " + dimsText(old.Dims) + " and would be " + dimsText(part)
				}
			} else {
				b.sc.define("..", Dims{part})
			}
			continue
		}
		if why := b.matchDim(d, have[k]); why != "" {
			return why
		}
	}
	return ""
}

func (b *builder) matchDim(d *Dim, have ir.Dim) string {
	name := dimName(d)
	if upper(name) && b.sc.bound(name) == nil {
		b.sc.define(name, sizeOf(have))
		b.noteSize(d, name, have)
		return ""
	}
	want := b.dim(d)
	if want.Equal(have) || index.Equal(want.Length(), have.Length()) {
		return ""
	}
	at := Span{d.Pos, d.EndPos}
	if name == "" {
		if _, ok := d.Size.term().(*NumberTerm); ok {
			return "an axis must be " + dimText(want) + " and is " + dimText(have)
		}
	}
	return "`" + b.src.text(at) + "` is " + dimText(want) + ", the axis has " + dimText(have)
}

func axes(n int) string {
	if n == 1 {
		return "1 axis"
	}
	return strconv.Itoa(n) + " axes"
}

func indices(n int) string {
	if n == 1 {
		return "is 1 index"
	}
	return "are " + strconv.Itoa(n) + " indices"
}

func axesAtLeast(n int, more bool) string {
	if more {
		return "at least " + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// convert is a typed binding: it broadcasts and converts.
func (b *builder) convert(t *Type, v Value, at Span) Value {
	if t.Tuple != nil {
		b.fail(typeSpan(t), "a name has one type")
	}
	if !t.Array {
		if w, ok := b.acceptSetting(t, v, "this", at); ok {
			return w
		}
	}
	typ := b.staticOrRuntime(t)
	if text, ok := v.(Text); ok && typ.Elem == loop.I32 {
		v = b.textTensor(string(text))
	}
	x, ok := b.tensorLike(v, typ.Elem)
	if !ok {
		if _, isPoison := v.(Poison); isPoison {
			panic(silent{})
		}
		b.fail(at, "%s cannot be %s", describe(v), b.src.text(typeSpan(t)))
	}
	x = b.cast(x, typ.Elem)
	y, why := b.broadcastTo(x, typ.Dims)
	if why != "" {
		b.fail(at, "%s cannot be broadcast to %s: %s", typeText(x.N.Type), typeText(typ), why)
	}
	return b.mark(y, t)
}

func (b *builder) staticOrRuntime(t *Type) ir.Type {
	e := b.element(t)
	var dims []ir.Dim
	for _, d := range t.Dims {
		if d.Rest {
			rest, ok := b.sc.bound("..").(Dims)
			if !ok {
				b.fail(Span{d.Pos, d.EndPos}, "`..` stands for nothing here")
			}
			dims = append(dims, rest.Dims...)
			continue
		}
		dims = append(dims, b.dim(d))
	}
	return ir.OfDims(e, dims)
}
