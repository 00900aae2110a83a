package loop

import (
	"fmt"
	"slices"
	"strconv"
)

// Parse reads the text of kernels. file names the text in positions. The first
// error is a *SyntaxError. The kernels are well typed but not verified.
func Parse(file, text string) (ks []*Kernel, err error) {
	toks, err := lex(file, text)
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*SyntaxError)
			if !ok {
				panic(r)
			}
			ks, err = nil, e
		}
	}()
	p := &parser{toks: toks}
	for p.peek().kind != tokEnd {
		ks = append(ks, p.kernel())
	}
	return ks, nil
}

// parser is a recursive-descent parser; errors unwind as panics of *SyntaxError.
type parser struct {
	toks   []token
	i      int
	depth  int // of nested expressions and blocks
	b      *Builder
	axes   map[string]*Axis
	bufs   map[string]*Buffer
	rings  map[string]*Ring
	scopes []map[string]*Value
	types  []annotation
}

// annotation is a type written after a name, checked when the axes of carried values are known.
type annotation struct {
	val  *Value
	axes []*Axis
	pos  Pos
	name string
}

const maxDepth = 500

func (p *parser) peek() token { return p.toks[p.i] }

func (p *parser) next() token {
	t := p.toks[p.i]
	if t.kind != tokEnd {
		p.i++
	}
	return t
}

func (p *parser) fail(pos Pos, format string, args ...any) {
	panic(&SyntaxError{pos, fmt.Sprintf(format, args...)})
}

func (p *parser) is(text string) bool {
	t := p.peek()
	return t.text == text && (t.kind == tokSign || t.kind == tokName)
}

func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.i++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.fail(p.peek().pos, "%s expected, found %s", strconv.Quote(text), p.peek())
	}
}

func (p *parser) nameOf(what string) token {
	t := p.next()
	if t.kind != tokName {
		p.fail(t.pos, "%s expected, found %s", what, t)
	}
	return t
}

// newName is a name that may be defined here.
func (p *parser) newName(what string) token {
	t := p.nameOf(what)
	if reserved(t.text) {
		p.fail(t.pos, "%q is a word of the kernel language and cannot be a name", t.text)
	}
	if p.axes[t.text] != nil || p.bufs[t.text] != nil || p.rings[t.text] != nil || p.lookup(t.text) != nil {
		p.fail(t.pos, "%s is already defined", t.text)
	}
	return t
}

func (p *parser) lookup(name string) *Value {
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if v := p.scopes[i][name]; v != nil {
			return v
		}
	}
	return nil
}

func (p *parser) int() int {
	t := p.next()
	n, err := strconv.Atoi(t.text)
	if t.kind != tokInt || err != nil {
		p.fail(t.pos, "number expected, found %s", t)
	}
	return n
}

func (p *parser) elem() Elem {
	t := p.nameOf("element type")
	e, err := ParseElem(t.text)
	if err != nil {
		p.fail(t.pos, "%v", err)
	}
	return e
}

func (p *parser) deeper() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek().pos, "nested too deeply")
	}
}

func (p *parser) kernel() *Kernel {
	p.expect("kernel")
	p.b = NewBuilder(p.kernelName())
	p.axes, p.bufs, p.rings, p.types = map[string]*Axis{}, map[string]*Buffer{}, map[string]*Ring{}, nil
	p.scopes = []map[string]*Value{{}}
	p.expect("(")
	for !p.accept(")") {
		p.param()
		if !p.is(")") {
			p.expect(",")
		}
	}
	k := p.b.Kernel()
	k.Guarded = p.accept("guarded")
	p.expect("{")
	for !p.accept("}") {
		p.stmt()
	}
	if p.accept("sched") {
		p.sched(k)
	}
	p.checkTypes()
	return k
}

func (p *parser) kernelName() string {
	if t := p.peek(); t.kind == tokString {
		p.i++
		name, err := strconv.Unquote(t.text)
		if err != nil {
			p.fail(t.pos, "bad string %s", t.text)
		}
		return name
	}
	name := p.nameOf("kernel name").text
	for p.accept(".") {
		name += "." + p.nameOf("kernel name").text
	}
	return name
}

func (p *parser) param() {
	t := p.nameOf("in, out, inout or work")
	mode := slices.Index(modeNames[:Local], t.text)
	if mode < 0 {
		p.fail(t.pos, "in, out, inout or work expected, found %s", t)
	}
	p.buffer(Mode(mode))
}

func (p *parser) buffer(mode Mode) *Buffer {
	name := p.newName("buffer name").text
	p.expect(":")
	elem := p.elem()
	pos := p.peek().pos
	p.expect("[")
	var length *Buffer
	if t := p.peek(); t.kind == tokName {
		if length = p.bufs[p.next().text]; length == nil {
			p.fail(t.pos, "no buffer %s", t.text)
		}
		p.expect("<=")
	}
	dims := p.intsEnd()
	for _, d := range dims {
		if d > 1<<40 {
			p.fail(pos, "dimension %d of %s is too large", d, name)
		}
	}
	buf := p.b.Buffer(name, elem, mode, dims...)
	buf.Length = length
	if p.accept("strides") {
		pos := p.peek().pos
		if buf.Strides = p.ints(); len(buf.Strides) != len(dims) {
			p.fail(pos, "%s has %d dimensions and %d strides", name, len(dims), len(buf.Strides))
		}
	}
	buf.Still = p.accept("still")
	p.bufs[name] = buf
	return buf
}

func (p *parser) ints() []int {
	p.expect("[")
	return p.intsEnd()
}

// intsEnd reads what follows a `[`.
func (p *parser) intsEnd() []int {
	out := []int{}
	for !p.accept("]") {
		out = append(out, p.int())
		if !p.is("]") {
			p.expect(",")
		}
	}
	return out
}

// axisList reads `[i, j]`.
func (p *parser) axisList() []*Axis {
	var out []*Axis
	p.expect("[")
	for !p.accept("]") {
		out = append(out, p.axis())
		if !p.is("]") {
			p.expect(",")
		}
	}
	return out
}

func (p *parser) axis() *Axis {
	t := p.nameOf("axis")
	a := p.axes[t.text]
	if a == nil {
		p.fail(t.pos, "no axis %s", t.text)
	}
	return a
}

func (p *parser) axisDecl() {
	for {
		t := p.newName("axis name")
		p.expect(":")
		pos := p.peek().pos
		ext := p.typed(p.binary(precShift), I64)
		most, constant := ext.IntConst()
		if p.accept("<=") {
			pos := p.peek().pos
			var ok bool
			if most, ok = p.typed(p.binary(precShift), I64).IntConst(); !ok {
				p.fail(pos, "the bound of axis %s is not a constant", t.text)
			}
		} else if !constant {
			p.fail(pos, "the extent of axis %s is data: write its bound, `<= n`", t.text)
		}
		if most < 0 || most > 1<<40 {
			p.fail(pos, "axis %s cannot have extent %d", t.text, most)
		}
		var def *Value
		if p.accept("=") {
			def = p.typed(p.expr(), I64)
		}
		a := p.b.AxisDef(t.text, ext, int(most), def)
		p.bind(a)
		p.axes[t.text] = a
		if !p.accept(",") {
			return
		}
	}
}

func (p *parser) bind(a *Axis) {
	t := p.peek()
	if t.text == "cluster" {
		p.fail(t.pos, "cluster belongs to GPU kernels, which this text form does not have")
	}
	if i := slices.Index(bindNames[1:], t.text); i >= 0 && t.kind == tokName {
		p.i++
		a.Bind = Bind(i + 1)
	}
}

func (p *parser) sched(k *Kernel) {
	p.expect("{")
	for !p.accept("}") {
		o := Opt{Kind: p.nameOf("kind of a scheduling decision").text}
		if p.peek().kind == tokName {
			o.Axis = p.next().text
		}
		if p.peek().kind == tokInt {
			o.Arg = p.int()
		}
		if p.peek().kind == tokName {
			o.Word = p.next().text
		}
		k.Opts = append(k.Opts, o)
		if !p.is("}") {
			p.expect(",")
		}
	}
}

func (p *parser) checkTypes() {
	order := p.b.order
	for _, a := range p.types {
		slices.SortFunc(a.axes, func(x, y *Axis) int { return order[x] - order[y] })
		if !slices.Equal(a.axes, a.val.Axes) {
			p.fail(a.pos, "%s is written %s[%s], but its type is %s", a.name, a.val.Elem, axisNames(a.axes), typeText(a.val))
		}
	}
}
