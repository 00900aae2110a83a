package lang

import (
	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// A sum over those elements whose data says that they belong to index i,
//
//	total[i < n, d] = sum[e where to[e] == i] message[e, d]
//
// is a scatter: each element is added at its place, instead of being looked at for each i. Elements whose place is not in
// the range of i add to nothing, as they equal no i.

// picked is `data == v` in the where of a reducer: v is an index around it, data depends on what is summed.
type picked struct {
	v    *indexVar
	data indexed
}

// places takes a where apart: what says at which index an element is added, and the rest of the condition (nil: none).
func (b *builder) places(where Term, over []*indexVar) (found []picked, rest *indexed) {
	if t, ok := where.(*BinaryTerm); ok {
		switch t.Op {
		case "and":
			l, restL := b.places(t.L, over)
			r, restR := b.places(t.R, over)
			switch {
			case restL == nil:
				return append(l, r...), restR
			case restR == nil:
				return append(l, r...), restL
			}
			both := b.together(t.Span(), []indexed{*restL, *restR}, func(vs []Value) Value { return b.binary("and", vs[0], vs[1], t.Span()) })
			return append(l, r...), &both
		case "==":
			for _, side := range [][2]Term{{t.L, t.R}, {t.R, t.L}} {
				if p, ok := b.place(side[0], side[1], over); ok {
					return []picked{p}, nil
				}
			}
		}
	}
	whole := b.indexed(where)
	return nil, &whole
}

func (b *builder) place(data, index Term, over []*indexVar) (picked, bool) {
	name, ok := index.(*NameTerm)
	if !ok {
		return picked{}, false
	}
	v := b.ix.find(name.Name)
	if v == nil || has(over, v) || !readsData(data) {
		return picked{}, false
	}
	x := b.indexed(data)
	t, ok := x.v.(Tensor)
	return picked{v, x}, ok && t.N.Type.Elem.IsInt() && dependsOn(x, over) && !has(x.vars, v)
}

// readsData reports whether a term is more than arithmetic of indices.
func readsData(t Term) bool {
	found := false
	walk(t, func(t Term) bool {
		if _, ok := t.(*IndexTerm); ok {
			found = true
		}
		return !found
	})
	return found
}

// scattered is the sum (or mean) of body where t says, as a scatter; false: it is none.
func (b *builder) scattered(t *ReduceTerm, body indexed, over []*indexVar) (indexed, bool) {
	found, rest := b.places(t.Where, over)
	for i, p := range found {
		if has(body.vars, p.v) || rest != nil && has(rest.vars, p.v) {
			return indexed{}, false
		}
		for j, q := range found {
			if i != j && (q.v == p.v || has(q.data.vars, p.v)) {
				return indexed{}, false
			}
		}
	}
	if len(found) == 0 {
		return indexed{}, false
	}
	b.at(t.Span())
	total := b.scatter(body, over, found, rest)
	if t.Name == "sum" {
		return total, true
	}
	count := b.scatter(indexed{Num{1, true}, nil}, over, found, rest)
	return b.together(t.Span(), []indexed{total, count}, func(vs []Value) Value { return b.binary("/", vs[0], vs[1], t.Span()) }), true
}

// scatter adds each element of body at its places.
func (b *builder) scatter(body indexed, over []*indexVar, at []picked, mask *indexed) indexed {
	all := []indexed{body, {vars: over}}
	for _, p := range at {
		all = append(all, p.data)
	}
	if mask != nil {
		all = append(all, *mask)
	}
	vars := union(all)
	x := b.align(body, vars, b.elemFor(body.v))
	e := x.N.Type.Elem
	sum := e
	switch {
	case e == loop.Bool:
		e, sum = loop.I32, loop.I32
	case e.IsFloat() && e.Size() < 4:
		sum = b.float
	}
	x = b.cast(x, sum)
	if mask != nil {
		m := b.align(*mask, vars, loop.Bool)
		x = b.masked(x, &m, 0)
	}
	var left []*indexVar
	var out []*index.Expr
	for k, v := range vars {
		if !has(over, v) {
			left, out = append(left, v), append(out, ir.Var(k))
		}
	}
	var data []*ir.Node
	for k, p := range at {
		left, out = append(left, p.v), append(out, ir.Data(k+1))
		data = append(data, b.node(b.cast(b.align(p.data, vars, loop.I32), loop.I32)))
	}
	return indexed{b.cast(b.tensor(b.f.b.Scatter(b.node(x), dimsOf(left), out, data...)), e), left}
}
