package emulator

var syncBuilders = map[string]func(d *decoder){
	"bar": blockBarrier, "barrier": blockBarrier, "trap": trap, "brkpt": trap, "griddepcontrol": gridControl,
}

// blockBarrier decodes bar and barrier: sync, arrive and red, and bar.warp.sync.
func blockBarrier(d *decoder) {
	m := d.s.mods
	args := d.s.args
	m.has("cta") // says nothing new
	if m.has("cluster") {
		clusterBarrierOp(d)
		return
	}
	if m.has("warp") {
		warpBarrier(d)
		return
	}
	y := &syncing{name: d.s.op + "." + m.one("sync", "arrive", "red"), aligned: d.s.op == "bar" || m.has("aligned")}
	y.anywhere = !y.aligned
	in := inst{op: opBlockSync, sync: y}
	use := barrierUse{count: -1}
	u := elems["u32"]
	switch {
	case m.has("red"):
		use.reduce = m.one("popc", "and", "or")
		if use.reduce == "" || len(args) != 3 && len(args) != 4 {
			d.fail("this form is not supported")
		}
		if use.reduce == "popc" {
			d.needs("u32")
			in.d = d.dst(args[0], u, false)
		} else {
			d.needs("pred")
			in.d = d.predDst(args[0])
		}
		use.pred, use.inv = d.predSrc(args[len(args)-1])
		args = args[1 : len(args)-1]
	case m.has("arrive"):
		use.arriveOnly = true
		if len(args) != 2 {
			d.fail("it needs a number of threads")
		}
	case !m.has("sync"):
		d.fail("this form is not supported")
	}
	if len(args) < 1 || len(args) > 2 {
		d.fail("it needs the number of a barrier")
	}
	use.id = d.src(args[0], u, false)
	if len(args) == 2 {
		use.count = d.src(args[1], u, false)
	}
	y.barrier = use
	d.emit(in)
}

func warpBarrier(d *decoder) {
	d.needs("sync")
	args := d.args(1)
	in := inst{op: opWarpSync, sync: &syncing{name: "bar.warp.sync", anywhere: true, mask: d.src(args[0], elems["b32"], false)}}
	in.run = func(w *warp, in *inst, m uint32) {
		var meet meeting
		meet.release(w, m)
		meet.acquire(w, m)
	}
	d.emit(in)
}
