package schedule

import "mdlc/ir/loop"

// cloner copies values, statements and kernels. axes and bufs say what
// replaces an axis or a buffer; values holds what is copied already, and may be
// filled beforehand to replace values.
type cloner struct {
	axes   map[*loop.Axis]*loop.Axis
	bufs   map[*loop.Buffer]*loop.Buffer
	values map[*loop.Value]*loop.Value
	fresh  func(a *loop.Axis) *loop.Axis // nil: an axis that axes lacks stays
}

func newCloner() *cloner {
	return &cloner{axes: map[*loop.Axis]*loop.Axis{}, bufs: map[*loop.Buffer]*loop.Buffer{}, values: map[*loop.Value]*loop.Value{}}
}

func (c *cloner) axis(a *loop.Axis) *loop.Axis {
	if b, ok := c.axes[a]; ok {
		return b
	}
	if a == nil || c.fresh == nil {
		return a
	}
	b := c.fresh(a)
	c.axes[a] = b
	b.Extent, b.Def = c.value(a.Extent), c.value(a.Def)
	return b
}

func (c *cloner) buf(b *loop.Buffer) *loop.Buffer {
	if n, ok := c.bufs[b]; ok {
		return n
	}
	return b
}

func (c *cloner) value(v *loop.Value) *loop.Value {
	if v == nil {
		return nil
	}
	if n, ok := c.values[v]; ok {
		return n
	}
	n := *v
	c.values[v] = &n
	n.Args = c.list(v.Args)
	n.Guard = c.value(v.Guard)
	n.Buf = c.buf(v.Buf)
	n.Axis = c.axis(v.Axis)
	n.Over = nil
	for _, a := range v.Over {
		n.Over = append(n.Over, c.axis(a))
	}
	return &n
}

func (c *cloner) list(vs []*loop.Value) []*loop.Value {
	var out []*loop.Value
	for _, v := range vs {
		out = append(out, c.value(v))
	}
	return out
}

func (c *cloner) store(s *loop.Store) *loop.Store {
	return &loop.Store{Buf: c.buf(s.Buf), Index: c.list(s.Index), Guard: c.value(s.Guard), Val: c.value(s.Val), Async: s.Async, Multicast: s.Multicast}
}

func (c *cloner) body(body []loop.Stmt) []loop.Stmt {
	var out []loop.Stmt
	for _, s := range body {
		switch s := s.(type) {
		case *loop.Let:
			out = append(out, &loop.Let{Val: c.value(s.Val)})
		case *loop.Store:
			out = append(out, c.store(s))
		case *loop.If:
			out = append(out, &loop.If{Cond: c.value(s.Cond), Body: c.body(s.Body)})
		case *loop.RingStep:
			out = append(out, &loop.RingStep{Ring: s.Ring, Kind: s.Kind, Turn: c.value(s.Turn), Body: c.body(s.Body)})
		case *loop.Send:
			out = append(out, &loop.Send{Body: c.body(s.Body)})
		case *loop.Sent:
			out = append(out, &loop.Sent{Young: s.Young})
		case *loop.Role:
			out = append(out, &loop.Role{Name: s.Name, Warps: s.Warps, Regs: s.Regs, Body: c.body(s.Body)})
		case *loop.For:
			out = append(out, c.loop(s))
		case *loop.Commit:
			out = append(out, &loop.Commit{})
		case *loop.Wait:
			out = append(out, &loop.Wait{Young: s.Young})
		case *loop.Settle:
			out = append(out, &loop.Settle{Young: s.Young, Val: c.value(s.Val)})
		case *loop.Phase:
			out = append(out, &loop.Phase{})
		}
	}
	return out
}

func (c *cloner) loop(f *loop.For) *loop.For {
	n := &loop.For{Axis: c.axis(f.Axis), Lo: c.value(f.Lo), Hi: c.value(f.Hi)}
	for _, k := range f.Carry {
		n.Carry = append(n.Carry, &loop.Carry{Name: k.Name, Init: c.value(k.Init), In: c.value(k.In)})
	}
	n.Body = c.body(f.Body)
	for i, k := range f.Carry {
		n.Carry[i].Next, n.Carry[i].Out = c.value(k.Next), c.value(k.Out)
	}
	return n
}

// clone copies a kernel, so that a step may change it in place.
func clone(k *loop.Kernel) *loop.Kernel {
	c := newCloner()
	n := *k
	n.Axes, n.Bufs = nil, nil
	for _, b := range k.Bufs {
		nb := *b
		nb.Length = c.bufs[b.Length]
		c.bufs[b] = &nb
		n.Bufs = append(n.Bufs, &nb)
	}
	for _, a := range k.Axes {
		na := *a
		c.axes[a] = &na
		n.Axes = append(n.Axes, &na)
	}
	for _, a := range n.Axes {
		a.Extent, a.Def = c.value(a.Extent), c.value(a.Def)
	}
	n.Body = c.body(k.Body)
	n.Opts = append([]loop.Opt(nil), k.Opts...)
	n.Rings = append([]*loop.Ring(nil), k.Rings...)
	return &n
}

// Still is k where In buffers of some names stand still.
func Still(k *loop.Kernel, names map[string]bool) *loop.Kernel {
	n := clone(k)
	for _, b := range n.Bufs {
		b.Still = b.Mode == loop.In && names[b.Name]
	}
	finish(n)
	return n
}

// freshAxes is a cloner into a new page of k: each axis that it meets becomes a new one.
func freshAxes(k *loop.Kernel) *cloner {
	c := newCloner()
	c.fresh = func(a *loop.Axis) *loop.Axis {
		b := &loop.Axis{Name: freshName(k, a.Name), Max: a.Max}
		k.Axes = append(k.Axes, b)
		return b
	}
	return c
}
