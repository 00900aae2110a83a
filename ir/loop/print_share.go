package loop

// inlineSize is the number of nodes from which a value used more than once in a
// statement gets a line of its own: text written out would grow exponentially.
const inlineSize = 8

// share prints, as values of their own before the statement, the large parts that
// several of its values use. It returns those that must not be taken for the same
// after the statement: they read memory that the kernel writes.
func (p *printer) share(vs ...*Value) (volatile []*Value) {
	s := &sharing{p: p, uses: map[*Value]int{}, size: map[*Value]int{}, reads: map[*Value]bool{}}
	for _, v := range vs {
		s.count(v)
	}
	for _, v := range s.order {
		if s.uses[v] < 2 || s.size[v] < inlineSize {
			continue
		}
		text := p.expr(v, 0)
		p.line("%s = %s", p.define(v, v.Name), text)
		if s.reads[v] {
			volatile = append(volatile, v)
		}
	}
	return volatile
}

// unname forgets the names of values; the names stay taken.
func (p *printer) unname(vs []*Value) {
	for _, v := range vs {
		delete(p.scopes[len(p.scopes)-1], v)
	}
}

type sharing struct {
	p     *printer
	uses  map[*Value]int
	size  map[*Value]int // of the text, in nodes, up to inlineSize
	reads map[*Value]bool
	order []*Value // arguments first
}

func (s *sharing) count(v *Value) {
	if v == nil || s.p.name(v) != "" {
		return
	}
	s.uses[v]++
	if s.uses[v] > 1 {
		return
	}
	size, reads := 1, v.Op == Load && v.Buf.Mode != In
	args := v.Args
	if v.Guard != nil {
		args = append(args[:len(args):len(args)], v.Guard)
	}
	for _, a := range args {
		s.count(a)
		n := s.size[a]
		if s.uses[a] > 1 && n >= inlineSize {
			n = 1
		}
		size, reads = size+n, reads || s.reads[a]
	}
	s.size[v], s.reads[v] = min(size, inlineSize), reads
	s.order = append(s.order, v)
}
