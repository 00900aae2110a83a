package codegen

import (
	"slices"

	"mdlc/ir/loop"
)

// workOf is what the equations of a kernel ask for, whatever its schedule: the floating-point operations of its
// products, two for each multiplication, and the bytes of its buffers that it touches, each read or written once: all, or, as in a
// gather, as many as there are places that it looks at. counts are the lengths that
// are known.
func workOf(page *loop.Kernel, counts map[*loop.Buffer]int) (products, bytes float64) {
	read, written := map[*loop.Buffer]float64{}, map[*loop.Buffer]float64{}
	seen := map[*loop.Value]bool{}
	var look func(v *loop.Value)
	look = func(v *loop.Value) {
		if v == nil || seen[v] {
			return
		}
		seen[v] = true
		for _, a := range v.Args {
			look(a)
		}
		look(v.Guard)
		switch v.Op {
		case loop.Load:
			read[v.Buf] += tuples(v.Axes, counts)
		case loop.Dot:
			products += 2 * tuples(apart(v), counts) * tuples(v.Over, counts)
		}
	}
	loop.Walk(page.Body, func(s loop.Stmt) {
		switch s := s.(type) {
		case *loop.Let:
			look(s.Val)
		case *loop.Store:
			look(s.Val)
			axes := s.Val.Axes
			for _, v := range append([]*loop.Value{s.Guard}, s.Index...) {
				look(v)
				if v != nil {
					axes = append(axes[:len(axes):len(axes)], v.Axes...)
				}
			}
			written[s.Buf] += tuples(axes, counts)
		}
	})
	for _, b := range params(page) {
		all, elem := float64(bufferBytes(b)), float64(b.Elem.Size())
		if b.Length != nil {
			all *= float64(counts[b.Length])
		}
		switch b.Mode {
		case loop.In:
			bytes += min(all, elem*read[b])
		case loop.Out:
			bytes += min(all, elem*written[b])
		case loop.InOut:
			bytes += min(all, elem*read[b]) + min(all, elem*written[b])
		default:
			bytes += all
		}
	}
	return products, bytes
}

// apart are the axes of product v without those that the number of its summands hangs on: groups, which have as many together as one may have.
func apart(v *loop.Value) []*loop.Axis {
	return slices.DeleteFunc(slices.Clone(v.Axes), func(a *loop.Axis) bool {
		return slices.ContainsFunc(v.Over, func(k *loop.Axis) bool { return loop.Has(k.Extent.Axes, a) })
	})
}

// hasTensor reports whether a scheduled kernel makes products there.
func hasTensor(k *loop.Kernel) (found bool) {
	loop.Walk(k.Body, func(s loop.Stmt) {
		loop.Values(s, func(v *loop.Value) {
			loop.Visit(v, func(v *loop.Value) { found = found || v.IsTensor() })
		})
	})
	return found
}

// counts are the numbers of modules that the launch of a page gives.
func (p *page) counts() map[*loop.Buffer]int {
	out := map[*loop.Buffer]int{}
	for i, b := range arguments(p.kernel) {
		if p.args[i].role == extent {
			out[b] = p.args[i].i
		}
	}
	return out
}

// tuples is how many indices some axes have together, each axis once.
func tuples(axes []*loop.Axis, counts map[*loop.Buffer]int) float64 {
	n := 1.0
	for i, a := range axes {
		if slices.Contains(axes[:i], a) {
			continue
		}
		most := a.Max
		if known := counts[a.Extent.Buf]; known > 0 {
			most = known
		}
		n *= float64(most)
	}
	return n
}
