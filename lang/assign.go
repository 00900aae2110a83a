package lang

import (
	"fmt"

	"mdlc/ir"
)

// wordAlone tells what is wrong with a name that is a statement, if it is none of a value.
func (b *builder) wordAlone(n *NameTerm) {
	switch v, _ := b.sc.find(n.Name); v.(type) {
	case nil:
		if near := nearWord(n.Name); near != "" {
			b.failHelp(n.Span(), "did you mean `"+near+"`?", "`%s` starts no statement and no declaration", n.Name)
		}
		b.unknown(n.Name, n.Span())
	case Func:
		b.failHelp(n.Span(), callHelp(n.Name), "`%s` is a function: parentheses stand around what it takes", n.Name)
	}
}

// callHelp shows a call.
func callHelp(name string) string {
	if name == "print" {
		return "`print(x)`, or `print(\"x is\", x, y)`"
	}
	return "`" + name + "(…)`"
}

// assign is `=`, `<-`, `~`, or a call for its effect.
func (b *builder) assign(s *Assign, at Span) {
	targets := make([]Term, len(s.Targets))
	for i, t := range s.Targets {
		targets[i] = t.term()
	}
	if s.Op == "" {
		for _, t := range targets {
			if n, ok := t.(*NameTerm); ok && declarationWord(n.Name) {
				b.failHelp(t.Span(), "`show` in `every` writes into the run folder; `mdlc run FILE sample NAME` runs a sample", "`%s` is an item of the file and cannot stand in a block", n.Name)
			}
			if n, ok := t.(*NameTerm); ok {
				b.wordAlone(n)
			}
			if _, ok := t.(*CallTerm); !ok {
				b.failHelp(t.Span(), "`x = …` gives it a name", "this value is computed and dropped")
			}
			b.eval(t)
		}
		return
	}
	if s.Type != nil && len(targets) != 1 {
		b.fail(at, "a typed binding has one name")
	}
	if len(targets) == 1 && len(s.Values) == 1 {
		b.assignOne(targets[0], s.Op, s.Type, s.Values[0].term(), at)
		return
	}
	if s.Op != "=" {
		b.fail(at, "`%s` has one name on the left", s.Op)
	}
	var values []Value
	for _, v := range s.Values {
		values = append(values, b.eval(v.term()))
	}
	if len(values) == 1 {
		t, ok := values[0].(Tuple)
		if !ok {
			b.failHelp(at, pairHelp(s.Values[0].term()), "%d names cannot take one value", len(targets))
		}
		values = t.Items
	}
	if len(values) != len(targets) {
		b.fail(at, "%d names cannot take %d values", len(targets), len(values))
	}
	for i, t := range targets {
		b.store(t, values[i], at)
	}
}

func (b *builder) assignOne(target Term, op string, t *Type, value Term, at Span) {
	switch op {
	case "<-":
		b.update(target, t, value, at)
		return
	case "~":
		b.drawInto(target, t, value, at)
		return
	}
	if x, ok := target.(*IndexTerm); ok {
		if t != nil {
			b.fail(at, "a type stands behind a name, not behind a bracket")
		}
		b.assignIndexed(x, value, at)
		return
	}
	name, isName := target.(*NameTerm)
	if isName {
		defer b.binding(name.Name, value)()
	}
	v := b.eval(value)
	if tuple, ok := v.(Tuple); ok {
		b.fail(at, "%d values arrive here: name each, as in `a, b = f(x)`", len(tuple.Items))
	}
	if t != nil {
		v = b.convert(t, v, at)
	}
	if isName && (t != nil || !alias(value)) {
		v = b.independent(name.Name, v)
	}
	b.store(target, v, at)
}

// binding notes which name is bound while its value is computed. In a train, what is computed from the name itself is
// meant to outlive the step.
func (b *builder) binding(name string, value Term) (done func()) {
	old := b.bindingName
	b.bindingName = name
	if b.entry != nil && b.entry.kind == ir.EntryTrain && len(b.calls) == 0 {
		v, home := b.sc.find(name)
		_, isState := v.(StateRef)
		walk(value, func(t Term) bool {
			if n, ok := t.(*NameTerm); ok && n.Name == name && home != nil && home.kind == fileScope && !isState {
				b.warn(n.Span(), acrossSteps(name), "what a train binds lives for one step: the `%s` of the file stays what it is", name)
			}
			return true
		})
	}
	return func() { b.bindingName = old }
}

// acrossSteps is how a value outlives a step.
func acrossSteps(name string) string {
	return fmt.Sprintf("`state %[1]s: f32 = 0` at file level keeps a value across steps, and `%[1]s <- …` changes it", name)
}

// store binds a name or sets a slot to a value.
func (b *builder) store(target Term, v Value, at Span) {
	switch t := target.(type) {
	case *NameTerm:
		b.assignable(t)
		if x, ok := v.(Tensor); ok {
			ir.Named(x.N, t.Name)
		}
		b.sc.assign(t.Name, v)
		return
	case *IndexTerm:
		b.setSlot(t, v, at)
		return
	case *FieldTerm:
		b.failHelp(target.Span(), "a module's states change by `<-` in its own functions", "a field cannot stand on the left")
	}
	b.fail(target.Span(), "this cannot stand on the left")
}

func (b *builder) assignable(t *NameTerm) {
	v, home := b.sc.find(t.Name)
	if _, ok := v.(StateRef); ok && (home.kind == unitScope || home.kind == fileScope && len(b.calls) == 0) {
		b.failHelp(t.Span(), "`"+t.Name+" <- …` changes it; a value of its own wants another name", "`%s` is a state: `=` cannot change it", t.Name)
	}
}

// isFree: a subscript of a left side is a free index if it is `..`, `i` or `i < n` with a name that is not in scope; what the
// library names may be hidden, but for `step` and `training`.
func (b *builder) isFree(s Subscript) bool {
	if s.Rest {
		return true
	}
	name, _ := freeName(s)
	if name == "" {
		return false
	}
	v, home := b.sc.find(name)
	_, live := v.(Live)
	return v == nil || home.kind == libraryScope && !live
}

// hidden refuses an index that would hide a value.
func (b *builder) hidden(s Subscript) {
	name, _ := freeName(s)
	if name == "" {
		b.fail(s.Span, "here stands a free index, a name of its own")
	}
	v, _ := b.sc.find(name)
	b.failHelp(s.Span, "name the index otherwise", "`%s` is %s already, and an index hides nothing", name, describe(v))
}

// assignIndexed is `y[…] = e`: a new array, or a changed copy.
func (b *builder) assignIndexed(t *IndexTerm, value Term, at Span) {
	name, ok := t.X.(*NameTerm)
	if !ok {
		b.fail(t.X.Span(), "a name is expected before the bracket")
	}
	if t.Outside != nil {
		b.fail(t.Outside.Span(), "`|` has no meaning on the left")
	}
	var free []Subscript
	var slot *Subscript
	rest := false
	for _, s := range t.Indices {
		switch {
		case s.Rest:
			rest = true
		case b.isFree(s):
			free = append(free, s)
		default:
			slot = &s
		}
	}
	if slot == nil && (len(free) > 0 || rest) {
		b.assignable(name)
		y := b.independent(name.Name, b.defineIndexed(t.Indices, nil, value, at)).(Tensor)
		ir.Named(y.N, name.Name)
		b.sc.assign(name.Name, y)
		return
	}
	if len(free) > 0 {
		if _, home := b.sc.local(name.Name); home == nil && len(b.runs) == 0 {
			b.hidden(*slot)
		}
		v := b.defineIndexed(free, nil, value, at)
		b.setSlot(&IndexTerm{place: t.place, X: t.X, Indices: b.wholeAxes(t.Indices)}, v, at)
		return
	}
	b.setSlot(t, b.eval(value), at)
}

// wholeAxes writes free indices as `:`.
func (b *builder) wholeAxes(subs []Subscript) []Subscript {
	out := append([]Subscript{}, subs...)
	for i, s := range out {
		if b.isFree(s) && !s.Rest {
			out[i] = Subscript{Slice: true, Span: s.Span}
		}
	}
	return out
}

// setSlot changes a copy of an array; a loop collects an array that does not exist.
func (b *builder) setSlot(t *IndexTerm, v Value, at Span) {
	name, ok := t.X.(*NameTerm)
	if !ok {
		b.fail(t.X.Span(), "a name is expected before the bracket")
	}
	if b.gen != nil && b.gen.name == name.Name {
		b.appendGenerated(t, v, at)
		return
	}
	old, home := b.sc.local(name.Name)
	if home == nil {
		b.collect(t, name.Name, v, at)
		return
	}
	x, ok := old.(Tensor)
	if !ok {
		if _, poisoned := old.(Poison); poisoned {
			panic(silent{})
		}
		b.fail(at, "`%s` is %s: no slot of it can be set", name.Name, describe(old))
	}
	b.sc.assign(name.Name, b.put(x, t, v, at))
}

// drawInto is `x ~ d`.
func (b *builder) drawInto(target Term, t *Type, value Term, at Span) {
	d := b.eval(value)
	switch x := target.(type) {
	case *NameTerm:
		var like *ir.Type
		if t != nil {
			typ := b.staticOrRuntime(t)
			like = &typ
		}
		b.assignable(x)
		v := b.drawValue(d, like, x.Name, at)
		if y, ok := v.(Tensor); ok && t != nil {
			v = b.mark(y, t)
		}
		b.sc.assign(x.Name, v)
	case *IndexTerm:
		name, ok := x.X.(*NameTerm)
		if !ok {
			b.fail(x.X.Span(), "a name is expected before the bracket")
		}
		b.setSlot(x, b.drawValue(d, b.slotType(x, name), name.Name, at), at)
	default:
		b.fail(target.Span(), "this cannot stand on the left of `~`")
	}
}

// slotType is the type of the slot that a draw fills, where the array exists.
func (b *builder) slotType(t *IndexTerm, name *NameTerm) *ir.Type {
	old, home := b.sc.local(name.Name)
	x, ok := old.(Tensor)
	if home == nil || !ok {
		return nil
	}
	typ := ir.OfDims(x.N.Type.Elem, nil)
	for i, s := range b.expandRest(t, x.N.Type.Rank(), t.Span()) {
		if s.Slice {
			typ.Dims = append(typ.Dims, x.N.Type.Dims[i])
		}
	}
	return &typ
}

// assigned lists the names that statements assign, in order.
func assigned(bl *Block) []string {
	var out []string
	add := func(n string) {
		if n != "_" && !contains(out, n) {
			out = append(out, n)
		}
	}
	var visit func(bl *Block)
	ifs := func(s *If) {}
	ifs = func(s *If) {
		visit(s.Then)
		if s.ElseIf != nil {
			ifs(s.ElseIf)
		}
		if s.Else != nil {
			visit(s.Else)
		}
	}
	visit = func(bl *Block) {
		for _, s := range bl.Stmts {
			switch {
			case s.Assign != nil && s.Assign.Op != "" && s.Assign.Op != "<-":
				for _, t := range s.Assign.Targets {
					if t.Base.Name != "" {
						add(t.Base.Name)
					}
				}
			case s.If != nil:
				ifs(s.If)
			case s.For != nil:
				visit(s.For.Body)
			case s.Repeat != nil:
				visit(s.Repeat.Body)
			case s.While != nil:
				visit(s.While.Body)
			case s.Generate != nil:
				add(s.Generate.Var.Name)
				visit(s.Generate.Body)
			case s.Each != nil:
				for _, v := range s.Each.Vars {
					add(v.Name)
				}
			}
		}
	}
	visit(bl)
	return out
}
