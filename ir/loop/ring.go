package loop

import "slices"

// ringStep checks a step of a ring.
func (v *verifier) ringStep(s *RingStep) {
	v.scalar(s.Turn, I64, "the turn")
	if !slices.Contains(v.k.Rings, s.Ring) || s.Ring.Depth < 1 {
		v.fail(s.Turn, "no ring of the kernel, of one slot at least")
	}
	for _, st := range s.Body {
		store, ok := st.(*Store)
		if _, let := st.(*Let); s.Kind != Fill || !let && !(ok && store.Async) {
			v.fail(s.Turn, "a fill has asynchronous stores, and nothing else has statements")
		}
	}
	v.block(s.Body)
}

// ringState is what became of the slots of a ring.
type ringState struct {
	fills        [][]copied // what each turn's has stored
	taken, freed int        // turns
}

// ringStep makes a step of a ring. What is filled arrives as late as it may, and nobody knows of it before.
func (m *machine) ringStep(s *RingStep) {
	r := m.rings[s.Ring]
	if r == nil {
		r = &ringState{}
		m.rings[s.Ring] = r
	}
	t := int(m.scalar(s.Turn, "the turn of a ring"))
	if next := [...]int{Fill: len(r.fills), Take: r.taken, Free: r.freed}[s.Kind]; t != next {
		m.fail(s.Turn, "turn %d, where turn %d is next", t, next)
	}
	switch s.Kind {
	case Fill:
		m.await(func() bool { return t-s.Ring.Depth < r.freed }, s.Turn, "turn %d waits for ever: its slot is that of turn %d, which is not freed", t, t-s.Ring.Depth)
		r.fills = append(r.fills, nil)
		m.filling = &r.fills[t]
		m.block(s.Body)
		m.filling = nil
	case Take:
		m.await(func() bool { return t < len(r.fills) }, s.Turn, "turn %d waits for ever: nobody fills it", t)
		r.taken++
		m.show(r.fills[t])
	case Free:
		if t >= r.taken {
			m.fail(s.Turn, "turn %d is freed before it is taken", t)
		}
		r.freed++
		m.unread(s, r.fills[t])
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
