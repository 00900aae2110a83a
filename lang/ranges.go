package lang

import (
	"mdlc/ir"
	"mdlc/ir/index"
)

// An indexUse is a subscript that holds an index whose range is looked for.
type indexUse struct {
	expr Term
	dim  ir.Dim
	at   Span
	text string
	in   *builder // with the indices in scope there
	// compared: the index is compared with places on the axis dim, not with it indexed
	compared bool
}

// sizeRest finds what `..` stands for in a statement: the axes of its operands that it covers.
func (b *builder) sizeRest(t Term) {
	root := b.ix.root
	walk(t, func(t Term) bool {
		x, ok := t.(*IndexTerm)
		if !ok {
			return true
		}
		has := false
		for _, s := range x.Indices {
			has = has || s.Rest
		}
		if !has || b.isShape(x) {
			return true
		}
		base, ok := b.restBase(x.X)
		if !ok {
			return true
		}
		b.unifyRest(root, base, x)
		return true
	})
}

// restBase evaluates an array that is indexed with `..`.
func (b *builder) restBase(t Term) (Tensor, bool) {
	x, ok := b.base(t).(Tensor)
	return x, ok
}

func (b *builder) unifyRest(root *statement, base Tensor, x *IndexTerm) {
	dims := base.N.Type.Dims
	n := len(dims) - (len(x.Indices) - 1)
	if n < 0 {
		b.fail(x.Span(), "`%s` has %s, and here %s", b.src.text(x.X.Span()), axes(len(dims)), indices(len(x.Indices)-1))
	}
	first := 0
	for i, s := range x.Indices {
		if s.Rest {
			first = i
		}
	}
	part := dims[first : first+n]
	if !root.sized {
		root.sized = true
		for k, d := range part {
			root.rest = append(root.rest, &indexVar{name: ".." + itoa(k), dim: d, set: true, id: 1 << 20})
		}
		for k, v := range root.rest {
			v.id += k
		}
		return
	}
	if !ir.SameDims(part, dimsOf(root.rest)) {
		b.fail(x.Span(), "`..` stands for %s elsewhere in this statement and for %s in `%s`", dimsText(dimsOf(root.rest)), dimsText(part), b.src.text(x.Span()))
	}
}

// ranges gives every index of vars its range: an explicit one; else the size of the axes
// that it indexes alone; else of the axis whose places it is compared with; else of the axis of
// the state that it stands for; else, for a left index, the largest that keeps every affine access inside.
func (b *builder) ranges(vars []*indexVar, ts []Term, reducer bool) {
	uses := map[string][]indexUse{}
	names := map[string]*indexVar{}
	for _, v := range vars {
		names[v.name] = v
	}
	for _, t := range ts {
		b.collectUses(t, names, uses)
	}
	for _, v := range vars {
		for _, compared := range []bool{false, true} {
			if !v.set {
				b.sizeOfUses(v, uses[v.name], compared)
			}
		}
	}
	for _, v := range vars {
		if v.set {
			continue
		}
		if v.axis != nil {
			v.dim, v.set = *v.axis, true
			continue
		}
		if reducer {
			b.failHelp(v.span, "`"+v.name+" < n` gives it one", "the index `%s` has no range: it never indexes an axis alone", v.name)
		}
		b.widest(v, uses[v.name])
	}
}

// sizeOfUses gives v the size of the axes that it indexes alone, or is compared with places of.
func (b *builder) sizeOfUses(v *indexVar, uses []indexUse, compared bool) {
	for _, u := range uses {
		if n, ok := u.expr.(*NameTerm); !ok || n.Name != v.name || u.compared != compared {
			continue
		}
		if v.set && !v.dim.Equal(u.dim) {
			b.fail(u.at, "the index `%s` runs over an axis of %s elsewhere and of %s in `%s`", v.name, dimText(v.dim), dimText(u.dim), u.text)
		}
		v.dim, v.set = u.dim, true
	}
}

// withBounds is b inside of a reducer, whose indices have their ranges: an access
// like x[i + di] bounds i only once di is known.
func (b *builder) withBounds(t *ReduceTerm) *builder {
	inner := &indexScope{outer: b.ix, root: b.ix.root}
	for _, x := range t.Bounds {
		if !x.Rest {
			v := b.boundIndex(x, t.Name)
			v.id = b.ix.root.id()
			inner.vars = append(inner.vars, v)
		}
	}
	in := b.withIndices(inner)
	in.ranges(inner.vars, t.parts(), true)
	return in
}

func (t *ReduceTerm) parts() []Term {
	if t.Where == nil {
		return []Term{t.Body}
	}
	return []Term{t.Body, t.Where}
}

// collectUses finds the subscripts of t in which names occur.
func (b *builder) collectUses(t Term, names map[string]*indexVar, uses map[string][]indexUse) {
	walk(t, func(t Term) bool {
		switch t := t.(type) {
		case *ReduceTerm:
			if keepsAxis(t.Name) {
				return true
			}
			in := b.withBounds(t)
			in.collectUses(t.Where, names, uses)
			in.collectUses(t.Body, names, uses)
			return false
		case *IndexTerm:
			b.usesOf(t, names, uses)
		case *BinaryTerm:
			if t.Op == "==" || t.Op == "!=" {
				b.comparedWith(t.L, t.R, names, uses)
				b.comparedWith(t.R, t.L, names, uses)
			}
		}
		return true
	})
}

// comparedWith notes an index that is compared with places on an axis, as in
// `pick[b, j] == e`, where pick is the argmax or top_k of something.
func (b *builder) comparedWith(name, data Term, names map[string]*indexVar, uses map[string][]indexUse) {
	n, ok := name.(*NameTerm)
	if !ok || names[n.Name] == nil {
		return
	}
	if x, indexed := data.(*IndexTerm); indexed {
		data = x.X
	}
	if b.mentions(data) || b.hasName(data, names) {
		return
	}
	x, ok := b.base(data).(Tensor)
	if !ok {
		return
	}
	if d, ok := placesOn(x.N); ok {
		uses[n.Name] = append(uses[n.Name], indexUse{expr: name, dim: d, at: name.Span(), text: b.src.text(name.Span()), in: b, compared: true})
	}
}

// placesOn is the axis that the values of n are places on.
func placesOn(n *ir.Node) (ir.Dim, bool) {
	switch a := n.Attr.(type) {
	case ir.TopKAttr:
		return lastDim(n.Args[0]), true
	case ir.ReduceAttr:
		if a.Kind == ir.ArgMax || a.Kind == ir.ArgMin {
			return n.Args[0].Type.Dims[a.Axes[0]], true
		}
	case ir.IndexAttr:
		if n.Op == ir.OpIndex && a.Outside == nil {
			return placesOn(n.Args[0])
		}
	}
	if n.Op == ir.OpArgSort {
		return lastDim(n.Args[0]), true
	}
	return ir.Dim{}, false
}

func lastDim(n *ir.Node) ir.Dim { return n.Type.Dims[n.Type.Rank()-1] }

func (b *builder) usesOf(t *IndexTerm, names map[string]*indexVar, uses map[string][]indexUse) {
	found := false
	for _, s := range t.Indices {
		if s.At != nil {
			found = found || b.hasName(s.At, names)
		}
	}
	if !found || b.hasName(t.X, names) || b.mentions(t.X) {
		return
	}
	base := b.base(t.X)
	if _, ok := base.(Split); ok {
		b.failHelp(t.X.Span(), eachHelp, "`%s` is %s and holds no rows here", b.src.text(t.X.Span()), describe(base))
	}
	x, ok := base.(Tensor)
	if !ok {
		return
	}
	for k, s := range b.restSubscripts(t, x.N.Type.Rank()) {
		if s.rest != nil {
			continue
		}
		if _, bare := s.sub.At.(*NameTerm); t.Outside != nil && !bare {
			continue
		}
		walk(s.sub.At, func(u Term) bool {
			switch u := u.(type) {
			case *IndexTerm:
				return false // data
			case *NameTerm:
				if names[u.Name] != nil {
					uses[u.Name] = append(uses[u.Name], indexUse{expr: s.sub.At, dim: x.N.Type.Dims[k], at: s.sub.Span, text: b.src.text(t.Span()), in: b})
				}
			}
			return true
		})
	}
}

func (b *builder) hasName(t Term, names map[string]*indexVar) bool {
	found := false
	walk(t, func(t Term) bool {
		if n, ok := t.(*NameTerm); ok && names[n.Name] != nil {
			found = true
		}
		return !found
	})
	return found
}

// widest is the largest range from 0 that keeps the affine accesses of v inside.
func (b *builder) widest(v *indexVar, uses []indexUse) {
	best := -1
	for _, u := range uses {
		if u.compared {
			continue
		}
		n, ok := b.limit(v, u)
		if ok && (best < 0 || n < best) {
			best = n
		}
	}
	if best < 0 {
		b.failHelp(v.span, "`"+v.name+" < n` gives it one", "the index `%s` has no range: it never indexes an axis alone", v.name)
	}
	if best == 0 {
		b.failHelp(v.span, "`| value` says what is read outside, and lets `"+v.name+" < n` be larger", "no `%s` keeps every access inside: what it moves over is larger than the axis", v.name)
	}
	v.dim, v.set = ir.Dim{Size: best}, true
}

// limit bounds v by one access c*v + rest <= size - 1; the other indices of the access must have their ranges.
func (b *builder) limit(v *indexVar, u indexUse) (int, bool) {
	b = u.in
	e, ok := b.affine(u.expr, v)
	if !ok || u.dim.Len != nil {
		return 0, false
	}
	bound := func(name string) (int, int) {
		if name == "v" {
			return 0, 0
		}
		return 0, max(b.ix.byKey(name).dim.Size-1, 0)
	}
	at0 := e.Subst(func(name string) *index.Expr {
		if name == "v" {
			return index.C(0)
		}
		return nil
	})
	slope, ok := index.Sub(e.Subst(func(name string) *index.Expr {
		if name == "v" {
			return index.C(1)
		}
		return nil
	}), at0).Const()
	if !ok || slope <= 0 {
		return 0, false
	}
	_, hi := at0.Range(bound)
	return max((u.dim.Size-1-hi)/slope+1, 0), true
}

// affine reads a subscript with v as the variable "v"; false: an index in it has no range yet.
func (b *builder) affine(t Term, v *indexVar) (*index.Expr, bool) {
	switch t := t.(type) {
	case *NameTerm:
		if t.Name == v.name {
			return index.V("v"), true
		}
		if u := b.ix.find(t.Name); u != nil {
			return index.V(u.key()), u.set && u.dim.Len == nil
		}
	case *BinaryTerm:
		l, ok := b.affine(t.L, v)
		r, ok2 := b.affine(t.R, v)
		if !ok || !ok2 {
			return nil, false
		}
		switch t.Op {
		case "+":
			return index.Sum(l, r), true
		case "-":
			return index.Sub(l, r), true
		case "*":
			return index.Prod(l, r), true
		}
		return nil, false
	}
	if b.mentions(t) {
		return nil, false
	}
	if known := exprOf(b.base(t)); known != nil {
		return known, true
	}
	return nil, false
}
