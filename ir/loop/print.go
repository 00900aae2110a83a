package loop

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

var modeNames = [...]string{In: "in", Out: "out", InOut: "inout", Work: "work", Local: "local"}

func (m Mode) String() string { return modeNames[m] }

var bindNames = [...]string{Open: "", Loop: "loop", Unroll: "unroll", Par: "par", Grid: "grid", Reg: "reg", Lane: "lane", Warp: "warp", Thread: "thread", FragRow: "fragrow", FragCol: "fragcol", FragSum: "fragsum", Box: "box"}

func (b Bind) String() string { return bindNames[b] }

var ringWords = [...]string{Fill: "fill", Take: "take", Free: "free"}

func (k RingKind) String() string { return ringWords[k] }

// String is the text of k, which Parse reads back.
func (k *Kernel) String() string {
	p := &printer{taken: map[string]bool{}}
	for _, a := range k.Axes {
		p.taken[a.Name] = true
	}
	for _, b := range k.Bufs {
		p.taken[b.Name] = true
	}
	for _, r := range k.Rings {
		p.taken[r.Name] = true
	}
	p.scopes = []map[*Value]string{{}}
	p.kernel(k)
	return p.out.String()
}

func (o Opt) String() string {
	s := o.Kind
	if o.Axis != "" {
		s += " " + o.Axis
	}
	if o.Arg != 0 {
		s += " " + strconv.Itoa(o.Arg)
	}
	if o.Word != "" {
		s += " " + o.Word
	}
	return s
}

type printer struct {
	out    strings.Builder
	indent int
	taken  map[string]bool     // names in use
	scopes []map[*Value]string // names of values, by block
}

func (p *printer) line(format string, args ...any) {
	p.out.WriteString(strings.Repeat("  ", p.indent))
	fmt.Fprintf(&p.out, format, args...)
	p.out.WriteByte('\n')
}

func (p *printer) kernel(k *Kernel) {
	var params, locals []string
	for _, b := range k.Bufs {
		if b.Mode == Local {
			swizzle := ""
			if b.Swizzle {
				swizzle = fmt.Sprintf(" swizzle(%d)", SwizzleBytes)
			}
			locals = append(locals, fmt.Sprintf("local %s in panel%s", bufferType(b), swizzle))
		} else {
			params = append(params, b.Mode.String()+" "+bufferType(b))
		}
	}
	guarded := ""
	if k.Guarded {
		guarded = " guarded"
	}
	p.line("kernel %s(%s)%s {", kernelName(k.Name), strings.Join(params, ", "), guarded)
	p.indent++
	for _, l := range locals {
		p.line("%s", l)
	}
	for _, r := range k.Rings {
		l := fmt.Sprintf("ring %s[%d]", r.Name, r.Depth)
		if r.Cluster > 0 {
			l += fmt.Sprintf(" cluster %d", r.Cluster)
		}
		p.line("%s", l)
	}
	for _, a := range k.Axes {
		p.line("axis %s", p.axis(a))
	}
	p.block(k.Body)
	p.indent--
	if len(k.Opts) == 0 {
		p.line("}")
		return
	}
	opts := make([]string, len(k.Opts))
	for i, o := range k.Opts {
		opts[i] = o.String()
	}
	p.line("} sched { %s }", strings.Join(opts, ", "))
}

// kernelName is the name, quoted unless it is words joined by dots.
func kernelName(name string) string {
	for _, w := range strings.Split(name, ".") {
		if w != clean(w) || w == "" {
			return strconv.Quote(name)
		}
	}
	return name
}

// clean makes a word of the text form out of any name.
func clean(name string) string {
	b := []byte(name)
	for i, c := range b {
		if !letter(c) && (c < '0' || c > '9') {
			b[i] = '_'
		}
	}
	if len(b) == 0 || !letter(b[0]) {
		return "_" + string(b)
	}
	return string(b)
}

func letter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func bufferType(b *Buffer) string {
	length := ""
	if b.Length != nil {
		length = b.Length.Name + " <= "
	}
	s := fmt.Sprintf("%s: %s[%s%s]", b.Name, b.Elem, length, ints(b.Dims))
	if b.Strides != nil {
		s += " strides[" + ints(b.Strides) + "]"
	}
	if b.Still {
		s += " still"
	}
	return s
}

func ints(xs []int) string {
	s := make([]string, len(xs))
	for i, x := range xs {
		s[i] = strconv.Itoa(x)
	}
	return strings.Join(s, ",")
}

func (p *printer) axis(a *Axis) string {
	s := a.Name + ": " + p.expr(a.Extent, precShift)
	if c, ok := a.Extent.IntConst(); !ok || int(c) != a.Max {
		s += " <= " + strconv.Itoa(a.Max)
	}
	if a.Def != nil {
		s += " = " + p.expr(a.Def, 0)
	}
	if a.Bind != Open {
		s += " " + a.Bind.String()
	}
	return s
}

func (p *printer) block(body []Stmt) {
	for _, s := range body {
		p.stmt(s)
	}
}

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Let:
		if p.name(s.Val) == "" {
			volatile := p.share(s.Val)
			text := p.expr(s.Val, 0)
			p.line("%s = %s", p.define(s.Val, s.Val.Name), text)
			p.unname(volatile)
		}
	case *Store:
		volatile := p.share(append([]*Value{s.Guard, s.Val}, s.Index...)...)
		async := ""
		if s.Async {
			async = " async"
		}
		if s.Multicast {
			async += " multicast"
		}
		p.line("%s = %s%s", p.access(s.Buf, s.Index, s.Guard), p.expr(s.Val, 0), async)
		p.unname(volatile)
	case *If:
		volatile := p.share(s.Cond)
		p.line("if %s {", p.expr(s.Cond, 0))
		p.unname(volatile)
		p.nested(s.Body)
	case *RingStep:
		volatile := p.share(s.Turn)
		head := fmt.Sprintf("%s %s %s", s.Kind, s.Ring.Name, p.expr(s.Turn, 0))
		p.unname(volatile)
		if s.Kind != Fill {
			p.line("%s", head)
			return
		}
		p.line("%s {", head)
		p.nested(s.Body)
	case *Send:
		p.line("send {")
		p.nested(s.Body)
	case *Sent:
		p.line("sent %d", s.Young)
	case *Role:
		head := "role " + s.Name
		if s.Warps > 0 {
			head += fmt.Sprintf(" warps %d", s.Warps)
		}
		if s.Regs > 0 {
			head += fmt.Sprintf(" regs %d", s.Regs)
		}
		p.line("%s {", head)
		p.nested(s.Body)
	case *For:
		p.loop(s)
	case *Commit:
		p.line("commit")
	case *Wait:
		p.line("wait %d", s.Young)
	case *Settle:
		p.line("settle %d %s", s.Young, p.expr(s.Val, 0))
	case *Phase:
		p.line("phase")
		for i := range p.scopes {
			p.forget(i)
		}
	}
}

func (p *printer) loop(f *For) {
	before := []*Value{f.Lo, f.Hi}
	for _, c := range f.Carry {
		before = append(before, c.Init)
	}
	volatile := p.share(before...)
	head := "for " + f.Axis.Name
	if f.Lo != nil || f.Hi != nil {
		head += fmt.Sprintf(" in %s..%s", p.bound(f.Lo, "0"), p.bound(f.Hi, strconv.Itoa(f.Axis.Max)))
	}
	inits := make([]string, len(f.Carry))
	for i, c := range f.Carry {
		inits[i] = p.expr(c.Init, 0)
	}
	p.unname(volatile)
	p.scopes = append(p.scopes, map[*Value]string{})
	for i, c := range f.Carry {
		inits[i] = p.define(c.In, c.Name) + " = " + inits[i]
	}
	if len(inits) > 0 {
		head += " carry " + strings.Join(inits, ", ")
	}
	// The results are in scope after the loop, but are written before it.
	body := &printer{indent: p.indent + 1, taken: p.taken, scopes: p.scopes}
	body.block(f.Body)
	if len(f.Carry) > 0 {
		next := make([]string, len(f.Carry))
		for _, c := range f.Carry {
			body.share(c.Next)
		}
		for i, c := range f.Carry {
			next[i] = body.expr(c.Next, 0)
		}
		body.line("yield %s", strings.Join(next, ", "))
	}
	p.pop()
	outs := make([]string, len(f.Carry))
	for i, c := range f.Carry {
		outs[i] = p.define(c.Out, c.Out.Name)
	}
	if len(outs) > 0 {
		head = strings.Join(outs, ", ") + " = " + head
	}
	p.line("%s {", head)
	p.out.WriteString(body.out.String())
	p.line("}")
}

func (p *printer) bound(v *Value, otherwise string) string {
	if v == nil {
		return otherwise
	}
	return p.expr(v, 0)
}

func (p *printer) nested(body []Stmt) {
	p.scopes = append(p.scopes, map[*Value]string{})
	p.indent++
	p.block(body)
	p.indent--
	p.pop()
	p.line("}")
}

func (p *printer) pop() {
	p.forget(len(p.scopes) - 1)
	p.scopes = p.scopes[:len(p.scopes)-1]
}

// forget ends the scope of the names of a block.
func (p *printer) forget(i int) {
	for _, name := range p.scopes[i] {
		delete(p.taken, name)
	}
	p.scopes[i] = map[*Value]string{}
}

// define names v from here on and returns `name: type`.
func (p *printer) define(v *Value, want string) string {
	want = clean(want)
	if want == "_" {
		want = "t"
	}
	name := want
	for n := 1; p.taken[name] || reserved(name); n++ {
		name = want + "_" + strconv.Itoa(n)
	}
	p.taken[name] = true
	p.scopes[len(p.scopes)-1][v] = name
	return name + ": " + typeText(v)
}

func typeText(v *Value) string {
	s := v.Elem.String()
	if len(v.Axes) > 0 {
		s += "[" + axisNames(v.Axes) + "]"
	}
	return s
}

func axisNames(axes []*Axis) string {
	names := make([]string, len(axes))
	for i, a := range axes {
		names[i] = a.Name
	}
	return strings.Join(names, ",")
}

// name is the name of v where it is in scope, "" otherwise.
func (p *printer) name(v *Value) string {
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if n, ok := p.scopes[i][v]; ok {
			return n
		}
	}
	return ""
}

func (p *printer) access(b *Buffer, index []*Value, guard *Value) string {
	s := make([]string, len(index))
	for i, x := range index {
		s[i] = p.expr(x, 0)
	}
	g := ""
	if guard != nil {
		g = "; " + p.expr(guard, 0)
	}
	return b.Name + "[" + strings.Join(s, ",") + g + "]"
}

// expr prints v for a place whose operators bind with prec.
func (p *printer) expr(v *Value, prec int) string {
	if n := p.name(v); n != "" {
		return n
	}
	s, own := p.form(v)
	if own < prec {
		return "(" + s + ")"
	}
	return s
}

// form is the text of v and the precedence of its outermost operator.
func (p *printer) form(v *Value) (string, int) {
	r := v.Op.Info()
	switch {
	case v.Op == Const:
		return constText(v), precAtom
	case v.Op == AxisIndex:
		return v.Axis.Name, precAtom
	case v.Op == Load:
		return p.access(v.Buf, v.Args, v.Guard), precAtom
	case v.Op == Cast && v.Args[0].Op == Const && v.Args[0].Elem != Bool && p.name(v.Args[0]) == "":
		// f16(0.1) is a constant: a conversion of one shows the constant's type.
		a := v.Args[0]
		return v.Elem.String() + "(" + a.Elem.String() + "(" + literal(a) + "))", precAtom
	case v.Op == Cast:
		return v.Elem.String() + "(" + p.expr(v.Args[0], 0) + ")", precAtom
	case v.Op == Bitcast:
		return "bitcast[" + v.Elem.String() + "](" + p.expr(v.Args[0], 0) + ")", precAtom
	case v.Op == At:
		return fmt.Sprintf("at[%s=%s](%s)", v.Axis.Name, p.expr(v.Args[0], 0), p.expr(v.Args[1], 0)), precAtom
	case v.Op == CarryIn || v.Op == CarryOut: // out of scope: the verifier objects
		return "?" + v.Name, precAtom
	case r.Infix != "" && r.Arity == 2:
		return p.expr(v.Args[0], r.Prec) + " " + r.Infix + " " + p.expr(v.Args[1], r.Prec+1), r.Prec
	case r.Infix != "":
		return r.Infix + p.expr(v.Args[0], r.Prec), r.Prec
	}
	args := make([]string, len(v.Args))
	for i, a := range v.Args {
		args[i] = p.expr(a, 0)
	}
	s := r.Name
	if len(v.Over) > 0 || r.Class == ClassReduce || r.Class == ClassDot {
		s += "[" + axisNames(v.Over) + "]"
	}
	s += "(" + strings.Join(args, ", ") + ")"
	if v.Instr != "" {
		s += " @" + v.Instr
	}
	return s, precAtom
}

// constText prints a constant: i64 and f32 bare, others as elem(literal).
func constText(v *Value) string {
	if v.Elem == I64 || v.Elem == F32 || v.Elem == Bool {
		return literal(v)
	}
	return v.Elem.String() + "(" + literal(v) + ")"
}

func literal(v *Value) string {
	if x, ok := v.FloatConst(); ok {
		return floatText(x)
	}
	if x, ok := v.BoolConst(); ok {
		return strconv.FormatBool(x)
	}
	return strconv.FormatInt(int64(v.Bits), 10)
}

func floatText(x float64) string {
	switch {
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 1):
		return "inf"
	case math.IsInf(x, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(x, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s
}
