package passes

import (
	"slices"
	"strings"

	"mdlc/ir"
)

// part says what a node of a score kernel is.
type part uint8

const (
	feed  part = iota // computed of what the kernel reads, at the place of its readers
	wide              // a value over the pairs
	row               // a reduction of a wide value, and what is computed of such
	sum               // a product that adds up a wide value
	after             // computed of a sum at its place
)

// scoreSpace is a trial as a score kernel. The axes of its nodes (of a reduction: of its operand; of a
// product: its labels) are labels, as in a nest.
type scoreSpace struct {
	f      *fusion
	t      *trial
	root   int // place of the first product
	part   []part
	of     []int // the sum that a node is, or is computed of after it; -1: none
	first  []int // of a node's labels
	parent []int
	all    []int // labels of the pairs
	along  []int // those of a row; nil: no row is reduced
}

// score reports whether a trial is a score kernel: wide values over the same pairs, products with few summands or
// element-wise; reductions of their rows; products that sum them up, over a row or over others; and
// what is computed of those. Nothing wide is stored.
func (f *fusion) score(t *trial) bool {
	s := &scoreSpace{f: f, t: t, root: -1}
	return s.parts() && s.align() && s.rows() && s.fits() && s.works() && f.buffers(t) <= maxBuffers
}

// parts says what each node is.
func (s *scoreSpace) parts() bool {
	n := len(s.t.set)
	s.part, s.of, s.first = make([]part, n), make([]int, n), make([]int, n)
	for at, i := range s.t.set {
		s.first[at] = len(s.parent)
		for range s.axes(i) {
			s.parent = append(s.parent, len(s.parent))
		}
		var ok bool
		if s.part[at], ok = s.partOf(at, i); !ok {
			return false
		}
	}
	return s.root >= 0
}

func (s *scoreSpace) partOf(at, i int) (part, bool) {
	f := s.f
	var has [after + 1]int
	s.of[at] = -1
	for _, r := range f.reads[i] {
		from, ok := s.t.place(r.from)
		if !ok {
			continue
		}
		has[s.part[from]]++
		if product := s.of[from]; product >= 0 {
			if s.of[at] >= 0 && s.of[at] != product {
				return 0, false
			}
			s.of[at] = product
		}
	}
	size := f.nodes[i].Type.Size()
	switch {
	case f.isClass(i, ir.ClassDot):
		if has[wide] == 0 && scoreProduct(f.nodes[i]) && s.root < 0 {
			s.root = at
		}
		if has[wide] == 0 {
			return wide, s.root >= 0 && has[row]+has[sum]+has[after] == 0 && size == s.size() && scoreProduct(f.nodes[i])
		}
		s.of[at] = at
		return sum, has[wide] == 1 && has[row]+has[sum]+has[after] == 0
	case f.isClass(i, ir.ClassReduce):
		return row, has[wide] == 1 && f.row(i)
	case !f.pointwise(i):
		return 0, false
	case s.of[at] >= 0:
		return after, has[wide] == 0
	case has[wide]+has[row] == 0:
		return feed, true
	case size == s.size():
		return wide, true
	}
	return row, has[wide] == 0
}

// size of a wide value.
func (s *scoreSpace) size() int {
	if s.root < 0 {
		return -1
	}
	return s.f.nodes[s.t.set[s.root]].Type.Size()
}

// axes gives the dims of what computing node i runs over: of a product, those of its labels.
func (s *scoreSpace) axes(i int) []ir.Dim {
	n := s.f.nodes[i]
	d, ok := n.Attr.(ir.DotAttr)
	if !ok {
		return s.f.iterates(i)
	}
	labels := dotLabels(d)
	dims := make([]ir.Dim, len(labels))
	for k, side := range []string{d.A, d.B} {
		for a := range side {
			dims[strings.IndexByte(labels, side[a])] = n.Args[k].Type.Dims[a]
		}
	}
	return dims
}

// dotLabels is the labels of a product, each once.
func dotLabels(d ir.DotAttr) string {
	return d.A + strings.Map(func(l rune) rune {
		if strings.ContainsRune(d.A, l) {
			return -1
		}
		return l
	}, d.B)
}

// pick gives the labels of some of a product's axes.
func (s *scoreSpace) pick(at int, d ir.DotAttr, letters string) []int {
	out := make([]int, len(letters))
	for k := range letters {
		out[k] = s.first[at] + strings.IndexByte(dotLabels(d), letters[k])
	}
	return out
}

// value gives the labels of the dims of a node's value, not united.
func (s *scoreSpace) value(at int) []int {
	i := s.t.set[at]
	if d, ok := s.f.nodes[i].Attr.(ir.DotAttr); ok {
		return s.pick(at, d, d.Out)
	}
	return s.f.kept(i, s.first[at])
}

// align unites the labels of what is read with those of its readers: each reads at its own place.
func (s *scoreSpace) align() bool {
	for at, i := range s.t.set {
		for _, r := range s.f.reads[i] {
			from, ok := s.t.place(r.from)
			if !ok || s.part[from] == feed && !s.aligned(at, from, r) {
				continue
			}
			if r.way != spread {
				return false
			}
			if (s.part[from] == sum || s.part[from] == after) && !r.same(s.f.rank(r.from)) {
				return false
			}
			here := s.operand(at, r.arg)
			for d, l := range s.value(from) {
				if k := r.axis[d]; k >= 0 {
					s.unite(l, here[k])
				}
			}
		}
	}
	return true
}

// aligned reports whether a feed is computed once a pair.
func (s *scoreSpace) aligned(at, from int, r read) bool {
	i := s.t.set[at]
	return s.f.nodes[s.t.set[from]].Type.Size() == s.size() && s.f.nodes[i].Type.Size() == s.size() && s.f.pointwise(i) && r.way == spread
}

// operand gives the labels of the axes over which a node reads an argument.
func (s *scoreSpace) operand(at, arg int) []int {
	i := s.t.set[at]
	if d, ok := s.f.nodes[i].Attr.(ir.DotAttr); ok {
		return s.pick(at, d, []string{d.A, d.B}[arg])
	}
	out := make([]int, len(s.f.iterates(i)))
	for k := range out {
		out[k] = s.first[at] + k
	}
	return out
}

func (s *scoreSpace) find(l int) int {
	for s.parent[l] != l {
		l = s.parent[l]
	}
	return l
}

func (s *scoreSpace) unite(a, b int) { s.parent[s.find(a)] = s.find(b) }

// set is the united labels that have more than one element, ascending; of two that are one it is nil.
func (s *scoreSpace) set(at int, labels []int) []int {
	dims := s.axes(s.t.set[at])
	out := []int{}
	for _, l := range labels {
		if d := dims[l-s.first[at]]; d.Size > 1 || d.Len != nil {
			out = append(out, s.find(l))
		}
	}
	slices.Sort(out)
	if len(slices.Compact(slices.Clone(out))) < len(out) {
		return nil
	}
	return out
}

// rows finds the axes of a row, which are those of one operand of each product, and checks
// that the other nodes fit.
func (s *scoreSpace) rows() bool {
	s.all = s.set(s.root, s.value(s.root))
	for at, i := range s.t.set {
		a, ok := s.f.nodes[i].Attr.(ir.ReduceAttr)
		if !ok {
			continue
		}
		var cut []int
		for _, k := range a.Axes {
			cut = append(cut, s.first[at]+k)
		}
		reduced := s.set(at, cut)
		if s.along != nil && !slices.Equal(s.along, reduced) || len(reduced) == 0 {
			return false
		}
		s.along = reduced
	}
	if s.along != nil {
		return s.products()
	}
	d := s.f.nodes[s.t.set[s.root]].Attr.(ir.DotAttr)
	for _, side := range []string{d.FreeB(), d.FreeA()} {
		if s.along = s.set(s.root, s.pick(s.root, d, side)); len(s.along) > 0 && s.products() {
			return true
		}
	}
	return false
}

// products reports whether each product makes rows, or sums up a row or other axes of the pairs.
func (s *scoreSpace) products() bool {
	for at, i := range s.t.set {
		d, ok := s.f.nodes[i].Attr.(ir.DotAttr)
		if !ok {
			continue
		}
		over := s.set(at, s.pick(at, d, d.Contracted()))
		switch {
		case s.part[at] == wide:
			a, b := s.set(at, s.pick(at, d, d.FreeA())), s.set(at, s.pick(at, d, d.FreeB()))
			if !slices.Equal(a, s.along) && !slices.Equal(b, s.along) {
				return false
			}
		case slices.Equal(over, s.along):
		case len(over) == 0 || !within(over, s.all) || common(over, s.along):
			return false
		}
	}
	return true
}

// common reports whether two sets have a label in common.
func common(a, b []int) bool {
	return slices.ContainsFunc(a, func(l int) bool { return slices.Contains(b, l) })
}

// fits checks that each value has the axes of its part, and that nothing wide is stored.
func (s *scoreSpace) fits() bool {
	limit := s.f.bytes(s.t.set[s.root]) / scoreRatio
	sweeps := make([]int, len(s.t.set))
	for at, i := range s.t.set {
		for _, r := range s.f.reads[i] {
			if from, ok := s.t.place(r.from); ok {
				sweeps[at] = max(sweeps[at], sweeps[from])
			}
		}
		labels := s.set(at, s.value(at))
		stored := s.f.leaves(i, s.t)
		switch s.part[at] {
		case feed:
			if stored {
				return false
			}
			continue
		case wide:
			if stored || !slices.Equal(labels, s.all) {
				return false
			}
		case row:
			if labels == nil || !within(labels, s.all) || common(labels, s.along) {
				return false
			}
			if s.f.isClass(i, ir.ClassReduce) {
				sweeps[at]++
			}
		case after:
			if labels == nil || !slices.Equal(labels, s.set(s.of[at], s.value(s.of[at]))) {
				return false
			}
		}
		if sweeps[at] > maxSweeps || stored && s.f.bytes(i) > limit {
			return false
		}
	}
	return true
}

// works bounds the work on what the kernel computes again for each reader.
func (s *scoreSpace) works() bool {
	for at, i := range s.t.set {
		for _, r := range s.f.reads[i] {
			from, ok := s.t.place(r.from)
			if !ok || s.part[from] != feed || s.part[at] == feed || s.aligned(at, from, r) {
				continue
			}
			work, budget := s.f.pointWork(s.t, r.from), float64(pointBudget)
			switch {
			case s.f.isClass(i, ir.ClassDot):
				work, budget = work*s.f.evaluations(i, r), dotBudget
			case s.part[at] == row:
				budget = rowBudget
			}
			if work > budget {
				return false
			}
		}
	}
	return true
}
