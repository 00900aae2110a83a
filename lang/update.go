package lang

import "mdlc/ir"

// update is `state <- e`.
func (b *builder) update(target Term, t *Type, value Term, at Span) {
	if t != nil {
		b.fail(at, "the type of a state stands at its declaration")
	}
	base := target
	index, isIndex := target.(*IndexTerm)
	if isIndex {
		base = index.X
	}
	name, ok := base.(*NameTerm)
	if !ok {
		b.failHelp(target.Span(), "a module's states change in its own functions", "`<-` wants the name of a state")
	}
	v, _ := b.sc.find(name.Name)
	ref, ok := v.(StateRef)
	if _, failed := v.(Poison); failed {
		panic(silent{})
	}
	if !ok {
		if m, isModule := v.(InstanceRef); isModule && !isIndex {
			b.needEntry(at)
			b.updateModule(m, name.Name, value, at)
			return
		}
		if v == nil {
			b.unknown(name.Name, name.Span())
		}
		help := "`" + name.Name + " = …` binds a value; `x < -1` compares"
		b.failHelp(target.Span(), help, "`%s` is %s: `<-` changes only params and states", name.Name, describe(v))
	}
	b.needEntry(at)
	var w Value
	switch {
	case !isIndex:
		w = b.eval(value)
	default:
		w = b.updateIndexed(index, ref, value, at)
	}
	if !b.assigns() {
		return // left out in eval, sample and under `frozen`
	}
	b.writeState(ref.State, w, at)
}

func (b *builder) needEntry(at Span) {
	if b.entry == nil {
		b.fail(at, "`<-` runs in a train only")
	}
	if k := b.entry.kind; len(b.calls) == 0 && k != ir.EntryTrain && k != ir.EntryInit {
		b.failHelp(at, "`x = …` binds a name here", "`<-` changes params and states, which only a train does, not `%s`", k)
	}
}

func (b *builder) updateIndexed(t *IndexTerm, ref StateRef, value Term, at Span) Value {
	old := b.readState(ref.State, at).(Tensor)
	var free []Subscript
	var axes []ir.Dim // of the state, which the free indices run over if nothing else says so
	rest := false
	for k, s := range t.Indices {
		rest = rest || s.Rest
		if !b.isFree(s) {
			continue
		}
		free = append(free, s)
		if k < old.N.Type.Rank() {
			axes = append(axes, old.N.Type.Dims[k])
		}
	}
	if rest {
		axes = nil
	}
	switch {
	case len(free) == len(t.Indices):
		return b.defineIndexed(free, axes, value, at)
	case len(free) > 0:
		v := b.defineIndexed(free, axes, value, at)
		return b.put(old, &IndexTerm{place: t.place, X: t.X, Indices: b.wholeAxes(t.Indices)}, v, at)
	}
	return b.put(old, t, b.eval(value), at)
}
