package emulator

import (
	"fmt"
	"slices"
	"strings"
)

const maxCode = 1 << placeBits

type regKey struct {
	f   *function
	reg int
}

type decoder struct {
	k       *Kernel
	f       *function
	s       *stmt
	rowOf   map[regKey]int32
	predOf  map[regKey]int32
	constOf map[uint64]int32
	addrOf  map[*variable]int32
	specOf  map[string]int32
	frameOf map[*variable]int
	localAt map[*variable]int // .shared and .local variables
	entry   map[*function]int32
	retRow  map[*function]int32
	busy    map[*function]bool // on the path of calls to here
	uses    []int32            // registers of the statement so far
	usesOf  map[int32][]int32  // and of all others, by the place of their code
	owned   map[int32]bool     // registers of warpgroup products
	queue   []*function
	sharedN int
	localN  int
}

func (d *decoder) fail(format string, args ...any) {
	line := d.f.line
	if d.s != nil {
		line = d.s.line
		format = strings.Join(append([]string{d.s.op}, d.s.mods.names...), ".") + ": " + format
	}
	panic(syntaxPanic{&SyntaxError{line, fmt.Sprintf(format, args...)}})
}

func decode(m *Module, f *function, approx Approx) (k *Kernel, err error) {
	d := &decoder{
		k:     &Kernel{module: m, name: f.name, approx: approx, entry: f, rows: 1, preds: 1, rowName: []string{"0"}, granule: [2]int{16, 16}},
		rowOf: map[regKey]int32{}, predOf: map[regKey]int32{}, constOf: map[uint64]int32{0: zeroRow}, addrOf: map[*variable]int32{}, specOf: map[string]int32{},
		frameOf: map[*variable]int{}, localAt: map[*variable]int{}, usesOf: map[int32][]int32{}, owned: map[int32]bool{}, entry: map[*function]int32{}, retRow: map[*function]int32{}, busy: map[*function]bool{},
		sharedN: firstAddress, localN: firstAddress,
	}
	defer func() {
		if r := recover(); r != nil {
			s, ok := r.(syntaxPanic)
			if !ok {
				panic(r)
			}
			k, err = nil, s.err
		}
	}()
	d.f = f
	for _, p := range f.params {
		at := (d.k.paramBytes + p.align - 1) / p.align * p.align
		d.k.paramAt = append(d.k.paramAt, at)
		d.k.paramBytes = at + int(min(p.size, 1<<16))
		if d.k.paramBytes > 1<<15 {
			d.fail("the parameters are too large")
		}
	}
	d.order(f)
	for _, g := range d.queue {
		d.layout(g)
	}
	d.layoutDynamic()
	for _, g := range d.queue {
		d.function(g)
	}
	d.touches()
	for i := range d.k.code {
		if c := &d.k.code[i]; c.op == opCall {
			c.fresh = d.freshOf(d.queue[c.target])
			c.target = d.entry[d.queue[c.target]]
		}
	}
	return d.k, nil
}

func (d *decoder) newRow(name string) int32 {
	d.k.rows++
	d.k.rowName = append(d.k.rowName, name)
	return int32(d.k.rows - 1)
}

func (d *decoder) constant(v uint64) int32 {
	if r, ok := d.constOf[v]; ok {
		return r
	}
	r := d.newRow(fmt.Sprint(v))
	d.constOf[v] = r
	d.k.consts = append(d.k.consts, constant{row: r, value: v})
	return r
}

func (d *decoder) row(reg int) int32 {
	key := regKey{d.f, reg}
	r, ok := d.rowOf[key]
	if !ok {
		r = d.newRow(d.f.regs[reg].name)
		d.rowOf[key] = r
	}
	d.uses = append(d.uses, r)
	return r
}

func (d *decoder) pred(reg int) int32 {
	key := regKey{d.f, reg}
	r, ok := d.predOf[key]
	if !ok {
		r = int32(d.k.preds)
		d.k.preds++
		d.predOf[key] = r
	}
	return r
}

func (d *decoder) variable(name string) *variable {
	for _, list := range [][]*variable{d.f.locals, d.f.params, d.f.results} {
		for _, v := range list {
			if v.name == name {
				return v
			}
		}
	}
	return d.k.module.vars[name]
}

// address is the row that holds a variable's address in its own space.
func (d *decoder) address(name string) int32 {
	v := d.variable(name)
	if v == nil {
		d.fail("there is no %s", name)
	}
	switch at, ok := d.localAt[v]; {
	case ok:
		return d.constant(uint64(at))
	case v.space == "global" || v.space == "const":
		r, known := d.addrOf[v]
		if !known {
			r = d.newRow(v.name)
			d.addrOf[v] = r
			d.k.consts = append(d.k.consts, constant{row: r, at: v})
		}
		return r
	case v.space == "param":
		if at, ok := d.frameOf[v]; ok {
			return d.constant(uint64(at))
		}
		return d.constant(uint64(d.k.paramAt[slices.Index(d.k.entry.params, v)]))
	}
	d.fail("%s has no address here", name)
	return 0
}

// src is the row of a source operand of type e. wide allows registers wider than e.
func (d *decoder) src(o operand, e elem, wide bool) int32 {
	switch o.kind {
	case argReg:
		r := d.f.regs[o.reg]
		if r.elem.kind == 'p' || o.not || o.second != -1 {
			d.fail("%s is no operand of this type", r.name)
		}
		if w := r.elem.width(); w != e.width() && !(wide && w > e.width()) {
			d.fail("%s has %d bits, not %d", r.name, w, e.width())
		}
		return d.row(o.reg)
	case argImm:
		v := o.value
		if o.float != 0 && e.float() && e.bits != o.float {
			d.fail("a constant of %d bits where %d are meant", o.float, e.bits)
		}
		return d.constant(v & e.mask())
	case argVar:
		if o.special {
			return d.special(o.name)
		}
		return d.address(o.name)
	}
	d.fail("this operand cannot be read")
	return 0
}

// dst is the row of a destination of type e; -1 is a sink.
func (d *decoder) dst(o operand, e elem, wide bool) int32 {
	if o.kind == argSink {
		return d.newRow("_")
	}
	if o.kind != argReg || d.f.regs[o.reg].elem.kind == 'p' {
		d.fail("the result needs a register")
	}
	r := d.f.regs[o.reg]
	if w := r.elem.width(); w != e.width() && !(wide && w > e.width()) {
		d.fail("%s has %d bits, not %d", r.name, w, e.width())
	}
	return d.row(o.reg)
}

// predSrc is the row of a predicate operand and whether it is negated.
func (d *decoder) predSrc(o operand) (int32, bool) {
	switch {
	case o.kind == argReg && d.f.regs[o.reg].elem.kind == 'p':
		return d.pred(o.reg), o.not
	case o.kind == argImm && o.float == 0:
		return trueRow, o.value == 0
	}
	d.fail("this operand must be a predicate")
	return 0, false
}

func (d *decoder) predDst(o operand) int32 {
	if o.kind == argSink {
		d.k.preds++
		return int32(d.k.preds - 1)
	}
	if o.kind != argReg || o.not || d.f.regs[o.reg].elem.kind != 'p' {
		d.fail("the result needs a predicate register")
	}
	return d.pred(o.reg)
}

// second is the q of a destination p|q.
func (d *decoder) second(o operand) int32 {
	if o.second >= 0 {
		return d.pred(o.second)
	}
	d.k.preds++
	return int32(d.k.preds - 1)
}

// args checks the number of operands.
func (d *decoder) args(n int) []operand {
	if len(d.s.args) != n {
		d.fail("needs %d operands, not %d", n, len(d.s.args))
	}
	return d.s.args
}

// needs checks that the instruction has the modifiers of the one form that there is.
func (d *decoder) needs(names ...string) {
	for _, n := range names {
		if !d.s.mods.has(n) {
			d.fail("it must say .%s", n)
		}
	}
}

// typ is the instruction's only type, or its last one.
func (d *decoder) typ() elem {
	t := d.s.mods.types()
	if len(t) == 0 {
		d.fail("a type is missing")
	}
	return t[len(t)-1]
}

func (d *decoder) emit(in inst) *inst {
	if len(d.k.code) >= maxCode {
		d.fail("the kernel is too long")
	}
	in.reconv, in.pc = noTarget, int32(len(d.k.code))
	if d.s != nil && d.s.guard >= 0 {
		in.guard, in.inv = d.pred(d.s.guard), !d.s.guardIs
	}
	line, loc := d.f.line, int32(0)
	if d.s != nil {
		line, loc = d.s.line, d.s.loc
	}
	d.k.code = append(d.k.code, in)
	d.k.places = append(d.k.places, place{line, loc})
	return &d.k.code[len(d.k.code)-1]
}

// function decodes one function behind what is there already.
func (d *decoder) function(f *function) {
	d.f = f
	start := int32(len(d.k.code))
	d.entry[f] = start
	at := make([]int32, len(f.body)+1) // first instruction of each statement
	type jump struct {
		pc int32
		to int // statement
	}
	var jumps []jump
	var returns []int32
	for i := range f.body {
		s := &f.body[i]
		d.s = s
		at[i] = int32(len(d.k.code))
		switch {
		case s.op == "bra":
			jumps = append(jumps, jump{at[i], d.label(d.args(1)[0].name)})
			d.emit(inst{op: opBranch})
		case s.op == "ret" && f != d.queue[0]:
			returns = append(returns, at[i])
			d.emit(inst{op: opBranch})
		case s.op == "ret" || s.op == "exit":
			d.emit(inst{op: opExit})
		case s.op == "call":
			d.call()
		default:
			build, ok := builders[s.op]
			if !ok {
				d.fail("this instruction is not supported")
			}
			d.uses = d.uses[:0]
			build(d)
			d.used(at[i])
			if m := s.mods.unknown(); m != "" {
				d.fail("the modifier .%s is not supported", m)
			}
		}
	}
	d.s = nil
	at[len(f.body)] = int32(len(d.k.code))
	for _, pc := range returns {
		d.k.code[pc].target = at[len(f.body)]
	}
	if f == d.queue[0] {
		d.emit(inst{op: opExit})
	} else {
		d.emit(inst{op: opReturn, a: d.retRow[f]})
	}
	for _, j := range jumps {
		d.k.code[j.pc].target = at[j.to]
	}
	reconverge(d.k.code, start)
}

// label finds the statement behind a label, in the scope of the instruction or one around it.
func (d *decoder) label(name string) int {
	for scope := d.s.scope; scope >= 0; scope = d.f.scopes[scope] {
		if i, ok := d.f.labels[label{scope, name}]; ok {
			return i
		}
	}
	d.fail("there is no label %s", name)
	return 0
}
