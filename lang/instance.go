package lang

import (
	"strings"

	"mdlc/ir"
)

// frozenBuiltin is frozen(m): m as `eval` sees it.
func frozenBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "m")[0]
	switch v.(type) {
	case InstanceRef, StackedList, List:
		return freeze(v)
	case Tensor:
		b.failHelp(c.span, "`stop(x)`", "`frozen` takes a module, not %s", describe(v))
	}
	b.fail(c.span, "`frozen` takes a module, not %s", describe(v))
	return nil
}

// freeze marks a module, or the modules of a list.
func freeze(v Value) Value {
	switch v := v.(type) {
	case InstanceRef:
		v.Frozen = true
		return v
	case StackedList:
		v.Frozen = true
		return v
	case Func:
		v.Frozen = true
		return v
	case List:
		out := make([]Value, len(v.Items))
		for i, x := range v.Items {
			out[i] = freeze(x)
		}
		return List{out}
	}
	return v
}

// copyBuiltin is copy(m): a new instance with the same first values.
func copyBuiltin(b *builder, c *call) Value {
	v := b.take(c, 1, "m")[0]
	m, ok := v.(InstanceRef)
	if !ok {
		b.fail(c.span, "`copy` takes a module, not %s", describe(v))
	}
	if b.home == nil {
		b.failHelp(c.span, "copy it at file level or in a module: there the copy's weights have a name", "a copy of %s cannot be made here", m.Unit.Decl.Name)
	}
	if len(m.Self) > 0 {
		b.fail(c.span, "one of a list of modules cannot be copied")
	}
	cp := &copying{b: b, at: c.span, from: m.Path, home: b.home, instances: map[*Instance]*Instance{}, levels: map[*stackLevel]*stackLevel{}, scopes: map[*scope]*scope{}, states: map[*stateDecl]*stateDecl{}}
	return InstanceRef{Instance: cp.instance(m.Instance)}
}

// copying is a copy of a module being made: what lives under its path is new, everything else is shared.
type copying struct {
	b         *builder
	at        Span // of the call
	from      string
	home      *home
	instances map[*Instance]*Instance
	levels    map[*stackLevel]*stackLevel
	scopes    map[*scope]*scope
	states    map[*stateDecl]*stateDecl
}

func (c *copying) inside(path string) bool {
	return path == c.from || strings.HasPrefix(path, c.from+".")
}

// path is the place of a copy.
func (c *copying) path(old string) string { return c.home.path + strings.TrimPrefix(old, c.from) }

func (c *copying) instance(m *Instance) *Instance {
	if !c.inside(m.Path) {
		return m
	}
	if n := c.instances[m]; n != nil {
		return n
	}
	n := &Instance{Unit: m.Unit, Scope: newScope(m.Scope.outer, m.Scope.kind), Path: c.path(m.Path), Self: m.Self, signature: m.signature}
	c.instances[m], c.scopes[m.Scope] = n, n.Scope
	for _, name := range m.Scope.order {
		n.Scope.define(name, c.value(m.Scope.vars[name]))
	}
	return n
}

func (c *copying) value(v Value) Value {
	switch v := v.(type) {
	case InstanceRef:
		v.Instance = c.instance(v.Instance)
		return v
	case StackedList:
		if c.inside(v.Level.name) {
			v.Proto, v.Level = c.instance(v.Proto), c.level(v.Level)
		}
		return v
	case List:
		out := make([]Value, len(v.Items))
		for i, x := range v.Items {
			out[i] = c.value(x)
		}
		return List{out}
	case Func:
		if s := c.scopes[v.Scope]; s != nil {
			v.Scope = s
		}
		return v
	case StateRef:
		return StateRef{c.state(v.State)}
	}
	return v
}

func (c *copying) level(l *stackLevel) *stackLevel {
	n := c.levels[l]
	if n == nil {
		n = &stackLevel{name: c.path(l.name), n: l.n}
		c.levels[l] = n
	}
	return n
}

func (c *copying) state(s *stateDecl) *stateDecl {
	if !c.inside(s.name) {
		return s
	}
	if n := c.states[s]; n != nil {
		return n
	}
	n := *s
	n.name, n.site, n.copyOf, n.at = c.path(s.name), "", s, c.at
	n.stack = append([]*stackLevel{}, c.home.stack...)
	for _, l := range s.stack {
		n.stack = append(n.stack, c.level(l))
	}
	c.states[s] = &n
	c.b.states = append(c.b.states, &n)
	return &n
}

// firstOfCopy is the first value of a copy: that of what it was copied from, for each element of the lists that the copy is in.
func (b *builder) firstOfCopy(s *stateDecl) *ir.Node {
	first := b.whole(s.copyOf)
	return b.node(b.stretch(Tensor{N: first.N, F: first.F}, s.full().Dims, nil))
}

// moduleArithmetic is the parameter that modules stand for: the turn of `target <- lerp(online, target, 0.99)`.
type moduleArithmetic struct {
	at     int // which parameter
	target []*stateDecl
	name   string // of the target, for messages
}

// updateModule is `m <- e`: e is evaluated for each parameter of m, and modules in it stand for theirs.
func (b *builder) updateModule(m InstanceRef, name string, value Term, at Span) {
	if m.Frozen {
		b.fail(at, "`%s` is frozen and does not change", name)
	}
	params := b.paramsIn(m, map[*Instance]bool{})
	if len(params) == 0 {
		b.fail(at, "`%s` has no params", name)
	}
	if len(m.Self) > 0 {
		b.fail(at, "`<-` on one of a list of modules: take the whole list's module")
	}
	var news []Tensor
	old := b.standing
	for i, p := range params {
		b.standing = &moduleArithmetic{at: i, target: params, name: name}
		v := b.eval(value)
		news = append(news, b.fitState(p, p.full(), v, value.Span()))
	}
	b.standing = old
	if !b.assigns() {
		return
	}
	for i, p := range params {
		b.setState(b.f, stateKey{p, nil}, news[i], at)
	}
}

// standFor gives a module's parameter where a value is expected for each.
func (b *builder) standFor(v Value, at Span) Value {
	m, ok := v.(InstanceRef)
	if !ok || b.standing == nil {
		return v
	}
	params := b.paramsIn(m, map[*Instance]bool{})
	t := b.standing
	if len(params) != len(t.target) {
		b.fail(at, "`%s` has %s and `%s` %s: they do not stand for each other", t.name, plural(len(t.target), "param"), b.src.text(at), plural(len(params), "param"))
	}
	p, q := params[t.at], t.target[t.at]
	if !ir.SameDims(p.full().Dims, q.full().Dims) {
		b.fail(at, "the param `%s` is %s and `%s` is %s: these modules do not stand for each other", q.name, typeText(q.full()), p.name, typeText(p.full()))
	}
	w := b.cast(b.whole(p), p.reads)
	w.One = make([]bool, len(w.N.Type.Dims))
	if m.Frozen {
		w.N, w.F = b.f.b.Stop(b.node(w)), b.f
	}
	return w
}
