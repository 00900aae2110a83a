package loop

// Mapper rewrites values and statements. Subst gives the replacement of a value,
// nil to keep it with its arguments rewritten. Each node is rewritten once, so
// sharing stays; a value whose arguments did not change is the same node.
type Mapper struct {
	b     *Builder
	subst func(v *Value) *Value
	memo  map[*Value]*Value
}

// NewMapper rewrites within the kernel of b.
func NewMapper(b *Builder, subst func(v *Value) *Value) *Mapper {
	return &Mapper{b: b, subst: subst, memo: map[*Value]*Value{}}
}

// Set makes v become to.
func (m *Mapper) Set(v, to *Value) { m.memo[v] = to }

// Value is v rewritten.
func (m *Mapper) Value(v *Value) *Value {
	if v == nil {
		return nil
	}
	if r, ok := m.memo[v]; ok {
		return r
	}
	r := (*Value)(nil)
	if m.subst != nil {
		r = m.subst(v)
	}
	if r == nil {
		r = m.rebuild(v)
	}
	if r != v && r.Name == "" && r.Op != Const && r.Op != AxisIndex {
		r.Name = v.Name
	}
	m.memo[v] = r
	return r
}

func (m *Mapper) rebuild(v *Value) *Value {
	args, changed := m.values(v.Args)
	guard := m.Value(v.Guard)
	if !changed && guard == v.Guard {
		return v
	}
	c := *v
	c.Args, c.Guard = args, guard
	switch {
	case v.Op == Load && v.Buf.Mode != In:
		// Loads of what the kernel writes differ by their place: never one node with another.
		c.Guard, _ = checkAccess(v.Buf, args, guard)
		c.Axes = axesOf(m.b.order, &c)
		return &c
	case v.Op == Load:
		c.Guard, _ = checkAccess(v.Buf, args, guard)
	}
	return m.b.fold(&c)
}

func (m *Mapper) values(vs []*Value) ([]*Value, bool) {
	out := make([]*Value, len(vs))
	changed := false
	for i, v := range vs {
		out[i] = m.Value(v)
		changed = changed || out[i] != v
	}
	return out, changed
}

// Block is the statements rewritten, as new statements. Carried values are new,
// so that a body can be duplicated. Call Kernel.Refresh when the kernel is whole.
func (m *Mapper) Block(body []Stmt) []Stmt {
	out := make([]Stmt, 0, len(body))
	for _, s := range body {
		out = append(out, m.Stmt(s))
	}
	return out
}

// Stmt is one statement rewritten.
func (m *Mapper) Stmt(s Stmt) Stmt {
	switch s := s.(type) {
	case *Let:
		return &Let{Val: m.Value(s.Val)}
	case *Store:
		index, _ := m.values(s.Index)
		guard, _ := checkAccess(s.Buf, index, m.Value(s.Guard))
		return &Store{Buf: s.Buf, Index: index, Guard: guard, Val: m.Value(s.Val), Async: s.Async, Multicast: s.Multicast}
	case *If:
		return &If{Cond: m.Value(s.Cond), Body: m.Block(s.Body)}
	case *RingStep:
		return &RingStep{Ring: s.Ring, Kind: s.Kind, Turn: m.Value(s.Turn), Body: m.Block(s.Body)}
	case *Send:
		return &Send{m.Block(s.Body)}
	case *Sent:
		return &Sent{s.Young}
	case *Role:
		return &Role{Name: s.Name, Warps: s.Warps, Regs: s.Regs, Body: m.Block(s.Body)}
	case *For:
		f := &For{Axis: s.Axis, Lo: m.Value(s.Lo), Hi: m.Value(s.Hi)}
		for _, c := range s.Carry {
			in, after := *c.In, *c.Out
			f.Carry = append(f.Carry, &Carry{Name: c.Name, Init: m.Value(c.Init), In: &in, Out: &after})
			m.Set(c.In, &in)
			m.Set(c.Out, &after)
		}
		f.Body = m.Block(s.Body)
		for i, c := range s.Carry {
			f.Carry[i].Next = m.Value(c.Next)
		}
		return f
	case *Wait:
		return &Wait{s.Young}
	case *Settle:
		return &Settle{s.Young, m.Value(s.Val)}
	case *Commit:
		return &Commit{}
	}
	return &Phase{}
}

// Clone is a deep copy: axes, buffers, values and statements are new.
func (k *Kernel) Clone() *Kernel {
	c := &cloner{axes: map[*Axis]*Axis{}, bufs: map[*Buffer]*Buffer{}, vals: map[*Value]*Value{}}
	out := &Kernel{Name: k.Name, Guarded: k.Guarded, Pos: append([]Pos(nil), k.Pos...), Opts: append([]Opt(nil), k.Opts...), Rings: append([]*Ring(nil), k.Rings...)}
	for _, b := range k.Bufs {
		n := *b
		n.Dims, n.Strides, n.Length = append([]int(nil), b.Dims...), append([]int(nil), b.Strides...), c.bufs[b.Length]
		c.bufs[b] = &n
		out.Bufs = append(out.Bufs, &n)
	}
	for _, a := range k.Axes {
		n := *a
		c.axes[a] = &n
		n.Extent, n.Def = c.value(a.Extent), c.value(a.Def)
		out.Axes = append(out.Axes, &n)
	}
	out.Body = c.block(k.Body)
	return out
}

type cloner struct {
	axes map[*Axis]*Axis
	bufs map[*Buffer]*Buffer
	vals map[*Value]*Value
}

func (c *cloner) axisList(in []*Axis) []*Axis {
	if in == nil {
		return nil
	}
	out := make([]*Axis, len(in))
	for i, a := range in {
		out[i] = c.axes[a]
	}
	return out
}

func (c *cloner) value(v *Value) *Value {
	if v == nil {
		return nil
	}
	if n := c.vals[v]; n != nil {
		return n
	}
	n := *v
	c.vals[v] = &n
	n.Args = c.values(v.Args)
	n.Guard = c.value(v.Guard)
	n.Axes, n.Over = c.axisList(v.Axes), c.axisList(v.Over)
	n.Axis, n.Buf = c.axes[v.Axis], c.bufs[v.Buf]
	return &n
}

func (c *cloner) values(vs []*Value) []*Value {
	if vs == nil {
		return nil
	}
	out := make([]*Value, len(vs))
	for i, v := range vs {
		out[i] = c.value(v)
	}
	return out
}

func (c *cloner) block(body []Stmt) []Stmt {
	var out []Stmt
	for _, s := range body {
		switch s := s.(type) {
		case *Let:
			out = append(out, &Let{Val: c.value(s.Val)})
		case *Store:
			out = append(out, &Store{Buf: c.bufs[s.Buf], Index: c.values(s.Index), Guard: c.value(s.Guard), Val: c.value(s.Val), Async: s.Async, Multicast: s.Multicast})
		case *If:
			out = append(out, &If{Cond: c.value(s.Cond), Body: c.block(s.Body)})
		case *RingStep:
			out = append(out, &RingStep{Ring: s.Ring, Kind: s.Kind, Turn: c.value(s.Turn), Body: c.block(s.Body)})
		case *Send:
			out = append(out, &Send{c.block(s.Body)})
		case *Sent:
			out = append(out, &Sent{s.Young})
		case *Role:
			out = append(out, &Role{Name: s.Name, Warps: s.Warps, Regs: s.Regs, Body: c.block(s.Body)})
		case *For:
			f := &For{Axis: c.axes[s.Axis], Lo: c.value(s.Lo), Hi: c.value(s.Hi), Body: c.block(s.Body)}
			for _, x := range s.Carry {
				f.Carry = append(f.Carry, &Carry{Name: x.Name, Init: c.value(x.Init), In: c.value(x.In), Next: c.value(x.Next), Out: c.value(x.Out)})
			}
			out = append(out, f)
		case *Commit:
			out = append(out, &Commit{})
		case *Wait:
			out = append(out, &Wait{s.Young})
		case *Settle:
			out = append(out, &Settle{s.Young, c.value(s.Val)})
		case *Phase:
			out = append(out, &Phase{})
		}
	}
	return out
}
