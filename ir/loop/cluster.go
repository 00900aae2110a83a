package loop

import "maps"

// clusterOf is how many neighbouring points of a phase run side by side: those of a cluster, which go through the turns of its rings together.
func clusterOf(body []Stmt) int {
	n := 0
	Walk(body, func(s Stmt) {
		if s, ok := s.(*RingStep); ok {
			n = max(n, s.Ring.Cluster)
		}
	})
	return n
}

// clustered runs what the points of a cluster do, the first of which is number p, side by side. Local buffers are of each of them.
func (m *machine) clustered(body []Stmt, axes []*Axis, p, n int) {
	forks := make([]*machine, n)
	for i := range forks {
		m.point++
		f, none := m.fork(), noFlights()
		f.flights, f.mem, f.cluster = &none, maps.Clone(m.mem), forks
		for b := range f.mem {
			if b.Mode == Local {
				f.mem[b] = newMemory(b, b.Dims, NewData(b.Elem, b.Dims...))
			}
		}
		forks[i] = f
	}
	m.sideBySide(forks, func(i int) { forks[i].run(body, axes, p+i) })
}

// filled are the points whose slots a store of a Fill fills.
func (m *machine) filled(s *Store) []*machine {
	if s.Multicast {
		return m.cluster
	}
	return []*machine{m}
}
