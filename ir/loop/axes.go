package loop

import (
	"slices"
)

// IsOpen reports whether a is inside values rather than enumerated by a loop,
// the worker pool or the grid.
func (a *Axis) IsOpen() bool {
	return a.Bind == Open || a.Bind == Reg || a.Bind == Lane || a.Bind == Warp || a.Bind == Thread || a.Bind == Box || a.IsFragment()
}

// IsFragment reports whether a is an axis of the fragments of a product on tensor cores.
func (a *Axis) IsFragment() bool { return a.Bind == FragRow || a.Bind == FragCol || a.Bind == FragSum }

// FragmentExtent is the extent that an axis with such a binding has, 0 for others: that of mma.m16n8k16.
func FragmentExtent(b Bind) int {
	switch b {
	case FragRow, FragSum:
		return 16
	case FragCol:
		return 8
	}
	return 0
}

// Leaves are the open axes that a stands for: itself, or those of its definition.
func (a *Axis) Leaves() []*Axis {
	switch {
	case a.Def != nil:
		return a.Def.Axes
	case a.IsOpen():
		return []*Axis{a}
	}
	return nil
}

// Has reports whether a is among axes.
func Has(axes []*Axis, a *Axis) bool { return slices.Contains(axes, a) }

// axisOrder gives the place of each axis of k.
func axisOrder(k *Kernel) map[*Axis]int {
	order := make(map[*Axis]int, len(k.Axes))
	for i, a := range k.Axes {
		order[a] = i
	}
	return order
}

// union merges sets of axes that are each in the kernel's order.
func union(order map[*Axis]int, sets ...[]*Axis) []*Axis {
	var out []*Axis
	for _, s := range sets {
		if len(s) == 0 {
			continue
		}
		if len(out) == 0 {
			out = s
			continue
		}
		if subset(s, out) {
			continue
		}
		merged := slices.Clone(out)
		for _, a := range s {
			if !Has(merged, a) {
				merged = append(merged, a)
			}
		}
		slices.SortFunc(merged, func(a, b *Axis) int { return order[a] - order[b] })
		out = merged
	}
	return out
}

func subset(a, b []*Axis) bool {
	for _, x := range a {
		if !Has(b, x) {
			return false
		}
	}
	return true
}

func without(axes, gone []*Axis) []*Axis {
	if len(gone) == 0 {
		return axes
	}
	var out []*Axis
	for _, a := range axes {
		if !Has(gone, a) {
			out = append(out, a)
		}
	}
	return out
}

// overLeaves are the open axes that a reduction or dot sums over.
func overLeaves(order map[*Axis]int, v *Value) []*Axis {
	var out []*Axis
	for _, a := range v.Over {
		out = union(order, out, a.Leaves())
	}
	return out
}

// axesOf computes v.Axes from its arguments'. Carried values keep theirs: they come from the loop.
func axesOf(order map[*Axis]int, v *Value) []*Axis {
	switch v.Op {
	case CarryIn, CarryOut:
		return v.Axes
	case AxisIndex:
		return v.Axis.Leaves()
	case At:
		return union(order, without(v.Args[1].Axes, v.Axis.Leaves()), v.Args[0].Axes)
	case Dot:
		ab := without(union(order, v.Args[0].Axes, v.Args[1].Axes), overLeaves(order, v))
		if len(v.Args) == 3 {
			ab = union(order, ab, v.Args[2].Axes)
		}
		return ab
	}
	var out []*Axis
	for _, a := range v.Args {
		out = union(order, out, a.Axes)
	}
	if v.Guard != nil {
		out = union(order, out, v.Guard.Axes)
	}
	return without(out, overLeaves(order, v))
}

// Refresh recomputes the axes of every value after Def or Bind of axes changed.
func (k *Kernel) Refresh() {
	r := &refresher{order: axisOrder(k), done: map[*Value]bool{}}
	for _, a := range k.Axes {
		r.value(a.Extent)
		r.value(a.Def)
	}
	r.block(k.Body)
}

type refresher struct {
	order map[*Axis]int
	done  map[*Value]bool
	trail []*Value // what is done, in order
}

func (r *refresher) value(v *Value) {
	if v == nil {
		return
	}
	if len(v.Args) == 0 && v.Guard == nil { // as quick as to remember it
		v.Axes = axesOf(r.order, v)
		return
	}
	if r.done[v] {
		return
	}
	r.mark(v)
	for _, a := range v.Args {
		r.value(a)
	}
	r.value(v.Guard)
	v.Axes = axesOf(r.order, v)
}

func (r *refresher) mark(v *Value) {
	r.done[v] = true
	r.trail = append(r.trail, v)
}

// undo takes back what was done since the trail was n long.
func (r *refresher) undo(n int) {
	for _, v := range r.trail[n:] {
		delete(r.done, v)
	}
	r.trail = r.trail[:n]
}

func (r *refresher) block(body []Stmt) {
	for _, s := range body {
		switch s := s.(type) {
		case *Let:
			r.value(s.Val)
		case *Store:
			for _, x := range s.Index {
				r.value(x)
			}
			r.value(s.Guard)
			r.value(s.Val)
		case *If:
			r.value(s.Cond)
			r.block(s.Body)
		case *RingStep:
			r.value(s.Turn)
			r.block(s.Body)
		case *Send:
			r.block(s.Body)
		case *Role:
			r.block(s.Body)
		case *For:
			r.value(s.Lo)
			r.value(s.Hi)
			for _, c := range s.Carry {
				r.value(c.Init)
				c.In.Axes = c.Init.Axes
			}
			r.loop(s)
		}
	}
}

// loop finds the axes of the values carried by f: the smallest sets that hold those
// of the initial value and of the next one.
func (r *refresher) loop(f *For) {
	for outside := len(r.trail); ; r.undo(outside) {
		r.block(f.Body)
		grown := false
		for _, c := range f.Carry {
			r.value(c.Next)
			u := union(r.order, c.In.Axes, c.Init.Axes, c.Next.Axes)
			grown = grown || len(u) > len(c.In.Axes)
			c.In.Axes, c.Out.Axes = u, u
			r.mark(c.In)
			r.mark(c.Out)
		}
		if !grown {
			return
		}
	}
}
