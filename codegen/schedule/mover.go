package schedule

import (
	"mdlc/ir/index"
	"mdlc/ir/loop"
)

// mover rewrites values for other indices.
type mover struct {
	x      *indices
	to     map[string]*index.Expr // of leaf axes
	groups []digits
	where  map[*loop.Buffer]*loop.Value // the condition under which a buffer is read; nil: whenever it was
	done   map[*loop.Value]*loop.Value
}

// digits are axes whose indices are the digits of a place.
type digits struct {
	axes  []*loop.Axis
	place *index.Expr
}

// spread lets the digits of place, the last fastest, be the indices of axes.
func (m *mover) spread(axes []*loop.Axis, place *loop.Value) {
	d := digits{axes, m.x.of(place)}
	m.groups = append(m.groups, d)
	if m.to == nil {
		m.to = map[string]*index.Expr{}
	}
	n := 1
	for i := len(axes) - 1; i >= 0; i-- {
		e := index.Quo(d.place, index.C(n))
		if i > 0 {
			e = index.Rem(e, index.C(axes[i].Max))
		}
		m.to[axes[i].Name] = e
		n *= axes[i].Max
	}
}

// index is e at the other indices. Where e adds up all digits of a place, it has the place.
func (m *mover) index(e *index.Expr) *index.Expr {
	_, terms := affine(e)
	for _, d := range m.groups {
		if len(d.axes) == 0 {
			continue
		}
		step := terms[d.axes[len(d.axes)-1].Name]
		n, whole := step, step != 0
		for i := len(d.axes) - 1; i >= 0; i-- {
			whole = whole && terms[d.axes[i].Name] == n
			n *= d.axes[i].Max
		}
		if !whole {
			continue
		}
		for _, a := range d.axes {
			e = index.Sub(e, index.Prod(index.V(a.Name), index.C(terms[a.Name])))
		}
		return index.Sum(m.index(e), index.Prod(d.place, index.C(step)))
	}
	return e.Subst(func(name string) *index.Expr {
		if to := m.to[name]; to != nil {
			return to
		}
		if v := m.x.vars[name]; v.Op != loop.AxisIndex {
			return m.x.opaque(m.value(v))
		}
		return index.V(name)
	})
}

func (m *mover) value(v *loop.Value) *loop.Value {
	if v == nil {
		return nil
	}
	if n, ok := m.done[v]; ok {
		return n
	}
	if v.Elem == loop.I64 {
		if e := m.x.of(v); e.Op != index.Var || m.x.vars[e.Name] != v { // arithmetic, not a number from elsewhere
			n := m.x.value(m.index(e.SimplifyIn(m.x.bound)).SimplifyIn(m.x.bound))
			m.done[v] = n
			return n
		}
	}
	n := *v
	n.Name, n.Args = "", nil
	for _, a := range v.Args {
		n.Args = append(n.Args, m.value(a))
	}
	n.Guard = m.value(v.Guard)
	if v.Op == loop.Load {
		n.Guard = both(n.Guard, m.where[v.Buf])
	}
	m.done[v] = &n
	return &n
}
