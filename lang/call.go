package lang

import (
	"fmt"
	"strconv"

	"mdlc/ir"
)

func itoa(n int) string { return strconv.Itoa(n) }

// arg is an evaluated argument.
type arg struct {
	name  string // "": by place
	value Value
	span  Span // of the value
	alias bool // it is a name or a field
	named Span // of the name
}

// arg is t with its value.
func (t ArgTerm) arg(v Value) arg {
	a := arg{name: t.Name, value: v, span: t.Value.Span(), alias: alias(t.Value), named: Span{t.Span.Pos, t.Span.Pos}}
	a.named.End.Offset += len(t.Name)
	a.named.End.Column += len(t.Name)
	return a
}

// call is a call of a builtin: arguments by place and by name.
type call struct {
	name  string
	args  []Value
	named map[string]arg
	span  Span
	spans []Span // of args; when they are taken, of all parameters
}

func (b *builder) arguments(t *CallTerm) []arg {
	h := b.home
	defer func() { b.home = h }()
	var out []arg
	for i, a := range t.Args {
		name := a.Name
		if name == "" {
			name = strconv.Itoa(i)
		}
		b.home = h.sub(name)
		out = append(out, a.arg(b.eval(a.Value)))
	}
	return out
}

func (b *builder) callTerm(t *CallTerm) Value {
	each := b.standing
	b.standing = nil // what is called is the module itself
	f := b.eval(t.Fn)
	if fn, ok := f.(Func); ok && fn.Builtin != nil && fn.Name == "frozen" {
		v := b.apply(f, b.arguments(t), t.Span(), fn.Name)
		b.standing = each
		return b.standFor(v, t.Span())
	}
	b.standing = each
	args := b.arguments(t)
	return b.apply(f, args, t.Span(), b.src.text(t.Fn.Span()))
}

// apply calls a function, a module, or makes an instance, optimizer or distribution.
func (b *builder) apply(f Value, args []arg, at Span, name string) Value {
	switch f := f.(type) {
	case Func:
		if f.Builtin != nil {
			c := &call{name: f.Name, named: map[string]arg{}, span: at}
			for _, a := range args {
				if _, ok := a.value.(Poison); ok {
					panic(silent{})
				}
				if a.name == "" {
					c.args = append(c.args, a.value)
					c.spans = append(c.spans, a.span)
					continue
				}
				if _, twice := c.named[a.name]; twice {
					b.givenTwice(a, a.name, name)
				}
				c.named[a.name] = a
			}
			b.at(at)
			return f.Builtin(b, c)
		}
		return b.callFn(f, args, at, name)
	case InstanceRef:
		v := f.Scope.vars[""]
		fn, ok := v.(Func)
		if !ok {
			b.failHelp(at, unnamedHelp(f, name), "the module %s has no unnamed function, so it cannot be called", f.Unit.Decl.Name)
		}
		fn.Self = append(append(turns{}, f.Self...), fn.Self...)
		fn.Frozen = f.Frozen
		return b.callFn(fn, args, at, name)
	case *UnitValue:
		switch f.Decl.Kind {
		case "module":
			return b.instantiate(f, args, at)
		case "optimizer":
			return Optimizer{f, args, at}
		}
		return Draw{Unit: f, Args: args, Span: at}
	case Draw:
		if f.Given && len(f.Args) == 0 {
			f.Args = args
			return f
		}
	case StackedList, List:
		b.failHelp(at, "`for block in blocks { x = block(x) }`", "`%s` is a list and cannot be called", name)
	case Poison:
		panic(silent{})
	}
	b.fail(at, "`%s` is %s and cannot be called", name, describe(f))
	return nil
}

// unnamedHelp says how to call a module whose functions all have names.
func unnamedHelp(m InstanceRef, name string) string {
	for _, n := range m.Scope.order {
		if _, ok := m.Scope.vars[n].(Func); ok {
			return fmt.Sprintf("`%s.%s(…)` calls a function by its name; one without a name, `fn (x: f32[B, n]) …`, is the module's call", name, n)
		}
	}
	return "a function without a name, `fn (x: f32[B, n]) …`, is the module's call"
}

const maxCalls = 64

// callFn evaluates a function's body at the call.
func (b *builder) callFn(f Func, args []arg, at Span, name string) Value {
	for i := len(b.calls) - 1; i >= 0; i-- {
		if b.calls[i].decl == f.Decl && len(b.calls) >= maxCalls {
			b.failHelp(at, "end it by an `if` on a setting; `while` goes on as long as a run decides", "`%s` calls itself more than %d deep", name, maxCalls)
		}
	}
	if len(b.calls) >= 4*maxCalls {
		b.fail(at, "functions call each other more than %d deep", len(b.calls))
	}
	old, site, each, frozen := b.turns, b.site, b.standing, b.frozen
	b.standing = nil
	if f.Frozen {
		b.frozen++
	}
	b.calls = append(b.calls, activeCall{f.Decl, name, at})
	b.site = append(append([]string{}, b.site...), name)
	b.turns = append(append(turns{}, b.turns...), f.Self...)
	sc := newScope(f.Scope, functionScope)
	h := b.home
	b.home = nil
	b.bind(sc, f.Decl.Params, args, name, at)
	in := b.in(sc)
	var v Value
	if f.Decl.Expr != nil {
		v = in.eval(f.Decl.Expr.term())
	} else {
		r := in.block(f.Decl.Body)
		if r == nil {
			if f.Decl.Result != nil {
				b.fail(at, "`%s` ends without `return`", name)
			}
			v = None{}
		} else {
			v = r
		}
	}
	if _, failed := v.(Poison); failed {
		panic(silent{})
	}
	if f.Decl.Result != nil {
		v = in.result(f.Decl.Result, v, name)
	}
	b.calls = b.calls[:len(b.calls)-1]
	b.turns, b.site, b.home, b.standing, b.frozen = old, site, h, each, frozen
	b.at(at)
	return v
}

// result checks what a function returns against its type. Only a draw's result binds dimensions.
func (b *builder) result(t *Type, v Value, name string) Value {
	for _, d := range t.Dims {
		if n := dimName(d); upper(n) && name != "draw" && b.sc.bound(n) == nil {
			if known, _ := b.sc.find(n); known == nil {
				b.failHelp(Span{d.Pos, d.EndPos}, "an upper-case name is bound by a parameter's type", "the dimension `%s` of the result is not bound", n)
			}
		}
	}
	if t.Tuple != nil {
		tuple, ok := v.(Tuple)
		if !ok || len(tuple.Items) != len(t.Tuple) {
			b.fail(typeSpan(t), "`%s` returns %s, its type has %d values", name, describe(v), len(t.Tuple))
		}
		for i, x := range t.Tuple {
			tuple.Items[i] = b.accept(x, tuple.Items[i], "result "+itoa(i+1)+" of "+name, typeSpan(x))
		}
		return tuple
	}
	if _, ok := v.(Tuple); ok {
		b.fail(typeSpan(t), "`%s` returns several values, its type has one", name)
	}
	if t.Array {
		if n, ok := v.(Num); ok && len(t.Dims) > 0 {
			return b.convert(t, n, typeSpan(t))
		}
	}
	return b.accept(t, v, "the result of "+name, typeSpan(t))
}

// bind gives parameters their arguments, in order; defaults may use earlier ones.
func (b *builder) bind(sc *scope, params []*Param, args []arg, name string, at Span) {
	given := map[string]arg{}
	place := 0
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	for _, a := range args {
		n := a.name
		if n == "" {
			if place >= len(params) {
				b.failHelp(a.span, tooManyHelp(name, params, args, a), "`%s` takes %s, not %d", name, plural(len(params), "argument"), len(args))
			}
			n = params[place].Name
			place++
		} else if !contains(names, n) {
			b.failHelp(a.named, parameterHelp(n, names), "`%s` has no parameter `%s`", name, n)
		}
		if _, twice := given[n]; twice {
			b.givenTwice(a, n, name)
		}
		given[n] = a
	}
	in := b.in(sc)
	b.unique(params)
	var bound []argument
	for _, p := range params {
		a, ok := given[p.Name]
		if !ok {
			if p.Default == nil {
				b.fail(at, "`%s` needs an argument for `%s`", name, p.Name)
			}
			t := p.Default.term()
			a = arg{name: p.Name, value: in.eval(t), span: t.Span(), alias: alias(t)}
		}
		if _, poisoned := a.value.(Poison); poisoned {
			panic(silent{})
		}
		if _, tuple := a.value.(Tuple); tuple {
			b.fail(a.span, "several values arrive here: take them apart first, as in `a, b = f(x)`")
		}
		bound = append(bound, argument{p.Name, b.src.text(a.span), a.alias, in.accept(p.Type, a.value, p.Name, a.span)})
		b.doubtLogits(p.Name, a, name)
		sc.define(p.Name, bound[len(bound)-1].value)
	}
	for _, own := range bound {
		sc.define(own.param, b.independentOf(bound, own))
	}
}

// givenTwice refuses a second argument for a parameter of a function.
func (b *builder) givenTwice(a arg, parameter, function string) {
	at := a.named
	if a.name == "" {
		at = a.span
	}
	b.fail(at, "the parameter `%s` of `%s` is given twice", parameter, function)
}

// tooManyHelp says what was probably meant by more arguments than there are parameters, of which extra is the first.
func tooManyHelp(name string, params []*Param, args []arg, extra arg) string {
	var names []string
	for _, p := range params {
		names = append(names, p.Name)
	}
	_, number := args[0].value.(Num)
	_, shape := extra.value.(List)
	switch {
	case number && len(params) > 0 && params[0].Type != nil && params[0].Type.Name == "list":
		return fmt.Sprintf("`%s` is a list: `%s([…])`", names[0], name)
	case shape:
		return fmt.Sprintf("a draw's shape stands behind the arguments: `x ~ %s(…)[4, 8]`", name)
	case len(names) > 0:
		return "it has " + list(names)
	}
	return ""
}

// unique wants parameters to have different names.
func (b *builder) unique(params []*Param) {
	seen := map[string]bool{}
	for _, p := range params {
		if seen[p.Name] {
			b.fail(Span{p.Pos, p.EndPos}, "there are two parameters `%s`", p.Name)
		}
		seen[p.Name] = true
	}
}

func plural(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func contains(names []string, n string) bool {
	for _, x := range names {
		if x == n {
			return true
		}
	}
	return false
}

func list(names []string) string {
	s := ""
	for i, n := range names {
		if i > 0 {
			s += ", "
		}
		s += "`" + n + "`"
	}
	return s
}

// elementsOf is the instances of a list, for unrolled loops and constant indices.
func (l StackedList) at(i int) InstanceRef {
	return InstanceRef{l.Proto, turns{{stack: l.Level, at: i}}, l.Frozen}
}

func (b *builder) step(at Span) Value {
	if b.entry == nil || b.entry.kind != ir.EntryTrain {
		b.fail(at, "`step` is known only where a `train` runs")
	}
	return b.entry.step(b)
}
