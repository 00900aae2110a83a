package schedule

import (
	"fmt"
	"slices"

	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// Step block, before: pages that go over the same rows, block by block (R of them; i0 and k0 are par, or loops)
//
//	for i1 { Z[i,j] = z }   phase   for k1 { P[k,l] = f(Z[k,l]) }      i = i0*R + i1, k = k0*R + k1
//
// after Block k0 i0: one page, in which what passes from one part to the next is a panel
//
//	local Z: f32[R,n]   for i1 { Z[i1,j] = z }   for k1 { P[k,l] = f(Z[k1,l]) }
//
// Pages between that need nothing of them are before, others after.

// block makes one page of those that opts name, or rounds of launches, and panels of the buffers that only it uses.
func block(k *loop.Kernel, opts []loop.Opt, rounds []string) error {
	same := newCloner()
	outer := map[*loop.Axis]bool{}
	for _, o := range opts {
		a, err := axisNamed(k, o.Axis)
		if err != nil {
			return illegal(k, "block", o, err)
		}
		b, err := axisNamed(k, o.Word)
		if err != nil {
			return illegal(k, "block", o, err)
		}
		if a == b || a.Bind != b.Bind || slices.Contains(rounds, a.Name) != slices.Contains(rounds, b.Name) || a.Bind != loop.Par && a.Bind != loop.Loop || a.Def != nil || b.Def != nil || !sameValue(a.Extent, b.Extent) {
			return illegal(k, "block", o, fmt.Errorf("%s and %s are not the same points or turns", o.Axis, o.Word))
		}
		same.axes[a] = b
		outer[b] = true
	}
	for _, a := range k.Axes {
		a.Extent, a.Def = same.value(a.Extent), same.value(a.Def)
	}
	shareExtents(k)
	var before, members, after [][]loop.Stmt
	for _, p := range pages(same.body(k.Body)) {
		switch late := conflict(p, after...); {
		case late && mentionsAxes(p, outer):
			return fmt.Errorf("kernel %s: step block: a page needs one that comes after the block", k.Name)
		case mentionsAxes(p, outer):
			members = append(members, p)
		case late || conflict(p, members...):
			after = append(after, p)
		default:
			before = append(before, p)
		}
	}
	var whole []loop.Stmt
	var err error
	mode := loop.Local
	if len(rounds) > 0 {
		mode = loop.Work
		whole, before, after, err = inRounds(k, members, outer, before, after)
	} else {
		whole, err = merge(members, outer)
	}
	if err == nil {
		err = panels(k, members, slices.Concat(before, after), outer, mode)
	}
	if err != nil {
		return fmt.Errorf("kernel %s: step block: %w", k.Name, err)
	}
	k.Body = bind(slices.Concat(before, [][]loop.Stmt{whole}, after))
	return nil
}

// shareExtents makes equal extents one value: those of the rows are copies, one for each page, and now limit the same loops.
func shareExtents(k *loop.Kernel) {
	c := newCloner()
	var all, known []*loop.Value
	for _, a := range k.Axes {
		all = append(all, a.Extent)
	}
	walk(all, func(v *loop.Value) {
		if at := slices.IndexFunc(known, func(x *loop.Value) bool { return sameValue(x, v) }); at >= 0 {
			c.values[v] = c.value(known[at])
			return
		}
		known = append(known, v)
	})
	for _, a := range k.Axes {
		a.Extent = c.value(a.Extent)
	}
}

// merge puts pages one after the other, each turn of an outer loop that they share for itself.
func merge(pages [][]loop.Stmt, outer map[*loop.Axis]bool) ([]loop.Stmt, error) {
	isOuter := func(s loop.Stmt) bool {
		f, ok := s.(*loop.For)
		return ok && outer[f.Axis]
	}
	if !slices.ContainsFunc(pages, func(p []loop.Stmt) bool { return slices.ContainsFunc(p, isOuter) }) {
		return slices.Concat(pages...), nil
	}
	whole := &loop.For{}
	var before, after []loop.Stmt
	for _, p := range pages {
		at := slices.IndexFunc(p, isOuter)
		if at < 0 || slices.ContainsFunc(p[at+1:], isOuter) {
			return nil, fmt.Errorf("a page is not in one outer loop")
		}
		f := p[at].(*loop.For)
		if whole.Axis != nil && whole.Axis != f.Axis {
			return nil, fmt.Errorf("there is more than one outer loop")
		}
		if conflict(p, after) || conflict(p[:at], before, whole.Body) {
			return nil, fmt.Errorf("a page needs what is there after the loop over %s only", f.Axis.Name)
		}
		whole.Axis = f.Axis
		whole.Carry, whole.Body = append(whole.Carry, f.Carry...), append(whole.Body, f.Body...)
		before, after = append(before, p[:at]...), append(after, p[at+1:]...)
	}
	return slices.Concat(before, []loop.Stmt{whole}, after), nil
}

// panels makes panels, in memory of a mode, of the buffers of members that others do not use. What passes from one member to another is
// to be written and read at the same outer indices.
func panels(k *loop.Kernel, members, others [][]loop.Stmt, outer map[*loop.Axis]bool, mode loop.Mode) error {
	for _, b := range slices.Clone(k.Bufs) {
		users, written := 0, false
		for _, p := range members {
			if mentionsBuffer(p, b) {
				users++
			}
			written = written || writes(p, b)
		}
		if users < 2 || !written || b.Mode == loop.Local {
			continue
		}
		o := &own{x: newIndices(), outer: outer}
		for _, p := range members {
			eachAccess(p, b, func(at *[]*loop.Value) { o.add(*at) })
		}
		for a := range outer {
			if !o.parts(a) {
				return fmt.Errorf("%s is not each %s's own", b.Name, a.Name)
			}
		}
		if b.Mode == loop.Work && !slices.ContainsFunc(others, func(p []loop.Stmt) bool { return mentionsBuffer(p, b) }) {
			o.shrink(k, b, members, mode)
		}
	}
	return nil
}

// own is what the accesses to a buffer have in common: for each index the part that outer axes are in.
type own struct {
	x      *indices
	outer  map[*loop.Axis]bool
	common []*index.Expr
	size   []int  // of what is left of an index; 0: it may be anything
	left   []bool // there is something left of an index
	differ bool   // accesses have different parts
}

// split is the part of an index that outer axes are in, and the rest.
func (o *own) split(v *loop.Value) (part, rest *index.Expr) {
	e := o.x.of(v)
	terms := []*index.Expr{e}
	if e.Op == index.Add {
		terms = e.Args
	}
	part, rest = index.C(0), index.C(0)
	for _, t := range terms {
		shared := false
		t.Vars(func(name string) {
			v := o.x.vars[name]
			shared = shared || v.Op == loop.AxisIndex && o.outer[v.Axis]
		})
		if shared {
			part = index.Sum(part, t)
		} else {
			rest = index.Sum(rest, t)
		}
	}
	return part, rest
}

func (o *own) add(at []*loop.Value) {
	first := o.common == nil
	for i, v := range at {
		part, rest := o.split(v)
		if first {
			o.common, o.size, o.left = append(o.common, part), append(o.size, 1), append(o.left, false)
		}
		o.differ = o.differ || !index.Equal(part, o.common[i])
		o.left[i] = o.left[i] || !index.Equal(rest, index.C(0))
		lo, hi := o.x.rng(rest)
		if lo < 0 || o.size[i] == 0 {
			o.size[i] = 0
			continue
		}
		o.size[i] = max(o.size[i], hi+1)
	}
}

// parts reports whether accesses at different indices of outer axis a are different elements.
func (o *own) parts(a *loop.Axis) bool {
	for i, part := range o.common {
		c, terms := affine(part)
		if step := terms[a.Name]; !o.differ && c == 0 && len(terms) == 1 && step > 0 && o.size[i] > 0 && o.size[i] <= step {
			return true
		}
	}
	return false
}

// shrink makes b a panel, in memory of a mode, of what is left of the indices without the outer parts.
func (o *own) shrink(k *loop.Kernel, b *loop.Buffer, members [][]loop.Stmt, mode loop.Mode) {
	kept := func(i int) bool { return index.Equal(o.common[i], index.C(0)) || o.left[i] }
	for _, p := range members {
		eachAccess(p, b, func(at *[]*loop.Value) {
			var left []*loop.Value
			for i, v := range *at {
				if kept(i) {
					_, rest := o.split(v)
					left = append(left, o.x.value(rest))
				}
			}
			*at = left
		})
	}
	var dims []int
	for i, n := range b.Dims {
		if !kept(i) {
			continue
		}
		if !index.Equal(o.common[i], index.C(0)) {
			n = o.size[i]
		}
		dims = append(dims, n)
	}
	b.Dims, b.Mode = dims, mode
	if mode == loop.Local {
		k.Bufs = append(slices.DeleteFunc(k.Bufs, func(x *loop.Buffer) bool { return x == b }), b)
	}
}

// passedPanels are the panels that are written along other axes than they are read along: where the loops that write them leave out dead
// rows, there is nothing to be read. So it is beyond the length of a stack in what pages pass on.
func passedPanels(k *loop.Kernel) map[*loop.Buffer]bool {
	out := map[*loop.Buffer]bool{}
	for _, page := range pages(k.Body) {
		if f := roundsOf(page); f != nil {
			_, out = buffersOf(f.Body)
		}
	}
	deps := newDepends()
	along := map[*loop.Buffer][]*loop.Axis{}
	loop.Walk(k.Body, func(s loop.Stmt) {
		if st, ok := s.(*loop.Store); ok && st.Buf.Mode == loop.Local {
			for _, v := range st.Index {
				along[st.Buf] = append(along[st.Buf], deps.value(v)...)
			}
		}
	})
	walkBody(k.Body, func(v *loop.Value) {
		if v.Op == loop.Load && v.Buf.Mode == loop.Local {
			for _, at := range v.Args {
				out[v.Buf] = out[v.Buf] || len(minus(deps.value(at), along[v.Buf])) > 0
			}
		}
	})
	if slices.ContainsFunc(k.Bufs, func(b *loop.Buffer) bool { return b.Length != nil }) {
		for _, b := range k.Bufs {
			out[b] = out[b] || b.Mode == loop.Work
		}
	}
	return out
}

// sameValue reports whether two values are the same computation.
func sameValue(a, b *loop.Value) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	return a.Op == b.Op && a.Elem == b.Elem && a.Bits == b.Bits && a.Buf == b.Buf && a.Axis == b.Axis && slices.Equal(a.Over, b.Over) &&
		slices.EqualFunc(a.Args, b.Args, sameValue) && sameValue(a.Guard, b.Guard)
}

// conflict reports whether body and one of others access a buffer that one of the two writes.
func conflict(body []loop.Stmt, others ...[]loop.Stmt) bool {
	reads, stores := buffersOf(body)
	for _, o := range others {
		r, w := buffersOf(o)
		for b := range w {
			if reads[b] || stores[b] {
				return true
			}
		}
		for b := range r {
			if stores[b] {
				return true
			}
		}
	}
	return false
}

// buffersOf are the buffers that a body reads and those that it writes.
func buffersOf(body []loop.Stmt) (reads, stores map[*loop.Buffer]bool) {
	reads, stores = map[*loop.Buffer]bool{}, map[*loop.Buffer]bool{}
	walkBody(body, func(v *loop.Value) {
		if v.Op == loop.Load {
			reads[v.Buf] = true
		}
	})
	loop.Walk(body, func(s loop.Stmt) {
		if st, ok := s.(*loop.Store); ok {
			stores[st.Buf] = true
		}
	})
	return reads, stores
}

func writes(body []loop.Stmt, b *loop.Buffer) bool {
	_, stores := buffersOf(body)
	return stores[b]
}

// mentionsAxes reports whether a body depends on one of axes.
func mentionsAxes(body []loop.Stmt, axes map[*loop.Axis]bool) bool {
	found, deps := false, newDepends()
	loop.Walk(body, func(s loop.Stmt) {
		f, ok := s.(*loop.For)
		found = found || ok && axes[f.Axis]
	})
	walkBody(body, func(v *loop.Value) {
		if v.Op == loop.AxisIndex {
			found = found || slices.ContainsFunc(deps.value(v), func(a *loop.Axis) bool { return axes[a] })
		}
	})
	return found
}
