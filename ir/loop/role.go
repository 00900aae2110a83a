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

// point checks what a point does: values, which all warps compute, or values and then roles.
func (v *verifier) point(body []Stmt) {
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

// roles runs roles side by side.
func (m *machine) roles(list []Stmt) {
	forks := make([]*machine, len(list))
	for i := range list {
		forks[i] = m.fork()
	}
	m.sideBySide(forks, func(i int) { forks[i].block(list[i].(*Role).Body) })
}

// sideBySide runs machines that take turns where they come to a ring, in an order drawn at random.
func (m *machine) sideBySide(forks []*machine, run func(i int)) {
	type running struct {
		next  func() (*evalError, bool)
		stuck *evalError
	}
	var left []*running
	for i, f := range forks {
		next, stop := iter.Pull(func(yield func(*evalError) bool) {
			defer func() {
				if r := recover(); r != nil && r != any(stopped) {
					panic(r)
				}
			}()
			f.pause = func(stuck *evalError) {
				if !yield(stuck) {
					panic(stopped)
				}
			}
			run(i)
		})
		defer stop()
		left = append(left, &running{next: next})
	}
	wentOn := func() { // so others may
		for _, o := range left {
			o.stuck = nil
		}
	}
	for len(left) > 0 {
		able := slices.DeleteFunc(slices.Clone(left), func(r *running) bool { return r.stuck != nil })
		if len(able) == 0 {
			if m.pause == nil {
				panic(left[0].stuck)
			}
			m.pause(left[0].stuck)
			wentOn() // whoever runs beside m did
			continue
		}
		r := able[m.rng.IntN(len(able))]
		stuck, more := r.next()
		if stuck == nil {
			wentOn()
		}
		r.stuck = stuck
		if !more {
			left = slices.DeleteFunc(left, func(o *running) bool { return o == r })
		}
		if stuck == nil && m.pause != nil {
			m.pause(nil)
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
