package lang

import (
	"strings"

	"mdlc/ir"
)

// drawBits is the one primitive: uniform u32 from the counter-based generator.
func (b *builder) drawBits(shape []ir.Dim) Value {
	path := strings.Join(b.site, "/")
	b.nth[path]++
	if n := b.nth[path]; n > 1 {
		path += "#" + itoa(n)
	}
	seed := b.entry.seed()
	step := b.entry.stepOrZero(b)
	return b.tensor(b.f.b.Bits(path, shape, b.node(seed), b.node(step), b.node(b.turnIndex())))
}

// turnCount is a loop around a draw: its turn, or which turn of an unrolled one, and how many there are.
type turnCount struct {
	frame *frame
	at    int
	count int
}

// turnIndex is the flattened turn of the loops around, i32.
func (b *builder) turnIndex() Tensor {
	t := b.tensor(b.f.b.I32(0))
	for i, l := range b.loops {
		turn := b.tensor(b.f.b.I32(l.at))
		if l.frame != nil {
			turn = Tensor{N: l.frame.turn, F: l.frame}
		}
		if i == 0 {
			t = turn
			continue
		}
		t = b.tensor(b.f.b.Add(b.f.b.Mul(b.node(t), b.f.b.I32(l.count)), b.node(turn)))
	}
	return Tensor{N: b.node(t), F: b.f}
}

// sample draws from d. like is the type on the left side, or nil; variable names the draw.
func (b *builder) sample(d Draw, like *ir.Type, variable string, at Span) Value {
	b.needGraph(at)
	b.at(at)
	site := b.site
	b.site = append(append([]string{}, site...), variable)
	defer func() { b.site = site }()
	if d.Unit == nil {
		if !d.Given {
			b.failHelp(at, "`bits[n]`", "`bits` needs a shape")
		}
		return b.drawBits(d.Shape)
	}
	sc, fn := b.distribution(d, "draw", like, at)
	b.site = append(b.site, d.Unit.Decl.Name)
	v := b.callFn(Func{Name: "draw", Decl: fn, Scope: sc}, nil, at, "draw")
	if t, ok := v.(Tensor); ok && len(d.One) == t.N.Type.Rank() {
		t.One = d.One
		v = t
	}
	if like != nil {
		t, ok := v.(Tensor)
		if !ok {
			b.fail(at, "%s gives %s, not a tensor", d.Unit.Decl.Name, describe(v))
		}
		if !ir.SameDims(t.N.Type.Dims, like.Dims) {
			b.fail(at, "%s draws %s, the left side is %s", d.Unit.Decl.Name, typeText(t.N.Type), typeText(*like))
		}
		if t.N.Type.Elem != like.Elem {
			v = b.cast(t, like.Elem)
		}
	}
	return v
}

// distribution binds the parameters and dimensions of d, and finds a function of it.
func (b *builder) distribution(d Draw, name string, like *ir.Type, at Span) (*scope, *Fn) {
	var fn *Fn
	var names []string
	for _, m := range d.Unit.Decl.Members {
		if m.Fn != nil {
			names = append(names, m.Fn.Name)
			if m.Fn.Name == name {
				fn = m.Fn
			}
		}
	}
	if fn == nil {
		b.failHelp(at, DidYouMean(name, names), "the distribution %s has no `%s`", d.Unit.Decl.Name, name)
	}
	if name == "draw" && fn.Result == nil {
		b.fail(Span{fn.Pos, fn.EndPos}, "`draw` needs a result type: the shape of the draw")
	}
	sc := newScope(d.Unit.Scope, unitScope)
	b.bindDistribution(sc, d, at)
	switch {
	case d.Given && name == "draw":
		if why := b.in(sc).matchDims(fn.Result.Dims, d.Shape); why != "" {
			b.fail(at, "%s cannot draw %s: %s", d.Unit.Decl.Name, dimsText(d.Shape), why)
		}
	case d.Given && sc.vars[".."] == nil:
		sc.define("..", Dims{d.Shape})
	case sc.vars[".."] == nil && name == "draw":
		b.shapeOf(sc, d, fn, like, at)
	}
	return sc, fn
}

// bindDistribution is bind, but numbers given for tensors stay numbers: they leave `..` open.
func (b *builder) bindDistribution(sc *scope, d Draw, at Span) {
	args := append([]arg{}, d.Args...)
	open := map[string]Value{}
	params := make([]*Param, len(d.Unit.Decl.Params))
	place := 0
	for i, p := range d.Unit.Decl.Params {
		params[i] = p
		var v Value
		for _, a := range args {
			if a.name == p.Name {
				v = a.value
			}
		}
		if v == nil && place < len(args) && args[place].name == "" {
			v = args[place].value
			place++
		}
		if v == nil && p.Default != nil && p.Type != nil && p.Type.Array {
			v = b.in(sc).eval(p.Default.term())
		}
		if t, ok := v.(Tensor); ok && t.N.Type.Rank() > 0 {
			continue
		}
		if v != nil && p.Type != nil && p.Type.Array {
			open[p.Name] = v
			params[i] = &Param{Pos: p.Pos, EndPos: p.EndPos, Name: p.Name, Default: p.Default}
		}
	}
	b.bind(sc, params, args, d.Unit.Decl.Name, at)
}

// shapeOf binds `..` and the upper-case names of draw's result from the left side.
func (b *builder) shapeOf(sc *scope, d Draw, fn *Fn, like *ir.Type, at Span) {
	if like == nil {
		for _, p := range d.Unit.Decl.Params {
			if t, ok := sc.vars[p.Name].(Tensor); ok && t.N.Type.Rank() > 0 {
				return
			}
		}
		if len(fn.Result.Dims) == 1 && fn.Result.Dims[0].Rest {
			sc.define("..", Dims{})
			b.oneNumber(d, at)
			return
		}
		b.failHelp(at, "`"+d.Unit.Decl.Name+"[n]`, or a type on the left", "the shape of this draw is not known")
	}
	if why := b.in(sc).matchDims(fn.Result.Dims, like.Dims); why != "" {
		b.fail(at, "%s cannot draw %s: %s", d.Unit.Decl.Name, typeText(*like), why)
	}
}

// oneNumber warns of a draw without a shape whose arguments are numbers: where a batch is computed, one draw for all of it is rarely meant.
func (b *builder) oneNumber(d Draw, at Span) {
	for _, a := range d.Args {
		if _, ok := a.value.(Num); !ok {
			return
		}
	}
	if at.Pos.Filename == b.path {
		name := d.Unit.Decl.Name
		b.warn(at, "`"+name+"(…)[n, m]` draws an array; `x: f32 ~ "+name+"(…)` says that one number is meant", "this draws one number: no shape is given")
	}
}

func (b *builder) drawField(d Draw, name string, at Span) Value {
	if d.Unit == nil {
		b.fail(at, "bits has no `%s`", name)
	}
	if name == "draw" {
		b.failHelp(at, "`x ~ "+d.Unit.Decl.Name+"(…)`", "`draw` is called by `~`")
	}
	sc, fn := b.distribution(d, name, nil, at)
	return Func{Name: name, Decl: fn, Scope: sc}
}

// drawStatement is `x ~ d`.
func (b *builder) drawValue(v Value, like *ir.Type, variable string, at Span) Value {
	switch d := v.(type) {
	case Draw:
		return b.sample(d, like, variable, at)
	case *UnitValue:
		if d.Decl.Kind == "distribution" {
			return b.sample(Draw{Unit: d, Span: at}, like, variable, at)
		}
	case Poison:
		panic(silent{})
	}
	b.failHelp(at, "`~` draws, `=` binds", "`~` draws from a distribution, not from %s", describe(v))
	return nil
}
