package lang

import "mdlc/ir"

// findDifferentiated notes the names by which f takes gradients.
func (c *core) findDifferentiated(f *File) {
	u := &uses{count: map[string]int{}, by: c.differentiated}
	for _, body := range bodies(f) {
		u.block(body)
	}
	for _, fn := range functions(f) {
		u.read(fn.Expr)
	}
}

// independent makes the value of a name its own where gradients are taken by it: in
//
//	a: f32[3] = 1
//	b: f32[3] = 1
//	slope = grad(sum(a * b^2), a)
//
// a and b would otherwise be one node, and the slope that of both.
func (b *builder) independent(name string, v Value) Value {
	x, ok := v.(Tensor)
	if !ok || !b.differentiated[name] || !x.N.Type.Elem.IsFloat() || x.N.Op == ir.OpParam {
		return v
	}
	g := b.f.b
	n := b.node(x)
	gen := g.Gen
	b.pins++
	g.Gen = b.pins
	pin := g.Make(ir.OpPin, nil, n)
	g.Gen = gen
	return Tensor{N: pin, F: b.f, One: x.One}
}

// independentOf makes a parameter's value its own where gradients are taken by its name, and
// another argument has the same value by another name or term, as both have in f(x + 1, y + 1) with
// equal x and y, or in f(3, 3); in f(x, x) there is one value. What was computed from the argument before the call is not computed from the parameter then.
func (b *builder) independentOf(others []argument, own argument) Value {
	x, ok := own.value.(Tensor)
	if !ok {
		return own.value
	}
	for _, o := range others {
		if y, ok := o.value.(Tensor); ok && o.param != own.param && y.N == x.N && (o.text != own.text || !own.alias) {
			return b.independent(own.param, x)
		}
	}
	return x
}

// argument is what a parameter is bound to: its value, and how the call spells it.
type argument struct {
	param, text string
	alias       bool
	value       Value
}

// alias reports whether t is another name for a value.
func alias(t Term) bool {
	switch t := t.(type) {
	case *NameTerm:
		return true
	case *FieldTerm:
		return alias(t.X)
	}
	return false
}
