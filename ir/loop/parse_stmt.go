package loop

import "fmt"

// gpuWords start statements of GPU kernels, which this text form does not have.
var gpuWords = map[string]bool{"sync": true, "turn": true, "layout": true}

func (p *parser) stmt() {
	t := p.peek()
	switch {
	case t.kind != tokName:
		p.fail(t.pos, "statement expected, found %s", t)
	case gpuWords[t.text]:
		p.fail(t.pos, "%s belongs to GPU kernels, which this text form does not have", t.text)
	case p.accept("axis"):
		p.topLevel(t)
		p.axisDecl()
	case p.accept("local"):
		p.topLevel(t)
		buf := p.buffer(Local)
		p.expect("in")
		p.expect("panel")
		if p.accept("swizzle") {
			p.expect("(")
			pos := p.peek().pos
			if n := p.int(); n != SwizzleBytes {
				p.fail(pos, "swizzle(%d): there is swizzle(%d) only", n, SwizzleBytes)
			}
			p.expect(")")
			buf.Swizzle = true
		}
	case p.accept("ring"):
		p.topLevel(t)
		r := &Ring{Name: p.newName("ring name").text}
		p.expect("[")
		r.Depth = p.int()
		p.expect("]")
		if p.accept("cluster") {
			r.Cluster = p.int()
		}
		p.b.names[r.Name], p.rings[r.Name] = true, r
		p.b.k.Rings = append(p.b.k.Rings, r)
	case p.accept("role"):
		s := &Role{Name: p.newName("name of a role").text}
		if p.accept("warps") {
			s.Warps = p.int()
		}
		if p.accept("regs") {
			s.Regs = p.int()
		}
		p.open(&s.Body)
		p.block()
		p.close()
		p.b.emit(s)
	case p.accept(Fill.String()):
		p.ringStep(Fill)
	case p.accept(Take.String()):
		p.ringStep(Take)
	case p.accept(Free.String()):
		p.ringStep(Free)
	case p.accept("send"):
		s := &Send{}
		p.open(&s.Body)
		p.block()
		p.close()
		p.b.emit(s)
	case p.accept("sent"):
		p.b.emit(&Sent{Young: p.int()})
	case p.accept("commit"):
		p.b.emit(&Commit{})
	case p.accept("wait"):
		p.b.emit(&Wait{Young: p.int()})
	case p.accept("settle"):
		young := p.int()
		p.b.emit(&Settle{Young: young, Val: p.typed(p.expr(), F32)})
	case p.accept("phase"):
		p.b.Phase()
		for i := range p.scopes {
			p.scopes[i] = map[string]*Value{}
		}
	case p.accept("if"):
		s := &If{Cond: p.typed(p.expr(), Bool)}
		p.open(&s.Body)
		p.block()
		p.close()
		p.b.emit(s)
	case t.text == "for":
		p.loop(nil)
	case p.bufs[t.text] != nil:
		p.store()
	default:
		p.define()
	}
}

func (p *parser) topLevel(t token) {
	if len(p.scopes) > 1 {
		p.fail(t.pos, "%s is declared outside blocks", t.text)
	}
}

func (p *parser) open(body *[]Stmt) {
	p.deeper()
	p.b.open(body)
	p.scopes = append(p.scopes, map[string]*Value{})
}

func (p *parser) close() {
	p.depth--
	p.b.close()
	p.scopes = p.scopes[:len(p.scopes)-1]
}

// block reads `{ statements }`.
func (p *parser) block() {
	p.expect("{")
	for !p.accept("}") {
		p.stmt()
	}
}

// ringStep reads `ring turn` and, of a Fill, its stores.
func (p *parser) ringStep(kind RingKind) {
	t := p.nameOf("ring")
	s := &RingStep{Ring: p.rings[t.text], Kind: kind, Turn: p.typed(p.expr(), I64)}
	if s.Ring == nil {
		p.fail(t.pos, "no ring %s", t.text)
	}
	if kind == Fill {
		p.open(&s.Body)
		p.block()
		p.close()
	}
	p.b.emit(s)
}

// access reads `[index; guard]`.
func (p *parser) access() (index []*Value, guard *Value) {
	p.expect("[")
	for !p.is("]") && !p.is(";") {
		index = append(index, p.typed(p.expr(), I64))
		if !p.is("]") && !p.is(";") {
			p.expect(",")
		}
	}
	if p.accept(";") {
		guard = p.typed(p.expr(), Bool)
	}
	p.expect("]")
	return index, guard
}

func (p *parser) store() {
	t := p.next()
	buf := p.bufs[t.text]
	index, guard := p.access()
	p.expect("=")
	v := p.typed(p.expr(), buf.Elem)
	if p.is("via") {
		p.fail(p.peek().pos, "via belongs to GPU kernels, which this text form does not have")
	}
	s, err := p.b.store(buf, index, guard, v)
	if err != nil {
		p.fail(t.pos, "%v", err)
	}
	s.Async = p.accept("async")
	s.Multicast = p.accept("multicast")
}

// target is a name being defined, with the type written after it.
type target struct {
	tok   token
	typed bool
	elem  Elem
	axes  []*Axis
}

func (p *parser) target() target {
	t := target{tok: p.newName("name")}
	if p.accept(":") {
		t.typed, t.elem = true, p.elem()
		if p.is("[") {
			t.axes = p.axisList()
		}
	}
	return t
}

// bindName makes name mean v from here on.
func (p *parser) bindName(t target, v *Value) {
	if t.typed {
		if v.Elem != t.elem {
			p.fail(t.tok.pos, "%s is written %s, but its value is %s", t.tok.text, t.elem, v.Elem)
		}
		p.types = append(p.types, annotation{v, t.axes, t.tok.pos, t.tok.text})
	}
	p.scopes[len(p.scopes)-1][t.tok.text] = v
}

func (p *parser) define() {
	targets := []target{p.target()}
	for p.accept(",") {
		targets = append(targets, p.target())
	}
	for i, t := range targets {
		for _, u := range targets[:i] {
			if t.tok.text == u.tok.text {
				p.fail(t.tok.pos, "%s is already defined", t.tok.text)
			}
		}
	}
	p.expect("=")
	if p.is("for") {
		p.loop(targets)
		return
	}
	t := targets[0]
	if len(targets) > 1 {
		p.fail(targets[1].tok.pos, "only a loop gives several values")
	}
	o := p.expr()
	v := o.val
	if o.lit && t.typed {
		v = p.typed(o, t.elem)
	} else {
		v = p.value(o)
	}
	named := false
	for _, s := range p.scopes {
		for _, old := range s {
			named = named || old == v
		}
	}
	if !named {
		p.b.Let(t.tok.text, v)
	}
	p.bindName(t, v)
}

// loop reads `for axis [in lo..hi] [carry …] { … yield … }`.
func (p *parser) loop(outs []target) {
	pos := p.next().pos
	f := &For{Axis: p.axis()}
	if f.Axis.IsOpen() {
		p.fail(pos, "axis %s is open: only a bound axis has a loop", f.Axis.Name)
	}
	if p.accept("in") {
		f.Lo = p.typed(p.expr(), I64)
		p.expect("..")
		f.Hi = p.typed(p.expr(), I64)
	}
	var ins []target
	if p.accept("carry") {
		ins = p.carries(f)
	}
	if len(outs) > 0 && len(outs) != len(ins) {
		p.fail(pos, "the loop carries %s for %d names", count(len(ins), "value"), len(outs))
	}
	p.open(&f.Body)
	for i, t := range ins {
		if p.lookup(t.tok.text) != nil {
			p.fail(t.tok.pos, "%s is already defined", t.tok.text)
		}
		p.scopes[len(p.scopes)-1][t.tok.text] = f.Carry[i].In
	}
	p.expect("{")
	for !p.is("yield") && !p.is("}") {
		p.stmt()
	}
	p.yield(f)
	p.expect("}")
	p.close()
	for i, c := range f.Carry {
		c.Out = &Value{Op: CarryOut, Elem: c.In.Elem, Name: c.Name, Pos: pos}
		if len(outs) > 0 {
			c.Out.Name = outs[i].tok.text
		}
	}
	p.b.emit(f)
	p.b.settle(f)
	for i, t := range outs {
		p.bindName(t, f.Carry[i].Out)
	}
	for i, t := range ins {
		if t.typed {
			p.types = append(p.types, annotation{f.Carry[i].In, t.axes, t.tok.pos, t.tok.text})
		}
	}
}

func (p *parser) carries(f *For) (ins []target) {
	for {
		t := p.target()
		p.expect("=")
		o := p.expr()
		v := p.value(o)
		if t.typed {
			v = p.typed(o, t.elem)
		}
		in := &Value{Op: CarryIn, Elem: v.Elem, Axes: v.Axes, Name: t.tok.text, Pos: t.tok.pos}
		f.Carry = append(f.Carry, &Carry{Name: t.tok.text, Init: v, In: in})
		ins = append(ins, t)
		if !p.accept(",") {
			return ins
		}
	}
}

func (p *parser) yield(f *For) {
	t := p.peek()
	n := 0
	if p.accept("yield") {
		for {
			if n < len(f.Carry) {
				f.Carry[n].Next = p.typed(p.expr(), f.Carry[n].In.Elem)
			} else {
				p.expr()
			}
			n++
			if !p.accept(",") {
				break
			}
		}
	}
	if n != len(f.Carry) {
		p.fail(t.pos, "the loop carries %s, the yield gives %d", count(len(f.Carry), "value"), n)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
