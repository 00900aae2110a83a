package lang

import "slices"

// unused warns of values that are computed and never used: names that a
// function or entry of the main file binds and mentions nowhere else.
func (b *builder) unused(f *File) {
	for _, body := range bodies(f) {
		b.unusedIn(body)
	}
}

// bodies are the blocks of a file's functions and entries.
func bodies(f *File) (out []*Block) {
	for _, fn := range functions(f) {
		if fn.Body != nil {
			out = append(out, fn.Body)
		}
	}
	for _, it := range f.Items {
		switch {
		case it.Train != nil:
			out = append(out, it.Train.Body)
		case it.Eval != nil:
			out = append(out, it.Eval.Body)
		case it.Sample != nil:
			out = append(out, it.Sample.Body)
		}
	}
	return out
}

// functions are those of a file and of its units.
func functions(f *File) (out []*Fn) {
	for _, it := range f.Items {
		if it.Fn != nil {
			out = append(out, it.Fn)
		}
		if it.Unit != nil {
			out = append(out, memberFunctions(it.Unit.Members)...)
		}
	}
	return out
}

func memberFunctions(ms []*Member) (out []*Fn) {
	for _, m := range ms {
		if m.Fn != nil {
			out = append(out, m.Fn)
		}
		if m.If != nil {
			out = append(out, memberFunctions(m.If.Then)...)
			out = append(out, memberFunctions(m.If.Else)...)
		}
	}
	return out
}

func (b *builder) unusedIn(body *Block) {
	u := &uses{count: map[string]int{}, by: map[string]bool{}}
	u.block(body)
	for _, d := range u.defs {
		used := func(t *Postfix) bool { return u.count[t.Base.Name] > 0 }
		if u.count[d.name] == 0 && d.name != "_" && !slices.ContainsFunc(d.with, used) {
			u.count[d.name]++ // once
			b.warn(d.span, "", "`%s` is computed and never used", d.name)
		}
	}
}

// uses counts where names are read, and remembers where they are bound.
type uses struct {
	count map[string]int
	by    map[string]bool // x of grad(s, x)
	defs  []struct {
		name string
		span Span
		with []*Postfix // what is taken apart with it: one that is used is enough
	}
}

func (u *uses) read(es ...*Expr) {
	for _, e := range es {
		if e == nil {
			continue
		}
		walk(e.term(), func(t Term) bool {
			switch t := t.(type) {
			case *NameTerm:
				u.count[t.Name]++
			case *CallTerm:
				u.call(t)
			}
			return true
		})
	}
}

func (u *uses) call(t *CallTerm) {
	if f, ok := t.Fn.(*NameTerm); !ok || f.Name != "grad" || len(t.Args) != 2 {
		return
	}
	by := []Term{t.Args[1].Value}
	if l, ok := by[0].(*ListTerm); ok {
		by = l.Items
	}
	for _, x := range by {
		if n, ok := x.(*NameTerm); ok {
			u.by[n.Name] = true
		}
	}
}

func (u *uses) block(bl *Block) {
	for _, s := range bl.Stmts {
		u.stmt(s)
	}
}

func (u *uses) stmt(s *Stmt) {
	switch {
	case s.Return != nil:
		u.read(s.Return.Values...)
		u.read(s.Return.Def)
	case s.If != nil:
		u.ifs(s.If)
	case s.For != nil:
		u.read(s.For.In...)
		u.block(s.For.Body)
	case s.Repeat != nil:
		u.read(s.Repeat.Count)
		u.block(s.Repeat.Body)
	case s.While != nil:
		u.read(s.While.Cond)
		u.block(s.While.Body)
	case s.Every != nil:
		u.block(s.Every.Body)
	case s.Each != nil:
		u.read(s.Each.From)
	case s.Minimize != nil:
		u.read(s.Minimize.Loss, s.Minimize.With)
		u.read(s.Minimize.Over...)
		u.read(s.Minimize.Except...)
	case s.Report != nil:
		for _, r := range s.Report.Items {
			u.read(r.Value)
		}
	case s.Show != nil:
		u.read(s.Show.Value)
	case s.Generate != nil:
		u.read(s.Generate.From, s.Generate.Count, s.Generate.Until)
		u.count[s.Generate.Var.Name]++
		u.block(s.Generate.Body)
	case s.Assign != nil:
		u.assign(s.Assign)
	}
}

func (u *uses) ifs(s *If) {
	u.read(s.Cond)
	u.block(s.Then)
	if s.ElseIf != nil {
		u.ifs(s.ElseIf)
	}
	if s.Else != nil {
		u.block(s.Else)
	}
}

func (u *uses) assign(s *Assign) {
	u.read(s.Values...)
	for _, t := range s.Targets {
		if t.Base.Name == "" || s.Op == "" || s.Op == "<-" {
			u.read(&Expr{Or: &Or{Terms: []*And{{Terms: []*Not{{Cmp: &Compare{Left: &Sum{Left: &Product{Left: &Unary{Base: t}}}}}}}}}})
			continue
		}
		if x, ok := t.term().(*IndexTerm); ok {
			for _, i := range x.Indices {
				for _, part := range []Term{i.At, i.From, i.To} {
					walk(part, func(t Term) bool {
						if n, ok := t.(*NameTerm); ok {
							u.count[n.Name]++
						}
						return true
					})
				}
			}
		}
		u.defs = append(u.defs, struct {
			name string
			span Span
			with []*Postfix
		}{t.Base.Name, Span{t.Pos, t.EndPos}, s.Targets})
	}
}
