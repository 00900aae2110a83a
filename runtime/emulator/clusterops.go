package emulator

import (
	"math/bits"
)

// What blocks of a cluster do with each other: addresses of each other's shared memory, and a
// barrier of all their threads.

var clusterBuilders = map[string]func(d *decoder){"mapa": mapAddress, "getctarank": rankOfAddress}

// mapAddress is mapa: where another block has what this one has at an address.
func mapAddress(d *decoder) {
	args := d.args(3)
	e := d.typ()
	if e != elems["u32"] && e != elems["u64"] || e == elems["u32"] && !d.s.mods.has("shared::cluster") {
		d.fail("this form is not supported")
	}
	d.s.mods.has("shared::cluster")
	d.emit(inst{op: opRun, d: d.dst(args[0], e, false), a: d.src(args[1], e, false), b: d.src(args[2], elems["u32"], false), run: func(w *warp, in *inst, m uint32) {
		if w.undefined(in, in.a, m, "the address") || w.undefined(in, in.b, m, "the rank") {
			return
		}
		for l := range eachLane(m) {
			rank := w.regs[in.b][l]
			if rank >= uint64(len(w.blk.blocks)) {
				w.fault(in, l, BadOperand, "there is no block %d in a cluster of %d", rank, len(w.blk.blocks))
				return
			}
			w.regs[in.d][l] = w.regs[in.a][l]&^(0xff<<rankShift) | (rank+1)<<rankShift
		}
		w.def[in.d] |= m
	}})
}

func rankOfAddress(d *decoder) {
	args := d.args(2)
	e := d.typ()
	d.s.mods.has("shared::cluster")
	d.emit(inst{op: opRun, d: d.dst(args[0], elems["u32"], false), a: d.src(args[1], e, false), run: func(w *warp, in *inst, m uint32) {
		if w.undefined(in, in.a, m, "the address") {
			return
		}
		for l := range eachLane(m) {
			rank := w.regs[in.a][l] >> rankShift & 0xff
			if rank == 0 {
				rank = uint64(w.blk.rank) + 1
			}
			w.regs[in.d][l] = rank - 1
		}
		w.def[in.d] |= m
	}})
}

// A clusterBarrier is complete when all threads of the cluster that have not ended have arrived.
type clusterBarrier struct {
	meeting meeting
	done    view // of the time before
}

// clusterBarrier decodes barrier.cluster.arrive and .wait.
func clusterBarrierOp(d *decoder) {
	m := d.s.mods
	d.args(0)
	if m.has("relaxed") {
		d.fail(".relaxed is not supported: nothing would be ordered")
	}
	m.one("release", "acquire")
	in := inst{op: opRun}
	switch name := m.one("arrive", "wait"); name {
	case "arrive":
		in.run = arriveCluster
	case "wait":
		in.run = awaitCluster
	default:
		d.fail("this form is not supported")
	}
	if m.has("aligned") {
		in.op, in.sync = opWarpSync, &syncing{name: d.s.op + ".cluster", aligned: true}
	}
	d.emit(in)
}

func arriveCluster(w *warp, in *inst, m uint32) {
	if twice := m & (w.arrivedCluster | w.passedCluster); twice != 0 {
		w.fault(in, bits.TrailingZeros32(twice), BadBarrier, "a thread arrives at the cluster's barrier again and has not waited since it did")
		return
	}
	w.arrivedCluster |= m
	w.blk.barrier.meeting.release(w, m)
	w.blk.recheckCluster()
}

func awaitCluster(w *warp, in *inst, m uint32) {
	if never := m &^ (w.arrivedCluster | w.passedCluster); never != 0 {
		w.fault(in, bits.TrailingZeros32(never), BadBarrier, "a thread waits at the cluster's barrier and has not arrived: barrier.cluster.arrive is missing")
		return
	}
	if m&w.arrivedCluster != 0 {
		w.parked = waitCluster
		return
	}
	w.passCluster(m)
}

func (w *warp) passCluster(m uint32) {
	w.passedCluster &^= m
	for l := range eachLane(m) {
		w.learn(l, w.blk.barrier.done)
	}
}

// recheckCluster completes the cluster's barrier if all have come.
func (c *cluster) recheckCluster() {
	if c.barrier.meeting.v == nil {
		return
	}
	for _, w := range c.every {
		if w.alive&^w.arrivedCluster != 0 {
			return
		}
	}
	c.barrier = clusterBarrier{done: c.barrier.meeting.v}
	for _, w := range c.every {
		w.passedCluster, w.arrivedCluster = w.passedCluster|w.arrivedCluster, 0
		for _, s := range w.splits {
			if s.wait == waitCluster {
				s.wait = running
				w.passCluster(s.ready)
			}
		}
	}
}

func init() {
	for i, axis := range []string{"x", "y", "z"} {
		specials["%cluster_ctaid."+axis] = func(w *warp, l int) uint64 { return uint64(w.blk.id[i] % w.blk.l.cluster[i]) }
		specials["%cluster_nctaid."+axis] = func(w *warp, l int) uint64 { return uint64(w.blk.l.cluster[i]) }
		specials["%clusterid."+axis] = func(w *warp, l int) uint64 { return uint64(w.blk.id[i] / w.blk.l.cluster[i]) }
		specials["%nclusterid."+axis] = func(w *warp, l int) uint64 { return uint64(w.blk.l.grid[i] / w.blk.l.cluster[i]) }
	}
	specials["%cluster_ctarank"] = func(w *warp, l int) uint64 { return uint64(w.blk.rank) }
	specials["%cluster_nctarank"] = func(w *warp, l int) uint64 { return uint64(len(w.blk.blocks)) }
}
