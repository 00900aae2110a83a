package passes

import (
	"slices"

	"mdlc/ir"
)

// recompute moves stored values that are cheaper to compute again into their readers:
//
//	%m = cluster nest (%seed) { less (bits …) 0.1 }      read by a forward and a backward kernel
//
// becomes a part of both, if the bytes of storing it and of each load are more
// than the work and what it reads.
func (f *fusion) recompute() {
	for i := range f.nodes {
		if f.pointwise(i) && !f.needed[i] && len(f.in[i]) > 0 && f.stored(i) {
			f.recomputeNode(i)
		}
	}
	for _, k := range slices.Clone(f.groups) {
		f.commonBase(k)
	}
}

// stored reports whether node i goes to memory.
func (f *fusion) stored(i int) bool { return i == f.pinned || f.leaves(i, f.try(f.in[i][0])) }

func (f *fusion) recomputeNode(i int) {
	if r := f.plan(i); r != nil && r.saved > 0 {
		f.carryOut(r)
	}
}

// recomputation is a plan to compute a node again where it is read.
type recomputation struct {
	home  *group
	part  []int    // the node and what it is computed from
	into  []*group // the kernels that read it
	saved float64  // bytes
}

// plan says what it would save not to store node i; nil: not possible.
func (f *fusion) plan(i int) *recomputation {
	home := f.in[i][0]
	part, edge, large := f.source(home, i)
	p := &recomputation{home: home, part: part, into: f.readingGroups(i)}
	whole := len(part) == len(home.members)
	if large > rematMaxReads && !(whole && len(p.into) == 1 && f.kind(p.into[0].members) == "nest") {
		return nil
	}
	p.saved = f.bytes(i)
	far := f.farReader(home, i)
	if far {
		p.saved += f.bytes(i) // it would fill memory until then
	}
	if whole {
		p.saved += launchBytes
	}
	for _, m := range edge {
		switch {
		case whole:
			p.saved += f.bytes(m)
		case home.has(m) && !f.stored(m):
			p.saved -= f.bytes(m)
		}
	}
	perWork := costBytes
	if f.bytes(i) >= largeBytes {
		perWork /= 2
	}
	size := float64(f.nodes[i].Type.Size())
	for _, k := range p.into {
		if !f.legal(f.try(k, &group{members: part})) {
			return nil
		}
		p.saved += f.bytes(i)
		for _, m := range part {
			if !k.has(m) {
				p.saved -= f.cost(m) * size * perWork
			}
		}
		for _, m := range edge {
			if !k.has(m) && !f.readBy(k, m) {
				p.saved -= f.bytes(m)
				if far && !f.farReader(home, m) {
					p.saved -= f.bytes(m)
				}
			}
		}
	}
	return p
}

// readingGroups lists the groups that read node i from memory.
func (f *fusion) readingGroups(i int) []*group {
	var ks []*group
	for _, r := range f.readers[i] {
		for _, k := range f.in[r] {
			if !k.has(i) && !holdsGroup(ks, k) {
				ks = append(ks, k)
			}
		}
	}
	return ks
}

func (f *fusion) carryOut(p *recomputation) {
	for _, k := range p.into {
		k.members = union(k.members, p.part)
		for _, m := range p.part {
			if !holdsGroup(f.in[m], k) {
				f.in[m] = append(f.in[m], k)
			}
		}
	}
	f.prune(p.home)
}

// commonBase stores one value in place of several that are cheap to compute from it:
//
//	z = dot + offset   y = 0.5*z   u = z/1.41   out = y * (1 + erf u)      a gradient reads y and u
//
// becomes z and out as outputs, y and u computed again.
func (f *fusion) commonBase(k *group) {
	var outs []int
	for _, i := range k.members {
		if f.in[i][0] == k && f.pointwise(i) && !f.needed[i] && f.stored(i) && f.farReader(k, i) {
			outs = append(outs, i)
		}
	}
	if len(outs) < 2 {
		return
	}
	for at := len(k.members) - 1; at >= 0; at-- {
		z := k.members[at]
		if f.in[z][0] != k || z == outs[0] || f.bytes(z) < launchBytes || f.stored(z) || !ir.SameDims(f.nodes[z].Type.Dims, f.nodes[outs[0]].Type.Dims) {
			continue
		}
		f.pinned = z
		saved := -3 * f.bytes(z)
		var plans []*recomputation
		for _, i := range outs {
			if p := f.plan(i); p != nil && f.derives(p, z) && p.saved+f.bytes(z) > 0 {
				plans = append(plans, p)
				saved += p.saved + 2*f.bytes(z) // each plan has paid for z to be loaded and to live on
			}
		}
		if saved > 0 && len(plans) > 1 {
			for _, p := range plans {
				f.carryOut(p)
			}
			f.pinned = -1
			return
		}
		f.pinned = -1
	}
}

// derives reports whether a plan computes from z.
func (f *fusion) derives(p *recomputation, z int) bool {
	for _, m := range p.part {
		for _, r := range f.reads[m] {
			if r.from == z {
				return true
			}
		}
	}
	return false
}

// farReader reports whether a reader of node i is behind a dot or loop that depends on group k.
func (f *fusion) farReader(k *group, i int) bool {
	for _, r := range f.readers[i] {
		for _, m := range k.members {
			if f.late(m, r) {
				return true
			}
		}
	}
	return false
}

// legal reports whether a trial is a kernel.
func (f *fusion) legal(t *trial) bool {
	switch f.kind(t.set) {
	case "nest":
		return f.nest(t)
	case "dot":
		return f.dotKernel(t)
	case "score":
		return f.score(t)
	case "scatter":
		for _, i := range t.set {
			if f.isScatter(i) {
				return f.scatterKernel(t, i)
			}
		}
	}
	return false
}

// source is node i and the element-wise nodes that its home computes for it (part), down to
// values that are in memory or small enough to store (edge), with the number of large ones.
func (f *fusion) source(home *group, i int) (part, edge []int, large int) {
	seen := map[int]bool{}
	var visit func(m int)
	visit = func(m int) {
		if seen[m] {
			return
		}
		seen[m] = true
		if !home.has(m) || !f.pointwise(m) || m != i && f.stored(m) || 8*f.bytes(m) <= f.bytes(i) && !f.pure(home, m) {
			edge = append(edge, m)
			if 2*f.bytes(m) >= f.bytes(i) && f.bytes(m) > launchBytes {
				large++
			}
			return
		}
		for _, r := range f.reads[m] {
			visit(r.from)
		}
		part = union(part, []int{m})
	}
	visit(i)
	return part, edge, large
}

// pure reports whether home computes node m by element-wise ops alone.
func (f *fusion) pure(home *group, m int) bool {
	if !home.has(m) {
		return true
	}
	if !f.pointwise(m) {
		return false
	}
	for _, r := range f.reads[m] {
		if !f.pure(home, r.from) {
			return false
		}
	}
	return true
}

func (f *fusion) readBy(k *group, from int) bool {
	for _, m := range k.members {
		for _, r := range f.reads[m] {
			if r.from == from {
				return true
			}
		}
	}
	return false
}

// prune removes from a group what nothing reads any more.
func (f *fusion) prune(k *group) {
	for again := true; again; {
		again = false
		for at := len(k.members) - 1; at >= 0; at-- {
			i := k.members[at]
			if f.readInside(k, i) || f.leaves(i, f.try(k)) {
				continue
			}
			k.members = append(k.members[:at:at], k.members[at+1:]...)
			f.in[i] = replace(f.in[i], k, nil)
			again = true
		}
	}
	if len(k.members) == 0 {
		f.remove(k)
	}
}

func (f *fusion) readInside(k *group, i int) bool {
	for _, r := range f.readers[i] {
		if k.has(r) {
			return true
		}
	}
	return false
}
