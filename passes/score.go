package passes

import (
	"slices"

	"mdlc/ir"
)

// scores puts what is computed of the values over pairs into one kernel, so that no such value is stored:
//
//	z = dot abc,adc->abd q, k        a value for each pair of rows of q and of k
//	p = exp (z - reduce max z) …     element-wise ops and reductions of rows
//	o = dot abd,adc->abc p, v        sums over pairs
//
// The pairs are as wide as a row is long, what they are made of and what is made of them is narrow. A gradient reads
// wide values, too, and what lies between, which wants them all to be done:
//
//	do = … o …                       other kernels
//	dp = dot abc,adc->abd do, v
//	ds = p * (dp - …)
//	dv = dot abd,abc->adc p, do
//
// So there is a kernel for each stage, where a stage waits for other kernels that read an earlier one, and it computes
// again the wide values of earlier stages from narrow ones, which are stored.
func (f *fusion) scores() {
	seen := map[int]bool{}
	for i := range f.nodes {
		if !f.isClass(i, ir.ClassDot) || seen[i] || !scoreProduct(f.nodes[i]) {
			continue
		}
		c := &scores{f: f, size: f.nodes[i].Type.Size(), root: i, member: map[int]bool{}, sums: map[int]bool{}}
		inside := c.collect()
		for m := range c.member {
			seen[m] = true
		}
		if inside {
			c.form()
		}
	}
}

const (
	scoreSummed = 256 // numbers that a wide value is computed of
	scoreRatio  = 4   // bytes of a wide value to those of a narrow one
)

// scoreProduct reports whether a product is cheaper to compute again than to store: its result is
// large, far larger than what it is computed of. Lengths are known: one of run time may be short.
func scoreProduct(n *ir.Node) bool {
	if n.Op != ir.OpDot || n.Type.IsDynamic() {
		return false
	}
	bytes := n.Type.Bytes()
	operands := n.Args[0].Type.Bytes() + n.Args[1].Type.Bytes()
	return n.Op.Cost(n) <= scoreSummed && bytes >= largeBytes && bytes >= scoreRatio*operands
}

// scores is the values over the same pairs, and what is read off them. Its wide values
// are of one size.
type scores struct {
	f      *fusion
	size   int
	root   int // the first product
	member map[int]bool
	sums   map[int]bool // products of which an operand is wide
	queue  []int
}

func (c *scores) add(i int) {
	if !c.member[i] {
		c.member[i] = true
		c.queue = append(c.queue, i)
	}
}

// wide reports whether member i is a value over pairs.
func (c *scores) wide(i int) bool {
	return c.member[i] && !c.sums[i] && c.f.nodes[i].Type.Size() == c.size
}

// collect finds the members. It reports whether no wide value is read by others.
func (c *scores) collect() bool {
	c.add(c.root)
	for len(c.queue) > 0 {
		for ; len(c.queue) > 0; c.queue = c.queue[1:] {
			if i := c.queue[0]; c.wide(i) && !c.follow(i) {
				return false
			}
		}
		c.lead()
	}
	return true
}

// follow adds the readers of wide value i. It reports whether they may be members.
func (c *scores) follow(i int) bool {
	f := c.f
	if f.needed[i] {
		return false
	}
	for _, r := range f.readers[i] {
		switch {
		case f.nodes[r].Op == ir.OpDot:
			c.sums[r] = true
		case f.isClass(r, ir.ClassReduce):
		case !f.pointwise(r) || f.nodes[r].Type.Size() != c.size:
			return false
		}
		c.add(r)
	}
	return true
}

// lead adds what wide members are computed of: other products, values of rows, and wide values that nobody else reads.
func (c *scores) lead() {
	f := c.f
	derived := map[int]bool{}
	var visit func(i int) bool
	visit = func(i int) bool {
		if c.member[i] {
			return !c.sums[i]
		}
		if is, ok := derived[i]; ok {
			return is
		}
		is := f.isClass(i, ir.ClassDot) && scoreProduct(f.nodes[i]) && f.nodes[i].Type.Size() == c.size
		if f.pointwise(i) && i > c.root {
			for _, r := range f.reads[i] {
				is = visit(r.from) || is
			}
		}
		derived[i] = is
		if is {
			c.add(i)
		}
		return is
	}
	for i := range f.nodes {
		if !c.wide(i) || !f.pointwise(i) {
			continue
		}
		for _, r := range f.reads[i] {
			if !visit(r.from) && c.alone(r.from) {
				c.add(r.from)
			}
		}
	}
}

// alone reports whether node i is an element-wise wide value that only members read, as a draw for each pair is.
func (c *scores) alone(i int) bool {
	if !c.f.pointwise(i) || c.f.needed[i] || c.f.nodes[i].Type.Size() != c.size {
		return false
	}
	for _, r := range c.f.readers[i] {
		if !c.member[r] {
			return false
		}
	}
	return true
}

// inside reports whether member i reads node `from` in its own kernel: values of the same pair or row.
func (c *scores) inside(i, from int) bool {
	return c.member[i] && c.member[from] && !c.sums[from] && (!c.f.isClass(i, ir.ClassDot) || c.wide(from))
}

// stages gives each member the number of its stage: how many times other kernels lie between, or
// that of the first that needs it.
func (c *scores) stages() []int {
	f := c.f
	stage := make([]int, len(f.nodes))
	for i := range f.nodes {
		for _, r := range f.reads[i] {
			s := stage[r.from]
			if c.member[r.from] && !c.inside(i, r.from) {
				s++
			}
			stage[i] = max(stage[i], s)
		}
	}
	for i := len(f.nodes) - 1; i >= 0; i-- {
		first := -1
		for _, r := range f.readers[i] {
			s := stage[i]
			if c.inside(r, i) {
				s = stage[r]
			}
			if first < 0 || s < first {
				first = s
			}
		}
		if c.member[i] && !f.needed[i] {
			stage[i] = max(stage[i], first)
		}
	}
	return stage
}

// form makes a group of each stage, if all are kernels.
func (c *scores) form() {
	f := c.f
	groups, in := slices.Clone(f.groups), map[int][]*group{}
	stage := c.stages()
	byStage := map[int][]int{}
	var order []int
	for i := range f.nodes {
		if c.member[i] {
			if len(f.in[i]) != 1 || len(f.in[i][0].members) != 1 {
				return // it belongs to other pairs
			}
			in[i] = f.in[i]
			if byStage[stage[i]] == nil {
				order = append(order, stage[i])
			}
			byStage[stage[i]] = append(byStage[stage[i]], i)
		}
	}
	slices.Sort(order)
	var made []*group
	for _, s := range order {
		t := f.try(homes(f, byStage[s])...)
		f.join(t)
		made = append(made, t.groups[0])
	}
	for at, s := range order {
		k := made[at]
		k.members = union(k.members, c.again(byStage[s], stage))
		for _, i := range k.members {
			if !holdsGroup(f.in[i], k) {
				f.in[i] = append(slices.Clone(f.in[i]), k)
			}
		}
	}
	for _, k := range made {
		if t := f.try(k); !f.legal(t) || !f.convex(t) {
			f.groups = groups
			for i, ks := range in {
				f.in[i] = ks
				ks[0].members = []int{i}
			}
			return
		}
	}
}

// homes is the groups that store some nodes.
func homes(f *fusion, nodes []int) []*group {
	var ks []*group
	for _, i := range nodes {
		ks = append(ks, f.in[i][0])
	}
	return ks
}

// again lists the wide values of earlier stages that a stage computes again.
func (c *scores) again(members []int, stage []int) []int {
	var out []int
	seen := map[int]bool{}
	var visit func(i, at int)
	visit = func(i, at int) {
		for _, r := range c.f.reads[i] {
			if c.inside(i, r.from) && c.wide(r.from) && stage[r.from] < at && !seen[r.from] {
				seen[r.from] = true
				out = append(out, r.from)
				visit(r.from, at)
			}
		}
	}
	for _, i := range members {
		visit(i, stage[i])
	}
	slices.Sort(out)
	return out
}
