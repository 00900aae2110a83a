package loop

import "slices"

// ringStep checks a step of a ring.
func (v *verifier) ringStep(s *RingStep) {
	v.scalar(s.Turn, I64, "the turn")
	if !slices.Contains(v.k.Rings, s.Ring) || s.Ring.Depth < 1 {
		v.fail(s.Turn, "no ring of the kernel, of one slot at least")
	}
	if n := s.Ring.Cluster; n > 0 && (len(v.par) == 0 || v.par[len(v.par)-1].Max%n != 0 || clusterOf(v.page) != n) {
		v.fail(s.Turn, "the points of the phase are no clusters of %d", n)
	}
	for _, st := range s.Body {
		store, ok := st.(*Store)
		if _, let := st.(*Let); s.Kind != Fill || !let && !(ok && store.Async) {
			v.fail(s.Turn, "a fill has asynchronous stores, and nothing else has statements")
		}
		if ok && store.Multicast && s.Ring.Cluster == 0 {
			v.fail(s.Turn, "%s is filled for other points, and each has its own ring", store.Buf.Name)
		}
	}
	v.filling = s.Kind == Fill
	v.block(s.Body)
	v.filling = false
}

// ringState is what became of the slots of a ring of a point.
type ringState struct {
	slots                [][]copied // what each turn's have been filled with
	filled, taken, freed int        // turns
}

// ring is what became of a ring of the point.
func (m *machine) ring(r *Ring) *ringState {
	if m.rings[r] == nil {
		m.rings[r] = &ringState{}
	}
	return m.rings[r]
}

// filling is what a Fill fills.
type filling struct {
	ring *Ring
	turn int
}

// note notes that turn t has been filled with something.
func (r *ringState) note(t int, c copied) {
	for len(r.slots) <= t {
		r.slots = append(r.slots, nil)
	}
	r.slots[t] = append(r.slots[t], c)
}

// ringStep makes a step of a ring. What is filled arrives as late as it may, and nobody knows of it before.
func (m *machine) ringStep(s *RingStep) {
	r := m.ring(s.Ring)
	t := int(m.scalar(s.Turn, "the turn of a ring"))
	if next := [...]int{Fill: r.filled, Take: r.taken, Free: r.freed}[s.Kind]; t != next {
		m.fail(s.Turn, "turn %d, where turn %d is next", t, next)
	}
	all := []*machine{m}
	if s.Ring.Cluster > 0 {
		all = m.cluster
	}
	each := func(ready func(r *ringState) bool) func() bool {
		return func() bool {
			return !slices.ContainsFunc(all, func(m *machine) bool { return !ready(m.ring(s.Ring)) })
		}
	}
	switch s.Kind {
	case Fill:
		m.await(each(func(r *ringState) bool { return t-s.Ring.Depth < r.freed }), s.Turn, "turn %d waits for ever: its slot is that of turn %d, which is not freed", t, t-s.Ring.Depth)
		r.filled++
		m.filling = &filling{s.Ring, t}
		m.block(s.Body)
		m.filling = nil
	case Take:
		m.await(each(func(r *ringState) bool { return t < r.filled }), s.Turn, "turn %d waits for ever: nobody fills it", t)
		r.taken++
		if t < len(r.slots) {
			m.show(r.slots[t])
		}
	case Free:
		if t >= r.taken {
			m.fail(s.Turn, "turn %d is freed before it is taken", t)
		}
		r.freed++
		if t < len(r.slots) {
			m.unread(s, r.slots[t])
		}
	}
}

// unread lets nobody read the places of a slot any more.
func (m *machine) unread(s *RingStep, slot []copied) {
	for _, p := range m.pending {
		for _, c := range slot {
			if p.reads[place{c.mem, c.at}] {
				m.fail(s.Turn, "%s[%s] is freed while a product of a group of warps reads it", c.mem.buf.Name, c.mem.place(c.at))
			}
		}
	}
	for _, c := range slot {
		c.mem.writer[c.at] = nobody
		for _, p := range m.reading {
			delete(p.reads, place{c.mem, c.at})
		}
	}
}
