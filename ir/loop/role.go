package loop

import (
	"iter"
	"maps"
	"slices"
)

// rolesOf is how many roles body begins with.
func rolesOf(body []Stmt) int {
	n := slices.IndexFunc(body, func(s Stmt) bool { _, ok := s.(*Role); return !ok })
	if n < 0 {
		return len(body)
	}
	return n
}

// page checks what a point does: values, which all warps compute, or values and then roles.
func (v *verifier) page(body []Stmt) {
	if i := slices.IndexFunc(body, func(s Stmt) bool { _, ok := s.(*Role); return ok }); i >= 0 {
		for _, s := range body[:i] {
			if _, let := s.(*Let); !let {
				v.fail(nil, "more than values stands before roles")
			}
		}
		if i+rolesOf(body[i:]) < len(body) {
			v.fail(nil, "something stands behind roles")
		}
		v.inPage = true
	}
	v.block(body)
}

// role checks a role.
func (v *verifier) role(s *Role) {
	if !v.inPage || s.Warps < 0 || s.Regs < 0 || s.Regs%8 != 0 {
		v.fail(nil, "roles are not within other statements, and registers are a multiple of 8")
	}
	v.inPage = false
	v.block(s.Body)
	v.inPage = true
}

// roles runs roles side by side, which take turns where they come to a ring, in an order drawn at random.
func (m *machine) roles(list []Stmt) {
	type running struct {
		next  func() (*evalError, bool)
		stuck *evalError
	}
	var left []*running
	for _, s := range list {
		r := m.fork()
		next, stop := iter.Pull(func(yield func(*evalError) bool) {
			defer func() {
				if r := recover(); r != nil && r != any(stopped) {
					panic(r)
				}
			}()
			r.pause = func(stuck *evalError) {
				if !yield(stuck) {
					panic(stopped)
				}
			}
			r.block(s.(*Role).Body)
		})
		defer stop()
		left = append(left, &running{next: next})
	}
	for len(left) > 0 {
		able := slices.DeleteFunc(slices.Clone(left), func(r *running) bool { return r.stuck != nil })
		if len(able) == 0 {
			panic(left[0].stuck)
		}
		r := able[m.rng.IntN(len(able))]
		stuck, more := r.next()
		if stuck == nil { // it went on, so others may
			for _, o := range left {
				o.stuck = nil
			}
		}
		r.stuck = stuck
		if !more {
			left = slices.DeleteFunc(left, func(o *running) bool { return o == r })
		}
	}
	m.clear()
}

// stopped ends a role whose kernel has gone wrong.
var stopped = new(int)

// fork is a machine for a role: what it computes is its own.
func (m *machine) fork() *machine {
	r := *m
	r.env, r.bound, r.scopes = slices.Clone(m.env), slices.Clone(m.bound), slices.Clone(m.scopes)
	r.nodes, r.sets, r.stores, r.tables, r.memo = map[*Value]*node{}, map[string]*axisSet{}, map[*Store]*storePlan{}, map[[2]int][]int{}, map[memoKey]*tile{}
	r.checks = slices.Clone(m.checks)
	for i, s := range r.scopes {
		r.scopes[i] = maps.Clone(s)
	}
	return &r
}

// await lets other roles go on, at least until it is ready.
func (m *machine) await(ready func() bool, v *Value, format string, args ...any) {
	if m.pause != nil {
		m.pause(nil)
	}
	for !ready() {
		stuck := m.failure(v, format, args...)
		if m.pause == nil {
			panic(stuck)
		}
		m.pause(stuck)
	}
}
