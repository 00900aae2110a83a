package emulator

import "math/bits"

var warpBuilders = map[string]func(d *decoder){
	"shfl": shuffle, "vote": vote, "activemask": activeMask, "redux": reduceWarp, "elect": elect, "match": match,
}

// together emits an instruction that the lanes of a member mask execute as one.
func (d *decoder) together(name string, mask operand, in inst) {
	in.op = opWarpSync
	in.sync = &syncing{name: name, mask: d.src(mask, elems["b32"], false)}
	d.emit(in)
}

// shuffle: lanes read each other's operand. The third operand holds the segment
// mask (bits 8-12) and the clamp (bits 0-4).
func shuffle(d *decoder) {
	d.needs("sync", "b32")
	mode := d.s.mods.one("up", "down", "bfly", "idx")
	args := d.args(5)
	e, u := elems["b32"], elems["u32"]
	to := args[0]
	flag := to.second != -1
	in := inst{a: d.src(args[1], e, false), b: d.src(args[2], u, false), c: d.src(args[3], u, false)}
	if flag {
		in.e = d.second(to)
		to.second = -1
	}
	in.d = d.dst(to, e, false)
	in.run = func(w *warp, in *inst, m uint32) {
		a, known := w.regs[in.a], w.def[in.a]
		var inside, out uint32
		for l := range eachLane(m) {
			if w.undefined(in, in.b, 1<<l, "the lane of the shuffle") || w.undefined(in, in.c, 1<<l, "the clamp of the shuffle") {
				return
			}
			from, ok := shuffleSource(mode, l, int(w.regs[in.b][l]), w.regs[in.c][l])
			if ok {
				inside |= 1 << l
			}
			if m>>from&1 == 0 {
				w.fault(in, l, AbsentLane, "the shuffle reads lane %d, which does not take part; lanes %s do", from, laneSet(m))
				return
			}
			w.regs[in.d][l] = a[from]
			out |= known >> from & 1 << l
		}
		w.def[in.d] = w.def[in.d]&^m | out
		if flag {
			w.setPred(in.e, m, inside, m)
		}
	}
	d.together("shfl.sync", args[4], in)
}

// shuffleSource is the lane that lane l reads; ok tells whether it is within bounds.
func shuffleSource(mode string, l, b int, c uint64) (from int, ok bool) {
	segment, clamp := int(c>>8&31), int(c&31)
	b &= 31
	last := l&segment | clamp&^segment
	switch mode {
	case "up":
		from, ok = l-b, l-b >= last
	case "down":
		from, ok = l+b, l+b <= last
	case "bfly":
		from, ok = l^b, l^b <= last
	default:
		from = l&segment | b&^segment
		ok = from <= last
	}
	if !ok {
		return l, false
	}
	return from, true
}

func vote(d *decoder) {
	d.needs("sync")
	args := d.args(3)
	mode := d.s.mods.one("all", "any", "uni", "ballot")
	var in inst
	if mode == "ballot" {
		d.needs("b32")
		in.d = d.dst(args[0], elems["b32"], false)
	} else {
		d.needs("pred")
		in.d = d.predDst(args[0])
	}
	var inv bool
	in.a, inv = d.predSrc(args[1])
	in.run = func(w *warp, in *inst, m uint32) {
		if und := m &^ w.pdef[in.a]; und != 0 {
			w.fault(in, bits.TrailingZeros32(und), Undefined, "the vote depends on what was never written")
			return
		}
		p := (w.preds[in.a] ^ allOf(inv)) & m
		switch mode {
		case "all":
			w.setPred(in.d, m, allOf(p == m), m)
		case "any":
			w.setPred(in.d, m, allOf(p != 0), m)
		case "uni":
			w.setPred(in.d, m, allOf(p == 0 || p == m), m)
		default:
			w.fill(in.d, m, uint64(p))
		}
	}
	d.together("vote.sync", args[2], in)
}

// fill puts one value into lanes m of a row.
func (w *warp) fill(r int32, m uint32, v uint64) {
	for l := range eachLane(m) {
		w.regs[r][l] = v
	}
	w.def[r] |= m
}

func activeMask(d *decoder) {
	d.needs("b32")
	args := d.args(1)
	d.emit(inst{op: opRun, d: d.dst(args[0], elems["b32"], false), run: func(w *warp, in *inst, m uint32) { w.fill(in.d, m, uint64(m)) }})
}

func elect(d *decoder) {
	d.needs("sync")
	args := d.args(2)
	to := args[0]
	if to.second == -1 {
		d.fail("it gives a lane and a predicate")
	}
	in := inst{e: d.second(to)}
	to.second = -1
	in.d = d.dst(to, elems["b32"], false)
	in.run = func(w *warp, in *inst, m uint32) {
		leader := bits.TrailingZeros32(m)
		w.fill(in.d, m, uint64(leader))
		w.setPred(in.e, m, 1<<leader, m)
	}
	d.together("elect.sync", args[1], in)
}

func reduceWarp(d *decoder) {
	d.needs("sync")
	e := d.typ()
	op := d.s.mods.one("add", "min", "max", "and", "or", "xor")
	if e.float() || op == "" {
		d.fail("this form is not supported")
	}
	args := d.args(3)
	in := inst{d: d.dst(args[0], e, false), a: d.src(args[1], e, false)}
	in.run = func(w *warp, in *inst, m uint32) {
		if w.undefined(in, in.a, m, "an operand of the reduction") {
			return
		}
		r, first := uint64(0), true
		for l := range eachLane(m) {
			v := w.regs[in.a][l]
			if first {
				r, first = v, false
				continue
			}
			switch op {
			case "add":
				r = uint64(uint32(r + v))
			case "and":
				r &= v
			case "or":
				r |= v
			case "xor":
				r ^= v
			default:
				r = minMaxInt(e, op == "min")(r, v, 0)
			}
		}
		w.fill(in.d, m, r)
	}
	d.together("redux.sync", args[2], in)
}

func match(d *decoder) {
	d.needs("sync")
	e := d.typ()
	all := d.s.mods.one("all", "any") == "all"
	args := d.args(3)
	to := args[0]
	in := inst{a: d.src(args[1], e, false)}
	if all && to.second != -1 {
		in.e = d.second(to)
	}
	to.second = -1
	in.d = d.dst(to, elems["b32"], false)
	in.run = func(w *warp, in *inst, m uint32) {
		if w.undefined(in, in.a, m, "an operand of the match") {
			return
		}
		same := uint32(0)
		for l := range eachLane(m) {
			equal := uint32(0)
			for o := range eachLane(m) {
				if w.regs[in.a][o] == w.regs[in.a][l] {
					equal |= 1 << o
				}
			}
			if all && equal != m {
				equal = 0
			}
			same |= equal
			w.regs[in.d][l] = uint64(equal)
		}
		w.def[in.d] |= m
		if in.e != 0 {
			w.setPred(in.e, m, allOf(same == m), m)
		}
	}
	d.together("match.sync", args[2], in)
}
