package emulator

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bounds that no sensible text exceeds: bad input ends in an error, not in a
// machine without memory.
const (
	maxRegisters = 1 << 16
	maxVariable  = 1 << 28
	maxNesting   = 64
)

type parser struct {
	toks   []token
	at     int
	m      *Module
	f      *function
	loc    int32
	inside int              // the scope that the parser is in
	scope  []map[string]int // names of registers, innermost last
	bulk   []map[string]elem
	vars   []map[string]*variable
}

type syntaxPanic struct{ err *SyntaxError }

func (p *parser) fail(format string, args ...any) {
	panic(syntaxPanic{&SyntaxError{p.peek().line, fmt.Sprintf(format, args...)}})
}

func parse(text string) (m *Module, err error) {
	toks, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{toks: toks, m: &Module{files: map[int]string{}, vars: map[string]*variable{}, functions: map[string]*function{}, locs: make([]sourceLine, 1)}}
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(syntaxPanic)
			if !ok {
				panic(r)
			}
			m, err = nil, s.err
		}
	}()
	for p.peek().kind != 0 {
		p.topLevel()
	}
	return p.m, nil
}

func (p *parser) peek() token { return p.toks[p.at] }

func (p *parser) next() token {
	t := p.toks[p.at]
	if t.kind != 0 {
		p.at++
	}
	return t
}

func (p *parser) is(text string) bool {
	t := p.peek()
	return t.text == text && t.kind != 's' && t.kind != 0
}

func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.fail("expected %q before %q", text, p.peek().text)
	}
}

func (p *parser) word() string {
	if p.peek().kind != 'w' {
		p.fail("expected a name before %q", p.peek().text)
	}
	return p.next().text
}

func (p *parser) integer() int64 {
	neg := p.accept("-")
	if p.peek().kind != 'n' {
		p.fail("expected a number before %q", p.peek().text)
	}
	v, float := p.number(p.next().text)
	if float != 0 {
		p.fail("expected an integer")
	}
	if neg {
		return -int64(v)
	}
	return int64(v)
}

// number reads a literal: the bits, and the width of the float that they are (0 = an integer).
func (p *parser) number(s string) (uint64, int) {
	if len(s) == 10 && (s[:2] == "0f" || s[:2] == "0F") {
		if v, err := strconv.ParseUint(s[2:], 16, 32); err == nil {
			return v, 32
		}
	}
	if len(s) == 18 && (s[:2] == "0d" || s[:2] == "0D") {
		if v, err := strconv.ParseUint(s[2:], 16, 64); err == nil {
			return v, 64
		}
	}
	if strings.Contains(s, ".") {
		if v, err := strconv.ParseFloat(s, 64); err == nil {
			return math.Float64bits(v), 64
		}
	}
	if v, err := strconv.ParseUint(strings.TrimSuffix(s, "U"), 0, 64); err == nil {
		return v, 0
	}
	p.fail("%q is no number", s)
	return 0, 0
}

// restOfLine skips what belongs to a directive that ends with its line.
func (p *parser) restOfLine(line int) {
	for p.peek().line == line && p.peek().kind != 0 {
		p.at++
	}
}

func (p *parser) skipBraces() {
	p.expect("{")
	for depth := 1; depth > 0; {
		switch t := p.next(); {
		case t.kind == 0:
			p.fail("a { has no }")
		case t.kind == '{':
			depth++
		case t.kind == '}':
			depth--
		}
	}
}

func (p *parser) topLevel() {
	t := p.next()
	switch t.text {
	case ".version", ".target":
		p.restOfLine(t.line)
	case ".address_size":
		if p.integer() != 64 {
			p.fail("only 64-bit addresses are supported")
		}
	case ".file":
		number := int(p.integer())
		if p.peek().kind == 's' {
			p.m.files[number] = p.next().text
		}
		p.restOfLine(t.line)
	case ".section":
		p.word()
		p.skipBraces()
	case ".pragma":
		p.next()
		p.expect(";")
	default:
		p.at--
		p.declaration()
	}
}

// declaration is a module's variable or function.
func (p *parser) declaration() {
	external := false
	for {
		switch {
		case p.accept(".extern"):
			external = true
		case p.accept(".visible"), p.accept(".weak"), p.accept(".common"):
		case p.is(".entry"), p.is(".func"):
			p.function()
			return
		case p.is(".global"), p.is(".const"), p.is(".shared"):
			v := p.variable(external)
			if p.m.vars[v.name] != nil {
				p.fail("%s is declared twice", v.name)
			}
			p.m.vars[v.name] = v
			p.m.order = append(p.m.order, v)
			p.expect(";")
			return
		default:
			p.fail("expected a declaration before %q", p.peek().text)
		}
	}
}

func (p *parser) elem() elem {
	t := p.next()
	e, ok := elems[strings.TrimPrefix(t.text, ".")]
	if !ok || t.text[0] != '.' {
		p.at--
		p.fail("expected a type before %q", t.text)
	}
	return e
}

// variable reads a declaration up to its ; or ,.
func (p *parser) variable(external bool) *variable {
	v := &variable{space: p.next().text[1:], external: external, line: p.peek().line}
	align := int64(0)
	count := int64(1)
	vector := int64(1)
	for {
		if p.accept(".align") {
			align = p.integer()
			if align <= 0 || align&(align-1) != 0 || align > 1<<20 {
				p.fail("an alignment is a power of two")
			}
		} else if p.accept(".ptr") || p.accept(".attribute") {
			p.fail("attributes of variables are not supported")
		} else if p.is(".v2") || p.is(".v4") {
			vector = int64(p.next().text[2] - '0')
		} else {
			break
		}
	}
	v.elem = p.elem()
	if p.accept(".ptr") { // says what a kernel's pointer points at: nothing that a run needs
		for p.accept(".global") || p.accept(".shared") || p.accept(".const") || p.accept(".local") || p.accept(".generic") {
		}
		if p.accept(".align") {
			p.integer()
		}
	}
	v.name = p.word()
	for p.accept("[") {
		n := int64(0)
		if !p.is("]") {
			n = p.integer()
		}
		p.expect("]")
		if n < 0 || n > maxVariable || count*n > maxVariable {
			p.fail("%s is too large", v.name)
		}
		count *= n
	}
	unit := int64(v.elem.bytes()) * vector
	v.size = count * unit
	v.align = int(max(align, unit))
	if align != 0 {
		v.align = int(align)
	}
	if p.accept("=") {
		p.initialiser(v, 0)
		if int64(len(v.init)) > v.size {
			p.fail("%s has more initial values than room", v.name)
		}
	}
	return v
}

func (p *parser) initialiser(v *variable, depth int) {
	if p.accept("{") {
		if depth > maxNesting {
			p.fail("initial values are nested too deeply")
		}
		for !p.accept("}") {
			p.initialiser(v, depth+1)
			if !p.accept(",") && !p.is("}") {
				p.fail("expected , or } before %q", p.peek().text)
			}
		}
		return
	}
	if p.peek().kind == 'w' {
		p.fail("initial values that are addresses are not supported")
	}
	neg := p.accept("-")
	bits, float := p.number(p.next().text)
	if neg {
		bits = -bits
	}
	if float == 64 && v.elem == elems["f32"] {
		bits = uint64(math.Float32bits(float32(math.Float64frombits(bits))))
	}
	b := binary.LittleEndian.AppendUint64(nil, bits)
	v.init = append(v.init, b[:v.elem.bytes()]...)
}

func (p *parser) paramList() []*variable {
	var out []*variable
	for p.expect("("); !p.accept(")"); {
		if !p.is(".param") {
			p.fail("expected .param before %q", p.peek().text)
		}
		out = append(out, p.variable(false))
		if !p.accept(",") && !p.is(")") {
			p.fail("expected , or ) before %q", p.peek().text)
		}
	}
	return out
}

// dims reads one to three numbers.
func (p *parser) dims() [3]int {
	d := [3]int{1, 1, 1}
	for i := range d {
		n := p.integer()
		if n < 1 || n > maxThreads {
			p.fail("%d is no size of a cluster", n)
		}
		d[i] = int(n)
		if !p.accept(",") {
			break
		}
	}
	return d
}

func (p *parser) function() {
	f := &function{kernel: p.next().text == ".entry", line: p.peek().line, labels: map[label]int{}}
	if p.is("(") {
		f.results = p.paramList()
	}
	f.name = p.word()
	if p.is("(") {
		f.params = p.paramList()
	}
	for !p.is("{") && !p.is(";") {
		switch d := p.word(); d {
		case ".maxntid", ".reqntid":
			n := p.integer()
			for p.accept(",") {
				n *= p.integer()
			}
			f.maxThreads, f.exactThreads = int(n), d == ".reqntid"
		case ".reqnctapercluster":
			f.cluster = p.dims()
		case ".minnctapersm":
			f.minBlocks = int(p.integer())
		case ".maxnreg":
			f.maxRegisters = int(p.integer())
		case ".maxclusterrank":
			f.maxCluster = int(p.integer())
		case ".maxnctapersm":
			p.integer()
		case ".explicitcluster":
		case ".noreturn":
		case ".pragma":
			p.next()
			p.expect(";")
		default:
			p.at--
			p.fail("the directive %s is not supported", d)
		}
	}
	old := p.m.functions[f.name]
	if p.accept(";") {
		f.declared = true
		if old == nil {
			p.m.functions[f.name] = f
		}
		return
	}
	if old != nil && !old.declared {
		p.fail("%s is defined twice", f.name)
	}
	p.m.functions[f.name] = f
	p.f, p.loc, p.inside = f, 0, -1
	p.scope, p.bulk, p.vars = nil, nil, nil
	p.open()
	for _, v := range append(f.params[:len(f.params):len(f.params)], f.results...) {
		p.vars[0][v.name] = v
	}
	p.expect("{")
	p.body()
	p.f = nil
}
