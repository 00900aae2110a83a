package loop

import "slices"

// Visit calls f with every value that v is made of, arguments first, each once.
func Visit(v *Value, f func(*Value)) { visit(v, map[*Value]bool{}, f) }

func visit(v *Value, seen map[*Value]bool, f func(*Value)) {
	if v == nil || seen[v] {
		return
	}
	seen[v] = true
	for _, a := range v.Args {
		visit(a, seen, f)
	}
	visit(v.Guard, seen, f)
	f(v)
}

// Values calls f with the values that s uses itself, not those of the statements in it.
func Values(s Stmt, f func(*Value)) {
	some := func(vs ...*Value) {
		for _, v := range vs {
			if v != nil {
				f(v)
			}
		}
	}
	switch s := s.(type) {
	case *Let:
		f(s.Val)
	case *Store:
		some(s.Index...)
		some(s.Guard, s.Val)
	case *Settle:
		f(s.Val)
	case *If:
		f(s.Cond)
	case *RingStep:
		f(s.Turn)
	case *For:
		some(s.Lo, s.Hi)
		for _, c := range s.Carry {
			some(c.Init, c.Next)
		}
	}
}

// Inner is the block of s, nil where it has none.
func Inner(s Stmt) []Stmt {
	switch s := s.(type) {
	case *If:
		return s.Body
	case *RingStep:
		return s.Body
	case *Send:
		return s.Body
	case *Role:
		return s.Body
	case *For:
		return s.Body
	}
	return nil
}

// Walk calls f with every statement of body, outer ones first.
func Walk(body []Stmt, f func(Stmt)) {
	for _, s := range body {
		f(s)
		Walk(Inner(s), f)
	}
}

// LeafAxes are the leaf axes, open and bound, that the values depend on or sum
// over, in the kernel's order.
func (k *Kernel) LeafAxes(vs ...*Value) []*Axis {
	var out []*Axis
	seen := map[*Value]bool{}
	var note func(v *Value)
	axis := func(a *Axis) {
		if a.Def != nil {
			visit(a.Def, seen, note)
		} else if !Has(out, a) {
			out = append(out, a)
		}
	}
	note = func(v *Value) {
		if v.Axis != nil {
			axis(v.Axis)
		}
		for _, a := range v.Over {
			axis(a)
		}
	}
	for _, v := range vs {
		visit(v, seen, note)
	}
	order := axisOrder(k)
	slices.SortFunc(out, func(a, b *Axis) int { return order[a] - order[b] })
	return out
}

// FreeAxes are the open axes of the values: what a loop or a store over them ranges over.
func (k *Kernel) FreeAxes(vs ...*Value) []*Axis {
	order := axisOrder(k)
	var out []*Axis
	for _, v := range vs {
		if v != nil {
			out = union(order, out, v.Axes)
		}
	}
	return out
}

// hasPhase reports whether body holds a Phase.
func hasPhase(body []Stmt) bool {
	found := false
	Walk(body, func(s Stmt) {
		if _, ok := s.(*Phase); ok {
			found = true
		}
	})
	return found
}

// ParAxes are the par and grid axes of the phase made of the statements: those that
// their values mention and no loop of them binds.
func (k *Kernel) ParAxes(phase []Stmt) []*Axis {
	var vals []*Value
	looped := map[*Axis]bool{}
	Walk(phase, func(s Stmt) {
		Values(s, func(v *Value) { vals = append(vals, v) })
		if f, ok := s.(*For); ok {
			looped[f.Axis] = true
		}
	})
	var out []*Axis
	for _, a := range k.LeafAxes(vals...) {
		if (a.Bind == Par || a.Bind == Grid) && !looped[a] {
			out = append(out, a)
		}
	}
	return out
}

// Segment is a run of statements that is one phase, or a For that holds phases.
type Segment struct {
	Body []Stmt
	Loop *For
}

// Segments splits a body into its phases.
func Segments(body []Stmt) []Segment {
	var out []Segment
	var run []Stmt
	flush := func() {
		if len(run) > 0 {
			out = append(out, Segment{Body: run})
		}
		run = nil
	}
	for _, s := range body {
		f, loop := s.(*For)
		_, phase := s.(*Phase)
		switch {
		case phase:
			flush()
		case loop && hasPhase(f.Body):
			flush()
			out = append(out, Segment{Loop: f})
		default:
			run = append(run, s)
		}
	}
	flush()
	return out
}
