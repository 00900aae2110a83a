package lang

import (
	"fmt"

	"mdlc/ir"
)

type (
	// Instance is a module that was called.
	Instance struct {
		Unit  *UnitValue
		Scope *scope // settings and members
		Path  string
		Self  turns
		// settings and members as text, to find equal ones
		signature string
	}
	// InstanceRef is an instance as it was reached.
	InstanceRef struct {
		*Instance
		Self   turns
		Frozen bool // as `eval` sees it
	}
	// StackedList is a list of equal instances: one prototype stands for all.
	StackedList struct {
		Proto  *Instance
		Level  *stackLevel
		Frozen bool
	}
	// StateRef is the name of a param or state.
	StateRef struct{ State *stateDecl }
)

func (InstanceRef) what() string { return "a module" }
func (StackedList) what() string { return "a list of modules" }
func (StateRef) what() string    { return "a state" }

// stateDecl is a param, a state or an optimizer's state.
type stateDecl struct {
	name   string
	typ    ir.Type // of one instance, as it is stored
	reads  ir.Elem // of its value where it is read
	stack  []*stackLevel
	site   string      // of the draw of its first value
	turns  []turnCount // of that draw
	kind   ir.StateKind
	decl   *State
	scope  *scope
	copyOf *stateDecl // its first value is that of this one
	at     Span       // its declaration, or where the model file makes the library's module that declares it
}

// full is the type with its stack axes.
func (s *stateDecl) full() ir.Type {
	var dims []ir.Dim
	for _, l := range s.stack {
		dims = append(dims, ir.Dim{Size: l.n})
	}
	return ir.OfDims(s.typ.Elem, append(dims, s.typ.Dims...))
}

// home is where instances that are being made will live. First values are drawn
// at site, which has `#` for an element of a list, and at the element's turn: a list
// that grows keeps the first values of the elements that it has.
type home struct {
	path  string
	site  string
	stack []*stackLevel
	turns []turnCount // elements of lists that are not stacked
}

func (h *home) sub(name string) *home {
	if h == nil {
		return nil
	}
	return &home{join(h.path, name), join(h.site, name), h.stack, h.turns}
}

// element is the home of element i of a list.
func (h *home) element(i, n int) *home {
	if h == nil {
		return nil
	}
	turns := append(append([]turnCount{}, h.turns...), turnCount{at: i, count: n})
	return &home{join(h.path, itoa(i)), join(h.site, "#"), h.stack, turns}
}

// stacked is the home of all elements of a list of equal instances.
func (h *home) stacked(level *stackLevel) *home {
	return &home{join(h.path, "#"), join(h.site, "#"), append(append([]*stackLevel{}, h.stack...), level), h.turns}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// instantiate makes an instance of a module at the present home.
func (b *builder) instantiate(u *UnitValue, args []arg, at Span) Value {
	h := b.home
	if h == nil {
		b.failHelp(at, "make it at file level or in a module: there its weights have a name", "an instance of %s cannot be made here", u.Decl.Name)
	}
	for _, up := range b.making {
		if up == u.Decl {
			b.fail(at, "%s contains itself", u.Decl.Name)
		}
	}
	b.making, b.makingAt = append(b.making, u.Decl), append(b.makingAt, at)
	defer func() {
		b.making, b.makingAt, b.home = b.making[:len(b.making)-1], b.makingAt[:len(b.makingAt)-1], h
	}()
	inst := &Instance{Unit: u, Scope: newScope(u.Scope, unitScope), Path: h.path}
	b.home = nil
	b.bind(inst.Scope, u.Decl.Params, args, u.Decl.Name, at)
	for _, p := range u.Decl.Params {
		v, _ := inst.Scope.find(p.Name)
		inst.signature += p.Name + "=" + signature(v) + ";"
	}
	inst.signature = u.Decl.Name + "(" + inst.signature + ")"
	b.home = h
	b.members(inst, u.Decl.Members, h)
	return InstanceRef{Instance: inst}
}

func (b *builder) members(inst *Instance, members []*Member, h *home) {
	for _, m := range members {
		if m.Fn != nil {
			inst.Scope.define(m.Fn.Name, Func{Name: m.Fn.Name, Decl: m.Fn, Scope: inst.Scope})
		}
	}
	for _, m := range members {
		switch {
		case m.State != nil:
			b.home = h
			d := b.declareState(m.State, inst.Scope, h)
			inst.signature += d.name[len(h.path):] + typeText(d.typ) + ";"
		case m.Bind != nil:
			b.home = h.sub(m.Bind.Names[0])
			b.guard(func() { b.fileBind(m.Bind, inst.Scope) }, func() { b.poison(inst.Scope, m.Bind.Names) })
			v, _ := inst.Scope.find(m.Bind.Names[0])
			inst.signature += m.Bind.Names[0] + "=" + signature(v) + ";"
		case m.If != nil:
			c := b.in(inst.Scope).static(m.If.Cond.term(), "a condition in a module")
			cond, ok := c.(Bool)
			if !ok {
				b.fail(m.If.Cond.term().Span(), "the condition is %s, not a truth value", describe(c))
			}
			if cond {
				b.members(inst, m.If.Then, h)
			} else {
				b.members(inst, m.If.Else, h)
			}
		}
	}
}

// declareState makes a param or state of the present home.
func (b *builder) declareState(s *State, sc *scope, h *home) *stateDecl {
	d := &stateDecl{name: join(h.path, s.Name), site: join(h.site, s.Name), decl: s, scope: sc, stack: h.stack, turns: h.turns, kind: ir.KindState}
	d.at = Span{s.Pos, s.EndPos}
	for i := len(b.makingAt) - 1; i >= 0 && inLibrary(d.at); i-- {
		d.at = b.makingAt[i]
	}
	if s.Kind == "param" {
		d.kind = ir.KindParam
	}
	d.typ = b.in(sc).staticType(s.Type)
	if d.kind == ir.KindParam && !d.typ.Elem.IsFloat() {
		b.failHelp(Span{s.Type.Pos, s.Type.EndPos}, "`state` declares what is not trained", "param `%s` is %s: a param is trained and must be a float", s.Name, typeText(d.typ))
	}
	d.reads = d.typ.Elem
	if d.kind == ir.KindParam {
		b.keepIn(d, b.stored.master)
	}
	b.states = append(b.states, d)
	sc.define(s.Name, StateRef{d})
	return d
}

// signature tells settings and instances apart.
func signature(v Value) string {
	switch v := v.(type) {
	case InstanceRef:
		return "{" + v.Path + v.signature + "}"
	case StackedList:
		return fmt.Sprintf("[%d %s]", v.Level.n, v.Proto.signature)
	case List:
		s := "["
		for _, x := range v.Items {
			s += signature(x) + ","
		}
		return s + "]"
	case Func:
		return fmt.Sprintf("fn %p %s", v.Decl, v.Name)
	case Draw:
		s := "draw "
		if v.Unit != nil {
			s += v.Unit.Decl.Name
		}
		for _, a := range v.Args {
			s += a.name + ":" + signature(a.value) + ","
		}
		return s
	case StateRef:
		return "state"
	case Tensor:
		return fmt.Sprintf("tensor %p", v.N)
	}
	return describe(v)
}

// comprehension makes a list of instances or of values.
func (b *builder) comprehension(l *ListTerm) Value {
	if len(l.Items) != 1 || len(l.Counts) != 1 || len(l.Names) > 1 {
		b.fail(l.Span(), "a list of this form has one element and one count: `[e for n]` or `[e for i in n]`")
	}
	countOf := b.static(l.Counts[0], "the count of a list")
	var turns []Value
	switch c := countOf.(type) {
	case Num:
		if !c.isWhole() || c.V < 0 {
			b.failHelp(l.Counts[0].Span(), wholeHelp(c), "the count of a list must be a whole number, not %s", c)
		}
		turns = b.rangeItems(c, l.Counts[0].Span())
	case List:
		turns = c.Items
	case Range:
		turns = b.rangeItems(c, l.Counts[0].Span())
	default:
		b.fail(l.Counts[0].Span(), "a list runs over a count, a range or a list, not over %s", describe(countOf))
	}
	if len(turns) > 1 && b.home != nil {
		if v := b.stack(l, turns); v != nil {
			return v
		}
	}
	h := b.home
	defer func() { b.home = h }()
	var items []Value
	for i, v := range turns {
		b.home = h.element(i, len(turns))
		items = append(items, b.listItem(l, v))
	}
	return List{items}
}

func (b *builder) listItem(l *ListTerm, v Value) Value {
	sc := newScope(b.sc, blockScope)
	if len(l.Names) == 1 {
		name, ok := l.Names[0].(*NameTerm)
		if !ok {
			b.fail(l.Names[0].Span(), "a name is expected before `in`")
		}
		sc.define(name.Name, v)
	}
	return b.in(sc).eval(l.Items[0])
}

// stack makes one prototype for equal instances; nil: they are not equal instances.
func (b *builder) stack(l *ListTerm, turns []Value) Value {
	h, before, states, diags := b.home, len(b.states), len(b.states), len(b.diags)
	defer func() { b.home = h }()
	level := &stackLevel{name: h.path, n: len(turns)}
	stacked := h.stacked(level)
	var proto InstanceRef
	for i, v := range turns {
		b.home = stacked
		item, ok := b.listItem(l, v).(InstanceRef)
		same := ok && item.Path == stacked.path && (i == 0 || item.signature == proto.signature)
		if len(b.diags) > diags {
			return StackedList{Proto: item.Instance, Level: level}
		}
		if !same {
			b.states = b.states[:before]
			return nil
		}
		if i == 0 {
			proto = item
			states = len(b.states)
		} else {
			b.states = b.states[:states]
		}
		if len(l.Names) == 0 {
			break
		}
	}
	return StackedList{Proto: proto.Instance, Level: level}
}
