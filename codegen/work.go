package codegen

import "mdlc/ir/loop"

// workOf is what the equations of a kernel ask for, whatever its schedule: the floating-point operations of its
// products, two for each multiplication, and the bytes of its buffers, each read or written once.
func workOf(page *loop.Kernel) (products, bytes float64) {
	for _, b := range params(page) {
		once := float64(bufferBytes(b))
		if b.Mode == loop.InOut {
			once *= 2
		}
		bytes += once
	}
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
		if v.Op == loop.Dot {
			n := 2.0
			for _, axes := range [][]*loop.Axis{v.Axes, v.Over} {
				for _, a := range axes {
					n *= float64(a.Max)
				}
			}
			products += n
		}
	}
	loop.Walk(page.Body, func(s loop.Stmt) {
		switch s := s.(type) {
		case *loop.Let:
			look(s.Val)
		case *loop.Store:
			look(s.Val)
		}
	})
	return products, bytes
}
