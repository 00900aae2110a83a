package passes

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
}

// stored reports whether node i goes to memory.
func (f *fusion) stored(i int) bool { return f.leaves(i, f.try(f.in[i][0])) }

func (f *fusion) recomputeNode(i int) {
	home := f.in[i][0]
	part, edge, large := f.source(home, i)
	var into []*group
	for _, r := range f.readers[i] {
		for _, k := range f.in[r] {
			if !k.has(i) && !holds(into, k) {
				into = append(into, k)
			}
		}
	}
	perWork := costBytes
	if f.bytes(i) >= largeBytes {
		perWork /= 2
	}
	whole := len(part) == len(home.members)
	if large > rematMaxReads && !(whole && len(into) == 1 && f.kind(into[0].members) != "dot") {
		return
	}
	saved := f.bytes(i)
	far := f.farReader(home, i)
	if far {
		saved += f.bytes(i) // it would fill memory until then
	}
	if whole {
		saved += launchBytes
		for _, m := range edge {
			saved += f.bytes(m)
		}
	}
	for _, m := range edge {
		if home.has(m) && !f.stored(m) {
			saved -= f.bytes(m)
		}
	}
	size := float64(f.nodes[i].Type.Size())
	for _, k := range into {
		if !f.legal(f.try(k, &group{members: part})) {
			return
		}
		saved += f.bytes(i)
		for _, m := range part {
			if !k.has(m) {
				saved -= f.cost(m) * size * perWork
			}
		}
		for _, m := range edge {
			if !k.has(m) && !f.readBy(k, m) {
				saved -= f.bytes(m)
				if far && !f.farReader(home, m) {
					saved -= f.bytes(m)
				}
			}
		}
	}
	if saved <= 0 {
		return
	}
	for _, k := range into {
		k.members = union(k.members, part)
		for _, m := range part {
			if !holds(f.in[m], k) {
				f.in[m] = append(f.in[m], k)
			}
		}
	}
	f.prune(home)
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
		f.groups = replace(f.groups, k, nil)
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
