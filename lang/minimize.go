package lang

import (
	"mdlc/ir"
	"mdlc/ir/index"
)

// An update is one parameter of a `minimize`, with its gradient and its optimizer's states.
type update struct {
	param   *stateDecl
	grad    *ir.Node
	moments []*stateDecl
	sc      *scope // of the optimizer's copy
}

// minimize takes the gradients of a loss and hands each to its own copy of the optimizer.
func (b *builder) minimize(s *Minimize, at Span) {
	if b.entry.kind != ir.EntryTrain || b.entry.stepped {
		b.fail(at, "`minimize` stands in a train")
	}
	lossTerm := s.Loss.term()
	v := b.eval(lossTerm)
	loss, ok := v.(Tensor)
	if !ok || !loss.N.Type.Elem.IsFloat() {
		b.fail(lossTerm.Span(), "a loss is a float scalar, not %s", describe(v))
	}
	if loss.N.Type.Rank() != 0 {
		b.failHelp(lossTerm.Span(), "`mean("+b.src.text(lossTerm.Span())+")`", "a loss is a scalar, and this is %s: it is not reduced", typeText(loss.N.Type))
	}
	path := "train"
	if b.entry.name != "" {
		path = b.entry.name
	}
	path += "." + itoa(b.entry.minimizer(s))
	params := b.parameters(s, lossTerm, loss, at)
	with := s.With.term()
	opt, ok := b.eval(with).(Optimizer)
	if !ok {
		b.failHelp(with.Span(), "`with optim.adam(lr: 1e-3)`", "`with` wants an optimizer")
	}
	b.at(at)
	updates := b.updates(opt, params, loss, path, with.Span())
	total := b.totalNorm(updates)
	for _, group := range groupByStack(updates) {
		if len(group[0].param.stack) == 0 {
			for _, u := range group {
				b.apply1(opt, u, total, at)
			}
			continue
		}
		b.applyStack(opt, group, total, at)
	}
}

// parameters are the params of the modules after `over`, in order of declaration.
func (b *builder) parameters(s *Minimize, lossTerm Term, loss Tensor, at Span) []*stateDecl {
	b.minimizes = true
	chosen := map[*stateDecl]bool{}
	for _, e := range s.Over {
		for _, p := range b.paramsOf(e.term()) {
			chosen[p], b.trained[p] = true, true
		}
	}
	for _, e := range s.Except {
		for _, p := range b.paramsOf(e.term()) {
			delete(chosen, p)
		}
	}
	if len(chosen) == 0 {
		b.fail(at, "there is no param to minimize over")
	}
	var out, missed []*stateDecl
	reached := false
	for _, p := range b.states {
		if !chosen[p] {
			continue
		}
		if reaches(b.node(loss), b.node(b.whole(p))) {
			out, reached = append(out, p), true
			continue
		}
		if where, moved := b.changedAt(p); moved {
			b.fail(lossTerm.Span(), "this loss was computed before `%s` changed on line %d", p.decl.Name, where.Pos.Line)
		}
		missed = append(missed, p)
	}
	if !reached {
		b.fail(lossTerm.Span(), "this loss depends on no param that is minimized over")
	}
	for _, g := range byPlace(missed) {
		b.warn(g.at, "", "the loss of line %d does not depend on %s", at.Pos.Line, g.text)
	}
	return out
}

// paramsOf is the params that a term after `over` stands for.
func (b *builder) paramsOf(t Term) []*stateDecl {
	if n, ok := t.(*NameTerm); ok {
		if v, _ := b.sc.find(n.Name); v != nil {
			if s, ok := v.(StateRef); ok {
				return b.onlyParam(s.State, t)
			}
		}
	}
	if f, ok := t.(*FieldTerm); ok {
		if m, ok := b.eval(f.X).(InstanceRef); ok {
			if s, ok := m.Scope.vars[f.Name].(StateRef); ok {
				return b.onlyParam(s.State, t)
			}
		}
	}
	v := b.eval(t)
	out := b.paramsIn(v, map[*Instance]bool{})
	if out == nil {
		switch v.(type) {
		case InstanceRef, StackedList, List:
		default:
			b.fail(t.Span(), "`over` wants modules and params, not %s", describe(v))
		}
	}
	return out
}

func (b *builder) onlyParam(s *stateDecl, t Term) []*stateDecl {
	if s.kind != ir.KindParam {
		b.fail(t.Span(), "`%s` is a state, not a param: it is not trained", s.decl.Name)
	}
	return []*stateDecl{s}
}

func (b *builder) paramsIn(v Value, seen map[*Instance]bool) []*stateDecl {
	var out []*stateDecl
	visit := func(m *Instance) {
		if seen[m] {
			return
		}
		seen[m] = true
		for _, n := range m.Scope.order {
			switch w := m.Scope.vars[n].(type) {
			case StateRef:
				if w.State.kind == ir.KindParam {
					out = append(out, w.State)
				}
			case InstanceRef, StackedList, List:
				out = append(out, b.paramsIn(w, seen)...)
			}
		}
	}
	switch v := v.(type) {
	case InstanceRef:
		visit(v.Instance)
	case StackedList:
		visit(v.Proto)
	case List:
		for _, x := range v.Items {
			out = append(out, b.paramsIn(x, seen)...)
		}
	}
	return out
}

// updates makes the gradients and the optimizer's states.
func (b *builder) updates(opt Optimizer, params []*stateDecl, loss Tensor, path string, at Span) []*update {
	g := b.f.b
	xs := []*ir.Node{}
	for _, p := range params {
		xs = append(xs, b.node(b.whole(p)))
	}
	grads := g.Grad(b.node(loss), xs...)
	var out []*update
	for i, p := range params {
		u := &update{param: p, grad: ir.Named(g.Get(grads, i), "grad."+p.name), sc: newScope(opt.Unit.Scope, unitScope)}
		u.sc.define("..", Dims{p.typ.Dims})
		b.bind(u.sc, opt.Unit.Decl.Params, opt.Args, opt.Unit.Decl.Name, at)
		h := &home{path: join(path, p.name), site: join(path, p.site), stack: p.stack, turns: p.turns}
		for _, m := range opt.Unit.Decl.Members {
			switch {
			case m.State != nil:
				u.moments = append(u.moments, b.moment(m.State, u.sc, h))
			case m.Fn != nil:
				u.sc.define(m.Fn.Name, Func{Name: m.Fn.Name, Decl: m.Fn, Scope: u.sc})
			case m.Bind != nil:
				b.fileBind(m.Bind, u.sc)
			default:
				b.fail(Span{m.Pos, m.EndPos}, "`if` in an optimizer is not supported")
			}
		}
		out = append(out, u)
	}
	return out
}

// moment is a state of the optimizer's copy at h. A statement that runs several times in a step has one copy.
func (b *builder) moment(s *State, sc *scope, h *home) *stateDecl {
	name := join(h.path, s.Name)
	for _, d := range b.states {
		if d.kind == ir.KindMoment && d.name == name {
			sc.define(s.Name, StateRef{d})
			return d
		}
	}
	d := b.declareState(s, sc, h)
	d.kind = ir.KindMoment
	b.keepIn(d, b.stored.moments)
	return d
}

// minimizer numbers the `minimize` statements of a train, from 1.
func (e *entry) minimizer(s *Minimize) int {
	for i, m := range e.minimizers {
		if m == s {
			return i + 1
		}
	}
	e.minimizers = append(e.minimizers, s)
	return len(e.minimizers)
}

// totalNorm is the norm of all gradients together.
func (b *builder) totalNorm(us []*update) Tensor {
	g := b.f.b
	var sum *ir.Node
	for _, u := range us {
		n := g.Cast(u.grad, b.float)
		n = g.Mul(n, n)
		// The instances of a stack each on their own, then the stack: the same kernels at every depth.
		stacked := len(u.param.stack)
		if own := axesFrom(stacked, n.Type.Rank()); len(own) > 0 {
			n = g.Reduce(ir.Sum, own, n)
		}
		if stacked > 0 {
			n = g.Reduce(ir.Sum, axesFrom(0, stacked), n)
		}
		if sum == nil {
			sum = n
		} else {
			sum = g.Add(sum, n)
		}
	}
	return b.tensor(ir.Named(g.Make(ir.OpSqrt, nil, sum), "total_norm"))
}

func axesFrom(lo, hi int) (axes []int) {
	for k := lo; k < hi; k++ {
		axes = append(axes, k)
	}
	return axes
}

// call runs the optimizer's function on one parameter and its states; it gives the new ones.
func (b *builder) optimize(opt Optimizer, u *update, p, grad, total Tensor, states []Tensor, at Span) (Tensor, []Tensor) {
	fn, ok := u.sc.vars[""].(Func)
	if !ok {
		b.fail(opt.Span, "the optimizer %s has no unnamed function", opt.Unit.Decl.Name)
	}
	old := b.entry
	local := *old
	local.current = map[*stateDecl]Tensor{}
	local.local = map[*stateDecl]bool{}
	for i, m := range u.moments {
		local.current[m] = states[i]
		local.local[m] = true
	}
	b.entry = &local
	args := []arg{{value: b.cast(p, u.param.reads), span: at}, {value: b.cast(grad, u.param.reads), span: at}}
	for _, x := range fn.Decl.Params {
		if x.Name == "total_norm" {
			args = append(args, arg{name: "total_norm", value: total, span: at})
		}
	}
	v := b.callFn(fn, args, at, opt.Unit.Decl.Name)
	b.entry = old
	next, ok := v.(Tensor)
	if !ok || !ir.SameDims(next.N.Type.Dims, p.N.Type.Dims) {
		b.fail(opt.Span, "the optimizer %s returns %s for %s", opt.Unit.Decl.Name, describe(v), typeText(p.N.Type))
	}
	out := make([]Tensor, len(u.moments))
	for i, m := range u.moments {
		out[i] = local.current[m]
	}
	return b.cast(next, p.N.Type.Elem), out
}

func (b *builder) apply1(opt Optimizer, u *update, total Tensor, at Span) {
	var states []Tensor
	for _, m := range u.moments {
		states = append(states, b.whole(m))
	}
	p, next := b.optimize(opt, u, b.whole(u.param), b.tensor(u.grad), total, states, at)
	b.assignAll(u, p, next, at)
}

func (b *builder) assignAll(u *update, p Tensor, next []Tensor, at Span) {
	b.setState(b.f, stateKey{u.param, nil}, p, at)
	for i, m := range u.moments {
		b.setState(b.f, stateKey{m, nil}, next[i], at)
	}
}

// groupByStack puts together what one loop over instances can update.
func groupByStack(us []*update) [][]*update {
	var out [][]*update
	where := map[string]int{}
	for _, u := range us {
		key := ""
		for _, l := range u.param.stack {
			key += l.name + ","
		}
		i, ok := where[key]
		if !ok {
			i = len(out)
			where[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], u)
	}
	return out
}

// applyStack updates the parameters of a list of equal modules: one turn an instance.
func (b *builder) applyStack(opt Optimizer, us []*update, total Tensor, at Span) {
	outer := b.f
	n := 1
	for _, l := range us[0].param.stack {
		n *= l.n
	}
	depth := len(us[0].param.stack)
	f := outer.region("optimize", index.C(n))
	var outputs []*ir.Node
	var types []ir.Type
	for _, u := range us {
		slice := func(of func() Tensor) Tensor {
			b.f = outer
			flat := b.flattenStack(of(), depth, n)
			b.f = f
			return f.slice(flat)
		}
		p, grad := slice(func() Tensor { return b.whole(u.param) }), slice(func() Tensor { return Tensor{N: u.grad, F: outer} })
		types = append(types, u.param.full())
		var states []Tensor
		for _, m := range u.moments {
			states = append(states, slice(func() Tensor { return b.whole(m) }))
			types = append(types, m.full())
		}
		b.at(at)
		next, moments := b.optimize(opt, u, p, grad, total, states, at)
		outputs = append(outputs, b.node(next))
		for _, m := range moments {
			outputs = append(outputs, b.node(m))
		}
	}
	b.f = outer
	b.at(at)
	results := b.closeLoop(f, nil, nil, outputs)
	k := 0
	take := func() Tensor {
		t := b.unflattenStack(results[k], types[k].Dims)
		k++
		return t
	}
	for _, u := range us {
		p := take()
		var next []Tensor
		for range u.moments {
			next = append(next, take())
		}
		b.assignAll(u, p, next, at)
	}
}

func (b *builder) flattenStack(t Tensor, depth, n int) Tensor {
	if depth == 1 {
		return t
	}
	return b.reshape(t, append([]ir.Dim{{Size: n}}, t.N.Type.Dims[depth:]...), b.current)
}

func (b *builder) unflattenStack(n *ir.Node, dims []ir.Dim) Tensor {
	if ir.SameDims(n.Type.Dims, dims) {
		return b.tensor(n)
	}
	return b.reshape(b.tensor(n), dims, b.current)
}
