package codegen

import "mdlc/ir/loop"

// uses answers, for one kernel, where values are used and what they read.
type uses struct {
	let    map[*loop.Value]bool // bound by a Let
	nested map[*loop.Value]bool // a Let that a list of statements inside its own uses
	last   map[*loop.Value]int  // of a Let: the last statement of its list that uses it
	stored map[*loop.Buffer]bool
	memory map[*loop.Value]bool // memo of readsMemory
	dots   map[*loop.Value]bool // memo of hasDot
	free   map[*loop.Value][]*loop.Axis
	wide   map[*loop.Axis]bool // columns of a product that another one sums up
}

func newUses(k *loop.Kernel) *uses {
	u := &uses{let: map[*loop.Value]bool{}, nested: map[*loop.Value]bool{}, last: map[*loop.Value]int{}, stored: map[*loop.Buffer]bool{}, memory: map[*loop.Value]bool{}, dots: map[*loop.Value]bool{}, free: map[*loop.Value][]*loop.Axis{}, wide: map[*loop.Axis]bool{}}
	eachValue(k.Body, func(v *loop.Value) {
		for _, a := range v.Axes {
			u.wide[a] = u.wide[a] || v.Op == loop.Dot && a.Bind == loop.FragSum
		}
	})
	home := map[*loop.Value]int{}
	lists := 0
	var collect func(list []loop.Stmt)
	collect = func(list []loop.Stmt) {
		id := lists
		lists++
		for _, s := range list {
			switch s := s.(type) {
			case *loop.Let:
				u.let[s.Val] = true
				home[s.Val] = id
			case *loop.Store:
				u.stored[s.Buf] = true
			case *loop.For:
				collect(s.Body)
			case *loop.If:
				collect(s.Body)
			case *loop.RingStep:
				collect(s.Body)
			case *loop.Send:
				collect(s.Body)
			case *loop.Role:
				collect(s.Body)
			}
		}
	}
	collect(k.Body)
	lists = 0
	var mark func(list []loop.Stmt, extra []*loop.Value)
	mark = func(list []loop.Stmt, extra []*loop.Value) {
		id := lists
		lists++
		seen := map[*loop.Value]bool{}
		now := len(list) // what the enclosing loop carries on is used after all statements
		var visit func(v *loop.Value, root bool)
		visit = func(v *loop.Value, root bool) {
			if u.let[v] && !root {
				if home[v] != id {
					u.nested[v] = true
				}
				u.last[v] = max(u.last[v], now)
				return
			}
			if seen[v] && !root {
				return
			}
			seen[v] = true
			operands(v, func(a *loop.Value) { visit(a, false) })
		}
		for _, v := range extra {
			visit(v, false)
		}
		for i, s := range list {
			clear(seen)
			now = i
			if l, ok := s.(*loop.Let); ok {
				visit(l.Val, true)
				continue
			}
			stmtValues(s, func(v *loop.Value) { visit(v, false) })
			switch s := s.(type) {
			case *loop.For:
				var next []*loop.Value
				for _, c := range s.Carry {
					next = append(next, c.Next)
				}
				mark(s.Body, next)
			case *loop.If:
				mark(s.Body, nil)
			case *loop.RingStep:
				mark(s.Body, nil)
			case *loop.Send:
				mark(s.Body, nil)
			case *loop.Role:
				mark(s.Body, nil)
			}
		}
	}
	mark(k.Body, nil)
	return u
}

// operands calls f with every value that v is made of, the indices of axes aside.
func operands(v *loop.Value, f func(*loop.Value)) {
	for _, a := range v.Args {
		f(a)
	}
	if v.Guard != nil {
		f(v.Guard)
	}
	if v.Op == loop.AxisIndex && v.Axis.Def != nil {
		f(v.Axis.Def)
	}
}

// stmtValues calls f with the values of a statement that belong to the list it is in.
func stmtValues(s loop.Stmt, f func(*loop.Value)) {
	some := func(vs ...*loop.Value) {
		for _, v := range vs {
			if v != nil {
				f(v)
			}
		}
	}
	switch s := s.(type) {
	case *loop.Let:
		some(s.Val)
	case *loop.Store:
		some(s.Index...)
		some(s.Guard, s.Val)
	case *loop.Settle:
		some(s.Val)
	case *loop.For:
		some(s.Lo, s.Hi)
		if s.Hi == nil {
			some(s.Axis.Extent)
		}
		for _, c := range s.Carry {
			some(c.Init)
		}
	case *loop.If:
		some(s.Cond)
	case *loop.RingStep:
		some(s.Turn)
	}
}

// readsMemory reports whether v depends on memory that the kernel writes,
// other than through a Let, which fixes when it is read.
func (u *uses) readsMemory(v *loop.Value) bool {
	if yes, ok := u.memory[v]; ok {
		return yes
	}
	yes := v.Op == loop.Load && u.stored[v.Buf]
	operands(v, func(a *loop.Value) { yes = yes || !u.let[a] && u.readsMemory(a) })
	u.memory[v] = yes
	return yes
}

// hasDot reports whether v contains a product that no other Let computes.
func (u *uses) hasDot(v *loop.Value) bool {
	if yes, ok := u.dots[v]; ok {
		return yes
	}
	yes := v.Op == loop.Dot
	operands(v, func(a *loop.Value) { yes = yes || !u.let[a] && u.hasDot(a) })
	u.dots[v] = yes
	return yes
}

// freeAxes are the axes, enumerated by loops, whose index v needs from outside.
func (u *uses) freeAxes(v *loop.Value) []*loop.Axis {
	if axes, ok := u.free[v]; ok {
		return axes
	}
	var axes []*loop.Axis
	if v.Op == loop.AxisIndex && v.Axis.Def == nil && v.Axis.Bind != loop.Reg && v.Axis.Bind != loop.Lane && v.Axis.Bind != loop.FragRow && v.Axis.Bind != loop.FragCol && !u.wide[v.Axis] {
		axes = append(axes, v.Axis)
	}
	operands(v, func(a *loop.Value) {
		for _, x := range u.freeAxes(a) {
			if !loop.Has(axes, x) && !loop.Has(v.Over, x) {
				axes = append(axes, x)
			}
		}
	})
	u.free[v] = axes
	return axes
}

// eachValue calls f with every value of body, once and in order of appearance.
func eachValue(body []loop.Stmt, f func(*loop.Value)) {
	seen := map[*loop.Value]bool{}
	var visit func(v *loop.Value)
	visit = func(v *loop.Value) {
		if seen[v] {
			return
		}
		seen[v] = true
		f(v)
		operands(v, visit)
	}
	loop.Walk(body, func(s loop.Stmt) {
		stmtValues(s, visit)
		if l, ok := s.(*loop.For); ok {
			for _, c := range l.Carry {
				visit(c.Next)
			}
		}
	})
}
