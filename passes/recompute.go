package passes

// recompute moves stored values that are cheaper to compute again into their readers:
//
//	%m = cluster nest (%seed) { less (bits …) 0.1 }      read by a forward and a backward kernel
//
// becomes a part of both, if the bytes of storing it and of each load are more
// than the work and what it reads.
func (f *fusion) recompute() {
	for i := len(f.nodes) - 1; i >= 0; i-- {
		if f.pointwise(i) && !f.needed[i] && len(f.in[i]) > 0 && f.stored(i) {
			f.recomputeNode(i)
		}
	}
}

// stored reports whether node i goes to memory.
func (f *fusion) stored(i int) bool { return f.leaves(i, f.try(f.in[i][0])) }

func (f *fusion) recomputeNode(i int) {
	home := f.in[i][0]
	part := f.source(home, i)
	if part == nil {
		return
	}
	var into []*group
	for _, r := range f.readers[i] {
		for _, k := range f.in[r] {
			if !k.has(i) && !holds(into, k) {
				into = append(into, k)
			}
		}
	}
	saved := f.bytes(i)
	if len(part) == len(home.members) {
		saved += launchBytes
	}
	size := float64(f.nodes[i].Type.Size())
	for _, k := range into {
		copyOf := &group{id: -1, members: part}
		t := f.try(k, copyOf)
		if !f.legal(t) {
			return
		}
		saved += f.bytes(i)
		for _, m := range part {
			saved -= f.cost(m) * size * costBytes
			for _, r := range f.reads[m] {
				if !holdsNode(part, r.from) && !f.readBy(k, r.from) {
					saved -= f.bytes(r.from)
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

// source is node i and what its home computes for it, if all is element-wise and
// reads little.
func (f *fusion) source(home *group, i int) []int {
	var part []int
	big := 0
	seen := map[int]bool{}
	var visit func(m int) bool
	visit = func(m int) bool {
		if seen[m] {
			return true
		}
		seen[m] = true
		if !home.has(m) {
			if f.bytes(m) >= f.bytes(i)/2 && f.bytes(m) > launchBytes {
				big++
			}
			return big <= rematMaxReads
		}
		if !f.pointwise(m) || f.needed[m] && m != i {
			return false
		}
		for _, r := range f.reads[m] {
			if !visit(r.from) {
				return false
			}
		}
		part = union(part, []int{m})
		return true
	}
	if !visit(i) {
		return nil
	}
	return part
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
