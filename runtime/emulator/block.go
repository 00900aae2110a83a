package emulator

import "math/bits"

// A block has its threads, shared memory and barriers. It is part of a cluster.
type block struct {
	*cluster
	rank      int // in the cluster
	id        [3]int
	warps     []*warp
	alive     int
	shared    []byte
	cells     []cell   // of shared, one for each granule
	fresh     []cell   // how cells begin
	sharedG   uint     // log2 of the granule
	tags      []boxTag // of shared, one for each piece; nil where no box was copied
	barriers  [blockBarriers]barrier
	mbarriers map[uint64]*mbarrier // by address in shared memory
	visitors  map[int]visitor      // by their number in views
	leaving   meeting              // of those who have ended
	groups    []group
}

func newBlock(c *cluster, rank int) *block {
	l := c.l
	b := &block{cluster: c, rank: rank}
	b.sharedG = uint(bits.TrailingZeros(uint(l.k.granule[0])))
	end := 0
	for _, p := range l.k.shared {
		size := int(p.v.size)
		if p.v.external {
			size = l.sharedBytes
		}
		end = max(end, p.addr+size)
	}
	end += gap
	b.shared = make([]byte, end)
	b.fresh = make([]cell, (end+1<<b.sharedG-1)>>b.sharedG)
	for i := range b.fresh {
		b.fresh[i].w = stampGap
	}
	for _, p := range l.k.shared {
		size := int(p.v.size)
		if p.v.external {
			size = l.sharedBytes
		}
		for i := p.addr; i < p.addr+size; i++ {
			b.fresh[i>>b.sharedG].w = 0
		}
	}
	b.cells = make([]cell, len(b.fresh))
	for i := 0; i*lanes < l.threads; i++ {
		b.warps = append(b.warps, b.newWarp(i))
	}
	return b
}

func (b *block) newWarp(i int) *warp {
	k := b.k
	w := &warp{blk: b, index: i, first: i * lanes, agent: b.rank*b.l.threads + i*lanes, regs: make([]row, k.rows), def: make([]uint32, k.rows), preds: make([]uint32, k.preds), pdef: make([]uint32, k.preds)}
	w.all = ^uint32(0)
	if left := b.l.threads - w.first; left < lanes {
		w.all = 1<<left - 1
	}
	for l := range lanes {
		w.local[l] = newLocal(k)
		w.frames[l] = newFrame(k)
	}
	return w
}

// reset makes the block ready to run as part of the cluster's place in the grid.
func (b *block) reset(start view) {
	b.id = b.l.blockID(int(b.number), b.rank)
	b.alive = b.l.threads
	b.barriers = [blockBarriers]barrier{}
	b.groups = make([]group, (len(b.warps)+warpgroup-1)/warpgroup)
	for i := range b.groups {
		b.groups[i].first = i * warpgroup
	}
	b.mbarriers, b.visitors, b.leaving = nil, nil, meeting{}
	copy(b.cells, b.fresh)
	clear(b.tags)
	for _, w := range b.warps {
		w.reset(start)
	}
}

func (w *warp) reset(start view) {
	k := w.blk.k
	w.alive, w.splits, w.joins = w.all, nil, nil
	w.arrivedCluster, w.passedCluster = 0, 0
	w.products.reset(k)
	clear(w.def)
	clear(w.pdef)
	w.preds[trueRow], w.pdef[trueRow], w.def[zeroRow] = ^uint32(0), ^uint32(0), ^uint32(0)
	for _, c := range k.consts {
		v := c.value
		if c.at != nil {
			v = w.blk.l.globals[c.at].addr
		}
		r := &w.regs[c.row]
		for l := range r {
			r[l] = v
		}
		w.def[c.row] = ^uint32(0)
	}
	for _, s := range k.specs {
		r := &w.regs[s.row]
		for l := range r {
			r[l] = s.value(w, l)
		}
		w.def[s.row] = ^uint32(0)
	}
	for l := range lanes {
		w.views[l], w.clocks[l] = start, 1
		w.async[l].reset()
		w.bulk[l].reset()
		w.local[l].reset()
		clear(w.frames[l].defined)
	}
	w.addSplit(0, w.all, nil)
}

func (b *block) threadID(t int) [3]int {
	s := b.l.block
	return [3]int{t % s[0], t / s[0] % s[1], t / s[0] / s[1]}
}
