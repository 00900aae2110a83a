package emulator

import (
	"fmt"
	"strings"
)

func (p *parser) open() {
	p.scope = append(p.scope, map[string]int{})
	p.bulk = append(p.bulk, map[string]elem{})
	p.vars = append(p.vars, map[string]*variable{})
	p.f.scopes = append(p.f.scopes, p.inside)
	p.inside = len(p.f.scopes) - 1
}

func (p *parser) close() {
	n := len(p.scope) - 1
	p.scope, p.bulk, p.vars = p.scope[:n], p.bulk[:n], p.vars[:n]
	p.inside = p.f.scopes[p.inside]
}

// body reads statements up to the } that closes a function or scope.
func (p *parser) body() {
	if len(p.scope) > maxNesting {
		p.fail("scopes are nested too deeply")
	}
	for !p.accept("}") {
		t := p.peek()
		switch {
		case t.kind == 0:
			p.fail("%s has no }", p.f.name)
		case p.accept(";"):
		case p.accept("{"):
			p.open()
			p.body()
			p.close()
		case t.text == ".loc":
			p.location()
		case t.text == ".reg":
			p.registers()
		case t.text == ".local", t.text == ".shared", t.text == ".param":
			p.localVariable()
		case t.text == ".pragma":
			p.next()
			p.next()
			p.expect(";")
		case t.kind == 'w' && p.toks[p.at+1].kind == ':':
			l := label{p.inside, t.text}
			if _, twice := p.f.labels[l]; twice {
				p.fail("label %s is set twice", t.text)
			}
			p.f.labels[l] = len(p.f.body)
			p.at += 2
		default:
			p.instruction()
		}
	}
}

func (p *parser) location() {
	line := p.next().line
	l := sourceLine{file: int(p.integer()), line: int(p.integer())}
	p.restOfLine(line)
	p.loc = 0
	if l.line > 0 { // line 0 is what the compiler made
		p.m.locs = append(p.m.locs, l)
		p.loc = int32(len(p.m.locs) - 1)
	}
}

func (p *parser) localVariable() {
	v := p.variable(false)
	top := p.vars[len(p.vars)-1]
	if top[v.name] != nil {
		p.fail("%s is declared twice", v.name)
	}
	p.f.locals = append(p.f.locals, v)
	// Two scopes may use a name: instructions refer to locals by their number.
	v.name, top[v.name] = fmt.Sprintf("%s#%d", v.name, len(p.f.locals)-1), v
	p.expect(";")
}

func (p *parser) registers() {
	p.next()
	e := p.elem()
	top := len(p.scope) - 1
	for {
		name := p.word()
		if p.accept("<") {
			if n := p.integer(); n < 0 || n > maxRegisters {
				p.fail("too many registers")
			}
			p.expect(">")
			p.bulk[top][name] = e
		} else {
			p.scope[top][name] = p.newRegister(name, e)
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(";")
}

func (p *parser) newRegister(name string, e elem) int {
	if len(p.f.regs) >= maxRegisters {
		p.fail("%s has too many registers", p.f.name)
	}
	p.f.regs = append(p.f.regs, register{name, e})
	return len(p.f.regs) - 1
}

// register finds a name; those of a %r<n> declaration come into being at their first use.
func (p *parser) register(name string) (int, bool) {
	prefix := strings.TrimRight(name, "0123456789")
	for i := len(p.scope) - 1; i >= 0; i-- {
		if r, ok := p.scope[i][name]; ok {
			return r, true
		}
		if e, ok := p.bulk[i][prefix]; ok && prefix != name {
			r := p.newRegister(name, e)
			p.scope[i][name] = r
			return r, true
		}
	}
	return 0, false
}

func (p *parser) predicate() int {
	name := p.word()
	r, ok := p.register(name)
	if !ok || p.f.regs[r].elem.kind != 'p' {
		p.fail("%s is no predicate register", name)
	}
	return r
}

func (p *parser) instruction() {
	s := stmt{guard: -1, line: p.peek().line, loc: p.loc, scope: p.inside}
	if p.accept("@") {
		s.guardIs = !p.accept("!")
		s.guard = p.predicate()
	}
	s.op, s.mods = splitOpcode(p.word())
	for !p.accept(";") {
		s.args = append(s.args, p.operand(0))
		if !p.accept(",") && !p.is(";") {
			p.fail("expected , or ; before %q", p.peek().text)
		}
	}
	p.f.body = append(p.f.body, s)
}

func (p *parser) operand(depth int) operand {
	o := operand{reg: -1, second: -1}
	t := p.peek()
	switch {
	case depth > 3:
		p.fail("operands are nested too deeply")
	case p.accept("["):
		p.address(&o)
	case t.kind == '{' || t.kind == '(':
		end := "}"
		o.kind = argVector
		if t.kind == '(' {
			o.kind, end = argList, ")"
		}
		for p.next(); !p.accept(end); {
			o.list = append(o.list, p.operand(depth+1))
			if !p.accept(",") && !p.is(end) {
				p.fail("expected , or %s before %q", end, p.peek().text)
			}
		}
	case p.accept("!"):
		o.kind, o.not, o.reg = argReg, true, p.predicate()
	case t.kind == 'n' || t.kind == '-':
		o.kind = argImm
		neg := p.accept("-")
		if p.peek().kind != 'n' {
			p.fail("expected a number before %q", p.peek().text)
		}
		o.value, o.float = p.number(p.next().text)
		if neg && o.float == 0 {
			o.value = -o.value
		} else if neg {
			o.value ^= 1 << (o.float - 1)
		}
	case p.accept("_"):
		o.kind = argSink
	default:
		p.name(&o)
	}
	if p.accept("|") {
		o.second = -2 // a sink
		if !p.accept("_") {
			o.second = p.predicate()
		}
	}
	return o
}

// name is a register, special register, variable, label or function.
func (p *parser) name(o *operand) {
	name := p.word()
	if r, ok := p.register(name); ok {
		o.kind, o.reg = argReg, r
		return
	}
	o.kind, o.name = argVar, name
	o.special = name[0] == '%' || name == "WARP_SZ"
	for i := len(p.vars) - 1; i >= 0; i-- {
		if v := p.vars[i][name]; v != nil {
			o.name = v.name
			return
		}
	}
}

func (p *parser) address(o *operand) {
	switch {
	case p.peek().kind == 'n' || p.is("-"):
		o.value = uint64(p.integer())
	default:
		p.name(o)
		if p.is("+") || p.is("-") {
			p.accept("+")
			o.value = uint64(p.integer())
		}
	}
	o.kind = argMem
	if p.accept(",") { // coordinates
		if !p.is("{") {
			p.fail("expected { before %q", p.peek().text)
		}
		o.list = p.operand(2).list
	}
	p.expect("]")
}
