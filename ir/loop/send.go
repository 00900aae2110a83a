package loop

// send checks a Send.
func (v *verifier) send(s *Send) {
	for _, st := range s.Body {
		store, ok := st.(*Store)
		copies := ok && store.Async && store.Buf.Mode != Local && store.Val.Op == Load && store.Val.Buf.Mode == Local && store.Val.Guard == nil
		if _, let := st.(*Let); !let && !copies {
			v.fail(nil, "a send has asynchronous stores of what local buffers hold, to memory")
		}
	}
	v.sending = true
	v.block(s.Body)
	v.sending = false
}

// send makes a Send: what it copies is read as late as it may.
func (m *machine) send(s *Send) {
	m.sends = append(m.sends, map[place]bool{})
	m.block(s.Body)
}

// sent waits for all Sends but the young youngest.
func (m *machine) sent(young int) {
	m.sends = m.sends[max(len(m.sends)-young, 0):]
}

// copies notes that the newest Send reads what s copies, and that what it writes is not there in this phase.
func (m *machine) copies(s *Store, p *storePlan) {
	from, to := m.mem[s.Val.Buf], m.mem[s.Buf]
	reads := m.sends[len(m.sends)-1]
	m.access(s.Val, p.val.read, func(int) {}, func(_, e int) { reads[place{from, e}] = true })
	m.access(s.Val, p.access, func(int) {}, func(_, e int) { to.writer[e] = nobody })
}
