package emulator

import (
	"fmt"
	"math/bits"
	"slices"
)

// Products of warpgroups: four warps together multiply a matrix A of 64 rows, which is in their
// registers or in shared memory, with B, which is in shared memory, while they go on. The result is
// computed when all four have come, but its registers belong to the product until a wait_group says that it
// is done, and so do those that hold A: whoever touches them before is at fault. What a product reads of
// shared memory it reads as an agent, whose clock the wait makes known.

const warpgroup = 4 // warps

var productBuilders = map[string]func(d *decoder){"wgmma": warpgroupProduct, "setmaxnreg": setRegisters}

// A group is four warps that multiply together.
type group struct {
	first     int    // warp
	agent     int    // in views; 0 = none yet
	clock     uint32 // of the agent: products so far
	here      uint32 // warps that have come to the instruction at pc
	pc        int32
	a, b      uint64 // its descriptors
	add       bool
	registers int // of each thread, by setmaxnreg; 0 = as at the start
	wants     int // of the setmaxnreg that waits; 0 = none
}

// A groupProduct is what a wgmma.mma_async does.
type groupProduct struct {
	product
	da, db   int32 // rows of the descriptors; da -1 = A is in registers
	scale    int32 // predicate: D is added to
	scaleNot bool
	minusA   bool
	minusB   bool
	majorA   bool // its rows, and not its sums, lie side by side
	majorB   bool
	name     string
}

// groupSums has the types of products, and how many elements each sums up.
var groupSums = map[elem]int{elems["f16"]: 16, elems["bf16"]: 16, elems["tf32"]: 8, elems["e4m3"]: 32, elems["e5m2"]: 32}

func warpgroupProduct(d *decoder) {
	d.needs("sync", "aligned")
	d.k.products = true
	y := &syncing{name: "wgmma." + d.s.mods.names[0], aligned: true}
	switch d.s.mods.one("fence", "commit_group", "wait_group", "mma_async") {
	case "fence":
		d.args(0)
		d.emit(inst{op: opWarpSync, sync: y, run: func(w *warp, in *inst, m uint32) { w.products.fences++ }})
	case "commit_group":
		d.args(0)
		d.emit(inst{op: opWarpSync, sync: y, run: func(w *warp, in *inst, m uint32) {
			w.products.groups = append(w.products.groups, len(w.products.list))
		}})
	case "wait_group":
		a := d.args(1)[0]
		if a.kind != argImm {
			d.fail("the number of groups must be a constant")
		}
		keep := int(min(a.value, 1<<20))
		d.emit(inst{op: opWarpSync, sync: y, run: func(w *warp, in *inst, m uint32) { w.waitProducts(keep) }})
	case "mma_async":
		p := d.groupProduct()
		d.emit(inst{op: opWarpSync, sync: y, run: func(w *warp, in *inst, m uint32) { p.come(w, in, m) }})
	default:
		d.fail("this form is not supported")
	}
}

func (d *decoder) groupProduct() *groupProduct {
	mods, args := d.s.mods, d.s.args
	p := &groupProduct{da: -1}
	types := mods.types()
	for _, name := range mods.names {
		if _, err := fmt.Sscanf(name, "m64n%dk%d", &p.n, &p.k); err == nil && name == fmt.Sprintf("m64n%dk%d", p.n, p.k) && mods.has(name) {
			p.m, p.name = 64, name
		}
	}
	if p.m == 0 || p.n%8 != 0 || p.n < 8 || p.n > 256 || len(types) != 3 || types[0] != elems["f32"] {
		d.fail("this product is not supported")
	}
	p.c, p.a, p.b = types[0], types[1], types[2]
	sums := groupSums[p.a]
	if sums != p.k || groupSums[p.b] != sums || sums != 32 && p.a != p.b {
		d.fail("this product is not supported")
	}
	p.approx, p.perA = d.k.approx, 32/p.a.bits
	if len(args) < 6 {
		d.fail("this form is not supported")
	}
	d.k.proxy = true
	d.narrow(spaceShared, pieceBytes)
	list := elementsOf(args[0])
	if len(list) != p.n/2 {
		d.fail("the accumulator has %d registers, not %d", p.n/2, len(list))
	}
	for _, o := range list {
		p.rd = append(p.rd, d.src(o, elems["f32"], false))
	}
	if args[1].kind == argVector {
		if len(args[1].list) != 4 {
			d.fail("a fragment has 4 registers, not %d", len(args[1].list))
		}
		for _, o := range args[1].list {
			p.ra = append(p.ra, d.src(o, elems["b32"], false))
		}
	} else {
		p.da = d.src(args[1], elems["b64"], false)
	}
	p.db = d.src(args[2], elems["b64"], false)
	p.scale, p.scaleNot = d.predSrc(args[3])
	rest := args[4:]
	signs := [2]*bool{&p.minusA, &p.minusB}
	for i, minus := range signs {
		if v := rest[i]; v.kind != argImm || int64(v.value) != 1 && int64(v.value) != -1 {
			d.fail("a scale is 1 or -1")
		}
		*minus = int64(rest[i].value) == -1
	}
	rest = rest[2:]
	majors := []*bool{&p.majorA, &p.majorB}
	if p.da < 0 {
		majors = majors[1:]
	}
	if p.a.bits != 16 {
		majors = nil
	}
	if len(rest) != len(majors) {
		d.fail("%d operands say which way matrices lie, not %d", len(majors), len(rest))
	}
	for i, major := range majors {
		if rest[i].kind != argImm || rest[i].value > 1 {
			d.fail("which way a matrix lies is 0 or 1")
		}
		*major = rest[i].value == 1
	}
	for _, r := range append(p.rd[:len(p.rd):len(p.rd)], p.ra...) {
		d.owned[r] = true
	}
	return p
}

// used keeps which registers a statement uses, unless it is a product itself.
func (d *decoder) used(pc int32) {
	if d.s.op != "wgmma" && len(d.uses) > 0 && int(pc) < len(d.k.code) {
		d.usesOf[pc] = slices.Clone(d.uses)
	}
}

// touches tells instructions which registers of products they use.
func (d *decoder) touches() {
	if len(d.owned) == 0 {
		return
	}
	for pc, rows := range d.usesOf {
		for _, r := range rows {
			if d.owned[r] {
				d.k.code[pc].touch = append(d.k.code[pc].touch, r)
			}
		}
	}
}

// come is a warp at a product: it waits for the others of its group.
func (p *groupProduct) come(w *warp, in *inst, m uint32) {
	if !w.wholeWarp(in, m) || !p.settled(w, in) {
		return
	}
	g := w.group(in)
	if g == nil {
		return
	}
	a := uint64(0)
	if p.da >= 0 {
		a = w.regs[p.da][0]
	}
	b, add := w.regs[p.db][0], p.adds(w, 0)
	for l := range lanes {
		if w.regs[p.db][l] != b || p.da >= 0 && w.regs[p.da][l] != a || p.adds(w, l) != add {
			w.fault(in, l, BadOperand, "lanes of a warp give a product different descriptors")
			return
		}
	}
	if !g.same(w, in) {
		return
	}
	if g.here != 0 && (g.a != a || g.b != b || g.add != add) {
		w.fault(in, 0, BadOperand, "warp %d of the warpgroup gives the product other descriptors than warp %d", w.index, g.first+bits.TrailingZeros32(g.here))
		return
	}
	g.a, g.b, g.add = a, b, add
	if g.gather(w, in) {
		p.run(w, in, g)
	}
}

// adds tells whether a lane wants D added to.
func (p *groupProduct) adds(w *warp, lane int) bool {
	return w.preds[p.scale]>>lane&1 != 0 != p.scaleNot
}

// group is a warp's warpgroup, which must be whole.
func (w *warp) group(in *inst) *group {
	b, n := w.blk, w.index/warpgroup
	if last := n*warpgroup + warpgroup - 1; last >= len(b.warps) || b.warps[last].all != 1<<lanes-1 {
		w.fault(in, 0, Divergence, "%s needs the four warps of a warpgroup, and the block has no %d threads", in.sync.name, (last+1)*lanes)
		return nil
	}
	return &b.groups[n]
}

// same tells whether a warp comes to the instruction at which others of its group are, and reports it if not.
func (g *group) same(w *warp, in *inst) bool {
	if g.here == 0 || g.pc == in.pc {
		return true
	}
	other := w.blk.k.place(g.pc)
	w.faultAt(in.pc, 0, Divergence, &other, "warp %d of a warpgroup executes this, and warp %d another instruction of the group", w.index, g.first+bits.TrailingZeros32(g.here))
	return false
}

// gather brings a warp to an instruction of its group, and tells whether it is the last one.
func (g *group) gather(w *warp, in *inst) bool {
	if !g.same(w, in) {
		return false
	}
	g.pc = in.pc
	g.here |= 1 << (w.index - g.first)
	if g.here != 1<<warpgroup-1 {
		w.parked = waitGroup
		return false
	}
	g.here = 0
	for _, other := range w.blk.warps[g.first:][:warpgroup] {
		for _, s := range other.splits {
			if s.wait == waitGroup {
				s.wait = running
			}
		}
	}
	return true
}

// warpProducts are the products of a warp that it has not waited for.
type warpProducts struct {
	list    []issued
	groups  []int    // ends of those committed
	fences  uint32   // wgmma.fence so far
	touched []uint32 // of each row: 1 + the fences before the last instruction that used it
	owner   []int32  // of each row: 1 + the place of the product that it belongs to, negative where that only reads it
}

type issued struct {
	p     *groupProduct
	pc    int32
	clock uint32
}

func (q *warpProducts) reset(k *Kernel) {
	if !k.products {
		return
	}
	if q.touched == nil {
		q.touched, q.owner = make([]uint32, k.rows), make([]int32, k.rows)
	}
	clear(q.touched)
	clear(q.owner)
	*q = warpProducts{list: q.list[:0], groups: q.groups[:0], touched: q.touched, owner: q.owner}
}

// settled checks the registers of a product: that they hold something, that no other product has
// them, and that a fence is between their last use and the product.
func (p *groupProduct) settled(w *warp, in *inst) bool {
	q, all := &w.products, ^uint32(0)
	if und := ^w.pdef[p.scale]; und != 0 {
		w.fault(in, bits.TrailingZeros32(und), Undefined, "whether the product adds depends on what was never written")
		return false
	}
	if p.da >= 0 && w.undefined(in, p.da, all, "a descriptor") || w.undefined(in, p.db, all, "a descriptor") {
		return false
	}
	if q.fences == 0 {
		w.fault(in, 0, Unfenced, "a wgmma.fence is missing before the first product")
		return false
	}
	add := p.adds(w, 0)
	for _, r := range p.rd {
		if add && w.undefined(in, r, all, "the accumulator") {
			return false
		}
		if o := q.owner[r]; o < 0 || o > 0 && !q.sameAccumulator(p, o-1) {
			w.pending(in, r)
			return false
		}
	}
	for _, r := range p.ra {
		if w.undefined(in, r, all, "an element of A") {
			return false
		}
		if q.owner[r] > 0 {
			w.pending(in, r)
			return false
		}
	}
	for _, list := range [2][]int32{p.rd, p.ra} {
		for _, r := range list {
			if q.touched[r] == q.fences+1 {
				w.fault(in, 0, Unfenced, "register %s was used after the last wgmma.fence: one is missing before the product", w.blk.k.rowName[r])
				return false
			}
		}
	}
	return true
}

// sameAccumulator tells whether the pending product at a place has the same accumulator and shape.
func (q *warpProducts) sameAccumulator(p *groupProduct, pc int32) bool {
	for _, x := range q.list {
		if x.pc == pc {
			return x.p == p || x.p.name == p.name && slices.Equal(x.p.rd, p.rd)
		}
	}
	return false
}

// touch notes that an instruction uses registers of products, and reports those that a product still has.
func (w *warp) touch(in *inst) bool {
	for _, r := range in.touch {
		if w.products.owner[r] != 0 {
			w.pending(in, r)
			return false
		}
		w.products.touched[r] = w.products.fences + 1
	}
	return true
}

// pending reports the use of a register that a product has.
func (w *warp) pending(in *inst, r int32) {
	q, owner := &w.products, w.products.owner[r]
	what := "is the accumulator of"
	if owner < 0 {
		what, owner = "holds a part of A for", -owner
	}
	place := w.blk.k.place(owner - 1)
	missing := "a wgmma.wait_group that includes it is missing"
	committed := 0
	if n := len(q.groups); n > 0 {
		committed = q.groups[n-1]
	}
	for _, x := range q.list[committed:] {
		if x.pc == owner-1 {
			missing = "a wgmma.commit_group and a wait for it are missing"
		}
	}
	w.faultAt(in.pc, 0, Pending, &place, "register %s %s a product that may not be done: %s", w.blk.k.rowName[r], what, missing)
}

func (q *warpProducts) own(x issued) {
	for _, r := range x.p.rd {
		q.owner[r] = x.pc + 1
	}
	for _, r := range x.p.ra {
		if q.owner[r] == 0 {
			q.owner[r] = -x.pc - 1
		}
	}
}

// waitProducts waits for all but the keep youngest groups of products.
func (w *warp) waitProducts(keep int) {
	q := &w.products
	done := len(q.groups) - keep
	if done <= 0 {
		return
	}
	end := q.groups[done-1]
	for i, x := range q.list[:end] {
		for _, list := range [2][]int32{x.p.rd, x.p.ra} {
			for _, r := range list {
				q.owner[r] = 0
			}
		}
		if i == end-1 {
			w.learnOf(^uint32(0), w.blk.groups[w.index/warpgroup].agent, x.clock)
		}
	}
	q.list = append(q.list[:0], q.list[end:]...)
	for _, x := range q.list {
		q.own(x)
	}
	for i, g := range q.groups[done:] {
		q.groups[i] = g - end
	}
	q.groups = q.groups[:len(q.groups)-done]
}

// leaveProducts reports products that are not done where their warp ends.
func (w *warp) leaveProducts(pc int32) {
	if q := &w.products; w.alive == 0 && len(q.list) > 0 {
		place := w.blk.k.place(pc)
		w.faultAt(q.list[0].pc, 0, Pending, &place, "warp %d ends, and this product is not waited for", w.index)
	}
}
