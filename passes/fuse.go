package passes

import (
	"slices"

	"mdlc/ir"
)

// Fuse partitions a graph, and each loop's body, into clusters, one kernel each.
//
//	%2 = dot ab,bc->ac %x, %w
//	%3 = %2 + broadcast %bias
//	%4 = %x + gelu %3
//
// becomes
//
//	%c = cluster dot (%x, %w, %bias) { … the three lines … }
//	%4 = get 0 %c
//
// Kinds: nest (no dot: element-wise ops, row reductions and the rest of their
// rows, column reductions), dot (one dot, cheap prologues, an epilogue at the
// place of the result), score (dots that make values over pairs, row reductions of these and
// dots that sum them up), scatter (one scatter and what feeds it).
//
// Movement and splat constants belong to no cluster: each reader rewrites its indices.
// The steps, a file each:
//
//	score.go      dots with large results of few summands take what sums these up (score_space.go: what
//	              such a kernel may be)
//	epilogue.go   dots absorb what is computed at their results' places
//	merge.go      nests that hand a value on merge, largest saving first; then nests that read the
//	              same value at the same place, and small ones of one shape (nest.go: what a nest may be)
//	epilogue.go   dots take element-wise nests of their shape that share what the epilogue reads
//	recompute.go  values that are cheaper to compute again than to store move into their readers:
//	              so dots get their prologues, and gradients what a forward kernel need not keep
//
// Cost is in bytes moved. One multiplication costs as much as half a byte:
// 16 of them in a cycle, against some 8 bytes from a shared cache. A kernel costs launchBytes.
// Every step is convex (no path leaves a cluster and comes back) and deterministic.
func Fuse(g *ir.Graph) (*ir.Graph, error) { return fuseWith(g, true) }

// Separate makes each computed node a cluster of its own: what Fuse makes must have the same bits.
func Separate(g *ir.Graph) (*ir.Graph, error) { return fuseWith(g, false) }

const (
	launchBytes   = 4096    // a kernel's start, as memory traffic
	costBytes     = 0.5     // of one unit of work, next to values in a cache
	largeBytes    = 1 << 20 // a value that leaves the caches: its bytes cost twice as much
	alikeBytes    = 1 << 16 // of values whose kernels are small
	alikeCost     = 60      // work on an element of these kernels
	fewRows       = 16      // rows that are too few for all threads, or to fill a vector
	longRow       = 1 << 13 // elements of a row, of few, that other threads would make sooner
	maxSweeps     = 3       // dependent row reductions of a nest
	maxBuffers    = 40      // of a kernel
	pointBudget   = 8       // work on a value that is computed again for each reader's element
	dotBudget     = 2       // work on an element of an operand: a cast, a factor, a mask
	rowBudget     = 16      // work on a value that is computed once a row
	sumBudget     = 10      // work on what is computed of a row's sums, and for each element of the row
	rowShare      = 0.125
	maxEpilogue   = 96 // nodes of an epilogue
	rematMaxReads = 1  // full-size values that a recomputed value may read
)

func fuseWith(g *ir.Graph, merge bool) (*ir.Graph, error) {
	b := ir.NewBuilder(g.Name)
	return fuseGraph(b, g, merge)
}

// fuseGraph makes g in b, in clusters.
func fuseGraph(b *ir.Builder, g *ir.Graph, merge bool) (*ir.Graph, error) {
	f := newFusion(g)
	if merge {
		f.scores()
		f.epilogues()
		f.vertical()
		f.horizontal()
		f.beside()
		f.recompute()
		f.vertical()
	}
	return f.emit(b, merge)
}

// role says what fusion does with a node.
type role uint8

const (
	inMemory role = iota // a parameter, a table, a loop or its results
	looked               // movement and splats: readers look through them
	computed             // by a kernel
)

// fusion is the partition of one graph in the making. Nodes are numbered in
// order, so that a node's number is larger than those of its arguments.
type fusion struct {
	g       *ir.Graph
	nodes   []*ir.Node
	at      map[*ir.Node]int
	role    []role
	needed  []bool // in memory, whatever the clusters: results, arguments of loops
	reads   [][]read
	readers [][]int    // computed nodes, or others, that read it, ascending
	in      [][]*group // the groups that compute a node; the first stores it
	groups  []*group   // in order of their smallest node at the start
	walls   [][]uint64 // of each node: which dots, scatters and loops it depends on
	wall    []int      // a node's place in walls' bits, -1: none
	pinned  int        // a node that counts as stored while a plan is made, or -1
	behind  [][]uint64 // of each node: which of them depend on it
	search  int        // counts those of convex
	queue   []*group   // of the last one, for its memory
}

// group is a cluster in the making.
type group struct {
	id      int
	members []int // ascending
	glue    []glue
	seen    int // the last search that came by; negative: it began here
}

// glue says that two members, otherwise unrelated, of the same shape, run over the same axes.
type glue struct{ a, b int }

func (k *group) has(i int) bool { return holdsNode(k.members, i) }

func newFusion(g *ir.Graph) *fusion {
	f := &fusion{g: g, nodes: order(g), at: map[*ir.Node]int{}, pinned: -1}
	n := len(f.nodes)
	f.role, f.needed = make([]role, n), make([]bool, n)
	f.reads, f.readers, f.in = make([][]read, n), make([][]int, n), make([][]*group, n)
	for i, x := range f.nodes {
		f.at[x] = i
		f.role[i] = roleOf(x)
	}
	for _, r := range g.Results {
		f.needed[f.at[r.Value]] = true
	}
	for i, x := range f.nodes {
		if f.role[i] == inMemory {
			for _, a := range x.Args {
				f.needed[f.at[a]] = true
			}
		}
	}
	for i := range f.nodes {
		if f.role[i] == looked && f.needed[i] {
			f.role[i] = computed
		}
	}
	free := func(x *ir.Node) bool { return f.free(f.at[x]) }
	for i, x := range f.nodes {
		switch f.role[i] {
		case computed:
			f.reads[i] = readsOf(x, f.at, free)
		case inMemory:
			for k, a := range x.Args {
				f.reads[i] = append(f.reads[i], read{arg: k, from: f.at[a], way: anywhere})
			}
		default:
			continue
		}
		for _, r := range f.reads[i] {
			if rs := f.readers[r.from]; len(rs) == 0 || rs[len(rs)-1] != i {
				f.readers[r.from] = append(rs, i)
			}
		}
		k := &group{id: len(f.groups), members: []int{i}}
		f.groups = append(f.groups, k)
		f.in[i] = []*group{k}
	}
	f.findWalls()
	return f
}

// findWalls finds for each node the dots, scatters and loops before and behind
// it. What lies on both sides of one cannot be in one kernel.
func (f *fusion) findWalls() {
	n := len(f.nodes)
	f.wall = make([]int, n)
	count := 0
	for i := range f.nodes {
		f.wall[i] = -1
		if f.isClass(i, ir.ClassDot) || f.isScatter(i) || f.role[i] == inMemory && len(f.nodes[i].Args) > 0 {
			f.wall[i] = count
			count++
		}
	}
	words := (count + 63) / 64
	f.walls, f.behind = make([][]uint64, n), make([][]uint64, n)
	for i := range f.nodes {
		f.walls[i], f.behind[i] = make([]uint64, words), make([]uint64, words)
	}
	mark := func(set []uint64, i int) {
		if w := f.wall[i]; w >= 0 {
			set[w/64] |= 1 << (w % 64)
		}
	}
	merge := func(into, from []uint64) {
		for w := range into {
			into[w] |= from[w]
		}
	}
	for i := range f.nodes {
		for _, r := range f.reads[i] {
			merge(f.walls[i], f.walls[r.from])
			mark(f.walls[i], r.from)
		}
	}
	for i := n - 1; i >= 0; i-- {
		for _, r := range f.reads[i] {
			merge(f.behind[r.from], f.behind[i])
			mark(f.behind[r.from], i)
		}
	}
}

// late reports whether node r is of no use until something behind node i has run:
// it depends on a dot, scatter or loop that depends on i, or all that read it do.
func (f *fusion) late(i, r int) bool {
	memo := map[int]bool{}
	var visit func(r int) bool
	visit = func(r int) bool {
		if v, ok := memo[r]; ok {
			return v
		}
		v := f.apart(i, r)
		if !v && f.pointwise(r) && !f.needed[r] {
			v = true
			for _, x := range f.readers[r] {
				v = v && visit(x)
			}
		}
		memo[r] = v
		return v
	}
	return visit(r)
}

// apart reports whether reader r of node i is behind a dot, scatter or loop that depends on i.
func (f *fusion) apart(i, r int) bool {
	for w := range f.walls[r] {
		if f.walls[r][w]&f.behind[i][w] != 0 {
			return true
		}
	}
	return false
}

// free reports whether readers look through node i: constants and counters also where a kernel stores them.
func (f *fusion) free(i int) bool {
	return f.role[i] == looked || f.nodes[i].Op.Class == ir.ClassLeaf && roleOf(f.nodes[i]) == looked
}

func roleOf(n *ir.Node) role {
	switch n.Op.Class {
	case ir.ClassLeaf:
		if n.Op.Lower == nil {
			return inMemory
		}
		if a, ok := n.Attr.(ir.ConstAttr); ok && len(a.Bits) > 1 {
			return inMemory
		}
		return looked
	case ir.ClassMovement:
		return looked
	case ir.ClassControl:
		return inMemory
	}
	return computed
}

// pointwise reports whether node i can be computed at any place from values at places.
func (f *fusion) pointwise(i int) bool {
	if f.role[i] != computed {
		return false
	}
	switch f.nodes[i].Op.Class {
	case ir.ClassReduce, ir.ClassDot, ir.ClassScatter, ir.ClassControl:
		return false
	}
	return f.nodes[i].Op.Lower != nil
}

func (f *fusion) isClass(i int, c ir.Class) bool {
	return f.role[i] == computed && f.nodes[i].Op.Class == c
}

func (f *fusion) cost(i int) float64  { return f.nodes[i].Op.Cost(f.nodes[i]) }
func (f *fusion) bytes(i int) float64 { return float64(f.nodes[i].Type.Bytes()) }
func (f *fusion) rank(i int) int      { return f.nodes[i].Type.Rank() }

// kind of a set of nodes.
func (f *fusion) kind(set []int) string {
	dots, reductions := 0, 0
	for _, i := range set {
		switch {
		case f.role[i] == inMemory:
			return ""
		case f.isScatter(i):
			return "scatter"
		case f.isClass(i, ir.ClassDot):
			dots++
		case f.isClass(i, ir.ClassReduce):
			reductions++
		}
	}
	switch {
	case dots == 0:
		return "nest"
	case dots+reductions > 1:
		return "score"
	}
	return "dot"
}

// trial is some groups taken together: what a merge would make.
type trial struct {
	groups []*group
	set    []int // ascending
	glue   []glue
}

func (f *fusion) try(groups ...*group) *trial {
	t := &trial{groups: groups}
	for _, k := range groups {
		t.set = union(t.set, k.members)
		t.glue = append(t.glue, k.glue...)
	}
	return t
}

func (t *trial) has(i int) bool { return holdsNode(t.set, i) }

// place is where node i is in the set.
func (t *trial) place(i int) (int, bool) { return slices.BinarySearch(t.set, i) }

// leaves reports whether node i of the trial would have to be stored.
func (f *fusion) leaves(i int, t *trial) bool {
	if !holdsGroup(t.groups, f.in[i][0]) {
		return false // a copy
	}
	if f.needed[i] {
		return true
	}
	for _, r := range f.readers[i] {
		for _, k := range f.in[r] {
			if !k.has(i) && !holdsGroup(t.groups, k) {
				return true
			}
		}
	}
	return false
}

// convex reports whether no path leaves the trial and comes back.
func (f *fusion) convex(t *trial) bool {
	f.search++
	queue := f.queue[:0]
	for _, k := range t.groups {
		k.seen = -f.search
	}
	// follow queues the groups that read node i; it reports whether one of them is in the trial.
	follow := func(i int) (back bool) {
		for _, r := range f.readers[i] {
			for _, k := range f.in[r] {
				if k.seen == f.search || k.has(i) {
					continue
				}
				if k.seen == -f.search {
					back = true
					continue
				}
				k.seen = f.search
				queue = append(queue, k)
			}
		}
		return back
	}
	for _, i := range t.set {
		follow(i)
	}
	defer func() { f.queue = queue }()
	for at := 0; at < len(queue); at++ {
		for _, m := range queue[at].members {
			if follow(m) {
				return false
			}
		}
	}
	return true
}

// join makes the groups of a trial one group: the first.
func (f *fusion) join(t *trial) {
	first := t.groups[0]
	for _, k := range t.groups[1:] {
		for _, i := range k.members {
			f.in[i] = replace(f.in[i], k, first)
		}
		f.remove(k)
	}
	first.members, first.glue = t.set, t.glue
}

// remove takes a group from the list.
func (f *fusion) remove(k *group) {
	if at := slices.Index(f.groups, k); at >= 0 {
		f.groups = slices.Delete(f.groups, at, at+1)
	}
}

// replace puts b, if any, in a's place; once.
func replace(ks []*group, a, b *group) []*group {
	var out []*group
	for _, k := range ks {
		if k == a {
			k = b
		}
		if k != nil && !holdsGroup(out, k) {
			out = append(out, k)
		}
	}
	return out
}

func holdsGroup(ks []*group, k *group) bool {
	for _, x := range ks {
		if x == k {
			return true
		}
	}
	return false
}

func holdsNode(set []int, i int) bool {
	_, found := slices.BinarySearch(set, i)
	return found
}

// union merges ascending lists.
func union(a, b []int) []int {
	out := make([]int, 0, len(a)+len(b))
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			out, a = append(out, a[0]), a[1:]
		case len(a) == 0 || b[0] < a[0]:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return out
}
