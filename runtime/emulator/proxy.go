package emulator

import "math/bits"

// The asynchronous proxy. Bulk copies and products of warpgroups reach memory another way
// than loads and stores do, and a barrier alone does not order the two: a fence.proxy.async must stand between. For
// what a thread has stored it must be in that thread, before whatever tells others of it. (The manual lets
// a fence of another thread do, but in one block nobody writes that, and so it is taken for one at the wrong place.) For
// what a thread has only read, before a copy writes there, and for stores from another block, it may be anywhere
// between. What copies and products do themselves needs none. So a view has three parts: what is ordered, which
// writes of that fences have passed on, and which reads.

var proxyBuilders = map[string]func(d *decoder){"fence": fence, "membar": nothing}

// fenced tells whether the asynchronous proxy sees a write, under a view that orders it.
func (c *cluster) fenced(v view, s stamp) bool { return v[c.numbers+s.thread()] >= s.clock() }

// readBefore tells whether a read is over for the asynchronous proxy, under a view that orders it.
func (c *cluster) readBefore(v view, s stamp) bool {
	return s == 0 || s.thread() >= c.threads || v[2*c.numbers+s.thread()] >= s.clock()
}

// unfencedRead is a read of a cell that is not over for the asynchronous proxy; 0 = there is none.
func (c *cluster) unfencedRead(x *cell, v view) stamp {
	for _, s := range [2]stamp{x.r1, x.r2} {
		if !c.readBefore(v, s) {
			return s
		}
	}
	if x.more != 0 {
		for _, s := range c.readers.lists[x.more-1] {
			if !c.readBefore(v, s) {
				return s
			}
		}
	}
	return 0
}

// fence decodes the fences: those between proxies, of mbarriers, and those that order threads, whose
// memory is in order here anyway.
func fence(d *decoder) {
	m := d.s.mods
	switch {
	case m.has("proxy"):
		if !m.has("async") || m.has("global") {
			d.fail("of the fences between proxies, fence.proxy.async is supported, for all spaces or shared memory")
		}
		m.one("shared::cta", "shared::cluster")
		d.args(0)
		d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) { w.fenceProxy(m) }})
	case m.has("mbarrier_init"):
		d.needs("release", "cluster")
		d.args(0)
		d.emit(inst{op: opRun, run: func(w *warp, in *inst, m uint32) { w.fenceMbarriers(m) }})
	default:
		m.all()
	}
}

// fenceProxy passes on to the asynchronous proxy what lanes have written and read, all reads that they know of, and the
// writes of other blocks and of copies that no thread has waited for itself.
func (w *warp) fenceProxy(m uint32) {
	c := w.blk.cluster
	n, own := c.numbers, w.blk.rank*c.l.threads
	if c.viewLength == n { // nothing in this kernel is asynchronous
		return
	}
	for m != 0 {
		old := w.views[bits.TrailingZeros32(m)]
		v := append(view(nil), old...)
		for t, clock := range old[:n] {
			v[2*n+t] = max(v[2*n+t], clock)
			if t < own || t >= own+c.l.threads {
				v[n+t] = max(v[n+t], clock)
			}
		}
		for l := range eachLane(m) { // those that share the view share the new one
			if &w.views[l][0] != &old[0] {
				continue
			}
			t := w.thread(l)
			v[n+t], v[2*n+t] = w.clocks[l], w.clocks[l]
			w.clocks[l]++
			w.views[l] = v
			m &^= 1 << l
		}
	}
}

// fenceMbarriers shows the mbarriers that lanes have made to the asynchronous proxy.
func (w *warp) fenceMbarriers(m uint32) {
	for l := range eachLane(m) {
		for _, b := range w.blk.mbarriers {
			if b.made.thread() == w.thread(l) && b.shown == 0 {
				b.shown = w.clocks[l]
			}
		}
		w.clocks[l]++
	}
}

// unfenced reports that no fence is between an access and this one of the asynchronous proxy.
func (w *warp) unfenced(in *inst, lane int, s stamp, now, was, where string) {
	p := w.blk.k.place(s.pc())
	w.faultAt(in.pc, lane, Unfenced, &p, "%s is %s here by the asynchronous proxy and was %s by %s: a fence.proxy.async is missing after that", where, now, was, w.blk.who(s))
}

// newAgent gives what a lane starts a number in views; -1 after a fault.
func (w *warp) newAgent(in *inst, lane int, kind agent) int {
	c := w.blk.cluster
	if len(c.agents) == c.l.pool() {
		w.fault(in, lane, BadBarrier, "more than %d mbarriers, and threads that copy in bulk, are not supported", len(c.agents))
		return -1
	}
	c.agents = append(c.agents, kind)
	return c.threads + len(c.agents) - 1
}

// learnOf lets lanes know what an agent has done up to a clock.
func (w *warp) learnOf(m uint32, agent int, clock uint32) {
	for m != 0 {
		old := w.views[bits.TrailingZeros32(m)]
		v := old
		if old[agent] < clock {
			v = append(view(nil), old...)
			v[agent] = clock
			if len(v) > w.blk.numbers {
				v[w.blk.numbers+agent] = clock
			}
		}
		for l := range eachLane(m) {
			if &w.views[l][0] == &old[0] {
				w.views[l] = v
				m &^= 1 << l
			}
		}
	}
}
