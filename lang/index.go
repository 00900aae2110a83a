package lang

import (
	"slices"
	"sort"

	"mdlc/ir"
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Index notation. Every operand becomes a tensor whose axes are labelled with
// the indices that it depends on; operands of an operator are aligned to the
// union of their labels, so that element-wise operators and functions are the
// array ones; a reducer removes the axes of its indices.

// indexVar is one index: a free one of the left side, or bound by a reducer.
type indexVar struct {
	name string
	dim  ir.Dim
	set  bool // dim is known
	id   int  // order: left side first, then reducers from outside in
	span Span
	axis *ir.Dim // of the state whose elements it counts
}

func (v *indexVar) key() string { return "v" + itoa(v.id) }

// indexScope is the indices in scope.
type indexScope struct {
	outer *indexScope
	vars  []*indexVar
	root  *statement
}

// statement is what an index statement shares: what `..` stands for, and evaluated bases.
type statement struct {
	rest  []*indexVar
	sized bool
	next  int
	value Term // the right side
	bases map[Term]Value
}

func (s *indexScope) find(name string) *indexVar {
	for ; s != nil; s = s.outer {
		for _, v := range s.vars {
			if v.name == name {
				return v
			}
		}
	}
	return nil
}

func (s *indexScope) byKey(key string) *indexVar {
	for t := s; t != nil; t = t.outer {
		for _, v := range t.vars {
			if v.key() == key {
				return v
			}
		}
	}
	for _, v := range s.root.rest {
		if v.key() == key {
			return v
		}
	}
	return nil
}

// indexed is a value that depends on indices: axis k of the tensor runs over vars[k].
type indexed struct {
	v    Value
	vars []*indexVar
}

func (b *builder) withIndices(ix *indexScope) *builder { return &builder{b.core, b.sc, ix} }

// defineIndexed evaluates the right side of `y[b, o] = e`, with the free indices of the left side. axes, if there are any, are
// what the indices run over that get no range otherwise.
func (b *builder) defineIndexed(subs []Subscript, axes []ir.Dim, value Term, at Span) Tensor {
	b.at(at)
	b.needGraph(at)
	root := &statement{bases: map[Term]Value{}, value: value}
	ix := &indexScope{root: root}
	var order []*indexVar
	restAt := -1
	in := b.withIndices(ix)
	in.sizeRest(value)
	for _, s := range subs {
		if s.Rest {
			if restAt >= 0 {
				b.fail(s.Span, "`..` stands here twice")
			}
			restAt = len(order)
			for _, v := range root.rest {
				v.id = root.id()
				order = append(order, v)
			}
			if !root.sized {
				b.fail(s.Span, "`..` stands for nothing: no operand on the right has it")
			}
			continue
		}
		v := b.freeIndex(s)
		if ix.find(v.name) != nil {
			b.failHelp(s.Span, "a diagonal is chosen by a condition: `y[i, j] = where i == j then a else x[i, j]`", "the index `%s` stands here twice", v.name)
		}
		v.id = root.id()
		ix.vars = append(ix.vars, v)
		order = append(order, v)
	}
	in.hidesLeft(ix, value)
	in.keptRanges(ix, value)
	if len(axes) == len(ix.vars) {
		for k, v := range ix.vars {
			v.axis = &axes[k]
		}
	}
	in.ranges(ix.vars, []Term{value}, false)
	r := in.indexed(value)
	for _, v := range r.vars {
		if !slices.Contains(order, v) && slices.Contains(root.rest, v) {
			b.failHelp(at, "`y[..] = …`", "`..` is left over: it stands on the right and not on the left")
		}
	}
	t := in.align(r, order, in.elemFor(r.v))
	return t
}

// hidesLeft refuses a reducer's index that is an index of the left side too.
func (b *builder) hidesLeft(ix *indexScope, value Term) {
	walk(value, func(t Term) bool {
		r, ok := t.(*ReduceTerm)
		if !ok || keepsAxis(r.Name) {
			return true
		}
		for _, x := range r.Bounds {
			if ix.find(x.Name) != nil {
				b.failHelp(x.Span, "rename it", "the index `%s` of %s is an index of the left side already", x.Name, r.Name)
			}
		}
		return true
	})
}

// keptRanges gives indices of the left side the ranges that reducers which keep their axis say, as in `softmax[j < n]`.
func (b *builder) keptRanges(ix *indexScope, value Term) {
	walk(value, func(t Term) bool {
		r, ok := t.(*ReduceTerm)
		if !ok || !keepsAxis(r.Name) {
			return true
		}
		for _, x := range r.Bounds {
			v := ix.find(x.Name)
			if v == nil || x.Below == nil {
				continue
			}
			d := b.dimOf((&builder{b.core, b.sc, b.ix}).eval(x.Below), x.Below.Span())
			if v.set && !v.dim.Equal(d) {
				b.fail(x.Span, "the index `%s` runs over %s elsewhere and over %s here", v.name, dimText(v.dim), dimText(d))
			}
			v.dim, v.set = d, true
		}
		return true
	})
}

// escaped says where a reducer of the statement ends, for an index that is used behind it.
func (b *builder) escaped(name string, at Span) {
	value := b.ix.root.value
	if value == nil {
		return
	}
	walk(value, func(t Term) bool {
		r, ok := t.(*ReduceTerm)
		if !ok {
			return true
		}
		for _, x := range r.Bounds {
			if x.Name == name {
				head := Span{Pos: r.Span().Pos, End: r.Body.Span().Pos}
				all := Span{Pos: r.Body.Span().Pos, End: value.Span().End}
				help := "`" + b.src.text(head) + " (" + b.src.text(all) + ")`, or another index on the left"
				b.failHelp(at, help, "index `%s` is used outside of `%s[%s]`: a reducer covers the product that follows it", name, r.Name, name)
			}
		}
		return true
	})
}

func (s *statement) id() int { s.next++; return s.next }

// freeIndex reads a free index of a left side, `i` or `i < n`.
func (b *builder) freeIndex(s Subscript) *indexVar {
	name, below := freeName(s)
	v := &indexVar{name: name, span: s.Span}
	if below != nil {
		v.dim, v.set = b.dimOf(b.eval(below), below.Span()), true
	}
	return v
}

// freeName splits `i` and `i < n`; "" if s is of neither form.
func freeName(s Subscript) (string, Term) {
	switch t := s.At.(type) {
	case *NameTerm:
		return t.Name, nil
	case *BinaryTerm:
		if n, ok := t.L.(*NameTerm); ok && t.Op == "<" {
			return n.Name, t.R
		}
	}
	return "", nil
}

// indexed evaluates a term in index notation.
func (b *builder) indexed(t Term) indexed {
	switch t := t.(type) {
	case *NameTerm:
		if v := b.ix.find(t.Name); v != nil {
			b.at(t.Span())
			return indexed{b.tensor(b.f.b.Iota([]ir.Dim{v.dim}, 0)), []*indexVar{v}}
		}
	case *BinaryTerm:
		l, r := b.indexed(t.L), b.indexed(t.R)
		b.at(t.Span())
		return b.together(t.Span(), []indexed{l, r}, func(vs []Value) Value {
			return b.binary(t.Op, vs[0], vs[1], t.Span())
		})
	case *UnaryTerm:
		return b.together(t.Span(), []indexed{b.indexed(t.X)}, func(vs []Value) Value { return b.unary(t.Op, vs[0], t.Span()) })
	case *WhereTerm:
		c := b.indexed(t.Cond)
		if known, ok := c.v.(Bool); ok {
			if known {
				return b.indexed(t.Then)
			}
			return b.indexed(t.Else)
		}
		return b.together(t.Span(), []indexed{c, b.indexed(t.Then), b.indexed(t.Else)}, func(vs []Value) Value {
			return b.where(vs[0], vs[1], vs[2], t.Span())
		})
	case *CallTerm:
		if b.mentions(t) {
			return b.indexedCall(t)
		}
	case *IndexTerm:
		if v, ok := b.indexedAccess(t); ok {
			return v
		}
	case *ReduceTerm:
		return b.reduce(t)
	}
	return b.scalarOperand(t)
}

// scalarOperand evaluates an operand without indices: it must be a scalar.
func (b *builder) scalarOperand(t Term) indexed {
	v := b.base(t)
	if x, ok := v.(Tensor); ok && x.N.Type.Rank() > 0 {
		b.failHelp(t.Span(), "index all its axes, as in `"+b.src.text(t.Span())+"["+suggest(x.N.Type.Rank())+"]`", "in index notation every operand is a scalar, and `%s` has %s", b.src.text(t.Span()), axes(x.N.Type.Rank()))
	}
	return indexed{v, nil}
}

func suggest(rank int) string {
	s := "i"
	for k := 1; k < min(rank, 4); k++ {
		s += ", " + string(rune('i'+k))
	}
	return s
}

// base evaluates a term without indices once a statement.
func (b *builder) base(t Term) Value {
	if v, ok := b.ix.root.bases[t]; ok {
		return v
	}
	v := (&builder{b.core, b.sc, b.ix}).eval(t)
	b.ix.root.bases[t] = v
	return v
}

// together aligns tensors to the union of their indices and applies an array operation.
func (b *builder) together(at Span, xs []indexed, f func([]Value) Value) indexed {
	vars := union(xs)
	vs := make([]Value, len(xs))
	for i, x := range xs {
		vs[i] = x.v
		if t, ok := x.v.(Tensor); ok {
			b.at(at)
			vs[i] = b.align(x, vars, t.N.Type.Elem)
		}
	}
	v := f(vs)
	t, ok := v.(Tensor)
	if !ok {
		return indexed{v, nil}
	}
	if !ir.SameDims(t.N.Type.Dims, dimsOf(vars)) {
		if t.N.Type.Rank() == 0 {
			return indexed{t, nil}
		}
		b.fail(at, "in index notation a function must be element-wise: this gives %s for scalars", typeText(t.N.Type))
	}
	return indexed{t, vars}
}

func dimsOf(vars []*indexVar) []ir.Dim {
	dims := make([]ir.Dim, len(vars))
	for i, v := range vars {
		dims[i] = v.dim
	}
	return dims
}

// union is the indices of all operands: where one has them all, in its order.
func union(xs []indexed) []*indexVar {
	seen := map[*indexVar]bool{}
	var all []*indexVar
	for _, x := range xs {
		for _, v := range x.vars {
			if !seen[v] {
				seen[v] = true
				all = append(all, v)
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].id < all[j].id })
	same := true
	var longest []*indexVar
	for _, x := range xs {
		if len(x.vars) == len(all) {
			if longest != nil && !sameVars(longest, x.vars) {
				same = false
			}
			longest = x.vars
		}
	}
	if longest != nil && same {
		return longest
	}
	return all
}

func sameVars(a, b []*indexVar) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// elemFor is the element type of a value on its own.
func (b *builder) elemFor(v Value) ir.Elem {
	switch v := v.(type) {
	case Tensor:
		return v.N.Type.Elem
	case Num:
		if v.Whole {
			return loop.I32
		}
		return b.float
	case Bool:
		return loop.Bool
	}
	return loop.I32
}

// align gives x as a tensor over exactly these indices.
func (b *builder) align(x indexed, vars []*indexVar, e ir.Elem) Tensor {
	t, ok := b.tensorLike(x.v, e)
	if !ok {
		if _, poisoned := x.v.(Poison); poisoned {
			panic(silent{})
		}
		b.fail(b.current, "in index notation every operand is a scalar, not %s", describe(x.v))
	}
	if sameVars(x.vars, vars) {
		return t
	}
	dims := dimsOf(vars)
	if len(x.vars) == 0 {
		return b.stretch(t, dims, make([]bool, len(dims)))
	}
	where := map[*indexVar]int{}
	for i, v := range vars {
		where[v] = i
	}
	out := make([]*index.Expr, len(x.vars))
	for k, v := range x.vars {
		out[k] = ir.Var(where[v])
	}
	return b.tensor(b.f.b.Index(b.node(t), dims, out, nil))
}

// mentions reports whether an index in scope, or `..`, occurs in t.
func (b *builder) mentions(t Term) bool {
	found := false
	walk(t, func(t Term) bool {
		switch t := t.(type) {
		case *NameTerm:
			found = found || b.ix.find(t.Name) != nil
		case *IndexTerm:
			for _, s := range t.Indices {
				found = found || s.Rest && b.ix.root.sized && !b.isShape(t)
			}
		}
		return !found
	})
	return found
}

// isShape: the bracket of a distribution is a shape, not an access.
func (b *builder) isShape(t *IndexTerm) bool {
	n, ok := t.X.(*NameTerm)
	if !ok {
		return false
	}
	v, _ := b.sc.find(n.Name)
	switch v.(type) {
	case Draw, *UnitValue:
		return true
	}
	return false
}

// indexedCall applies a function to scalars that depend on indices.
func (b *builder) indexedCall(t *CallTerm) indexed {
	if b.mentions(t.Fn) {
		b.fail(t.Fn.Span(), "the function that is called cannot depend on an index")
	}
	f := b.base(t.Fn)
	var xs []indexed
	for _, a := range t.Args {
		xs = append(xs, b.indexed(a.Value))
	}
	return b.together(t.Span(), xs, func(vs []Value) Value {
		args := make([]arg, len(vs))
		for i, v := range vs {
			args[i] = t.Args[i].arg(v)
		}
		plain := &builder{b.core, b.sc, nil}
		return plain.apply(f, args, t.Span(), b.src.text(t.Fn.Span()))
	})
}

// walk visits t and its parts while f says so.
func walk(t Term, f func(Term) bool) {
	if t == nil || !f(t) {
		return
	}
	switch t := t.(type) {
	case *BinaryTerm:
		walk(t.L, f)
		walk(t.R, f)
	case *UnaryTerm:
		walk(t.X, f)
	case *WhereTerm:
		walk(t.Cond, f)
		walk(t.Then, f)
		walk(t.Else, f)
	case *FieldTerm:
		walk(t.X, f)
	case *CallTerm:
		walk(t.Fn, f)
		for _, a := range t.Args {
			walk(a.Value, f)
		}
	case *IndexTerm:
		walk(t.X, f)
		for _, s := range t.Indices {
			walk(s.At, f)
			walk(s.From, f)
			walk(s.To, f)
		}
		walk(t.Outside, f)
	case *ReduceTerm:
		for _, x := range t.Bounds {
			walk(x.Below, f)
		}
		walk(t.Where, f)
		walk(t.Body, f)
	case *ListTerm:
		for _, x := range t.Items {
			walk(x, f)
		}
		for _, x := range t.Counts {
			walk(x, f)
		}
	}
}
