package passes

import (
	"sort"

	"mdlc/ir"
)

// vertical merges nests of which one reads what the other computes, largest
// saving first, until nothing changes.
func (f *fusion) vertical() {
	for f.mergeBest(f.handOvers()) {
	}
}

// horizontal merges nests that read the same value at the same place, and small
// ones of the same shape.
func (f *fusion) horizontal() {
	f.mergeBest(f.commonReads())
	f.mergeBest(f.alike())
}

// pairing is a merge that would save bytes.
type pairing struct {
	a, b  *group
	saved float64
	glue  []glue
}

// handOvers lists producers and consumers.
func (f *fusion) handOvers() []pairing {
	var out []pairing
	for _, a := range f.groups {
		if f.kind(a.members) != "nest" {
			continue
		}
		saved := map[*group]float64{}
		var order []*group
		for _, i := range a.members {
			for _, r := range f.readers[i] {
				for _, k := range f.in[r] {
					if k.has(i) || f.kind(k.members) != "nest" {
						continue
					}
					if _, ok := saved[k]; !ok {
						order = append(order, k)
					}
					saved[k] += f.bytes(i)
				}
			}
		}
		for _, k := range order {
			out = append(out, pairing{a: a, b: k, saved: saved[k]})
		}
	}
	return out
}

// commonReads lists nests that read one value of more than a few bytes.
func (f *fusion) commonReads() []pairing {
	var out []pairing
	for i := range f.nodes {
		if f.role[i] == looked || f.bytes(i) < launchBytes/4 {
			continue
		}
		var ks []*group
		for _, r := range f.readers[i] {
			for _, k := range f.in[r] {
				if !k.has(i) && !holdsGroup(ks, k) && f.kind(k.members) == "nest" {
					ks = append(ks, k)
				}
			}
		}
		for at, a := range ks {
			for _, k := range ks[at+1:] {
				out = append(out, pairing{a: a, b: k, saved: f.bytes(i)})
			}
		}
	}
	return out
}

// alike lists small element-wise nests of one shape: the updates of small parameters, the
// arithmetic of scalars. Together they cost one start. Dear ones, as draws are, whose work is more than
// a start, stay apart: each is a kernel that others may equal.
func (f *fusion) alike() []pairing {
	var out []pairing
	last := map[string]*group{}
	lastNode := map[string]int{}
	for _, k := range f.groups {
		if f.kind(k.members) != "nest" {
			continue
		}
		n := f.nodes[k.members[len(k.members)-1]]
		small, cost := n.Type.Bytes() <= alikeBytes, 0.0
		for _, i := range k.members {
			cost += f.cost(i)
			small = small && f.pointwise(i) && ir.SameDims(f.nodes[i].Type.Dims, n.Type.Dims)
		}
		if !small || cost > alikeCost && costBytes*cost*float64(n.Type.Size()) > launchBytes {
			continue
		}
		shape := ir.OfDims(0, n.Type.Dims).String()
		if a := last[shape]; a != nil {
			out = append(out, pairing{a: a, b: k, saved: launchBytes, glue: []glue{{lastNode[shape], k.members[0]}}})
		}
		last[shape], lastNode[shape] = k, k.members[0]
	}
	return out
}

// mergeBest makes the legal merges of a list, best first; of groups that merged
// on the way it looks at what they became. It reports whether there was one.
func (f *fusion) mergeBest(ps []pairing) bool {
	sort.SliceStable(ps, func(i, j int) bool { return ps[i].saved > ps[j].saved })
	became := map[*group]*group{}
	now := func(k *group) *group {
		for became[k] != nil {
			k = became[k]
		}
		return k
	}
	merged := false
	for _, p := range ps {
		a, k := now(p.a), now(p.b)
		if a == k {
			continue
		}
		t := f.try(a, k)
		t.glue = append(t.glue, p.glue...)
		if f.nest(t) && f.convex(t) {
			f.join(t)
			became[k] = a
			merged = true
		}
	}
	return merged
}
