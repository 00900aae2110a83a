package emulator

import "math/bits"

// The asynchronous proxy. Bulk copies and products of warpgroups reach memory another way
// than loads and stores do: what a thread has stored, they see only if a fence.proxy.async
// stands between: in the thread that stored, before whatever tells others of it. The manual lets
// a fence of another thread do where the store was handed to it, but nobody writes that, and so it is taken for
// a fence at the wrong place. What copies write themselves needs no fence. So a view has two halves: what is ordered, and
// what of that a fence has passed on.

var proxyBuilders = map[string]func(d *decoder){"fence": fence, "membar": nothing}

// fenced tells whether the asynchronous proxy sees a write, under a view that orders it.
func (c *cluster) fenced(v view, s stamp) bool { return v[c.half+s.thread()] >= s.clock() }

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

// fenceProxy passes on to the asynchronous proxy what lanes have written, and what copies of threads have that no
// thread has waited for itself.
func (w *warp) fenceProxy(m uint32) {
	half, threads := w.blk.half, w.blk.threads
	if w.blk.viewLength == half { // nothing in this kernel is asynchronous
		return
	}
	for m != 0 {
		old := w.views[bits.TrailingZeros32(m)]
		v := append(view(nil), old...)
		for t := threads; t < half; t++ {
			v[half+t] = max(v[half+t], v[t])
		}
		for l := range eachLane(m) { // those that share the view share the new one
			if &w.views[l][0] != &old[0] {
				continue
			}
			v[half+w.thread(l)] = w.clocks[l]
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

// unfenced reports that the asynchronous proxy does not see a write.
func (w *warp) unfenced(in *inst, lane int, s stamp, now, where string) {
	p := w.blk.k.place(s.pc())
	w.faultAt(in.pc, lane, Unfenced, &p, "%s is %s here by the asynchronous proxy and was written by %s: a fence.proxy.async is missing after that", where, now, w.blk.who(s))
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
			if len(v) > w.blk.half {
				v[w.blk.half+agent] = clock
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
