package loop

// pending is a product of a group of warps on its way: it reads memory as late as it may, and its result is poison until it is settled.
type pending struct {
	of    *Value
	shown *tile
	reads map[place]bool
}

// place is an element of a Local buffer.
type place struct {
	mem *memory
	at  int
}

// start lets a product whose result will be t begin.
func (m *machine) start(n *node, t *tile) *tile {
	p := &pending{of: n.v, shown: newTile(n.size, n.v.Elem), reads: map[place]bool{}}
	for j := range n.size {
		p.shown.spoil(j, n.size)
	}
	p.shown.later = t
	if !n.kids[1].v.IsMatrix() { // of an unscheduled kernel, whose operands are no memory
		return t
	}
	for _, x := range n.kids[:2] {
		if !x.v.IsMatrix() {
			m.hold(n.v)
			continue
		}
		mem := m.mem[x.v.Buf]
		m.access(x.v, x.read, func(int) {}, func(_, e int) { p.reads[place{mem, e}] = true })
	}
	m.pending, m.reading = append(m.pending, p), append(m.reading, p)
	return p.shown
}

// hold gives product v the registers that its first operand is in: those that it had in a turn before must be free.
func (m *machine) hold(v *Value) {
	for _, p := range m.pending {
		if p.of == v {
			m.fail(v, "the registers of what %s multiplies are those of a product on its way", v.Name)
		}
	}
}

// settle lets the results of all products but the youngest be seen.
func (m *machine) settle(s *Settle) {
	t := m.eval(s.Val)
	for len(m.pending) > s.Young {
		p := m.pending[0]
		*p.shown = *p.shown.later
		m.pending = m.pending[1:]
	}
	if s.Young == 0 && t.later != nil {
		m.fail(s.Val, "%s is not there", s.Val.Name)
	}
}
