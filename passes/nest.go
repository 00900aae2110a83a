package passes

import (
	"slices"

	"mdlc/ir"
)

// nest reports whether a trial is one nest: one space of rows times a last part,
// values that live on it, at most maxSweeps dependent row reductions.
func (f *fusion) nest(t *trial) bool {
	s := newSpace(f, t)
	return s.align() && s.shape() && s.parallel() && s.cheap() && s.sweeps() && f.buffers(t) <= maxBuffers
}

// buffers counts what a kernel reads and writes.
func (f *fusion) buffers(t *trial) int {
	n := 0
	var read []int
	for _, i := range t.set {
		if f.leaves(i, t) {
			n++
		}
		for _, r := range f.reads[i] {
			if !t.has(r.from) && !slices.Contains(read, r.from) {
				read = append(read, r.from)
			}
		}
	}
	return n + len(read)
}

const noLabel = -1 // of an axis of one element

// space is the iteration space of a nest. The axes of its nodes (of a
// reduction: of its operand) are labels; those that are the same axis are united. Those of one element are nobody's
// axis: of one row, or one sequence, the space has what all rows have.
// What is known of nodes is by their place in the trial; sets of labels are ascending lists.
type space struct {
	f       *fusion
	t       *trial
	first   []int // of a node's labels
	parent  []int
	dims    []ir.Dim // of a label
	leaves  []bool   // has to be stored
	aligned []bool   // computed along the space
	point   []bool   // computed again, at the places of its readers
	labels  [][]int  // of what a node runs over, once they are united
	full    []int    // labels of the space; nil: not known
	rows    []int    // of a row; what row reductions keep
}

func newSpace(f *fusion, t *trial) *space {
	n := len(t.set)
	flags := make([]bool, 3*n)
	s := &space{f: f, t: t, first: make([]int, n), leaves: flags[:n], aligned: flags[n : 2*n], point: flags[2*n:]}
	for at, i := range t.set {
		s.first[at] = len(s.parent)
		for _, d := range f.iterates(i) {
			s.parent = append(s.parent, len(s.parent))
			s.dims = append(s.dims, d)
		}
		s.leaves[at] = f.leaves(i, t)
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

// unitedLabels gives the labels of what each node runs over, with noLabel for those of one element.
func (s *space) unitedLabels() [][]int {
	out := make([][]int, len(s.t.set))
	all := make([]int, len(s.parent))
	for l := range all {
		if all[l] = s.find(l); s.dims[l].Size == 1 && s.dims[l].Len == nil {
			all[l] = noLabel
		}
	}
	for at := range out {
		end := len(all)
		if at+1 < len(out) {
			end = s.first[at+1]
		}
		out[at] = all[s.first[at]:end:end]
	}
	return out
}

// results gives the labels of the value of a node, and those that it reduces.
func (s *space) results(at int) (kept, reduced []int) {
	a, ok := s.f.nodes[s.t.set[at]].Attr.(ir.ReduceAttr)
	if !ok {
		return s.labels[at], nil
	}
	cut := axesOf(a.Axes...)
	for k, l := range s.labels[at] {
		if l == noLabel {
			continue
		}
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
		if s.leaves[at] {
			s.aligned[at] = true
		}
		if !s.aligned[at] && !s.point[at] {
			return false // dead
		}
		for _, r := range f.reads[i] {
			from, ok := s.t.place(r.from)
			if !ok {
				continue
			}
			if s.aligned[at] && r.way == spread {
				s.aligned[from] = true
				kept := s.valueFirst(from)
				for d, k := range r.axis {
					if k >= 0 {
						s.unite(kept[d], s.first[at]+k)
					}
				}
			} else {
				s.point[from] = true
			}
			if s.point[at] {
				s.point[from] = true
			}
		}
		if s.point[at] && !f.pointwise(i) {
			return false
		}
	}
	s.uniteReaders()
	for _, g := range s.t.glue {
		a, okA := s.t.place(g.a)
		b, okB := s.t.place(g.b)
		if okA && okB && s.aligned[a] && s.aligned[b] {
			for k := range f.iterates(g.a) {
				s.unite(s.first[a]+k, s.first[b]+k)
			}
		}
	}
	s.labels = s.unitedLabels()
	for at, labels := range s.labels {
		if s.aligned[at] && repeated(labels) {
			return false
		}
	}
	return true
}

// valueFirst gives the labels of the dims of a node's value, not united.
func (s *space) valueFirst(at int) []int { return s.f.kept(s.t.set[at], s.first[at]) }

// kept numbers the axes that computing node i runs over from `first` on, and gives the numbers of those that its value has.
func (f *fusion) kept(i, first int) []int {
	var cut axes
	if a, ok := f.nodes[i].Attr.(ir.ReduceAttr); ok {
		cut = axesOf(a.Axes...)
	}
	var out []int
	for k := range f.iterates(i) {
		if !cut.has(k) {
			out = append(out, first+k)
		}
	}
	return out
}

func (s *space) unite(a, b int) { s.parent[s.find(a)] = s.find(b) }

// uniteReaders unites the axes of nodes that read a value from outside through the same map.
func (s *space) uniteReaders() {
	type way struct {
		from int
		key  string
	}
	first := map[way]int{}
	for at, i := range s.t.set {
		if !s.aligned[at] {
			continue
		}
		dims := s.f.iterates(i)
		for _, r := range s.f.reads[i] {
			if len(r.vars) == 0 || s.t.has(r.from) {
				continue
			}
			j, ok := first[way{r.from, r.key}]
			if !ok {
				first[way{r.from, r.key}] = at
				continue
			}
			other := s.f.iterates(s.t.set[j])
			for _, k := range r.vars {
				if k < len(other) && k < len(dims) && other[k].Equal(dims[k]) {
					s.unite(s.first[j]+k, s.first[at]+k)
				}
			}
		}
	}
}

func repeated(labels []int) bool {
	for i, l := range labels {
		for _, m := range labels[:i] {
			if l == m && l != noLabel {
				return true
			}
		}
	}
	return false
}

// labelSet is the set of some labels, not nil.
func labelSet(labels []int) []int {
	set := append(make([]int, 0, len(labels)), labels...)
	slices.Sort(set)
	return slices.DeleteFunc(slices.Compact(set), func(l int) bool { return l == noLabel })
}

// within reports whether set a is part of set b.
func within(a, b []int) bool {
	for _, l := range a {
		if !slices.Contains(b, l) {
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
	for at, i := range s.t.set {
		if !s.aligned[at] || !s.f.isClass(i, ir.ClassReduce) {
			continue
		}
		kept, reduced := s.results(at)
		if s.f.row(i) {
			if haveRow && !(slices.Equal(last, reduced) && slices.Equal(s.rows, labelSet(kept))) {
				return false
			}
			haveRow, last, s.rows = true, reduced, labelSet(kept)
			continue
		}
		all := s.labels[at]
		if haveColumn && !(slices.Equal(columnAll, all) && slices.Equal(column, reduced)) {
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
		s.full = labelSet(slices.Concat(last, s.rows))
		if haveColumn && !(slices.Equal(s.full, labelSet(columnAll)) && within(column, s.rows)) {
			return false
		}
	case haveColumn:
		s.full = labelSet(columnAll)
	}
	return s.valuesFit(haveRow)
}

func (s *space) valuesFit(haveRow bool) bool {
	for at := len(s.t.set) - 1; at >= 0; at-- {
		if !s.aligned[at] || s.f.isClass(s.t.set[at], ir.ClassReduce) {
			continue
		}
		labels := labelSet(s.labels[at])
		if s.full == nil && s.leaves[at] {
			s.full = labels
		}
		switch {
		case !within(labels, s.full):
			return false
		case s.leaves[at] && !slices.Equal(labels, s.full) && !(haveRow && slices.Equal(labels, s.rows)):
			return false
		}
	}
	return true
}

// parallel reports whether as many threads as there are rows may make what leaves along rows: a row is one thread's, and
// those of a vector of long ones would be few.
func (s *space) parallel() bool {
	if s.rows == nil {
		return true
	}
	if s.size(s.rows) >= fewRows || s.rowLength() < longRow {
		return true
	}
	for at, leaves := range s.leaves {
		if leaves && !s.f.isClass(s.t.set[at], ir.ClassReduce) && slices.Equal(labelSet(s.labels[at]), s.full) {
			return false
		}
	}
	return true
}

// size is how many elements a space of these labels has.
func (s *space) size(labels []int) int {
	n := 1
	for _, l := range labels {
		n *= s.dims[l].Size
	}
	return n
}

// rowLength is how many elements a row of the space has.
func (s *space) rowLength() int {
	if s.size(s.full) == 0 {
		return 0
	}
	return s.size(s.full) / s.size(s.rows)
}

// cheap bounds the work that is done more than once for a value: at points, and
// of values that are smaller than the space. What is computed of a row's sums is one number at a time, where a nest of rows makes
// as many as a vector has: it may be dear where rows are long, or so few that they fill no vector.
func (s *space) cheap() bool {
	points, small, after := 0.0, 0.0, 0.0
	copies, reduced := s.copies(), s.afterReductions()
	for at, i := range s.t.set {
		if s.point[at] {
			points += s.f.cost(i) * copies[at]
		}
		if !s.aligned[at] || s.f.isClass(i, ir.ClassReduce) {
			continue
		}
		labels := labelSet(s.labels[at])
		switch {
		case slices.Equal(labels, s.full):
		case within(labels, s.rows):
			if !reduced[at] {
				small += s.f.cost(i)
			} else {
				after += s.f.cost(i)
			}
		default:
			points += s.f.cost(i)
		}
	}
	if s.rows != nil && s.size(s.rows) >= fewRows && after > sumBudget+rowShare*float64(s.rowLength()) {
		return false
	}
	return points <= pointBudget && small <= rowBudget
}

// copies is at how many places of one element of the results each node is computed again: a value that is read at two
// places needs what it is computed from at two places as well.
func (s *space) copies() []float64 {
	type place struct {
		key string
		n   float64
	}
	copies, places := make([]float64, len(s.t.set)), make([][]place, len(s.t.set))
	for at := len(s.t.set) - 1; at >= 0; at-- {
		for _, p := range places[at] {
			copies[at] += p.n
		}
		for _, r := range s.f.reads[s.t.set[at]] {
			from, ok := s.t.place(r.from)
			if !ok {
				continue
			}
			n := copies[at]
			if s.aligned[at] && r.way != spread { // a value that is no copy
				n++
			}
			k := slices.IndexFunc(places[from], func(p place) bool { return p.key == r.key })
			if k < 0 {
				places[from] = append(places[from], place{r.key, n})
			} else {
				places[from][k].n = max(places[from][k].n, n)
			}
		}
	}
	return copies
}

// afterReductions reports which nodes depend on a reduction of the nest.
func (s *space) afterReductions() []bool {
	after := make([]bool, len(s.t.set))
	for at, i := range s.t.set {
		for _, r := range s.f.reads[i] {
			if from, ok := s.t.place(r.from); ok && (after[from] || s.f.isClass(r.from, ir.ClassReduce)) {
				after[at] = true
			}
		}
	}
	return after
}

// sweeps counts the dependent row reductions.
func (s *space) sweeps() bool {
	level := make([]int, len(s.t.set))
	for at, i := range s.t.set {
		for _, r := range s.f.reads[i] {
			if from, ok := s.t.place(r.from); ok {
				level[at] = max(level[at], level[from])
			}
		}
		if s.aligned[at] && s.f.row(i) {
			level[at]++
		}
		if level[at] > maxSweeps {
			return false
		}
	}
	return true
}
