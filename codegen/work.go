package codegen

import (
	"slices"

	"mdlc/ir/loop"
)

// workOf is what the equations of a kernel ask for, whatever its schedule: the floating-point operations of its
// products, two for each multiplication, and the bytes of its buffers that it touches, each read or written once: all, or, as in a
// gather, as many as there are places that it looks at.
func workOf(page *loop.Kernel) (products, bytes float64) {
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
			read[v.Buf] += tuples(v.Axes)
		case loop.Dot:
			products += 2 * tuples(v.Axes) * tuples(v.Over)
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
			written[s.Buf] += tuples(axes)
		}
	})
	for _, b := range params(page) {
		all, elem := float64(bufferBytes(b)), float64(b.Elem.Size())
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

// tuples is how many indices some axes have together, each axis once.
func tuples(axes []*loop.Axis) float64 {
	n := 1.0
	for i, a := range axes {
		if !slices.Contains(axes[:i], a) {
			n *= float64(a.Max)
		}
	}
	return n
}
