package loop

import (
	"fmt"
	"slices"
)

// phases runs a body phase by phase: each over its par points, in random order.
func (m *machine) phases(body []Stmt) {
	for _, s := range Segments(body) {
		if s.Loop != nil {
			m.phaseLoop(s.Loop)
			continue
		}
		m.phase++
		m.par(s.Body, m.k.ParAxes(s.Body))
	}
}

// phaseLoop is a loop around phases: every worker takes part in each of them.
func (m *machine) phaseLoop(f *For) {
	m.at, m.atPos = "for "+f.Axis.Name, Pos{}
	if len(f.Carry) > 0 {
		m.fail(nil, "a loop around phases carries no values")
	}
	m.turns(f, func() { m.phases(f.Body) })
}

// turns runs f's live turns.
func (m *machine) turns(f *For, turn func()) {
	i := m.order[f.Axis]
	lo, hi := int64(0), int64(f.Axis.Max)
	m.clear()
	if f.Lo != nil {
		lo = m.scalar(f.Lo, "the start of the loop")
	}
	if f.Hi != nil {
		hi = m.scalar(f.Hi, "the end of the loop")
	}
	if lo < hi && (lo < 0 || hi > int64(f.Axis.Max)) {
		m.fail(f.Hi, "the loop over %s runs from %d to %d, outside 0..%d", f.Axis.Name, lo, hi, f.Axis.Max)
	}
	if m.bound[i] {
		m.fail(nil, "axis %s is already bound", f.Axis.Name)
	}
	m.bound[i] = true
	for x := lo; x < hi; x++ {
		m.env[i] = int(x)
		m.clear()
		if m.turnLive() {
			m.clear()
			turn()
		}
	}
	m.bound[i] = false
	m.clear()
}

// par runs the statements at every par point, those of a cluster side by side, and else in random order.
func (m *machine) par(body []Stmt, axes []*Axis) {
	n := max(clusterOf(body), 1)
	for _, p := range m.rng.Perm(points(axes) / n) {
		if n > 1 {
			m.clustered(body, axes, p*n, n)
			continue
		}
		m.point++
		*m.flights = noFlights()
		m.run(body, axes, p)
	}
	for _, a := range axes {
		m.bound[m.order[a]] = false
	}
}

// run runs the statements at point p.
func (m *machine) run(body []Stmt, axes []*Axis, p int) {
	for d := len(axes) - 1; d >= 0; d-- {
		i := m.order[axes[d]]
		m.env[i], m.bound[i] = p%axes[d].Max, true
		p /= axes[d].Max
	}
	m.clear()
	if m.turnLive() {
		m.block(body)
	}
	if len(m.sends) > 0 {
		m.fail(nil, "a point ends while a send may read what it copies")
	}
}

// block runs statements in a scope of their own.
func (m *machine) block(body []Stmt) {
	m.scopes = append(m.scopes, map[*Value]*tile{})
	for len(body) > 0 {
		if n := rolesOf(body); n > 0 {
			m.roles(body[:n])
			body = body[n:]
			continue
		}
		m.stmt(body[0])
		body = body[1:]
	}
	m.scopes = m.scopes[:len(m.scopes)-1]
}

func (m *machine) stmt(s Stmt) {
	m.clear()
	switch s := s.(type) {
	case *Let:
		m.at, m.atPos = "value "+s.Val.Name, s.Val.Pos
		m.scopes[len(m.scopes)-1][s.Val] = m.eval(s.Val)
	case *Store:
		m.at, m.atPos = "store to "+s.Buf.Name, s.Val.Pos
		m.store(s)
	case *If:
		m.at, m.atPos = "if", s.Cond.Pos
		if m.scalar(s.Cond, "a branch") != 0 {
			m.block(s.Body)
		}
	case *For:
		m.at, m.atPos = "for "+s.Axis.Name, Pos{}
		m.loop(s)
	case *RingStep:
		m.at, m.atPos = s.Kind.String()+" "+s.Ring.Name, s.Turn.Pos
		m.ringStep(s)
	case *Send:
		m.at, m.atPos = "send", Pos{}
		m.send(s)
	case *Sent:
		m.sent(s.Young)
	case *Commit:
		m.groups = append(m.groups, nil)
	case *Wait:
		m.land(s.Young)
		m.reading = slices.Clone(m.pending)
	case *Settle:
		m.at, m.atPos = "settle", s.Val.Pos
		m.settle(s)
	case *Phase:
		m.fail(nil, "phase inside a block that is no loop around phases")
	}
}

// storePlan is what is known of a store before running.
type storePlan struct {
	val    *node
	offs   []int
	access *accessPlan
}

func (m *machine) storePlan(s *Store) *storePlan {
	if p := m.stores[s]; p != nil {
		return p
	}
	var index []*Axis
	for _, x := range s.Index {
		index = union(m.order, index, x.Axes)
	}
	if !subset(s.Val.Axes, index) || s.Guard != nil && !subset(s.Guard.Axes, index) {
		m.fail(s.Val, "the value has axes [%s], the index only [%s]", axisNames(s.Val.Axes), axisNames(index))
	}
	p := &storePlan{val: m.node(s.Val), offs: m.offsets(s.Val.Axes, index), access: m.plan(s.Buf, s.Index, s.Guard, index)}
	m.stores[s] = p
	return p
}

func (m *machine) store(s *Store) {
	p := m.storePlan(s)
	val := p.val.eval(m)
	*m.stamp++
	m.access(s.Val, p.access, func(int) {}, func(j, e int) {
		o := at(p.offs, j)
		if val.poison(o) {
			m.fail(s.Val, "poison is stored in %s[%s]%s", s.Buf.Name, m.mem[s.Buf].place(e), m.pointText(p.access.set.axes, j))
		}
		for _, to := range m.filled(s) {
			mem := to.mem[s.Buf]
			if text := to.put(s, mem, e, m.filling); text != "" {
				m.fail(s.Val, "%s%s", text, m.pointText(p.access.set.axes, j))
			}
			if val.f != nil {
				mem.F[e] = val.f[o]
			} else {
				mem.I[e] = val.i[o]
			}
		}
	})
	if s.Async && m.mem[s.Buf].buf.Mode != Local {
		m.copies(s, p)
	}
}

// put lets a store write element e of mem, which is of a Fill or not, and says what forbids it.
func (m *machine) put(s *Store, mem *memory, e int, of *filling) string {
	for _, p := range m.reading {
		if p.reads[place{mem, e}] {
			return fmt.Sprintf("%s[%s] is stored while a product of a group of warps reads it", s.Buf.Name, mem.place(e))
		}
	}
	for _, reads := range m.sends {
		if reads[place{mem, e}] {
			return fmt.Sprintf("%s[%s] is stored while it is sent", s.Buf.Name, mem.place(e))
		}
	}
	if err := mem.write(e, m.point, m.phase, *m.stamp); err != nil {
		return err.Error()
	}
	if s.Async && mem.local { // nobody sees it before it lands
		mem.writer[e] = nobody
		c := copied{mem, e, m.point, *m.stamp}
		if of != nil {
			m.ring(of.ring).note(of.turn, c)
		} else {
			m.groups[len(m.groups)-1] = append(m.groups[len(m.groups)-1], c)
		}
	}
	return ""
}

// copied is an element of a Local buffer that an asynchronous store has on its way.
type copied struct {
	mem          *memory
	at           int
	point, stamp int32
}

const nobody = -1

// land lets the asynchronous stores of all groups but the young youngest be seen.
func (m *machine) land(young int) {
	for len(m.groups)-1 > young {
		m.show(m.groups[0])
		m.groups = m.groups[1:]
	}
}

// show lets what was copied be seen.
func (m *machine) show(list []copied) {
	for _, c := range list {
		if c.mem.stamp[c.at] == c.stamp { // none has been stored over it
			c.mem.writer[c.at] = c.point
		}
	}
}

func (m *machine) loop(f *For) {
	at, pos := m.at, m.atPos
	carried := make([]*tile, len(f.Carry))
	for i, c := range f.Carry {
		carried[i] = m.spread(m.eval(c.Init), c.Init, c.In.Axes)
	}
	m.turns(f, func() {
		scope := map[*Value]*tile{}
		for i, c := range f.Carry {
			scope[c.In] = carried[i]
		}
		m.scopes = append(m.scopes, scope)
		for _, s := range f.Body {
			m.stmt(s)
		}
		m.clear()
		m.at, m.atPos = at, pos
		next := make([]*tile, len(f.Carry))
		for i, c := range f.Carry {
			next[i] = m.keep(carried[i], m.spread(m.eval(c.Next), c.Next, c.In.Axes), c.In)
		}
		carried = next
		m.scopes = m.scopes[:len(m.scopes)-1]
	})
	for i, c := range f.Carry {
		m.scopes[len(m.scopes)-1][c.Out] = carried[i]
	}
}

// spread repeats t, the value of v, over axes.
func (m *machine) spread(t *tile, v *Value, axes []*Axis) *tile {
	offs := m.offsets(v.Axes, axes)
	if offs == nil {
		return t
	}
	out := newTile(len(offs), v.Elem)
	for j, o := range offs {
		if t.poison(o) {
			out.spoil(j, len(offs))
		}
		if t.f != nil {
			out.f[j] = t.f[o]
		} else {
			out.i[j] = t.i[o]
		}
	}
	return out
}

// keep is next where a point is live and old where it is dead.
func (m *machine) keep(old, next *tile, v *Value) *tile {
	mask := m.mask(m.node(v).set)
	if mask == nil {
		return next
	}
	out := newTile(len(mask), v.Elem)
	for j, live := range mask {
		t := old
		if live {
			t = next
		}
		if t.poison(j) {
			out.spoil(j, len(mask))
		}
		if t.f != nil {
			out.f[j] = t.f[j]
		} else {
			out.i[j] = t.i[j]
		}
	}
	return out
}
