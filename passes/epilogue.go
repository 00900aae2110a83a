package passes

import (
	"slices"
	"sort"

	"mdlc/ir"
)

// epilogues lets each dot absorb what is computed from its result at the same
// place. It grows towards the candidates that do not add to what has to be stored:
//
//	z = dot + bias                 absorbed: the only reader
//	y = z * 0.5 * (1 + erf(z…))    absorbed, with z as an extra output if a gradient reads it
//	s = reduce sum y               not an epilogue
//
// Prologues come later: recompute moves cheap operands into the dots that read them.
func (f *fusion) epilogues() {
	for i := range f.nodes {
		if !f.isClass(i, ir.ClassDot) {
			continue
		}
		k := f.in[i][0]
		for grown := true; grown; {
			grown = false
			for _, c := range f.candidates(k) {
				t := f.towards(k, c)
				if t != nil && f.pays(k, t, i) && f.legal(t) && f.convex(t) {
					f.join(t)
					grown = true
				}
			}
		}
	}
}

func (f *fusion) isScatter(i int) bool { return f.isClass(i, ir.ClassScatter) }

// candidates are the element-wise nodes that are computed from a dot at its
// place and belong to no other kernel, in order.
func (f *fusion) candidates(k *group) []int {
	derived := map[int]bool{}
	for _, i := range k.members {
		derived[i] = true
	}
	queue := append([]int(nil), k.members...)
	var out []int
	for ; len(queue) > 0 && len(out) < maxEpilogue; queue = queue[1:] {
		for _, r := range f.readers[queue[0]] {
			if derived[r] || !f.pointwise(r) || len(f.in[r]) != 1 || len(f.in[r][0].members) != 1 {
				continue
			}
			if f.readsOnto(r, queue[0]) {
				derived[r] = true
				out = append(out, r)
				queue = append(queue, r)
			}
		}
	}
	sort.Ints(out)
	return out
}

func (f *fusion) readsOnto(r, from int) bool {
	for _, x := range f.reads[r] {
		if x.from == from && !x.onto(f.rank(from)) {
			return false
		}
	}
	return true
}

// towards is k with candidate c and what lies between; nil where something on
// the way belongs to another kernel.
func (f *fusion) towards(k *group, c int) *trial {
	groups := []*group{k}
	var visit func(i int) bool
	seen := map[int]bool{}
	visit = func(i int) bool {
		if seen[i] {
			return true
		}
		seen[i] = true
		for _, r := range f.reads[i] {
			if !k.has(r.from) && r.from > k.members[0] && f.reaches(k, r.from) {
				if !f.pointwise(r.from) || len(f.in[r.from][0].members) != 1 || !visit(r.from) {
					return false
				}
			}
		}
		if !holdsGroup(groups, f.in[i][0]) {
			groups = append(groups, f.in[i][0])
		}
		return true
	}
	if !visit(c) {
		return nil
	}
	return f.try(groups...)
}

// reaches reports whether the value of node i depends on k.
func (f *fusion) reaches(k *group, i int) bool {
	seen := map[int]bool{}
	var visit func(i int) bool
	visit = func(i int) bool {
		if k.has(i) {
			return true
		}
		if seen[i] || i < k.members[0] {
			return false
		}
		seen[i] = true
		for _, r := range f.reads[i] {
			if visit(r.from) {
				return true
			}
		}
		return false
	}
	return visit(i)
}

// pays reports whether the kernel stores no more than before for the sake of
// readers that could compute for themselves.
func (f *fusion) pays(k *group, t *trial, dot int) bool {
	return f.storedFor(t, dot) <= f.storedFor(f.try(k), dot)
}

// storedFor is the bytes that a dot's kernel stores, without values that are in memory anyway.
func (f *fusion) storedFor(t *trial, dot int) float64 {
	sum := 0.0
	for _, i := range t.set {
		if f.leaves(i, t) && !f.wanted(i, dot) {
			sum += f.bytes(i)
		}
	}
	return sum
}

// wanted reports whether a value has to be in memory whatever the clusters: a
// result, the operand of a dot or scatter, or what is used both here and by a gradient behind
// other dots. (What only the gradient uses had better be computed there.)
func (f *fusion) wanted(i, dot int) bool {
	if f.needed[i] {
		return true
	}
	near, far := false, false
	for _, r := range f.readers[i] {
		if f.isClass(r, ir.ClassDot) || f.isScatter(r) || f.role[r] == inMemory {
			return true
		}
		if f.late(dot, r) {
			far = true
		} else {
			near = true
		}
	}
	return near && far
}

// dotKernel reports whether a trial is one dot with prologues and an epilogue.
func (f *fusion) dotKernel(t *trial) bool {
	dot := -1
	for _, i := range t.set {
		switch {
		case f.isClass(i, ir.ClassDot) && dot < 0:
			dot = i
		case !f.pointwise(i):
			return false
		}
	}
	return dot >= 0 && f.epilogueFits(t, dot) && f.prologueFits(t, dot) && f.buffers(t) <= maxBuffers
}

// epilogueFits: what depends on the dot is computed at the dot's place, or all
// that is stored at one other place that a bijection gives (heads split or merged).
func (f *fusion) epilogueFits(t *trial, dot int) bool {
	var besides []int               // stored, and no part of the epilogue
	view := map[int]string{dot: ""} // of what depends on the dot: the map to the dot's place
	for _, i := range t.set {
		if i == dot {
			continue
		}
		mine, derived := "", false
		for _, r := range f.reads[i] {
			from, ok := view[r.from]
			if !ok {
				continue
			}
			here := from
			if !r.same(f.rank(r.from)) {
				if from != "" || !r.onto(f.rank(r.from)) || f.rank(i) == 0 {
					return false
				}
				here = r.key
			}
			if derived && here != mine {
				return false
			}
			mine, derived = here, true
		}
		if derived {
			view[i] = mine
		} else if f.leaves(i, t) {
			besides = append(besides, i)
		}
	}
	stored, first := "", true
	var dims []ir.Dim
	for _, i := range t.set {
		v, ok := view[i]
		if !ok {
			continue
		}
		if !f.leaves(i, t) {
			continue
		}
		if !first && v != stored {
			return false
		}
		stored, first, dims = v, false, f.nodes[i].Type.Dims
	}
	for _, i := range besides {
		if first || !ir.SameDims(f.nodes[i].Type.Dims, dims) {
			return false
		}
	}
	return true
}

// beside lets a dot compute an element-wise nest of the shape of its results
// that reads a value which the epilogue reads as well, or makes one: the gradient of GELU and, for
// the weights, GELU itself.
func (f *fusion) beside() {
	for i := range f.nodes {
		if !f.isClass(i, ir.ClassDot) {
			continue
		}
		k := f.in[i][0]
		for _, nest := range slices.Clone(f.groups) {
			if f.kind(nest.members) != "nest" || !f.sharesRead(k, nest) {
				continue
			}
			if t := f.try(k, nest); f.dotKernel(t) && f.convex(t) {
				f.join(t)
			}
		}
	}
}

// sharesRead reports whether an element-wise nest makes a large value that the
// epilogue of a dot's group reads, or reads one that it reads at the same place.
func (f *fusion) sharesRead(k, nest *group) bool {
	shared := f.readsLarge(k, nest)
	for _, m := range nest.members {
		if !f.pointwise(m) {
			return false
		}
		for _, r := range f.reads[m] {
			if k.has(r.from) {
				return false // the epilogue declined it
			}
			if !nest.has(r.from) && f.bytes(r.from) >= launchBytes {
				shared = shared || f.epilogueReads(k, r)
			}
		}
	}
	return shared
}

// readsLarge reports whether the epilogue of k reads a large value of the nest.
func (f *fusion) readsLarge(k, nest *group) bool {
	for _, m := range k.members {
		if !f.pointwise(m) {
			continue
		}
		for _, r := range f.reads[m] {
			if nest.has(r.from) && f.bytes(r.from) >= launchBytes {
				return true
			}
		}
	}
	return false
}

func (f *fusion) epilogueReads(k *group, r read) bool {
	for _, m := range k.members {
		if !f.pointwise(m) {
			continue
		}
		for _, x := range f.reads[m] {
			if x.from == r.from && x.key == r.key {
				return true
			}
		}
	}
	return false
}

// prologueFits bounds the work on what the operands are computed from, for each
// element that the dot reads.
func (f *fusion) prologueFits(t *trial, dot int) bool {
	for _, r := range f.reads[dot] {
		if t.has(r.from) && f.pointWork(t, r.from)*f.evaluations(dot, r) > dotBudget {
			return false
		}
	}
	for _, i := range t.set { // values smaller than the result, computed for each element
		for _, r := range f.reads[i] {
			if i != dot && t.has(r.from) && f.nodes[r.from].Type.Size() < f.nodes[i].Type.Size() &&
				f.pointWork(t, r.from) > pointBudget {
				return false
			}
		}
	}
	return true
}

// evaluations is how often a dot reads each element of a value, before packing.
func (f *fusion) evaluations(dot int, r read) float64 {
	have := max(1, f.nodes[r.from].Type.Size())
	return max(1, float64(f.nodes[dot].Args[r.arg].Type.Size())/float64(have))
}

// pointWork is the work to compute node i from what the trial reads.
func (f *fusion) pointWork(t *trial, i int) float64 {
	seen := map[int]bool{}
	var visit func(i int) float64
	visit = func(i int) float64 {
		if seen[i] || !t.has(i) {
			return 0
		}
		seen[i] = true
		w := f.cost(i)
		for _, r := range f.reads[i] {
			w += visit(r.from)
		}
		return w
	}
	return visit(i)
}

// scatterKernel: one scatter and what is computed for it, element by element.
func (f *fusion) scatterKernel(t *trial, scatter int) bool {
	for _, i := range t.set {
		if i != scatter && (!f.pointwise(i) || f.leaves(i, t)) {
			return false
		}
	}
	return f.buffers(t) <= maxBuffers
}
