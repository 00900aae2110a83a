package passes

import (
	"strconv"

	"mdlc/ir"
)

// nest reports whether a trial is one nest: one space of rows times a last part,
// values that live on it, at most maxSweeps dependent row reductions.
func (f *fusion) nest(t *trial) bool {
	s := newSpace(f, t)
	return s.align() && s.shape() && s.cheap() && s.sweeps() && f.buffers(t) <= maxBuffers
}

// buffers counts what a kernel reads and writes.
func (f *fusion) buffers(t *trial) int {
	n := 0
	read := map[int]bool{}
	for _, i := range t.set {
		if f.leaves(i, t) {
			n++
		}
		for _, r := range f.reads[i] {
			if !t.has(r.from) && !read[r.from] {
				read[r.from] = true
				n++
			}
		}
	}
	return n
}

// space is the iteration space of a nest. The axes of its nodes (of a
// reduction: of its operand) are labels; those that are the same axis are united.
type space struct {
	f       *fusion
	t       *trial
	first   map[int]int // of node i's labels
	parent  []int
	aligned map[int]bool // computed along the space
	point   map[int]bool // computed again, at the places of its readers
	full    map[int]bool // labels of the space
	rows    map[int]bool // of a row; what row reductions keep
}

func newSpace(f *fusion, t *trial) *space {
	s := &space{f: f, t: t, first: map[int]int{}, aligned: map[int]bool{}, point: map[int]bool{}}
	for _, i := range t.set {
		s.first[i] = len(s.parent)
		for range f.iterates(i) {
			s.parent = append(s.parent, len(s.parent))
		}
	}
	return s
}

// iterates gives the dims that computing node i runs over.
func (f *fusion) iterates(i int) []ir.Dim {
	n := f.nodes[i]
	if n.Op.Class == ir.ClassReduce {
		return n.Args[0].Type.Dims
	}
	return n.Type.Dims
}

func (s *space) find(l int) int {
	for s.parent[l] != l {
		s.parent[l] = s.parent[s.parent[l]]
		l = s.parent[l]
	}
	return l
}

// labels gives the labels of what node i runs over.
func (s *space) labels(i int) []int {
	out := make([]int, len(s.f.iterates(i)))
	for k := range out {
		out[k] = s.find(s.first[i] + k)
	}
	return out
}

// results gives the labels of the value of node i, and those that it reduces.
func (s *space) results(i int) (kept, reduced []int) {
	all := s.labels(i)
	a, ok := s.f.nodes[i].Attr.(ir.ReduceAttr)
	if !ok {
		return all, nil
	}
	cut := axesOf(a.Axes...)
	for k, l := range all {
		if cut.has(k) {
			reduced = append(reduced, l)
		} else {
			kept = append(kept, l)
		}
	}
	return kept, reduced
}

// row reports whether node i reduces the last axis of its operand.
func (f *fusion) row(i int) bool {
	a, ok := f.nodes[i].Attr.(ir.ReduceAttr)
	return ok && a.Axes[len(a.Axes)-1] == f.nodes[i].Args[0].Type.Rank()-1
}

// align unites labels from the results down, and says which nodes are computed along the space.
func (s *space) align() bool {
	f := s.f
	for at := len(s.t.set) - 1; at >= 0; at-- {
		i := s.t.set[at]
		if f.leaves(i, s.t) {
			s.aligned[i] = true
		}
		if !s.aligned[i] && !s.point[i] {
			return false // dead
		}
		for _, r := range f.reads[i] {
			if !s.t.has(r.from) {
				continue
			}
			if s.aligned[i] && r.way == spread && !hasUnit(r) {
				s.aligned[r.from] = true
				kept := s.valueFirst(r.from)
				for d, k := range r.axis {
					s.unite(kept[d], s.first[i]+k)
				}
			} else {
				s.point[r.from] = true
			}
			if s.point[i] {
				s.point[r.from] = true
			}
		}
		if s.point[i] && !f.pointwise(i) {
			return false
		}
	}
	s.uniteReaders()
	for _, g := range s.t.glue {
		if s.aligned[g.a] && s.aligned[g.b] {
			for k := range f.iterates(g.a) {
				s.unite(s.first[g.a]+k, s.first[g.b]+k)
			}
		}
	}
	for _, i := range s.t.set {
		if s.aligned[i] && repeated(s.labels(i)) {
			return false
		}
	}
	return true
}

func hasUnit(r read) bool {
	for _, k := range r.axis {
		if k < 0 {
			return true
		}
	}
	return false
}

// valueFirst gives the labels of the dims of node i's value, not united.
func (s *space) valueFirst(i int) []int {
	a, ok := s.f.nodes[i].Attr.(ir.ReduceAttr)
	var cut axes
	if ok {
		cut = axesOf(a.Axes...)
	}
	var out []int
	for k := range s.f.iterates(i) {
		if !cut.has(k) {
			out = append(out, s.first[i]+k)
		}
	}
	return out
}

func (s *space) unite(a, b int) { s.parent[s.find(a)] = s.find(b) }

// uniteReaders unites the axes of nodes that read a value from outside through the same map.
func (s *space) uniteReaders() {
	first := map[string]int{}
	for _, i := range s.t.set {
		if !s.aligned[i] {
			continue
		}
		dims := s.f.iterates(i)
		for _, r := range s.f.reads[i] {
			if s.t.has(r.from) || len(r.vars) == 0 {
				continue
			}
			text := strconv.Itoa(r.from) + ": " + r.key
			j, ok := first[text]
			if !ok {
				first[text] = i
				continue
			}
			for _, k := range r.vars {
				if other := s.f.iterates(j); k < len(other) && k < len(dims) && other[k].Equal(dims[k]) {
					s.unite(s.first[j]+k, s.first[i]+k)
				}
			}
		}
	}
}

func repeated(labels []int) bool {
	for i, l := range labels {
		for _, m := range labels[:i] {
			if l == m {
				return true
			}
		}
	}
	return false
}

func labelSet(labels []int) map[int]bool {
	m := map[int]bool{}
	for _, l := range labels {
		m[l] = true
	}
	return m
}

func sameSet(a, b map[int]bool) bool { return len(a) == len(b) && within(a, b) }

func within(a, b map[int]bool) bool {
	for l := range a {
		if !b[l] {
			return false
		}
	}
	return true
}

func sameList(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// shape finds the space from the reductions, or else from the results, and
// checks that each value lives on it.
func (s *space) shape() bool {
	var last, column, columnAll []int // what rows reduce; what columns reduce, of what
	haveRow, haveColumn := false, false
	for _, i := range s.t.set {
		if !s.aligned[i] || !s.f.isClass(i, ir.ClassReduce) {
			continue
		}
		kept, reduced := s.results(i)
		if s.f.row(i) {
			if haveRow && !(sameList(last, reduced) && sameSet(s.rows, labelSet(kept))) {
				return false
			}
			haveRow, last, s.rows = true, reduced, labelSet(kept)
			continue
		}
		all := s.labels(i)
		if haveColumn && !(sameList(columnAll, all) && sameList(column, reduced)) {
			return false
		}
		haveColumn, column, columnAll = true, reduced, all
		for _, r := range s.f.readers[i] {
			if s.t.has(r) {
				return false // a column's result is complete only after the last row
			}
		}
	}
	switch {
	case haveRow:
		s.full = labelSet(last)
		for l := range s.rows {
			s.full[l] = true
		}
		if haveColumn && !(sameSet(s.full, labelSet(columnAll)) && within(labelSet(column), s.rows)) {
			return false
		}
	case haveColumn:
		s.full = labelSet(columnAll)
	}
	return s.valuesFit(haveRow)
}

func (s *space) valuesFit(haveRow bool) bool {
	for at := len(s.t.set) - 1; at >= 0; at-- {
		i := s.t.set[at]
		if !s.aligned[i] {
			continue
		}
		if s.f.isClass(i, ir.ClassReduce) {
			continue
		}
		labels := labelSet(s.labels(i))
		leaves := s.f.leaves(i, s.t)
		if s.full == nil && leaves {
			s.full = labels
		}
		switch {
		case !within(labels, s.full):
			return false
		case leaves && !sameSet(labels, s.full) && !(haveRow && sameSet(labels, s.rows)):
			return false
		}
	}
	if s.rows == nil {
		s.rows = map[int]bool{}
	}
	return true
}

// cheap bounds the work that is done more than once for a value: at points, and
// of values that are smaller than the space.
func (s *space) cheap() bool {
	points, small := 0.0, 0.0
	copies := s.copies()
	for _, i := range s.t.set {
		if s.point[i] {
			points += s.f.cost(i) * copies[i]
		}
		if !s.aligned[i] || s.f.isClass(i, ir.ClassReduce) {
			continue
		}
		labels := labelSet(s.labels(i))
		switch {
		case sameSet(labels, s.full):
		case len(labels) == 0 || within(labels, s.rows):
			if !s.afterReduction(i) {
				small += s.f.cost(i)
			}
		default:
			points += s.f.cost(i)
		}
	}
	return points <= pointBudget && small <= rowBudget
}

// copies is at how many places of one element of the results each node is computed again: a value that is read at two
// places needs what it is computed from at two places as well.
func (s *space) copies() map[int]float64 {
	copies, byKey := map[int]float64{}, map[int]map[string]float64{}
	for at := len(s.t.set) - 1; at >= 0; at-- {
		i := s.t.set[at]
		for _, n := range byKey[i] {
			copies[i] += n
		}
		for _, r := range s.f.reads[i] {
			if !s.t.has(r.from) {
				continue
			}
			if byKey[r.from] == nil {
				byKey[r.from] = map[string]float64{}
			}
			n := copies[i]
			if s.aligned[i] && !(r.way == spread && !hasUnit(r)) { // a value that is no copy
				n++
			}
			byKey[r.from][r.key] = max(byKey[r.from][r.key], n)
		}
	}
	return copies
}

// afterReduction reports whether node i depends on a reduction of the nest.
func (s *space) afterReduction(i int) bool {
	for _, r := range s.f.reads[i] {
		if s.t.has(r.from) && (s.f.isClass(r.from, ir.ClassReduce) || s.afterReduction(r.from)) {
			return true
		}
	}
	return false
}

// sweeps counts the dependent row reductions.
func (s *space) sweeps() bool {
	level := map[int]int{}
	for _, i := range s.t.set {
		for _, r := range s.f.reads[i] {
			if s.t.has(r.from) {
				level[i] = max(level[i], level[r.from])
			}
		}
		if s.aligned[i] && s.f.row(i) {
			level[i]++
		}
		if level[i] > maxSweeps {
			return false
		}
	}
	return true
}
