package lang

import "mdlc/ir"

// findDifferentiated notes the names by which f takes gradients.
func (c *core) findDifferentiated(f *File) {
	u := &uses{count: map[string]int{}, by: c.differentiated}
	for _, body := range bodies(f) {
		u.block(body)
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
